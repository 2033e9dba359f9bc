//! One object as it was when it was opened.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use object_store::{Error, GetOptions, GetRange, GetResult, ObjectStoreExt as _};

use super::{Place, RemoteError};
use crate::Version;
use crate::error::causes;

/// What tells the next object from all others.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// One object as it was when it was opened. All that is read of it is of the same version.
#[derive(Debug)]
pub(super) struct Object {
    place: Place,
    /// Tells it from all others, also from what has the same name later.
    pub(super) id: u64,
    pub(super) version: Version,
    /// What the store compares before it sends anything.
    if_match: Option<String>,
    pub(super) ranges: Ranges,
}

/// Whether a server sends parts of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ranges {
    Served,
    /// Whatever is asked for, it sends everything.
    Ignored,
}

/// An object, and the bytes that it begins with.
pub(super) struct Found {
    pub(super) object: Object,
    pub(super) head: Bytes,
}

impl Object {
    /// Learns size and etag of an object from the answer to the request for its first bytes; `whole` are the most that are taken from a server
    /// that sends everything.
    pub(super) async fn look_up(place: Place, header: u64, whole: u64) -> Result<Found, RemoteError> {
        let options = GetOptions { range: Some(GetRange::Bounded(0..header)), ..GetOptions::default() };
        let (meta, head, ranges) = match place.store.objects.get_opts(&place.path, options).await {
            Ok(got) => (got.meta.clone(), got.bytes().await?, Ranges::Served),
            // There is no first byte to ask for.
            Err(error) if says(&error, &["416 ", "Wanted range starting at"]) => {
                (place.store.objects.head(&place.path).await?, Bytes::new(), Ranges::Served)
            }
            Err(error) if matches!(error, Error::NotSupported { .. }) || says(&error, &["non-partial response"]) => {
                let got = place.store.objects.get_opts(&place.path, GetOptions::default()).await?;
                (got.meta.clone(), everything(got, whole).await?, Ranges::Ignored)
            }
            Err(error) => return Err(error.into()),
        };
        let object = Self {
            place,
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            version: Version::from(&meta),
            // A weak etag never satisfies the condition.
            if_match: meta.e_tag.filter(|tag| !tag.starts_with("W/")),
            ranges,
        };
        Ok(Found { object, head })
    }

    /// Bytes of it, if it is still the same.
    pub(super) async fn fetch(&self, range: Range<u64>) -> Result<Bytes, RemoteError> {
        let wanted = range.end - range.start;
        let range = match self.ranges {
            Ranges::Served => Some(GetRange::Bounded(range)),
            Ranges::Ignored => None,
        };
        let options = GetOptions { range, if_match: self.if_match.clone(), ..GetOptions::default() };
        let got = self.place.store.objects.get_opts(&self.place.path, options).await?;
        if Version::from(&got.meta) != self.version {
            return Err(RemoteError::Changed);
        }
        let bytes = got.bytes().await?;
        if bytes.len() as u64 == wanted {
            Ok(bytes)
        } else {
            Err(RemoteError::Unavailable { reason: format!("expected {wanted} bytes, got {}", bytes.len()) })
        }
    }
}

/// All bytes of an object that is small enough to be held.
async fn everything(got: GetResult, most: u64) -> Result<Bytes, RemoteError> {
    if got.meta.size > most {
        let reason = format!("the server sends no parts of objects, and its {} bytes are more than {most}", got.meta.size);
        return Err(RemoteError::Other { reason });
    }
    Ok(got.bytes().await?)
}

/// Whether one of its causes says so: the crate has no variants for these.
fn says(error: &Error, texts: &[&str]) -> bool {
    causes(error).map(ToString::to_string).any(|message| texts.iter().any(|text| message.contains(text)))
}
