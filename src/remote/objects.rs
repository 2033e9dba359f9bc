//! Small objects, and lists of all.

use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt as _, PutMode, PutPayload};

use super::RemoteError;
use super::runtime::{runtime, wait};
use super::stores::resolve;
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
pub(crate) fn read(uri: &RemoteUri, most: u64) -> Result<Option<Vec<u8>>, RemoteError> {
    let place = resolve(uri)?;
    run(async move {
        let got = place.store.objects.get(&place.path).await?;
        if got.meta.size > most {
            return Ok(None);
        }
        Ok(Some(got.bytes().await?.to_vec()))
    })
}

/// Writes a small object.
pub(crate) fn write(uri: &RemoteUri, text: String, existing: Existing) -> Result<(), RemoteError> {
    let place = resolve(uri)?;
    run(async move {
        let payload = PutPayload::from(text.into_bytes());
        place.store.objects.put_opts(&place.path, payload, mode(existing).into()).await?;
        Ok(())
    })
}

/// How an object is put beside an earlier one of its name: with `If-None-Match: *`, if that must stay.
pub(super) fn mode(existing: Existing) -> PutMode {
    match existing {
        Existing::Refuse => PutMode::Create,
        Existing::Overwrite => PutMode::Overwrite,
    }
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
