//! What a scene is read from.

use std::path::PathBuf;

use super::Stack;
use crate::{Location, Result, remote};

/// What a scene is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SceneInput {
    /// One raster, in any format that GDAL reads.
    Raster(Location),
    /// One raster that somebody else named: in a manifest, or in another raster. It may not lead to files that are not its own.
    Listed(Location),
    /// Several rasters, each for a band. They are as [listed](SceneInput::Listed) ones.
    Stack(Stack),
}

impl SceneInput {
    /// How messages and products name it.
    #[must_use]
    pub fn shown(&self) -> PathBuf {
        match self {
            Self::Raster(location) | Self::Listed(location) => location.shown(),
            Self::Stack(stack) => PathBuf::from(&stack.name),
        }
    }

    /// What GDAL opens.
    ///
    /// # Errors
    /// If a remote raster is not there or cannot be read.
    pub(super) fn dataset_name(&self) -> Result<PathBuf> {
        match self {
            Self::Raster(Location::Local(path)) | Self::Listed(Location::Local(path)) => Ok(path.clone()),
            Self::Raster(Location::Remote(uri)) | Self::Listed(Location::Remote(uri)) => remote::dataset_name(uri),
            // Its rasters are opened one by one.
            Self::Stack(_) => Ok(self.shown()),
        }
    }

    /// The rasters that it is made of, each once.
    #[must_use]
    pub fn locations(&self) -> Vec<&Location> {
        match self {
            Self::Raster(location) | Self::Listed(location) => vec![location],
            Self::Stack(stack) => stack.locations(),
        }
    }

    /// Forgets what is known of remote rasters: what is opened next is what is there then.
    pub(super) fn forget(&self) {
        for location in self.locations() {
            if let Location::Remote(uri) = location {
                remote::forget(uri);
            }
        }
    }

    /// Whether pixels come over the network.
    pub(crate) fn is_remote(&self) -> bool {
        self.locations().into_iter().any(|location| matches!(location, Location::Remote(_)))
    }
}

impl<T: Into<Location>> From<T> for SceneInput {
    fn from(location: T) -> Self {
        Self::Raster(location.into())
    }
}
