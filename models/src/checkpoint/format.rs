//! What a file is, by its first bytes.

use std::path::Path;

use crate::{Error, Result, torch};

/// Bytes that tell what a file is.
pub(super) const START: usize = 512;
/// The files that are read, as messages list them.
pub(super) const READ: &str = "ONNX, safetensors, a PyTorch state_dict (.pt, .pth, .bin) or Keras HDF5 (.h5, .hdf5)";

/// Files that networks or weights are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// A network with its weights.
    Onnx,
    /// Weights.
    Safetensors,
    /// Weights in a zip archive of `torch.save`.
    TorchArchive,
    /// Weights in what `torch.save` wrote before PyTorch 1.6.
    TorchLegacy,
    /// A network with its weights.
    Keras,
}

impl FileFormat {
    /// What a file is that begins with `start`. Its name decides only where the bytes do not: ONNX and damaged safetensors have no signature.
    ///
    /// # Errors
    /// If it is empty, or none of these; what it is instead is said if that is known.
    pub fn find(start: &[u8], path: &Path) -> Result<Self> {
        let is_called = |extension: &str| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension));
        let is_tar = start.get(257..262) == Some(b"ustar");
        let got = match start {
            [] => return Err(Error::Empty { path: path.into() }),
            _ if torch::is_archive(start) => return Ok(Self::TorchArchive),
            _ if torch::is_legacy(start) => return Ok(Self::TorchLegacy),
            _ if start.starts_with(b"\x89HDF\r\n\x1a\n") => return Ok(Self::Keras),
            _ if is_called("safetensors") || start.get(8) == Some(&b'{') => return Ok(Self::Safetensors),
            _ if is_called("onnx") || (start.first() == Some(&0x08) && !is_called("h5")) => return Ok(Self::Onnx),
            [0x80, 2..=5, ..] => "a pickle that torch.save did not write: save the state_dict with it, or as safetensors",
            _ if is_tar => "a tar archive, as PyTorch before 0.1.10 wrote: load it there and save its state_dict as safetensors",
            _ if start.starts_with(b"\x1f\x8b") => "a gzip file: decompress it first",
            _ => "something else",
        };
        Err(Error::Format { path: path.into(), expected: READ, got })
    }
}
