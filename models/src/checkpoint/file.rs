//! The weights in a file.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Cursor, Read as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::bands::adapt;
use super::format::{READ, START};
use super::naming::rename;
use super::{AdaptBands, Change, FileFormat};
use crate::torch::{ArchiveKind, Input, Loaded, read_archive, read_legacy};
use crate::{Error, Graph, Result, Weights, keras};

/// The weights in a file, and what happened to them on the way to a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The file, for errors.
    path: PathBuf,
    /// The tensors.
    pub weights: Weights,
    /// What was left in the file, renamed or adapted, in this order.
    pub changes: Vec<Change>,
}

impl Checkpoint {
    /// Reads a file of weights: safetensors, PyTorch's `.pt`, `.pth` and `.bin` of either kind, or Keras HDF5. Nothing in it is run; memory is bounded by
    /// the file's length.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, names what is neither tensor nor plain container, holds tensors of other types than F32, F16, BF16 and
    /// F64 (but for counters of training), or is something else: the error says what.
    pub fn read(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|source| Error::Read { path: path.into(), source })?;
        Self::read_from(BufReader::new(file), path)
    }

    /// As [`Checkpoint::read`], from a file's bytes; errors call them `name`.
    ///
    /// # Errors
    /// As [`Checkpoint::read`].
    pub fn from_bytes(bytes: &[u8], name: &Path) -> Result<Self> {
        Self::read_from(Cursor::new(bytes), name)
    }

    fn read_from(mut file: impl Input, path: &Path) -> Result<Self> {
        const TORCH: &str = "a PyTorch checkpoint";
        let refuse = |got| Error::Format { path: path.into(), expected: READ, got };
        let Loaded { weights, changes } = match FileFormat::of(&mut file, path)? {
            FileFormat::Safetensors => {
                Loaded { weights: Weights::read_from(file, path).map_err(|error| error.of_weights(path))?, changes: Vec::new() }
            }
            FileFormat::TorchLegacy => read_legacy(file).map_err(|flaw| flaw.at(path, TORCH))?,
            FileFormat::TorchArchive => match read_archive(file).map_err(|flaw| flaw.at(path, TORCH))? {
                Ok(loaded) => loaded,
                Err(kind) => {
                    return Err(refuse(match kind {
                        ArchiveKind::TorchScript => "a TorchScript program: export ONNX, or save its state_dict as safetensors",
                        ArchiveKind::Exported => {
                            "a program of torch.export (.pt2): export ONNX, or save its state_dict as safetensors"
                        }
                        ArchiveKind::Keras => "a .keras archive: save the model as .h5, or export ONNX",
                        ArchiveKind::Weights | ArchiveKind::Other => "a zip archive that torch.save did not write",
                    }));
                }
            },
            FileFormat::Keras => {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes).map_err(|source| Error::Read { path: path.into(), source })?;
                let keras::Imported { weights, passed_over, .. } = keras::read_bytes(&bytes, path)?;
                let change = |name| Change::PassedOver { name, what: "only training needs it".into() };
                Loaded { weights, changes: passed_over.into_iter().map(change).collect() }
            }
            FileFormat::Onnx => {
                return Err(refuse("ONNX, whose weights belong to its own network: `swath model import` takes both"));
            }
        };
        Ok(Self { path: path.into(), weights, changes })
    }

    /// With the names that `graph` has for them, by listed rules: prefixes of wrappers and of other libraries go or change, parts that only training
    /// needs are left out. Tensors that no rule brings to a name of the network keep theirs.
    ///
    /// # Errors
    /// If two tensors would have the same name.
    pub fn named_for(mut self, graph: &Graph) -> Result<Self> {
        let wanted: BTreeSet<String> = graph.tensors().into_iter().map(|spec| spec.name).collect();
        self.changes.extend(rename(&mut self.weights, &wanted).map_err(|error| error.of_weights(&self.path))?);
        Ok(self)
    }

    /// How many channels of scores the file's head gives, if that is another number than `graph` has: what tensors agree on that differ from the
    /// graph's in their first axis alone, which is that of the scores there.
    #[must_use]
    pub fn other_outputs(&self, graph: &Graph) -> Option<usize> {
        let mut found = graph.tensors().into_iter().filter_map(|spec| {
            let (&[own, ref rest @ ..], [other, others @ ..]) = (spec.shape.as_slice(), self.weights.shape(&spec.name)?) else {
                return None;
            };
            (own == graph.output_channels() && *other != own && rest == others).then_some(*other)
        });
        let first = found.next()?;
        found.all(|other| other == first).then_some(first)
    }

    /// With the first convolution for as many bands as `graph` takes, by `rule` if they differ.
    ///
    /// # Errors
    /// If they differ and there is no rule, or the rule cannot do it: [`Error::Bands`], within [`Error::Weights`].
    pub fn with_bands_of(mut self, graph: &Graph, rule: Option<AdaptBands>) -> Result<Self> {
        self.changes.extend(adapt(&mut self.weights, graph, rule).map_err(|error| error.of_weights(&self.path))?);
        Ok(self)
    }

    /// As [`Weights::check`], with the file's name.
    ///
    /// # Errors
    /// If the tensors are not those of `graph`, all of them and no other.
    pub fn check(&self, graph: &Graph) -> Result<()> {
        self.weights.check(graph).map_err(|error| error.of_weights(&self.path))
    }
}

impl FileFormat {
    /// What the file at `path` is.
    ///
    /// # Errors
    /// If it cannot be read, is empty, or none of these; what it is instead is said if that is known.
    pub fn read(path: &Path) -> Result<Self> {
        let mut file = File::open(path).map_err(|source| Error::Read { path: path.into(), source })?;
        Self::of(&mut file, path)
    }

    fn of(file: &mut impl Input, path: &Path) -> Result<Self> {
        let fail = |source| Error::Read { path: path.into(), source };
        let mut start = Vec::new();
        file.by_ref().take(START as u64).read_to_end(&mut start).map_err(fail)?;
        file.seek(SeekFrom::Start(0)).map_err(fail)?;
        Self::find(&start, path)
    }
}
