//! What GDAL calls an object.

use std::collections::HashMap;

use object_store::path::Path;

use crate::digest::Digest;
use crate::{RemoteError, RemoteUri};

/// What all names that GDAL sees begin with. It does not hand it on to the callbacks.
pub(in crate::remote) const PREFIX: &str = "/vsiswath/";

/// What comes before the digest of a query, and how many digits it has.
const QUERY: &str = "~query-";
const DIGITS: usize = 16;

/// What GDAL calls an object: `scheme/authority/key`. Neither a query nor a password is part of it, but a digest of the query comes before the key: two
/// objects may differ in nothing else.
///
/// A name stands for an object if it was given out, or lies in the folder of one that was. So a raster that is made of others reaches those beside
/// it, and nothing else that the user's credentials open.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// A URI in each folder, without its query.
    folders: HashMap<String, RemoteUri>,
    /// URIs with a query, which may be a signature.
    signed: HashMap<String, RemoteUri>,
}

impl Names {
    /// A name for an object, and for the files that may stand beside it.
    pub(super) fn give(&mut self, uri: &RemoteUri, beside: impl Fn(&str) -> Vec<String>) -> Result<String, RemoteError> {
        let wrong = |_| RemoteError::Other { reason: "the URI's path is not one of an object".to_owned() };
        let key = Path::from_url_path(uri.url().path()).map_err(wrong)?;
        let shown = uri.to_string();
        let authority = shown.split('/').nth(2).unwrap_or_default();
        let query = uri.url().query().map(|query| {
            let mut digest = Digest::default();
            digest.add(query.as_bytes());
            format!("{QUERY}{}/", &digest.hex()[..DIGITS])
        });
        let name = format!("{}/{authority}/{}{key}", uri.url().scheme(), query.unwrap_or_default());
        self.folders.insert(folder(&name).to_owned(), uri.unsigned());
        if uri.url().query().is_some() {
            for other in beside(&name) {
                let signed = uri.with_key(key_of(&other));
                self.signed.insert(other, signed);
            }
            self.signed.insert(name.clone(), uri.clone());
        }
        Ok(name)
    }

    /// The object of a name.
    pub(super) fn uri(&self, name: &str) -> Option<RemoteUri> {
        if let Some(uri) = self.signed.get(name) {
            return Some(uri.clone());
        }
        let base = ancestors(name).find_map(|folder| self.folders.get(folder))?;
        Some(base.with_key(key_of(name)))
    }

    /// Whether objects in this folder have names.
    pub(super) fn has_folder(&self, name: &str) -> bool {
        self.folders.contains_key(name)
    }
}

/// A name without `.` and `..`, which GDAL leaves in those of files beside others.
pub(super) fn plain(name: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in name.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// What comes before the last slash.
pub(super) fn folder(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// What comes after the last slash.
pub(super) fn leaf(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, leaf)| leaf)
}

/// The folders that a name lies in, the innermost first.
fn ancestors(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(name.rsplit_once('/'), |(folder, _)| folder.rsplit_once('/')).map(|(folder, _)| folder)
}

/// What comes after scheme and authority, and after the digest of a query.
fn key_of(name: &str) -> &str {
    let rest = name.splitn(3, '/').nth(2).unwrap_or_default();
    match rest.split_once('/') {
        Some((first, key)) if first.len() == QUERY.len() + DIGITS && first.starts_with(QUERY) => key,
        _ => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Location;

    fn uri(text: &str) -> RemoteUri {
        match text.parse().unwrap() {
            Location::Remote(uri) => uri,
            Location::Local(path) => panic!("{} is local", path.display()),
        }
    }

    #[test]
    fn names_hold_no_secret_and_lead_back_to_it() {
        let mut names = Names::default();
        let signed = uri("https://me:pw@host:8443/a/b%20%3F.tif?sig=secret");
        let name = names.give(&signed, |name| vec![format!("{name}.ovr")]).unwrap();
        assert!(
            name.starts_with("https/host:8443/~query-") && name.ends_with("/a/b ?.tif") && !name.contains("secret"),
            "{name}"
        );
        assert_eq!(names.uri(&name), Some(signed));
        let beside = names.uri(&format!("{name}.ovr")).unwrap();
        assert_eq!(beside.url().as_str(), "https://me:pw@host:8443/a/b%20%3F.tif.ovr?sig=secret");
        assert_ne!(names.give(&uri("https://me:pw@host:8443/a/b%20%3F.tif?sig=other"), |_| Vec::new()).unwrap(), name);
        let other = names.uri(&name.replace("b ?", "c%")).unwrap();
        assert_eq!(other.url().as_str(), "https://me:pw@host:8443/a/c%25.tif");
        let azure = names.give(&uri("abfs://tiles@account.dfs.core.windows.net/a.tif"), |_| Vec::new()).unwrap();
        assert_eq!(azure, "abfs/tiles@account.dfs.core.windows.net/a.tif");
    }

    #[test]
    fn only_folders_of_named_objects_are_reached() {
        let mut names = Names::default();
        names.give(&uri("s3://bucket/a/mosaic.vrt"), |_| Vec::new()).unwrap();
        assert_eq!(names.uri("s3/bucket/a/tiles/1.tif").unwrap().to_string(), "s3://bucket/a/tiles/1.tif");
        for elsewhere in ["s3/bucket/b/1.tif", "s3/other/a/1.tif", "http/bucket/a/1.tif", "s3"] {
            assert_eq!(names.uri(elsewhere), None, "{elsewhere}");
        }
        assert_eq!(names.uri(&plain("s3/bucket/a/../b/1.tif")), None);
        assert_eq!(plain("s3/bucket/a/./x/../1.tif"), "s3/bucket/a/1.tif");
    }
}
