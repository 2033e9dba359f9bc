//! What a scene is read from.

use std::path::PathBuf;

use crate::{Location, Result};

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
