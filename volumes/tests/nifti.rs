//! NIfTI files, read as nibabel reads them; and those that nobody should read.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod common;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use swath_volumes::{Origin, VolumeOptions, Warning};

use common::{expected, failure, golden, volume, voxels};

/// Affines may differ in the last bit where nibabel computes with 80 bits: in rotations of quaternions.
fn assert_affine(got: [[f64; 4]; 4], expected: &Value, tolerance: f64, name: &str) {
    for (row, values) in got.iter().enumerate() {
        for (column, value) in values.iter().enumerate() {
            let wanted = expected[row][column].as_f64().unwrap();
            assert!(
                (value - wanted).abs() <= tolerance * wanted.abs().max(1.0),
                "{name}: {row}, {column}: expected {wanted}, got {value}"
            );
        }
    }
}

#[test]
fn every_file_is_what_nibabel_reads() {
    let expected = expected("nifti.json");
    let scratch = tempfile::tempdir().unwrap();
    for (name, expected) in expected.as_object().unwrap() {
        let path = golden("nifti").join(name);
        let source = volume(&path);
        let profile = source.profile();
        let size = [profile.size.x, profile.size.y, profile.size.z];
        assert_eq!(Value::from(size.to_vec()), expected["size"], "{name}");
        assert_eq!(profile.frames as u64, expected["frames"].as_u64().unwrap(), "{name}");
        let tolerance = if name.contains("qform") || name == "unknown_sform_code.nii" { 4.0 * f64::EPSILON } else { 0.0 };
        assert_affine(profile.affine.matrix(), &expected["affine"], tolerance, name);
        assert_eq!(profile.affine.orientation().to_string(), expected["orientation"].as_str().unwrap(), "{name}");
        let wanted: Vec<f32> = expected["values"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect();
        assert_eq!(voxels(source.as_ref()), wanted, "{name}");
        let unpacked = swath_volumes::open(&path, &VolumeOptions::default().with_scratch(scratch.path())).unwrap();
        assert_eq!(voxels(unpacked.as_ref()), wanted, "{name}");
    }
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0, "scratch files are removed");
}

#[test]
fn planes_come_in_any_order() {
    for name in ["int16.nii", "three_members.nii.gz"] {
        let source = volume(&golden("nifti").join(name));
        let all = voxels(source.as_ref());
        let mut reader = source.reader(0).unwrap();
        for planes in [2..3, 0..1, 1..3, 0..3, 1..1] {
            assert_eq!(reader.read(planes.clone()).unwrap(), all[20 * planes.start..20 * planes.end], "{name}");
        }
        let error = reader.read(1..4).unwrap_err().to_string();
        assert!(error.starts_with("expected planes within 0..3 of ") && error.ends_with("got 1..4"), "{error}");
    }
}

#[test]
fn a_volume_of_several_has_to_be_chosen() {
    let source = volume(&golden("nifti/four_dimensions.nii"));
    let profile = source.profile();
    assert_eq!((profile.frame(Some(1)).unwrap(), volume(&golden("nifti/int16.nii")).profile().frame(None).unwrap()), (1, 0));
    for (index, got) in [(None, "no choice"), (Some(2), "number 2, counted from 0")] {
        let error = profile.frame(index).unwrap_err().to_string();
        assert!(error.starts_with("expected one of 2 volumes to be chosen in ") && error.ends_with(got), "{error}");
    }
    assert!(source.reader(2).is_err());
}

#[test]
fn what_is_odd_is_said() {
    let warnings = |name: &str| volume(&golden("nifti").join(name)).profile().warnings.clone();
    assert!(matches!(warnings("slope_nan.nii")[..], [Warning::Slope { slope }] if slope.is_nan()));
    assert_eq!(warnings("slope_infinite.nii"), [Warning::Slope { slope: f64::INFINITY }]);
    assert_eq!(warnings("no_forms.nii"), [Warning::NoOrientation]);
    assert_eq!(warnings("slope_zero.nii"), []);
}

#[test]
fn headers_are_kept_byte_for_byte() {
    let path = golden("nifti/extensions.nii");
    let source = volume(&path);
    let Origin::Nifti(header) = &source.profile().origin else { panic!("expected a NIfTI header") };
    assert_eq!(header.bytes(), &fs::read(&path).unwrap()[..348]);
    let extensions: Vec<(i32, &[u8])> = header.extensions().iter().map(|e| (e.code, e.content.as_slice())).collect();
    assert_eq!(extensions, [(6, b"a comment of 24 bytes   ".as_slice()), (4, b"<afni/> ".as_slice())]);
}

/// A copy of a good file with other bytes at a place.
fn patched(folder: &Path, at: usize, bytes: &[u8]) -> PathBuf {
    let mut content = fs::read(golden("nifti/int16.nii")).unwrap();
    content[at..at + bytes.len()].copy_from_slice(bytes);
    let path = folder.join("patched.nii");
    fs::write(&path, content).unwrap();
    path
}

#[test]
fn a_header_that_cannot_be_right_is_refused_by_field() {
    let folder = tempfile::tempdir().unwrap();
    let huge = [32767_i16; 3].map(i16::to_le_bytes).concat();
    let nan = f32::NAN.to_le_bytes();
    let cases: [(usize, &[u8], &str); 14] = [
        (40, &0_i16.to_le_bytes(), "expected 2 to 7 axes as dim[0] in "),
        (40, &9_i16.to_le_bytes(), "expected 2 to 7 axes as dim[0] in "),
        (42, &0_i16.to_le_bytes(), "expected a length of at least 1 as dim[1] in "),
        (46, &(-3_i16).to_le_bytes(), "expected a length of at least 1 as dim[3] in "),
        (42, &huge, "expected 70362301923326 bytes of voxels in "),
        (40, &[5_i16, 5, 4, 1, 1, 3].map(i16::to_le_bytes).concat(), "expected 1 (a volume, or a series of them) as dim[5] in "),
        (70, &128_i16.to_le_bytes(), "expected an integer or float of 8 to 64 bits as datatype in "),
        (108, &nan, "expected a place after the header as vox_offset in "),
        (108, &1e30_f32.to_le_bytes(), "expected a place after the header as vox_offset in "),
        (108, &348_f32.to_le_bytes(), "expected a place after the header as vox_offset in "),
        (116, &nan, "expected a finite number beside a slope as scl_inter in "),
        (280, &nan, "expected finite numbers that can be inverted as sform in "),
        (344, b"ni1\0", "expected a NIfTI file, a DICOM file or a folder of these, got one half of a .hdr and .img pair in "),
        (344, b"\0\0\0\0", "expected a NIfTI file, a DICOM file or a folder of these, got an Analyze 7.5 header"),
    ];
    for (at, bytes, message) in cases {
        let path = patched(folder.path(), at, bytes);
        let got = failure(&path, &VolumeOptions::default());
        assert!(got.starts_with(message) && got.contains("patched.nii"), "expected {message}, got {got}");
    }
    // Sixteen bits cannot say more voxels than can be counted; 64 can.
    let mut content = fs::read(golden("nifti/nifti2.nii")).unwrap();
    content[24..48].copy_from_slice(&[1_i64 << 39; 3].map(i64::to_le_bytes).concat());
    let path = folder.path().join("huge.nii");
    fs::write(&path, content).unwrap();
    let got = failure(&path, &VolumeOptions::default());
    assert!(got.starts_with("expected fewer voxels than can be counted as dim in "), "{got}");
}

#[test]
fn what_is_no_nifti_is_said_to_be_something_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scan.nii");
    for (content, found) in [
        (&b""[..], "got an empty file in "),
        (b"\x89PNG\r\n\x1a\n0000", "got a PNG in "),
        (b"NRRD0004\ntype: short\n", "got an NRRD file in "),
        (&[7; 2000], "got something else in "),
        (&fs::read(golden("nifti/int16.nii")).unwrap()[..200], "got a NIfTI header cut off after 200 bytes in "),
    ] {
        fs::write(&path, content).unwrap();
        let got = failure(&path, &VolumeOptions::default());
        assert!(got.contains(found) && got.ends_with("scan.nii"), "expected {found}, got {got}");
    }
    assert_eq!(failure(&folder.path().join("none.nii"), &VolumeOptions::default()).split('/').next(), Some("cannot read "));
}

#[test]
fn voxels_that_are_not_there_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let whole = fs::read(golden("nifti/int16.nii")).unwrap();
    let short = &whole[..whole.len() - 7];
    let path = folder.path().join("short.nii");
    fs::write(&path, short).unwrap();
    let message = format!("expected 120 bytes of voxels in {}, got 113", path.display());
    assert_eq!(failure(&path, &VolumeOptions::default()), message);

    let path = folder.path().join("short.nii.gz");
    let gzip = |content: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    };
    let scratch = VolumeOptions::default().with_scratch(folder.path());
    fs::write(&path, gzip(short)).unwrap();
    let message = format!("expected 120 bytes of voxels in {}, got 113", path.display());
    for options in [&VolumeOptions::default(), &scratch] {
        assert_eq!(failure(&path, options), message);
    }

    // Cut off within the gzip data, and a byte of its checksum changed.
    let compressed = gzip(&whole);
    let mut changed = compressed.clone();
    let at = changed.len() - 6;
    changed[at] ^= 0x40;
    for content in [&compressed[..compressed.len() - 9], &changed] {
        fs::write(&path, content).unwrap();
        for options in [&VolumeOptions::default(), &scratch] {
            let got = failure(&path, options);
            assert!(got.starts_with("expected gzip data in ") && got.contains("damage after "), "{got}");
        }
    }

    // So few bytes cannot hold so many voxels: said at once, without reading them.
    let mut absurd = whole.clone();
    absurd[42..48].copy_from_slice(&[32767_i16; 3].map(i16::to_le_bytes).concat());
    fs::write(&path, gzip(&absurd)).unwrap();
    let got = failure(&path, &VolumeOptions::default());
    assert!(got.starts_with("expected 70362301923326 bytes of voxels in ") && got.contains("got at most "), "{got}");
}
