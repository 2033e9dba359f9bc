//! Finished files on their way into a store.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::multipart::{MultipartStore, PartId};
use tokio::task::spawn_blocking;

use super::objects::{put, run};
use super::stores::{Place, resolve};
use super::{RemoteError, objects};
use crate::labelled::sync_folders;
use crate::sink::remove;
use crate::storage::failed;
use crate::{Error, Existing, RemoteUri, Result, Scheme, write_text};

/// Bytes of a part, and the most that go in one request: what fails is sent again. Stores want at least 5 MiB, and take 10,000 parts at most.
const PART: u64 = 8 << 20;

/// Most parts of an upload.
const MOST_PARTS: u64 = 10_000;

/// Parts that are on their way at once; each is held in memory.
const AT_ONCE: usize = 4;

/// Takes a finished file to where it belongs: in one request if it is small, else in parts, completed last.
///
/// A run that is killed in between leaves parts that cost money and that no listing shows. So the upload's number is kept beside the file, in
/// `FILE.upload.part`, until it is over, and the next upload of the file aborts it first. A run that is killed between asking for a number and keeping
/// it leaves an upload that it cannot name: the next one warns of it. Azure numbers no uploads: it drops parts that nobody completes after a week.
///
/// # Errors
/// If an object is there already that must stay, the file cannot be read, or the store does not take it; no part of it stays there.
pub(crate) fn upload(file: &Path, uri: &RemoteUri, existing: Existing) -> Result<()> {
    let unreadable = |source| Error::File { action: "read", path: file.to_owned(), source };
    let size = fs::metadata(file).map_err(unreadable)?.len();
    let place = resolve(uri).map_err(failed("write", uri))?;
    let journal = Journal::of(file);
    journal.abort(&place, uri)?;
    if size <= PART {
        let bytes = Bytes::from(fs::read(file).map_err(unreadable)?);
        return run(async move { put(&place, bytes, existing).await }).map_err(failed("write", uri));
    }
    let before = objects::version_of(uri).map_err(failed("write", uri))?;
    // Unlike a small object, one made of parts replaces what has come in the meantime.
    if existing == Existing::Refuse && before.is_some() {
        return Err(failed("write", uri)(RemoteError::Exists));
    }
    let opened = Arc::new(File::open(file).map_err(unreadable)?);
    let parts = Arc::clone(&place.store.writing().map_err(failed("write", uri))?.parts);
    journal.note(UNNUMBERED)?;
    let number = run({
        let (parts, path) = (Arc::clone(&parts), place.path.clone());
        async move { Ok(parts.create_multipart(&path).await?) }
    })
    .map_err(failed("write", uri))?;
    let noted = journal.note(&number);
    let sent = noted.and_then(|()| {
        let (parts, path, number) = (Arc::clone(&parts), place.path.clone(), number.clone());
        let sent = run(async move { send(&*parts, &path, &number, opened, size).await });
        // The answer that it is complete may be lost, and asked again, the store does not know the upload any more.
        let after = objects::version_of(uri).map_err(failed("write", uri))?;
        let is_complete = after.as_ref().is_some_and(|after| after.size == size) && (sent.is_ok() || after != before);
        match sent {
            _ if is_complete => Ok(()),
            Err(error) => Err(failed("write", uri)(error)),
            Ok(()) => {
                Err(failed("write", uri)(RemoteError::Other { reason: "the object is not as long as the file".to_owned() }))
            }
        }
    });
    if let Err(error) = sent {
        let path = place.path.clone();
        // Whether or not it was noted: nobody else knows its number.
        let aborted = run(async move { Ok(parts.abort_multipart(&path, &number).await?) });
        if aborted.is_ok() {
            journal.close()?;
        }
        return Err(error);
    }
    journal.close()
}

/// Sends all parts and completes the upload.
async fn send(
    parts: &dyn MultipartStore,
    path: &object_store::path::Path,
    number: &String,
    file: Arc<File>,
    size: u64,
) -> std::result::Result<(), RemoteError> {
    let part = PART.max(size.div_ceil(MOST_PARTS).next_multiple_of(1 << 20));
    let sends = (0..size.div_ceil(part)).map(|index| {
        let file = Arc::clone(&file);
        async move {
            let start = index * part;
            let read = move || {
                let mut bytes = vec![0; part.min(size - start) as usize];
                file.read_exact_at(&mut bytes, start).map(|()| Bytes::from(bytes))
            };
            let unreadable =
                |error: io::Error| RemoteError::Other { reason: format!("the file to send cannot be read: {error}") };
            // Disks are waited for elsewhere: two threads make all requests.
            let bytes = spawn_blocking(read).await.map_err(io::Error::from).flatten().map_err(unreadable)?;
            Ok::<PartId, RemoteError>(parts.put_part(path, number, index as usize, bytes.into()).await?)
        }
    });
    let done: Vec<PartId> = stream::iter(sends).buffered(AT_ONCE).try_collect().await?;
    parts.complete_multipart(path, number, done).await?;
    Ok(())
}

/// What is noted before the store has given a number.
const UNNUMBERED: &str = "";

/// The number of an upload that is under way, on disk.
struct Journal {
    path: PathBuf,
}

impl Journal {
    fn of(file: &Path) -> Self {
        let mut path = file.as_os_str().to_owned();
        path.push(".upload.part");
        Self { path: path.into() }
    }

    fn note(&self, number: &str) -> Result<()> {
        write_text(&self.path, number, Existing::Overwrite)?;
        sync_folders(std::slice::from_ref(&self.path))
    }

    fn close(&self) -> Result<()> {
        remove(&self.path)
    }

    /// Aborts the upload that is noted, if there is one.
    fn abort(&self, place: &Place, uri: &RemoteUri) -> Result<()> {
        let number = match fs::read_to_string(&self.path) {
            Ok(number) => number,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(Error::File { action: "read", path: self.path.clone(), source }),
        };
        if number == UNNUMBERED && uri.scheme() != Scheme::Azure {
            tracing::warn!(
                "{uri}: a run that was killed may have left an unfinished upload of which it had no number; the store's rule for such uploads removes it"
            );
        }
        if number != UNNUMBERED {
            let parts = Arc::clone(&place.store.writing().map_err(failed("write", uri))?.parts);
            let path = place.path.clone();
            match run(async move { Ok(parts.abort_multipart(&path, &number).await?) }) {
                // It was completed or aborted before the note of it was removed.
                Ok(()) | Err(RemoteError::NotFound) => {}
                Err(error @ RemoteError::Unavailable { .. }) => return Err(failed("abort an earlier upload of", uri)(error)),
                // Some stores say so of an upload that is over; where it is true, this run could do nothing about it.
                Err(error) => tracing::warn!("{uri}: an earlier upload could not be aborted, if it was not over: {error}"),
            }
        }
        self.close()
    }
}
