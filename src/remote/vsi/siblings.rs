//! Which files stand beside a raster.

use futures::TryStreamExt as _;
use object_store::path::Path;

use super::names::leaf;
use crate::remote::{Place, RemoteError, resolve};
use crate::{RemoteUri, Scheme};

/// Entries that are asked for at most: one page of a listing.
const MOST: usize = 1000;

/// How the files beside a raster are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Siblings {
    /// One listing of the names that begin like the raster's.
    Listed,
    /// One request for each that there may be.
    Probed,
}

impl Siblings {
    /// A listing where it begins at a name; others would begin with all that comes before, or are not understood by most servers.
    pub(super) fn of(uri: &RemoteUri) -> Self {
        match uri.scheme() {
            Scheme::S3 | Scheme::Gcs => Self::Listed,
            Scheme::Azure | Scheme::Http => Self::Probed,
        }
    }
}

/// What may stand beside a raster: metadata, overviews, a mask, and the header of a raster without one.
pub(super) fn sidecars(name: &str) -> Vec<String> {
    let mut names: Vec<String> = [".aux.xml", ".ovr", ".msk"].iter().map(|suffix| format!("{name}{suffix}")).collect();
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    if !["tif", "tiff"].iter().any(|tiff| extension.eq_ignore_ascii_case(tiff)) {
        names.push(format!("{stem}.hdr"));
    }
    names
}

/// The files in the raster's folder whose names begin like the raster's, up to its extension.
pub(super) async fn list(raster: RemoteUri, name: String) -> Result<Vec<String>, RemoteError> {
    let Place { store, path } = resolve(&raster)?;
    let folder: Path = path.parts().take(path.parts().count().saturating_sub(1)).collect();
    let leaf = leaf(&name);
    let stem = leaf.rsplit_once('.').map_or(leaf, |(stem, _)| stem);
    let from: Path = folder.parts().chain([stem.into()]).collect();
    let mut names = Vec::new();
    let mut entries = store.list_with_offset(Some(&folder), &from);
    for _ in 0..MOST {
        let Some(entry) = entries.try_next().await? else { break };
        let mut below = entry.location.prefix_match(&folder).into_iter().flatten();
        if let (Some(file), None) = (below.next(), below.next())
            && file.as_ref().starts_with(stem)
        {
            names.push(file.as_ref().to_owned());
        }
    }
    Ok(names)
}
