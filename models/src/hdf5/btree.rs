//! Trees of version 1, which list the entries of a group or the chunks of a dataset.

use super::file::File;
use crate::flaw::{Sound, content};

/// Levels of a tree.
const MAX_LEVEL: u8 = 16;

/// What a tree lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tree {
    /// Entries of a group, in tables.
    Group,
    /// Chunks of a dataset of so many axes, that of a value's bytes among them.
    Chunks { axes: usize },
}

impl Tree {
    fn kind(self) -> u8 {
        match self {
            Self::Group => 0,
            Self::Chunks { .. } => 1,
        }
    }

    fn key_length(self) -> usize {
        match self {
            Self::Group => 8,
            Self::Chunks { axes } => 8 + 8 * axes,
        }
    }

    /// Calls `leaf` with the key and address of every leaf of the tree at `address`, in their order.
    pub(super) fn walk<'b>(self, file: &File<'b>, address: u64, leaf: &mut impl FnMut(&'b [u8], u64) -> Sound<()>) -> Sound<()> {
        self.walk_below(file, address, MAX_LEVEL, leaf)
    }

    fn walk_below<'b>(
        self,
        file: &File<'b>,
        address: u64,
        below: u8,
        leaf: &mut impl FnMut(&'b [u8], u64) -> Sound<()>,
    ) -> Sound<()> {
        let mut reader = file.at(address)?;
        reader.expect(b"TREE", "a tree")?;
        let (kind, level, entries) = (reader.u8()?, reader.u8()?, reader.u16()?);
        reader.take(16)?;
        if kind != self.kind() {
            return Err(content(format!("expected a tree of kind {}, got {kind}", self.kind())));
        }
        // Every level lies deeper than the one above, so no tree holds itself.
        if level >= below {
            return Err(content(format!("expected a tree of a level below {below}, got {level}")));
        }
        for _ in 0..entries {
            let key = reader.take(self.key_length())?;
            let child = reader.u64()?;
            if level == 0 {
                leaf(key, child)?;
            } else {
                self.walk_below(file, child, level, leaf)?;
            }
        }
        Ok(())
    }
}
