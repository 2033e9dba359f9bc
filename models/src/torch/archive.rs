//! Files of `torch.save` since PyTorch 1.6: zip archives of a pickle `data.pkl` and a storage in every `data/KEY`.

use std::io::{Cursor, SeekFrom};

use super::Pickle;
use super::element::ByteOrder;
use super::pickle::Storage;
use super::state_dict::{Loaded, load};
use super::storage::{Input, Storages, check_length};
use super::zip::Zip;
use crate::flaw::{Sound, content};

/// Whether a file that begins so is an archive.
pub(crate) fn is_archive(start: &[u8]) -> bool {
    start.starts_with(b"PK\x03\x04")
}

/// What an archive is.
pub(crate) enum ArchiveKind {
    /// A `torch.save`.
    Weights,
    /// A program of `torch.jit.save`.
    TorchScript,
    /// A program of `torch.export.save`.
    Exported,
    /// A `.keras` file.
    Keras,
    /// Anything else.
    Other,
}

/// The tensors of a `torch.save`, or what else the archive is.
pub(crate) fn read_archive(mut file: impl Input) -> Sound<Result<Loaded, ArchiveKind>> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut zip = Zip::open(file)?;
    let kind = kind(&zip);
    let ArchiveKind::Weights = kind else { return Ok(Err(kind)) };
    let Some(root) = zip.names().find_map(root_of_pickle).map(str::to_owned) else { return Ok(Err(ArchiveKind::Other)) };
    let order = format!("{root}byteorder");
    let order = match zip.length(&order) {
        None => ByteOrder::Little,
        Some(_) => match zip.read(&order)?.as_slice() {
            b"little" => ByteOrder::Little,
            b"big" => ByteOrder::Big,
            _ => return Err(content("`byteorder` is neither little nor big")),
        },
    };
    let pickle = zip.read(&format!("{root}data.pkl"))?;
    let pickle = Pickle::read(&mut Cursor::new(pickle))?;
    load(&pickle, &mut Entries { zip, root, order }, length).map(Ok)
}

/// The folder of a pickle `data.pkl`, with its separator.
fn root_of_pickle(name: &str) -> Option<&str> {
    let root = name.strip_suffix("data.pkl")?;
    let folder = root.strip_suffix('/').unwrap_or_default();
    (root.is_empty() || (root.ends_with('/') && !folder.contains('/'))).then_some(root)
}

fn kind<R: Input>(zip: &Zip<R>) -> ArchiveKind {
    let has = |is_wanted: fn(&str) -> bool| zip.names().any(is_wanted);
    if has(|name| name == "constants.pkl" || name.ends_with("/constants.pkl") || name.contains("/code/")) {
        ArchiveKind::TorchScript
    } else if has(|name| name.ends_with("archive_format") || name.ends_with("serialized_exported_program.json")) {
        ArchiveKind::Exported
    } else if has(|name| name == "model.weights.h5") {
        ArchiveKind::Keras
    } else if has(|name| root_of_pickle(name).is_some()) {
        ArchiveKind::Weights
    } else {
        ArchiveKind::Other
    }
}

/// Storages as entries of an archive.
struct Entries<R> {
    zip: Zip<R>,
    /// The folder of all entries, with its separator.
    root: String,
    order: ByteOrder,
}

impl<R: Input> Storages for Entries<R> {
    fn read(&mut self, storage: &Storage) -> Sound<Vec<u8>> {
        let name = format!("{}data/{}", self.root, storage.key);
        let length = self.zip.length(&name).ok_or_else(|| content(format!("the archive lacks `{name}`")))?;
        check_length(storage, length)?;
        self.zip.read(&name)
    }

    fn order(&self) -> ByteOrder {
        self.order
    }
}
