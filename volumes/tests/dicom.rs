//! DICOM series, read as pydicom and highdicom read them.

mod common;

use std::fs;

use flate2::Crc;
use serde_json::Value;
use swath_volumes::{Rescale, SampleType};

use common::{expected, golden, volume, voxels};

fn crc32(values: &[f32]) -> u32 {
    let mut crc = Crc::new();
    crc.update(&values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>());
    crc.sum()
}

#[test]
fn every_encoding_is_what_pydicom_reads_where_highdicom_places_it() {
    let expected = expected("dicom.json");
    let expected = expected.as_object().unwrap();
    assert_eq!(expected.len(), fs::read_dir(golden("dicom")).unwrap().count());
    for (name, expected) in expected {
        let source = volume(&golden("dicom").join(name));
        let profile = source.profile();
        assert_eq!(Value::from(vec![profile.size.x, profile.size.y, profile.size.z]), expected["size"], "{name}");
        for (row, values) in profile.affine.matrix().iter().enumerate() {
            for (column, got) in values.iter().enumerate() {
                let wanted = expected["affine"][row][column].as_f64().unwrap();
                // highdicom takes the distance of slices as a length, and so rounds otherwise.
                assert!((got - wanted).abs() < 1e-6, "{name}: {row}, {column}: expected {wanted}, got {got}");
            }
        }
        assert_eq!(profile.affine.orientation().to_string(), expected["orientation"].as_str().unwrap(), "{name}");
        let values = voxels(source.as_ref());
        match expected.get("values") {
            None => assert_eq!(u64::from(crc32(&values)), expected["crc32"].as_u64().unwrap(), "{name}"),
            // Lossy JPEG, whose inverse transform is rounded otherwise by each decoder.
            Some(wanted) => {
                let wanted = wanted.as_array().unwrap().iter().map(|value| value.as_f64().unwrap() as f32);
                assert!(wanted.zip(&values).all(|(wanted, got)| (wanted - got).abs() <= 1.0), "{name}");
            }
        }
        assert_eq!(profile.warnings, [], "{name}");
    }
}

#[test]
fn planes_come_in_any_order() {
    for name in ["explicit", "jpeg_ls", "enhanced", "enhanced_jpeg"] {
        let source = volume(&golden("dicom").join(name));
        let (all, size) = (voxels(source.as_ref()), source.profile().size);
        let mut reader = source.reader(0).unwrap();
        for planes in [2..3, 0..1, 1..3, 1..1] {
            let wanted = &all[planes.start * size.plane()..planes.end * size.plane()];
            assert_eq!(reader.read(planes).unwrap(), wanted, "{name}");
        }
        let error = reader.read(2..4).unwrap_err().to_string();
        assert!(error.starts_with("expected planes within 0..3 of ") && error.ends_with("got 2..4"), "{error}");
    }
}

#[test]
fn a_profile_says_how_values_are_stored() {
    let profile = |name: &str| volume(&golden("dicom").join(name)).profile().clone();
    assert_eq!(profile("explicit").sample, SampleType::U16);
    assert_eq!(profile("explicit").rescale, Rescale::Uniform { slope: 1.0, intercept: -1024.0 });
    assert_eq!((profile("overlay_bits").sample, profile("overlay_bits").rescale), (SampleType::I16, Rescale::None));
    assert_eq!((profile("bytes").sample, profile("slope_of_each").rescale), (SampleType::U8, Rescale::PerPlane));
}
