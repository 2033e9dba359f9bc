//! Small objects, and lists of all.

use std::fs::File;
use std::io::{self, Write as _};
use std::time::SystemTime;

use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStoreExt as _, PutMode, PutOptions};

use super::RemoteError;
use super::runtime::{runtime, wait};
use super::stores::{Place, resolve};
use crate::storage::ListEntry;
use crate::{Existing, RemoteUri, Scheme, Version};

impl From<&ObjectMeta> for Version {
    fn from(meta: &ObjectMeta) -> Self {
        let tag = meta.e_tag.clone().unwrap_or_else(|| meta.last_modified.to_rfc3339());
        Self { size: meta.size, tag }
    }
}

/// Runs a request on the threads for requests and waits for it.
pub(super) fn run<T: Send + 'static>(
    work: impl Future<Output = Result<T, RemoteError>> + Send + 'static,
) -> Result<T, RemoteError> {
    let task = runtime()?.spawn(work);
    // It is never cancelled, so that only a panic ends it early.
    wait(task).unwrap_or_else(|panic| Err(RemoteError::Other { reason: panic.to_string() }))
}

/// Which content an object has; none if there is no object.
pub(crate) fn version_of(uri: &RemoteUri) -> Result<Option<Version>, RemoteError> {
    let place = resolve(uri)?;
    // A signature is for one method, and the one that everybody has is GET.
    let options = match uri.url().query() {
        Some(_) => GetOptions { range: Some(GetRange::Bounded(0..1)), ..GetOptions::default() },
        None => GetOptions { head: true, ..GetOptions::default() },
    };
    match run(async move { Ok(place.store.objects.get_opts(&place.path, options).await?.meta) }) {
        Ok(meta) => Ok(Some(Version::from(&meta))),
        Err(RemoteError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// All bytes of an object; none if there are more than `most`.
pub(crate) fn read(uri: &RemoteUri, most: u64) -> Result<Option<Bytes>, RemoteError> {
    let place = resolve(uri)?;
    run(async move { found(&place, most).await })
}

/// The first bytes of an object, at most so many of them.
pub(crate) fn read_start(uri: &RemoteUri, most: u64) -> Result<Bytes, RemoteError> {
    let place = resolve(uri)?;
    run(async move {
        let size = place.store.objects.head(&place.path).await?.size;
        // No byte is no range.
        Ok(if size == 0 { Bytes::new() } else { place.store.objects.get_range(&place.path, 0..size.min(most)).await? })
    })
}

/// Writes all bytes of an object to a file, which gets the object's time.
pub(crate) fn download(uri: &RemoteUri, mut file: File) -> Result<(), RemoteError> {
    let place = resolve(uri)?;
    run(async move {
        let got = place.store.objects.get(&place.path).await?;
        let written = SystemTime::from(got.meta.last_modified);
        let mut parts = got.into_stream();
        let unwritten = |error: io::Error| RemoteError::Other { reason: format!("its bytes cannot be written: {error}") };
        while let Some(part) = parts.try_next().await? {
            file.write_all(&part).map_err(unwritten)?;
        }
        file.set_modified(written).and_then(|()| file.sync_all()).map_err(unwritten)
    })
}

/// Removes an object, if there is one.
pub(crate) fn delete(uri: &RemoteUri) -> Result<(), RemoteError> {
    let place = resolve(uri)?;
    match run(async move { Ok(place.store.objects.delete(&place.path).await?) }) {
        Err(RemoteError::NotFound) => Ok(()),
        deleted => deleted,
    }
}

/// Writes a small object.
pub(crate) fn write(uri: &RemoteUri, text: String, existing: Existing) -> Result<(), RemoteError> {
    let place = resolve(uri)?;
    run(async move { put(&place, Bytes::from(text), existing).await })
}

/// Writes an object in one request: with `If-None-Match: *`, if an earlier one must stay.
///
/// Such a request is not tried again by `object_store` if its answer was lost, as it may have been carried out. Whether it was is seen here.
pub(super) async fn put(place: &Place, bytes: Bytes, existing: Existing) -> Result<(), RemoteError> {
    let mode = match existing {
        Existing::Refuse => PutMode::Create,
        Existing::Overwrite => PutMode::Overwrite,
    };
    let mut tried = 0;
    loop {
        tried += 1;
        let options = PutOptions::from(mode.clone());
        let error = match place.store.writing()?.objects.put_opts(&place.path, bytes.clone().into(), options).await {
            Ok(_) => return Ok(()),
            Err(error) => RemoteError::from(error),
        };
        // Also what is said to exist may be this object: an attempt before that `object_store` made, whose answer was a failure.
        if existing == Existing::Overwrite || !matches!(error, RemoteError::Unavailable { .. } | RemoteError::Exists) {
            return Err(error);
        }
        match found(place, bytes.len() as u64).await {
            Ok(Some(found)) if found == bytes => return Ok(()),
            Ok(_) => return Err(RemoteError::Exists),
            Err(RemoteError::NotFound) if tried < PUTS => {}
            Err(_) => return Err(error),
        }
    }
}

/// Most requests for one object whose answers are lost.
const PUTS: usize = 4;

/// All bytes of an object; none if there are more than `most`.
async fn found(place: &Place, most: u64) -> Result<Option<Bytes>, RemoteError> {
    let got = place.store.objects.get(&place.path).await?;
    Ok(if got.meta.size > most { None } else { Some(got.bytes().await?) })
}

/// All objects whose names begin with that of a folder.
pub(crate) fn list(uri: &RemoteUri) -> Result<Vec<ListEntry>, RemoteError> {
    if uri.scheme() == Scheme::Http {
        return Err(RemoteError::Other { reason: "a plain web server does not say what it has".to_owned() });
    }
    let place = resolve(uri)?;
    run(async move {
        let objects: Vec<ObjectMeta> = place.store.objects.list(Some(&place.path)).try_collect().await?;
        let entry = |meta: &ObjectMeta| {
            let name = relative(&place.path, &meta.location)?;
            Some(ListEntry { name, version: Version::from(meta) })
        };
        Ok(objects.iter().filter_map(entry).collect())
    })
}

/// An object's name from a folder on.
fn relative(folder: &Path, object: &Path) -> Option<String> {
    let name = object.as_ref().strip_prefix(folder.as_ref())?.trim_start_matches('/');
    (!name.is_empty()).then(|| name.to_owned())
}
