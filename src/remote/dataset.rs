//! Remote rasters as the rest of the engine sees them.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::RemoteError;
use super::vsi::{Mount, PREFIX, install};
use crate::{Error, RemoteUri, Result, Version};

/// What GDAL opens to read an object. The object is asked first, so that a failure has its cause; files beside it are asked for at the same time.
///
/// # Errors
/// If the object is not there, empty, or its store does not give it.
pub(crate) fn dataset_name(uri: &RemoteUri) -> Result<PathBuf> {
    install();
    let name = || {
        let mount = Mount::get()?;
        let name = mount.name(uri)?;
        let siblings = mount.siblings(&name);
        // Why the raster cannot be read tells more than why it cannot be listed.
        if mount.object(&name)?.version.size == 0 {
            return Err(RemoteError::Other { reason: "the object is empty".to_owned() });
        }
        siblings?;
        Ok(format!("{PREFIX}{name}").into())
    };
    name().map_err(|source| Error::Remote { action: "open".to_owned(), location: uri.to_string().into(), source })
}

/// Forgets what is known of an object: what is opened next is what is there then.
pub(crate) fn forget(uri: &RemoteUri) {
    if let Ok(mount) = Mount::get()
        && let Ok(name) = mount.name(uri)
    {
        mount.forget(&name);
    }
}

/// The version of a file of a remote raster, as it was when it was first opened; none for other files and names.
pub(crate) fn version(name: &Path) -> Option<Version> {
    let name = name.to_str()?.strip_prefix(PREFIX)?;
    Mount::get().ok()?.object(name).ok().map(|object| object.version.clone())
}

/// Asks for bytes of a file of a remote raster that will be read, and does not wait for them.
pub(crate) fn warm(name: &Path, ranges: &[Range<u64>]) {
    if let Some(name) = name.to_str().and_then(|name| name.strip_prefix(PREFIX))
        && let Ok(mount) = Mount::get()
        && let Ok(object) = mount.object(name)
    {
        mount.cache.warm(&object, ranges);
    }
}

/// Bounds the bytes of objects that are held, for the whole process.
pub(crate) fn limit_cache(bytes: usize) {
    if let Ok(mount) = Mount::get() {
        mount.cache.set_capacity(bytes as u64);
    }
}
