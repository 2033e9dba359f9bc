//! Files and objects alike: looking at them, reading and writing small ones, listing folders.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use url::Url;

use crate::remote;
use crate::sink::remove;
use crate::{Error, Existing, Location, RemoteUri, Result, Version, write_text};

/// A file or object in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListEntry {
    /// Its name from the folder on, with `/` between components.
    pub name: String,
    /// What it holds.
    pub version: Version,
}

/// The longest name that is given to a file, in bytes: the limit of most file systems for a component.
const NAME_BYTES: usize = 240;

/// Whether a relative name stays below the folder that it is relative to: plain components, separated by `/`.
fn is_safe(name: &str) -> bool {
    let plain = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part.len() <= NAME_BYTES
            && !part.contains(['\\', '\0'])
            && !part.contains(char::is_control)
    };
    name.split('/').all(plain)
}

/// Something in a local folder; an error if the name would lead out of it, or is none for a file.
pub(crate) fn below(folder: &Path, name: &str) -> Result<PathBuf> {
    if is_safe(name) { Ok(folder.join(name)) } else { Err(Error::Name { name: name.to_owned(), folder: folder.to_owned() }) }
}

impl Location {
    /// Something in this folder; `name` may have several components.
    ///
    /// # Errors
    /// If the name would lead out of the folder (`..`, an absolute one), or is none for a file.
    pub fn join(&self, name: &str) -> Result<Self> {
        Ok(match self {
            Self::Local(folder) => Self::Local(below(folder, name)?),
            Self::Remote(uri) => {
                below(&self.shown(), name)?;
                let folder = uri.key();
                let folder = folder.trim_matches('/');
                Self::Remote(uri.unsigned().with_key(&if folder.is_empty() {
                    name.to_owned()
                } else {
                    format!("{folder}/{name}")
                }))
            }
        })
    }

    /// The folder that it is in; of a file name alone the current one, of a bucket itself the bucket.
    #[must_use]
    pub fn parent(&self) -> Self {
        match self {
            Self::Local(path) => match path.parent() {
                Some(folder) if folder.as_os_str().is_empty() => Self::Local(PathBuf::from(".")),
                Some(folder) => Self::Local(folder.to_owned()),
                None => self.clone(),
            },
            Self::Remote(uri) => {
                let key = uri.key();
                let folder = key.trim_end_matches('/').rsplit_once('/').map_or("", |(folder, _)| folder);
                Self::Remote(uri.unsigned().with_key(&format!("{folder}/")))
            }
        }
    }

    /// The last component of its name, without a `/` at its end; empty if it has none.
    #[must_use]
    pub fn file_name(&self) -> String {
        match self {
            Self::Local(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            Self::Remote(uri) => uri.key().trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned(),
        }
    }

    /// Whether it names a folder: an existing local one, or a name that ends with `/`.
    #[must_use]
    pub fn is_folder(&self) -> bool {
        match self {
            Self::Local(path) => path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/"),
            Self::Remote(uri) => uri.key().is_empty() || uri.key().ends_with('/'),
        }
    }

    /// The same, named as a folder: in a store, with a `/` at its end.
    #[must_use]
    pub(crate) fn as_folder(&self) -> Self {
        match self {
            Self::Local(_) => self.clone(),
            Self::Remote(uri) => Self::Remote(uri.with_key(&format!("{}/", uri.key().trim_end_matches('/')))),
        }
    }

    /// Whether it lies in a folder, or in one of those below.
    #[must_use]
    pub fn is_within(&self, folder: &Self) -> bool {
        match (self, folder) {
            (Self::Local(path), Self::Local(folder)) => {
                let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
                absolute(path) != absolute(folder) && absolute(path).starts_with(absolute(folder))
            }
            (Self::Remote(uri), Self::Remote(folder)) => {
                let (uri, folder) = (uri.to_string(), folder.to_string());
                uri.strip_prefix(folder.trim_end_matches('/')).is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'))
            }
            _ => false,
        }
    }

    /// Which content is there; none if there is nothing.
    ///
    /// # Errors
    /// If that cannot be found out.
    pub fn version(&self) -> Result<Option<Version>> {
        match self {
            Self::Local(path) => match fs::metadata(path) {
                Ok(metadata) => Ok(Some(Version::from(&metadata))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(source) => Err(Error::File { action: "look at", path: path.clone(), source }),
            },
            Self::Remote(uri) => remote::version_of(uri).map_err(failed("look at", uri)),
        }
    }

    /// All bytes of a file or object that has at most `most` of them.
    ///
    /// # Errors
    /// If it is larger, or cannot be read.
    pub fn read(&self, most: u64) -> Result<Vec<u8>> {
        let too_large = || Error::TooLarge { path: self.shown(), most };
        match self {
            Self::Local(path) => {
                let failed = |source| Error::File { action: "read", path: path.clone(), source };
                let mut bytes = Vec::new();
                fs::File::open(path).map_err(failed)?.take(most + 1).read_to_end(&mut bytes).map_err(failed)?;
                if bytes.len() as u64 > most { Err(too_large()) } else { Ok(bytes) }
            }
            Self::Remote(uri) => {
                let bytes = remote::read(uri, most).map_err(failed("read", uri))?;
                bytes.map(Vec::from).ok_or_else(too_large)
            }
        }
    }

    /// The first bytes of a file or object, at most so many of them.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn read_start(&self, most: usize) -> Result<Vec<u8>> {
        match self {
            Self::Local(path) => {
                let mut bytes = Vec::new();
                let read = fs::File::open(path).and_then(|file| file.take(most as u64).read_to_end(&mut bytes));
                read.map_err(|source| Error::File { action: "read", path: path.clone(), source })?;
                Ok(bytes)
            }
            Self::Remote(uri) => remote::read_start(uri, most as u64).map(Vec::from).map_err(failed("read", uri)),
        }
    }

    /// Writes a small file or object; it appears whole or not at all.
    ///
    /// # Errors
    /// If there is one already that must stay, or it cannot be written.
    pub fn write(&self, text: &str, existing: Existing) -> Result<()> {
        match self {
            Self::Local(path) => write_text(path, text, existing),
            Self::Remote(uri) => remote::write(uri, text.to_owned(), existing).map_err(failed("write", uri)),
        }
    }

    /// Copies it to a local file, which is replaced; an object's copy gets its time.
    ///
    /// # Errors
    /// If it cannot be read, or the file not be written.
    pub fn download(&self, to: &Path) -> Result<()> {
        match self {
            Self::Local(path) => {
                fs::copy(path, to).map(drop).map_err(|source| Error::File { action: "copy", path: path.clone(), source })
            }
            Self::Remote(uri) => {
                let file = fs::File::create(to);
                let file = file.map_err(|source| Error::File { action: "create", path: to.to_owned(), source })?;
                remote::download(uri, file).map_err(failed("read", uri))
            }
        }
    }

    /// Removes it, if it is there.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn delete(&self) -> Result<()> {
        match self {
            Self::Local(path) => remove(path),
            Self::Remote(uri) => remote::delete(uri).map_err(failed("remove", uri)),
        }
    }

    /// Everything in this folder and those below, by name; nothing if there is no such folder.
    ///
    /// # Errors
    /// If it cannot be listed.
    pub fn list(&self) -> Result<Vec<ListEntry>> {
        let mut entries = match self {
            Self::Local(folder) => {
                let mut entries = Vec::new();
                if folder.exists() {
                    list_folder(folder, "", &mut entries)?;
                }
                entries
            }
            Self::Remote(uri) => remote::list(uri).map_err(failed("list", uri))?,
        };
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }
}

impl RemoteUri {
    /// The object's name in its store, decoded.
    pub(crate) fn key(&self) -> String {
        let decoded = decode(self.url());
        decoded.trim_start_matches('/').to_owned()
    }
}

/// A URL's path without percent-encoding; bytes that are no UTF-8 stay encoded.
fn decode(url: &Url) -> String {
    percent_encoding::percent_decode_str(url.path()).decode_utf8().map_or_else(|_| url.path().to_owned(), Into::into)
}

/// Names the object of a failure.
pub(crate) fn failed(action: &'static str, uri: &RemoteUri) -> impl FnOnce(remote::RemoteError) -> Error {
    let location = uri.to_string().into();
    move |source| Error::Remote { action: action.to_owned(), location, source }
}

fn list_folder(folder: &Path, prefix: &str, entries: &mut Vec<ListEntry>) -> Result<()> {
    let failed = |source| Error::File { action: "list", path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        // Links to folders are not followed, as they may lead in circles; those to files are, as GDAL does.
        if entry.file_type().map_err(failed)?.is_dir() {
            list_folder(&entry.path(), &format!("{name}/"), entries)?;
            continue;
        }
        let metadata = match fs::metadata(entry.path()) {
            Ok(metadata) => metadata,
            // It vanished, or is a link to nothing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(Error::File { action: "look at", path: entry.path(), source }),
        };
        if metadata.is_file() {
            entries.push(ListEntry { name, version: Version::from(&metadata) });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_out_of_a_folder() {
        let folders: [Location; 3] = ["/data/out", "s3://bucket/out/", "s3://bucket"].map(|text| text.parse().unwrap());
        for folder in &folders {
            for name in ["..", "../a", "a/../../b", "/etc/passwd", "a//b", "", "a/", "a\\b", "a\nb", "."] {
                assert!(matches!(folder.join(name), Err(Error::Name { .. })), "{name:?}");
            }
        }
        let joined: Vec<String> = folders.iter().map(|folder| folder.join("x/a b%2.tif").unwrap().to_string()).collect();
        assert_eq!(joined, ["/data/out/x/a b%2.tif", "s3://bucket/out/x/a%20b%252.tif", "s3://bucket/x/a%20b%252.tif"]);
        let location = folders[1].join("x/a b%2.tif").unwrap();
        assert_eq!(location.file_name(), "a b%2.tif");
        assert_eq!("s3://bucket/out/".parse::<Location>().unwrap().file_name(), "out");
        assert_eq!(location.parent().join("c").unwrap().to_string(), "s3://bucket/out/x/c");
    }

    #[test]
    fn what_is_in_a_folder_is_known() {
        let within = |inner: &str, outer: &str| inner.parse::<Location>().unwrap().is_within(&outer.parse().unwrap());
        assert!(
            within("s3://b/a/c.tif", "s3://b/a") && within("s3://b/a/c", "s3://b/a/") && within("a/b", "a") && within("a", ".")
        );
        assert!(
            !within("s3://b/ab/c", "s3://b/a")
                && !within("s3://b/a/", "s3://b/a")
                && !within("ab", "a")
                && !within("s3://b/a", "a")
        );
    }

    #[test]
    fn a_folder_is_listed_with_those_below() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("b/c")).unwrap();
        for name in ["z", "a", "b/c/d"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let location = Location::from(folder.path());
        let names: Vec<String> = location.list().unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["a", "b/c/d", "z"]);
        assert_eq!(location.join("none").unwrap().list().unwrap(), []);
        assert!(matches!(location.join("z").unwrap().read(0), Err(Error::TooLarge { most: 0, .. })));
        assert_eq!(location.join("z").unwrap().read(1).unwrap(), b"z");
    }
}
