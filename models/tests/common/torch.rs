//! Files as `torch.save` writes them, and such as it never would.
#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

/// A pickle that is being written. Its parts are the instructions' arguments; the memo is not used.
#[derive(Clone, Default)]
pub struct Pickle(pub Vec<u8>);

impl Pickle {
    pub fn new() -> Self {
        Self(b"\x80\x02".to_vec())
    }

    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub fn text(self, text: &str) -> Self {
        self.raw(b"X").raw(&(text.len() as u32).to_le_bytes()).raw(text.as_bytes())
    }

    pub fn int(self, value: i64) -> Self {
        self.raw(b"\x8a\x08").raw(&value.to_le_bytes())
    }

    pub fn global(self, module: &str, name: &str) -> Self {
        self.raw(format!("c{module}\n{name}\n").as_bytes())
    }

    pub fn tuple(self, values: &[usize]) -> Self {
        values.iter().fold(self.raw(b"("), |pickle, value| pickle.int(*value as i64)).raw(b"t")
    }

    /// A tensor of a storage of `count` values of a type such as `Float`.
    pub fn tensor(self, element: &str, key: &str, count: usize, shape: &[usize], stride: &[usize]) -> Self {
        let storage = self.global("torch._utils", "_rebuild_tensor_v2").raw(b"((").text("storage");
        let storage = storage.global("torch", &format!("{element}Storage")).text(key).text("cpu").int(count as i64).raw(b"tQ");
        let tensor = storage.int(0).tuple(shape).tuple(stride).raw(b"\x89");
        tensor.global("collections", "OrderedDict").raw(b")RtR")
    }

    /// A tensor of its own storage.
    pub fn dense(self, key: &str, shape: &[usize]) -> Self {
        let stride: Vec<usize> = (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect();
        self.tensor("Float", key, shape.iter().product(), shape, &stride)
    }

    pub fn end(self) -> Vec<u8> {
        self.raw(b".").0
    }
}

/// An entry of an archive.
#[derive(Clone)]
pub struct Entry {
    pub name: String,
    pub data: Vec<u8>,
}

pub fn entry(name: &str, data: impl Into<Vec<u8>>) -> Entry {
    Entry { name: name.into(), data: data.into() }
}

/// An archive of stored entries.
pub fn zip(entries: &[Entry]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for Entry { name, data } in entries {
        let offset = file.len() as u32;
        let sizes = [crc(data), data.len() as u32, data.len() as u32].map(u32::to_le_bytes).concat();
        let lengths = [(name.len() as u16).to_le_bytes(), [0, 0]].concat();
        let common = [&[0; 8][..], &sizes, &lengths].concat();
        file.extend([b"PK\x03\x04\0\0", &common[..], name.as_bytes(), data].concat());
        directory.extend([b"PK\x01\x02\0\0\0\0", &common[..], &[0; 10], &offset.to_le_bytes(), name.as_bytes()].concat());
    }
    let counts = [(entries.len() as u16).to_le_bytes(); 2].concat();
    let place = [(directory.len() as u32).to_le_bytes(), (file.len() as u32).to_le_bytes()].concat();
    [&file[..], &directory, b"PK\x05\x06\0\0\0\0", &counts, &place, &[0, 0]].concat()
}

/// A checkpoint with this pickle and storages.
pub fn archive(pickle: Vec<u8>, storages: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let storages = storages.iter().map(|(key, data)| entry(&format!("a/data/{key}"), data.clone()));
    zip(&std::iter::once(entry("a/data.pkl", pickle)).chain(storages).collect::<Vec<_>>())
}

/// The checksum of zip archives: CRC-32, bit by bit.
fn crc(data: &[u8]) -> u32 {
    let byte =
        |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()));
    !data.iter().fold(!0, byte)
}
