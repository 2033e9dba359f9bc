//! Where a model came from.

use std::fs;
use std::path::Path;

use swath_models::{Model, ModelCard};

use crate::digest::Digest;
use crate::{Error, Result};

/// Where a model came from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// The model card; a name for a bundled model.
    pub(crate) href: String,
    /// SHA-256 of card, graph and weights, one after the other; a bundled model has none.
    pub(crate) digest: Option<String>,
    /// Its `mlm:name`.
    pub(super) name: String,
    /// Its share, if there are others.
    pub(super) weight: f32,
}

impl Origin {
    /// That of a model folder with this card.
    pub(crate) fn of(folder: &Path, card: &ModelCard) -> Result<Self> {
        let files = Model::files(folder);
        let mut digest = Digest::default();
        for path in &files {
            digest.add_file(path).map_err(|source| Error::File { action: "read", path: path.clone(), source })?;
        }
        let href = fs::canonicalize(&files[0]).unwrap_or_else(|_| files[0].clone()).display().to_string();
        Ok(Self { href, digest: Some(digest.hex()), name: card.name.clone(), weight: 1.0 })
    }

    /// That of a model without a folder.
    pub(crate) fn bundled(card: &ModelCard) -> Self {
        let name = card.name.clone();
        Self { href: format!("swath:{name}"), digest: None, name, weight: 1.0 }
    }
}
