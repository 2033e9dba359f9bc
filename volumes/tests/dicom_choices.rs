//! Folders of DICOM files of which something has to be assumed: units and places.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod common;
#[path = "common/slices.rs"]
mod slices;

use std::path::Path;

use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::tags;
use dicom_object::DefaultDicomObject;
use swath_volumes::{Missing, Rescale, VolumeOptions, Warning, open};

use common::{failure, volume, voxels};
use slices::{set, slice};

#[track_caller]
fn refused(path: &Path, options: &VolumeOptions, words: &[&str]) {
    let error = failure(path, options);
    for word in words {
        assert!(error.contains(word), "`{word}` is missing from: {error}");
    }
}

fn temporary() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn images_without_places_are_a_stack_by_their_numbers_if_that_is_assumed() {
    let folder = temporary();
    for number in 1..=11 {
        slice(folder.path(), number, [0.0; 3], |object| {
            object.remove_element(tags::IMAGE_POSITION_PATIENT);
            let values = vec![1024 + number as u16; 192];
            object.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(values.into())));
        });
    }
    let words = ["expected the place of each image (ImagePositionPatient and ImageOrientationPatient), got none in ", "1.dcm"];
    refused(folder.path(), &VolumeOptions::default(), &words);
    let source = open(folder.path(), &VolumeOptions::default().with_place(Missing::Assume)).unwrap();
    let values: Vec<f32> = voxels(source.as_ref()).into_iter().step_by(192).collect();
    assert_eq!(values, (1..=11).map(|number| number as f32).collect::<Vec<_>>());
    let [x, y, z] = source.profile().affine.spacing();
    assert!((x - 1.25).abs() < 1e-12 && (y - 0.75).abs() < 1e-12 && (z - 3.0).abs() < 1e-12, "{x} {y} {z}");
    assert_eq!(source.profile().warnings, [Warning::NoOrientation]);
}

#[test]
fn ct_without_a_rescale_is_refused_unless_it_is_assumed() {
    let folder = temporary();
    let without = |object: &mut DefaultDicomObject| {
        for tag in [tags::RESCALE_SLOPE, tags::RESCALE_INTERCEPT] {
            object.remove_element(tag);
        }
    };
    let path = slice(folder.path(), 1, [0.0; 3], without);
    refused(
        folder.path(),
        &VolumeOptions::default(),
        &["expected RescaleSlope and RescaleIntercept, without which CT values are in no known unit, got none in ", "1.dcm"],
    );
    let options = VolumeOptions::default().with_hounsfield(Missing::Assume);
    assert!(open(&path, &options).unwrap().profile().warnings.contains(&Warning::NotHounsfield));
    // Of MR nothing of the kind is known.
    slice(folder.path(), 1, [0.0; 3], |object| {
        without(object);
        set(object, tags::MODALITY, "MR");
    });
    assert_eq!(volume(&path).profile().rescale, Rescale::None);
}

#[test]
fn several_frames_without_places_are_refused_unless_they_are_assumed() {
    let folder = temporary();
    let path = slice(folder.path(), 1, [0.0; 3], |object| {
        object.put(DataElement::new(tags::NUMBER_OF_FRAMES, VR::IS, PrimitiveValue::from("2")));
        object.put(DataElement::new(tags::ROWS, VR::US, PrimitiveValue::from(6_u16)));
    });
    refused(
        &path,
        &VolumeOptions::default(),
        &["expected the place of each image (ImagePositionPatient and ImageOrientationPatient), got none in ", "1.dcm"],
    );
    let source = open(&path, &VolumeOptions::default().with_place(Missing::Assume)).unwrap();
    assert_eq!((source.profile().size.z, &source.profile().warnings[..]), (2, &[Warning::NoOrientation][..]));
}
