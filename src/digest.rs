//! Fingerprints of files.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// SHA-256 of files, one after the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Digest {
    hasher: Sha256,
    /// Bytes so far.
    bytes: u64,
}

impl Digest {
    /// Adds bytes.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// Adds what a file holds.
    pub(crate) fn add_file(&mut self, path: &Path) -> io::Result<()> {
        let mut file = File::open(path)?;
        let mut buffer = vec![0; 1 << 20];
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            self.add(&buffer[..count]);
        }
    }

    /// Bytes so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The digest as 64 hexadecimal digits.
    pub(crate) fn hex(self) -> String {
        let digits = self.hasher.finalize().into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
        digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
    }
}
