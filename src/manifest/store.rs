//! Where manifests lie.

use std::fs::File;
use std::io::Read as _;

use super::ManifestError;
use crate::source::read_file;
use crate::{Error, Location, Result, remote};

/// Largest manifest, in bytes: ten thousands of items.
pub(super) const MOST: usize = 256 << 20;

/// Whether it is a folder, or the beginning of several names.
pub(super) fn is_folder(location: &Location) -> bool {
    match location {
        Location::Local(path) => path.is_dir(),
        Location::Remote(uri) => uri.url().path().ends_with('/'),
    }
}

/// The text of a manifest.
pub(super) fn read_text(location: &Location) -> Result<String> {
    let path = location.shown();
    let bytes = match location {
        Location::Local(path) => {
            let fail = |action| move |source| Error::File { action, path: path.clone(), source };
            let mut bytes = Vec::new();
            let file = File::open(path).map_err(fail("open"))?;
            file.take(MOST as u64 + 1).read_to_end(&mut bytes).map_err(fail("read"))?;
            bytes
        }
        Location::Remote(uri) => {
            let name = remote::dataset_name(uri)?;
            drop(remote::take_failure());
            let bytes = read_file(&name, MOST + 1);
            let failure = remote::take_failure();
            failure.map_or(Ok(bytes), |source| Err(Error::Remote { action: "read".into(), location: path.clone(), source }))?
        }
    };
    if bytes.len() > MOST {
        return Err(ManifestError::TooLarge { path, most: MOST }.into());
    }
    String::from_utf8(bytes).map_err(|source| ManifestError::NoText { path, source }.into())
}
