//! What a scene is read from.

use std::path::PathBuf;

use crate::{Location, Result, Version};

/// What a scene is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SceneInput {
    /// One raster, in any format that GDAL reads.
    Raster(Location),
}

impl SceneInput {
    /// How messages and products name it.
    #[must_use]
    pub fn shown(&self) -> PathBuf {
        match self {
            Self::Raster(location) => location.shown(),
        }
    }

    /// Which content it has; none if that cannot be told.
    #[must_use]
    pub(crate) fn version(&self) -> Option<Version> {
        match self {
            Self::Raster(Location::Local(path)) => std::fs::metadata(path).ok().as_ref().map(Version::from),
            Self::Raster(Location::Remote(_)) => None,
        }
    }

    /// What GDAL opens.
    ///
    /// # Errors
    /// If the store of a remote raster cannot be used.
    pub(super) fn dataset_name(&self) -> Result<PathBuf> {
        match self {
            Self::Raster(Location::Local(path)) => Ok(path.clone()),
            Self::Raster(Location::Remote(uri)) => Ok(uri.to_string().into()),
        }
    }
}

impl<T: Into<Location>> From<T> for SceneInput {
    fn from(location: T) -> Self {
        Self::Raster(location.into())
    }
}
