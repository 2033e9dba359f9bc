//! Where something is: a local file, or an object in a store.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use url::Url;

use crate::{Error, Result};

/// Where something is, as the user names it.
///
/// `s3://`, `gs://`, `az://`, `abfs://`, `http://` and `https://` name objects in stores; `file://` and everything else is local: a path, or what
/// GDAL takes in the place of one (`NETCDF:file.nc:variable`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Location {
    /// A local file or folder.
    Local(PathBuf),
    /// An object in a store, or what the names of several begin with.
    Remote(RemoteUri),
}

/// The URI of an object in a store, or of what the names of several begin with.
///
/// It may hold secrets: a password, or the signature of a signed URL. Neither `Display` nor `Debug` shows them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RemoteUri {
    scheme: Scheme,
    url: Url,
}

/// What kind of store an object is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Amazon S3, and what speaks its protocol.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage.
    Azure,
    /// Any server that answers range requests.
    Http,
}

impl Scheme {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "s3" | "s3a" => Self::S3,
            "gs" => Self::Gcs,
            "az" | "abfs" | "abfss" => Self::Azure,
            "http" | "https" => Self::Http,
            _ => return None,
        })
    }
}

impl RemoteUri {
    /// What kind of store it is in.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The URI with its secrets.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// The same without query and fragment: a signature is for one object.
    pub(crate) fn unsigned(&self) -> Self {
        let mut url = self.url.clone();
        url.set_query(None);
        url.set_fragment(None);
        Self { url, ..*self }
    }

    /// Another object of the same store; `key` is not percent-encoded.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        let mut url = self.url.clone();
        url.set_path(&format!("/{}", key.replace('%', "%25")));
        Self { url, ..*self }
    }

    /// The URI without its secrets.
    fn shown(&self) -> Url {
        let mut url = self.url.clone();
        url.set_query(None);
        url.set_fragment(None);
        // Both fail only for URLs that cannot have them.
        let _ = url.set_password(None);
        // `abfs://container@account...`: there, the user's place is the container's.
        if self.scheme != Scheme::Azure {
            let _ = url.set_username("");
        }
        url
    }
}

impl fmt::Display for RemoteUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown().fmt(f)
    }
}

impl fmt::Debug for RemoteUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteUri({self})")
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => path.display().fmt(f),
            Self::Remote(uri) => uri.fmt(f),
        }
    }
}

impl Location {
    /// The last component of its name, without its extension; empty if there is none.
    #[must_use]
    pub fn file_stem(&self) -> String {
        let stem = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        match self {
            Self::Local(path) => stem(path),
            Self::Remote(uri) => stem(Path::new(&uri.key())),
        }
    }

    /// How messages and products name it: a path, or a URI without its secrets. Of a name that GDAL takes for a URL (`/vsicurl/https://...`), the query
    /// is left out, too.
    #[must_use]
    pub fn shown(&self) -> PathBuf {
        match self {
            Self::Local(path) => match path.to_str().and_then(|text| text.split_once('?')) {
                Some((url, _)) if url.contains("://") => url.into(),
                _ => path.clone(),
            },
            Self::Remote(uri) => uri.to_string().into(),
        }
    }
}

impl FromStr for Location {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let Some((name, _)) = text.split_once("://").filter(|(name, _)| is_scheme(name)) else {
            return Ok(Self::Local(text.into()));
        };
        let wrong = || Error::Location { scheme: name.to_owned() };
        // Only what a web server has takes a query; elsewhere, these are characters of a name like others.
        let is_web = Scheme::of(name) == Some(Scheme::Http);
        let plain = if is_web { text.to_owned() } else { text.replace('?', "%3F").replace('#', "%23") };
        let Ok(url) = Url::parse(&plain) else { return Err(wrong()) };
        if url.scheme() == "file" {
            return url.to_file_path().map(Self::Local).map_err(|()| wrong());
        }
        let scheme = Scheme::of(url.scheme()).ok_or_else(wrong)?;
        if url.host_str().is_none_or(str::is_empty) {
            return Err(wrong());
        }
        Ok(Self::Remote(RemoteUri { scheme, url }))
    }
}

/// Whether it looks like a URI's scheme (RFC 3986, 3.1), and no Windows drive.
fn is_scheme(name: &str) -> bool {
    name.len() > 1
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

impl From<&Location> for Location {
    fn from(location: &Location) -> Self {
        location.clone()
    }
}

impl From<PathBuf> for Location {
    fn from(path: PathBuf) -> Self {
        Self::Local(path)
    }
}

impl From<&Path> for Location {
    fn from(path: &Path) -> Self {
        Self::Local(path.to_owned())
    }
}

impl From<&PathBuf> for Location {
    fn from(path: &PathBuf) -> Self {
        Self::Local(path.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_what_it_looks_like() {
        let local = |text: &str| matches!(text.parse().unwrap(), Location::Local(_));
        assert!(["scene.tif", "/a/b c.tif", "NETCDF:file.nc:band", "/vsizip/a.zip/b.tif", "C:\\a.tif"].into_iter().all(local));
        assert_eq!("file:///a/b%20c.tif".parse::<Location>().unwrap(), Location::Local("/a/b c.tif".into()));
        let remote = |text: &str| matches!(text.parse().unwrap(), Location::Remote(_));
        assert!(
            ["s3://b/k.tif", "gs://b/k", "az://c/k", "abfs://c@a.dfs.core.windows.net/k", "https://h/k"].into_iter().all(remote)
        );
        for wrong in ["ftp://host/a.tif", "s3:///a.tif", "vsis3://b/k"] {
            assert!(wrong.parse::<Location>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let location: Location = "https://me:secret@host/a.tif?X-Amz-Signature=secret#secret".parse().unwrap();
        assert_eq!(location.to_string(), "https://host/a.tif");
        assert!(!format!("{location:?}").contains("secret"));
        assert_eq!(
            Location::Local("/vsicurl/https://host/a.tif?token=secret".into()).shown(),
            PathBuf::from("/vsicurl/https://host/a.tif")
        );
        let key: Location = "s3://bucket/a?b #1.tif".parse().unwrap();
        assert_eq!((key.file_stem().as_str(), key.to_string().as_str()), ("a?b #1", "s3://bucket/a%3Fb%20%231.tif"));
    }
}
