//! What says that a scene is done.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;
use crate::{Error, Result};

/// What says that a scene is done: written when all its products are where they belong, and last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// What the labels depend on. A batch that would label the scene otherwise does not take it for done.
    pub identity: Value,
    /// What was made.
    pub products: Vec<Product>,
    /// Pixels of each class, by its name, in the order of their values.
    pub classes: Vec<ClassPixels>,
    /// Pixels without a label.
    pub nodata: u64,
    /// Seconds from opening the scene to delivering its products.
    pub seconds: f64,
    /// When it was done.
    pub created: Timestamp,
    /// The version of Swath that did it.
    pub swath: String,
}

/// How often a class occurs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassPixels {
    /// The class.
    pub name: String,
    /// Its pixels.
    pub pixels: u64,
}

/// A file that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Its name, in the folder of the receipt.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its SHA-256 in hexadecimal digits.
    pub sha256: String,
}

impl Product {
    /// Describes a finished file.
    pub(super) fn of(path: &Path) -> Result<Self> {
        let mut digest = Digest::default();
        digest.add_file(path).map_err(|source| Error::File { action: "read", path: path.to_owned(), source })?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { name, size: digest.bytes(), sha256: digest.hex() })
    }
}
