//! Small `NIfTI` files, written and read field by field: <https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h>.
#![allow(dead_code, reason = "every test binary uses its own part of it")]
#![allow(clippy::unwrap_used, reason = "a helper that fails is a failed test; in the tests of a library, this is allowed anyway")]

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::Path;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// A volume of floats whose axes run along those of the patient: x, y and z of `size` with their spacing in millimetres, negative towards left,
/// posterior and inferior.
#[derive(Clone, Debug)]
pub(crate) struct Nifti {
    pub(crate) size: [usize; 3],
    pub(crate) spacing: [f32; 3],
    /// Which side each axis goes along: 0 left to right, 1 posterior to anterior, 2 inferior to superior.
    pub(crate) sides: [usize; 3],
    /// x is the fastest.
    pub(crate) values: Vec<f32>,
}

impl Nifti {
    /// An RAS volume of 1 mm.
    pub(crate) fn new(size: [usize; 3], value: impl Fn(usize, usize, usize) -> f32) -> Self {
        let [width, height, depth] = size;
        let values = (0..width * height * depth).map(|at| value(at % width, at / width % height, at / width / height)).collect();
        Self { size, spacing: [1.0; 3], sides: [0, 1, 2], values }
    }

    pub(crate) fn write(&self, path: &Path) {
        let mut bytes = vec![0u8; 352];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, &348i32.to_le_bytes());
        put(40, &3i16.to_le_bytes());
        put(76, &1f32.to_le_bytes());
        for axis in 0..3 {
            put(42 + 2 * axis, &(self.size[axis] as i16).to_le_bytes());
            put(80 + 4 * axis, &self.spacing[axis].abs().to_le_bytes());
            put(280 + 16 * self.sides[axis] + 4 * axis, &self.spacing[axis].to_le_bytes());
        }
        put(48, &1i16.to_le_bytes());
        put(70, &16i16.to_le_bytes());
        put(72, &32i16.to_le_bytes());
        put(108, &352f32.to_le_bytes());
        put(123, &[2]);
        put(148, b"written by a test");
        put(254, &1i16.to_le_bytes());
        put(344, b"n+1\0");
        bytes.extend(self.values.iter().flat_map(|value| value.to_le_bytes()));
        if path.extension().unwrap() == "gz" {
            let mut gzip = GzEncoder::new(File::create(path).unwrap(), Compression::fast());
            gzip.write_all(&bytes).unwrap();
            gzip.finish().unwrap();
        } else {
            fs::write(path, bytes).unwrap();
        }
    }
}

/// A label volume: its header and its voxels, x the fastest.
pub(crate) struct Labels {
    pub(crate) header: Vec<u8>,
    pub(crate) values: Vec<u8>,
}

/// Reads a label volume of bytes.
pub(crate) fn read_labels(path: &Path) -> Labels {
    let (header, values) = read(path, 2);
    Labels { header, values }
}

/// Reads the volumes of a 4-D file of floats.
pub(crate) fn read_floats(path: &Path) -> Vec<Vec<f32>> {
    let (header, values) = read(path, 16);
    let [axes, width, height, depth, count] =
        [40, 42, 44, 46, 48].map(|at| i16::from_le_bytes([header[at], header[at + 1]]) as usize);
    assert_eq!((axes, values.len()), (4, 4 * width * height * depth * count));
    let values: Vec<f32> = values.chunks_exact(4).map(|value| f32::from_le_bytes(value.try_into().unwrap())).collect();
    values.chunks_exact(width * height * depth).map(<[f32]>::to_vec).collect()
}

/// The header and the stored values of a file of this type.
fn read(path: &Path, data_type: i16) -> (Vec<u8>, Vec<u8>) {
    let mut bytes = fs::read(path).unwrap();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        GzDecoder::new(bytes.as_slice()).read_to_end(&mut plain).unwrap();
        bytes = plain;
    }
    assert_eq!(&bytes[344..348], b"n+1\0");
    assert_eq!(i16::from_le_bytes([bytes[70], bytes[71]]), data_type, "{}", path.display());
    let offset = f32::from_le_bytes(bytes[108..112].try_into().unwrap()) as usize;
    let values = bytes.split_off(offset);
    bytes.truncate(348);
    (bytes, values)
}
