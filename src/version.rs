//! Which content a file or an object has.

use std::fs::Metadata;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// Which content a file or an object has: it was changed or replaced if its version is another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Bytes.
    pub size: u64,
    /// What changes with the content: an object's etag, or when a file or object was last written.
    pub tag: String,
}

impl From<&Metadata> for Version {
    fn from(metadata: &Metadata) -> Self {
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        Self { size: metadata.len(), tag: format!("{}.{:09}", modified.as_secs(), modified.subsec_nanos()) }
    }
}

impl Version {
    /// The version of several files or objects that are read as one.
    #[must_use]
    pub fn of_all(versions: &[Self]) -> Self {
        if let [version] = versions {
            return version.clone();
        }
        let mut digest = Digest::default();
        for Self { size, tag } in versions {
            digest.add(format!("{size} {tag}\n").as_bytes());
        }
        Self { size: versions.iter().map(|version| version.size).sum(), tag: digest.hex() }
    }
}
