//! How much may be made of a file.

use std::cell::Cell;

use super::folder::Folder;

/// How much may be made of a file, in items: values of constants and shapes that are computed or copied, places that are picked, and parts
/// of nodes. Without it a file of a thousand bytes could double a list until no memory is left.
///
/// An item takes about a hundred bytes at most.
pub(super) struct Budget<'f> {
    /// Bytes of the ONNX file.
    length: usize,
    folder: &'f Folder<'f>,
    spent: Cell<usize>,
}

impl<'f> Budget<'f> {
    /// For every file, however short: far more than any network needs beside its weights.
    const SPARE: usize = 1 << 20;

    /// For a file of so many bytes, of which nothing has been made, and the values in its folder.
    pub(super) fn new(length: usize, folder: &'f Folder<'f>) -> Self {
        Self { length, folder, spent: Cell::new(0) }
    }

    /// Spends items; what is wrong if there are too few. Every byte of the file and its values counts for one, so weights may be copied a few
    /// times.
    pub(super) fn spend(&self, items: usize) -> Result<(), String> {
        let limit = Self::SPARE.saturating_add(self.length).saturating_add(self.folder.taken());
        let spent = self.spent.get().saturating_add(items);
        if spent > limit {
            let what = "items (values, places and parts of nodes) from a file of this length";
            return Err(format!("expected at most {limit} {what}, got {spent}"));
        }
        self.spent.set(spent);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn all_is_counted_together() {
        let folder = Folder::new(Path::new(""));
        let budget = Budget::new(24, &folder);
        assert_eq!(budget.spend(1 << 20), Ok(()));
        assert!(budget.spend(25).unwrap_err().contains("expected at most 1048600 items"));
        assert_eq!(budget.spend(24), Ok(()));
        assert!(budget.spend(usize::MAX).is_err());
    }
}
