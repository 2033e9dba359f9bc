//! The files of values beside an ONNX file.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use super::proto::{ElementType, TensorProto};
use crate::{Error, Result};

/// The folder of an ONNX file, and how much of the files in it has been read.
pub(super) struct Folder<'f> {
    path: &'f Path,
    /// Bytes read of each file.
    taken: RefCell<HashMap<PathBuf, u64>>,
}

impl<'f> Folder<'f> {
    /// How often the bytes of a file may be read: tensors may share them, but not all of them the same large one.
    const TIMES: u64 = 4;

    /// A folder of whose files nothing has been read.
    pub(super) fn new(path: &'f Path) -> Self {
        Self { path, taken: RefCell::default() }
    }

    /// Bytes read of all files.
    pub(super) fn taken(&self) -> usize {
        self.taken.borrow().values().fold(0, |sum, bytes| sum.saturating_add(usize::try_from(*bytes).unwrap_or(usize::MAX)))
    }

    /// The bytes of a tensor of `count` values that are in a file; nothing is read of one that has more or fewer.
    pub(super) fn read(&self, tensor: &TensorProto, kind: ElementType, dims: &[usize], count: usize) -> Result<Vec<u8>> {
        let entry = |key: &str| tensor.external_data.iter().find(|e| e.key == key).map(|e| e.value.as_str());
        let fail = |what: &str| Error::Unsuitable { reason: format!("tensor `{}`: {what}", tensor.name) };
        let number = |key: &str| match entry(key) {
            None => Ok(None),
            Some(text) => match text.parse::<u64>() {
                Ok(value) => Ok(Some(value)),
                Err(_) => Err(fail(&format!("its {key} in the file of values is no number: {text}"))),
            },
        };
        let location = entry("location").ok_or_else(|| fail("it does not say which file holds its values"))?;
        // A model must not be able to name any file of the machine.
        if !Path::new(location).components().all(|c| matches!(c, Component::Normal(_))) {
            return Err(fail(&format!("its values are outside the model's folder, in {location}")));
        }
        let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?.unwrap_or(u64::MAX));
        let path = self.path.join(location);
        let unread = |source| Error::Read { path: path.clone(), source };
        let mut file = File::open(&path).map_err(unread)?;
        let whole = file.metadata().map_err(unread)?.len();
        let there = usize::try_from(length.min(whole.saturating_sub(offset))).unwrap_or(usize::MAX) / kind.bytes();
        if there != count {
            return Err(Error::TensorShape { tensor: tensor.name.clone(), expected: dims.to_vec(), got: vec![there] });
        }
        let needed = (count * kind.bytes()) as u64;
        let taken = self.taken.borrow().get(&path).map_or(needed, |taken| taken.saturating_add(needed));
        if taken > whole.saturating_mul(Self::TIMES) {
            let most = format!("expected tensors that need at most {} times the {whole} bytes of {location}", Self::TIMES);
            return Err(fail(&format!("{most}, got {taken}")));
        }
        self.taken.borrow_mut().insert(path.clone(), taken);
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(offset)).and_then(|_| file.take(needed).read_to_end(&mut bytes)).map_err(unread)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::proto::StringStringEntryProto;
    use super::*;

    fn tensor(entries: &[(&str, &str)]) -> TensorProto {
        let entry = |(key, value): &(&str, &str)| StringStringEntryProto { key: (*key).into(), value: (*value).into() };
        TensorProto { name: "w".into(), external_data: entries.iter().map(entry).collect(), ..TensorProto::default() }
    }

    #[test]
    fn values_come_only_from_the_models_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("w.bin"), [9, 1, 2, 3, 4]).unwrap();
        let at = |location: &str| {
            let tensor = tensor(&[("location", location), ("offset", "1"), ("length", "4")]);
            Folder::new(folder.path()).read(&tensor, ElementType::I16, &[2], 2)
        };
        assert_eq!(at("w.bin").unwrap(), [1, 2, 3, 4]);
        assert!(matches!(at("none.bin"), Err(Error::Read { .. })));
        for outside in ["../w.bin", "/etc/hostname"] {
            assert!(at(outside).unwrap_err().to_string().contains("outside the model's folder"));
        }
    }

    #[test]
    fn what_the_dims_do_not_need_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.bin");
        // Far longer than what is read of it.
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let folder = Folder::new(folder.path());
        let whole = tensor(&[("location", "w.bin")]);
        let message = folder.read(&whole, ElementType::F32, &[2], 2).unwrap_err().to_string();
        assert_eq!(message, "tensor `w`: expected shape [2], got [274877906944]");
        let end = tensor(&[("location", "w.bin"), ("offset", "1099511627772")]);
        assert_eq!(folder.read(&end, ElementType::F32, &[1], 1).unwrap(), [0; 4]);
        assert_eq!(folder.taken(), 4);
        let beyond = tensor(&[("location", "w.bin"), ("offset", "18446744073709551615"), ("length", "4")]);
        let message = folder.read(&beyond, ElementType::F32, &[1], 1).unwrap_err().to_string();
        assert_eq!(message, "tensor `w`: expected shape [1], got [0]");
    }

    #[test]
    fn a_few_tensors_may_share_their_bytes() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("w.bin"), [0; 8]).unwrap();
        let folder = Folder::new(folder.path());
        let tensor = tensor(&[("location", "w.bin")]);
        for _ in 0..4 {
            assert_eq!(folder.read(&tensor, ElementType::F32, &[2], 2).unwrap(), [0; 8]);
        }
        let message = folder.read(&tensor, ElementType::F32, &[2], 2).unwrap_err().to_string();
        assert!(message.ends_with("expected tensors that need at most 4 times the 8 bytes of w.bin, got 40"), "{message}");
    }
}
