//! PyTorch's files of weights: the zip archives of `torch.save` since 1.6, and the pickles with storages behind them of before.
//!
//! Both hold a pickle, which is a program for a stack machine that may call any function of Python. Here it is read by a [`Pickle`] that knows
//! tensors, plain containers and numbers, and nothing else: what it names is looked up in a list ([`Global`]) and never run, and any other name is
//! refused. What a file claims of lengths is not believed: memory follows from its own length, and so do depth and time.
//!
//! Formats: <https://github.com/pytorch/pytorch/blob/main/torch/serialization.py>, <https://docs.python.org/3/library/pickletools.html>.

mod archive;
mod calls;
mod element;
mod global;
mod legacy;
mod machine;
mod opcode;
mod pickle;
mod state_dict;
mod storage;
mod tensor;
mod zip;

pub(crate) use archive::{ArchiveKind, is_archive, read_archive};
pub(crate) use legacy::{is_legacy, read_legacy};
pub(crate) use state_dict::Loaded;
pub(crate) use storage::Input;

use pickle::Pickle;
