//! Which scenes a batch has.
//!
//! A [`Manifest`] is read from a text file with a path or URI a line, from a STAC item or a collection of items, or from a folder or prefix. Each of
//! its scenes has a [`SceneName`], by which its products are called, and is an error of its own where something is wrong with it: the others go on.
//!
//! Who writes a manifest need not be who runs it. Its rasters are [listed](crate::source::SceneInput::Listed) ones: GDAL opens none that leads to
//! other files. A manifest in a store cannot name local files. Names that would leave the output's folder are refused. Entries of archives are
//! read through `/vsizip/` and `/vsitar/`, by name: nothing is unpacked, so that no entry can land anywhere.

mod assets;
mod error;
mod folder;
mod href;
mod item;
mod list;
mod name;
mod options;
mod read;
mod scene;

pub use error::ManifestError;
pub(crate) use href::resolve;
pub use name::SceneName;
pub use options::{AssetChoice, ManifestOptions};
pub use read::Manifest;
pub use scene::BatchScene;
