//! References in a manifest.

use std::path::Path;

use crate::Location;

/// What `href` means in a document at `base`: URIs and absolute paths are themselves, others are relative to the document. What a document in a
/// store says is a URI of stores, too: `/a.tif` is one at the root of its own.
///
/// # Errors
/// Says what is wrong, without the reference: it may have secrets.
pub(crate) fn resolve(base: &Location, href: &str) -> Result<Location, String> {
    match base {
        Location::Remote(uri) => {
            let joined = uri.url().join(href).map_err(|error| format!("its reference is no URI: {error}"))?;
            match parse(joined.as_str())? {
                Location::Local(_) => Err("a manifest in a store cannot name local files".into()),
                remote @ Location::Remote(_) => Ok(remote),
            }
        }
        Location::Local(file) => match parse(href)? {
            Location::Local(path) if !is_special(&path) => Ok(Location::Local(file.parent().unwrap_or(Path::new("")).join(path))),
            other => Ok(other),
        },
    }
}

fn parse(text: &str) -> Result<Location, String> {
    text.parse().map_err(|error: crate::Error| error.to_string())
}

/// Whether it is a name for GDAL rather than a path: `NETCDF:a.nc:red`.
fn is_special(path: &Path) -> bool {
    path.to_string_lossy().split_once(':').is_some_and(|(driver, _)| driver.len() > 1 && !driver.contains(['/', '\\', '.']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(base: &str, href: &str) -> Result<String, String> {
        let location = resolve(&base.parse().unwrap(), href)?;
        Ok(match location {
            Location::Local(path) => path.display().to_string(),
            Location::Remote(uri) => uri.url().to_string(),
        })
    }

    #[test]
    fn references_are_relative_to_their_document() {
        let item = "s3://bucket/scenes/a/a.json";
        assert_eq!(resolved(item, "./B02.tif").unwrap(), "s3://bucket/scenes/a/B02.tif");
        assert_eq!(resolved(item, "../b/B02.tif").unwrap(), "s3://bucket/scenes/b/B02.tif");
        assert_eq!(resolved(item, "gs://other/B02.tif").unwrap(), "gs://other/B02.tif");
        let signed = "https://host/a/item.json?sig=1";
        assert_eq!(resolved(signed, "B02.tif?sig=2").unwrap(), "https://host/a/B02.tif?sig=2");
        assert_eq!(resolved("/data/list.txt", "a/b.tif").unwrap(), "/data/a/b.tif");
        assert_eq!(resolved("/data/list.txt", "/a/b.tif").unwrap(), "/a/b.tif");
        assert_eq!(resolved("/data/list.txt", "s3://bucket/b.tif").unwrap(), "s3://bucket/b.tif");
        assert_eq!(resolved("/data/list.txt", "NETCDF:/a/b.nc:red").unwrap(), "NETCDF:/a/b.nc:red");
        assert_eq!(resolved("list.txt", "b.tif").unwrap(), "b.tif");
    }

    #[test]
    fn documents_in_stores_name_no_local_files() {
        for href in ["file:///etc/hostname", "NETCDF:/etc/hostname", "/vsicurl/http://host/a.tif", "/etc/hostname"] {
            let resolved = resolved("s3://bucket/scenes/a.json", href);
            assert!(resolved.as_ref().is_err() || resolved.as_ref().unwrap().starts_with("s3://bucket/"), "{href}: {resolved:?}");
        }
        assert!(resolved("https://host/a.json", "file:///etc/hostname").unwrap_err().contains("local files"));
        assert!(!resolved("/a.json", "ftp://me:secret@host/a.tif").unwrap_err().contains("secret"));
    }
}
