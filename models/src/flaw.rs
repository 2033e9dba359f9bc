//! What is wrong with a file, before it is said which file that is.

use std::io;
use std::path::Path;

use crate::Error;

/// What is wrong with a file; [`Flaw::at`] says which file.
#[derive(Debug)]
pub(crate) enum Flaw {
    /// It cannot be read.
    Read(io::Error),
    /// It is damaged, or holds what is not supported: the reason, lower case.
    Content(String),
    /// Its pickle names something that is neither a tensor nor a plain container.
    Global(String),
    /// One of its tensors is wrong.
    Tensor(Error),
}

/// A result whose error is a [`Flaw`].
pub(crate) type Sound<T> = Result<T, Flaw>;

impl Flaw {
    /// The error about the file at `path`, which should be a `format`.
    pub(crate) fn at(self, path: &Path, format: &'static str) -> Error {
        match self {
            Self::Read(source) => Error::Read { path: path.into(), source },
            Self::Content(reason) => Error::Damaged { path: path.into(), format, reason },
            Self::Global(name) => Error::Global { path: path.into(), name },
            Self::Tensor(error) => error.of_weights(path),
        }
    }
}

impl From<io::Error> for Flaw {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => content("the file ends too early"),
            _ => Self::Read(error),
        }
    }
}

impl From<Error> for Flaw {
    fn from(error: Error) -> Self {
        Self::Tensor(error)
    }
}

/// A flaw of what the file holds.
pub(crate) fn content(reason: impl Into<String>) -> Flaw {
    Flaw::Content(reason.into())
}
