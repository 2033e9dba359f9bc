//! References in a manifest.

use std::path::Path;

use crate::Location;

/// What `href` means in a document at `base`: URIs and absolute paths are themselves, others are relative to the document. What a document in a
/// store says is a URI of stores, too: `/a.tif` is one at the root of its own.
///
/// # Errors
/// Says what is wrong, without the reference: it may have secrets.
pub(super) fn resolve(base: &Location, href: &str) -> Result<Location, String> {
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
