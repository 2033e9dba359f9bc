//! Volumes of other people, read as nibabel and pydicom read them.

mod common;

use flate2::Crc;
use serde_json::Value;
use swath_volumes::{Missing, VolumeOptions, VolumeSource, open};

use common::{expected, medical, volume, voxels};

fn crc32(values: &[f32]) -> u32 {
    let mut crc = Crc::new();
    for part in values.chunks(1 << 16) {
        crc.update(&part.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>());
    }
    crc.sum()
}

#[test]
fn every_volume_is_what_others_read() {
    let Some(folder) = medical() else { return };
    for (name, expected) in expected("real.json").as_object().unwrap() {
        let options = VolumeOptions::default().with_place(Missing::Assume);
        let source = open(&folder.join(name), &options).unwrap_or_else(|error| panic!("{name}: {error}"));
        let profile = source.profile();
        assert_eq!(Value::from(vec![profile.size.x, profile.size.y, profile.size.z]), expected["size"], "{name}");
        assert_eq!(profile.frames as u64, expected["frames"].as_u64().unwrap(), "{name}");
        let wanted: Vec<f64> = expected["affine"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|row| row.as_array().unwrap())
            .map(|v| v.as_f64().unwrap())
            .collect();
        for (got, wanted) in profile.affine.matrix().as_flattened().iter().zip(&wanted) {
            // Rotations of quaternions and DICOM's directions are computed: in another order they may differ in the last bits.
            assert!(
                (got - wanted).abs() <= 1e-12 * wanted.abs().max(1.0),
                "{name}: expected {wanted:?}, got {:?}",
                profile.affine
            );
        }
        assert_eq!(profile.affine.orientation().to_string(), expected["orientation"].as_str().unwrap(), "{name}");
        assert_eq!(u64::from(crc32(&voxels(source.as_ref()))), expected["crc32"].as_u64().unwrap(), "{name}");
    }
}

#[test]
fn four_encodings_of_a_series_are_the_same_volume() {
    let Some(folder) = medical() else { return };
    let read = |name: &str| volume(&folder.join("dicom").join(name));
    let first = read("mr_compressed_j2k");
    for name in ["mr_compressed_jpeg", "mr_compressed_jpegls", "mr_compressed_rle"] {
        let other = read(name);
        assert!(voxels(other.as_ref()) == voxels(first.as_ref()), "{name}");
        assert_eq!(other.profile().affine, first.profile().affine, "{name}");
    }
    // The uncompressed one lies in the same place, but whoever made it public replaced its pixels by other noise.
    assert_eq!(read("mr_implicit").profile().affine, first.profile().affine);
}

#[test]
fn a_series_has_the_hounsfield_units_of_its_nifti_where_that_has_them() {
    let Some(folder) = medical() else { return };
    let (dicom, nifti) = (volume(&folder.join("dicom/ct_dicom_j2k")), volume(&folder.join("nifti/ct_dicom_j2k_hu_ref.nii.gz")));
    let [values, wanted] = [dicom.as_ref(), nifti.as_ref()].map(|source: &dyn VolumeSource| voxels(source));
    let (size, other) = (dicom.profile().size, nifti.profile().size);
    let from = nifti.profile().affine.inverse().after(&dicom.profile().affine);
    for z in 0..size.z {
        for y in 0..size.y {
            for x in 0..size.x {
                let there = from.apply([x as f64, y as f64, z as f64]);
                let [i, j, k] = there.map(f64::round);
                assert!(there.iter().zip([i, j, k]).all(|(a, b)| (a - b).abs() < 0.01), "{there:?}");
                let at = i as usize + other.x * (j as usize + other.y * k as usize);
                assert!(values[x + size.x * (y + size.y * z)].to_bits() == wanted[at].to_bits(), "voxel {x}, {y}, {z}");
            }
        }
    }
}
