//! Small objects, and lists of all.

use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt as _, PutMode, PutOptions};

use super::RemoteError;
use super::runtime::{runtime, wait};
use super::stores::{Place, resolve};
use crate::storage::ListEntry;
use crate::{Existing, RemoteUri, Version};

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
    match run(async move { Ok(place.store.objects.head(&place.path).await?) }) {
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
        let error = match place.store.objects.put_opts(&place.path, bytes.clone().into(), options).await {
            Ok(_) => return Ok(()),
            Err(error) => RemoteError::from(error),
        };
        let is_lost = matches!(error, RemoteError::Unavailable { .. });
        if existing == Existing::Overwrite || !(is_lost || (tried > 1 && error == RemoteError::Exists)) {
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
