//! What a scene is read from.

use std::path::PathBuf;

use crate::{Location, Result, remote};

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
    /// If a remote raster is not there or cannot be read.
    pub(super) fn dataset_name(&self) -> Result<PathBuf> {
        match self {
            Self::Raster(Location::Local(path)) => Ok(path.clone()),
            Self::Raster(Location::Remote(uri)) => remote::dataset_name(uri),
        }
    }

    /// Forgets what is known of remote rasters: what is opened next is what is there then.
    pub(super) fn forget(&self) {
        match self {
            Self::Raster(Location::Local(_)) => {}
            Self::Raster(Location::Remote(uri)) => remote::forget(uri),
        }
    }

    /// Whether pixels come over the network.
    pub(crate) fn is_remote(&self) -> bool {
        match self {
            Self::Raster(location) => matches!(location, Location::Remote(_)),
        }
    }
}

impl<T: Into<Location>> From<T> for SceneInput {
    fn from(location: T) -> Self {
        Self::Raster(location.into())
    }
}
