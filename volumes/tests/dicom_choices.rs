//! Folders of DICOM files of which something has to be chosen or assumed: series, identifiers, units and places.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod common;
#[path = "common/slices.rs"]
mod slices;

use std::fs;
use std::path::Path;

use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::tags;
use dicom_object::DefaultDicomObject;
use swath_volumes::{Error, Missing, Rescale, VolumeOptions, Warning, open};

use common::{failure, volume, voxels};
use slices::{COLUMN, ROW, numbers, set, slice, slices};

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
fn of_several_series_one_has_to_be_chosen() {
    let folder = temporary();
    slices(folder.path(), &[0.0, 2.5]);
    for number in 3..6 {
        slice(folder.path(), number, [0.0, 0.0, 3.0 * number as f64], |object| {
            set(object, tags::SERIES_INSTANCE_UID, "1.2.3.4");
            set(object, tags::SERIES_DESCRIPTION, "thorax 3 mm");
        });
    }
    let words =
        ["expected one volume in ", "got 2: series ", "2 images of 16 x 12", "series 1.2.3.4 (thorax 3 mm), 3 images", "3.dcm"];
    refused(folder.path(), &VolumeOptions::default(), &words);
    let source = open(folder.path(), &VolumeOptions::default().with_series("1.2.3.4")).unwrap();
    assert_eq!(source.profile().size.z, 3);
    let error = failure(folder.path(), &VolumeOptions::default().with_series("9.9"));
    assert!(error.contains("got no series 9.9, but series ") && error.contains("1.2.3.4 (thorax 3 mm)"), "{error}");
}

/// What is wrong with a series is no matter to those who ask for another.
#[test]
fn a_series_that_cannot_be_read_is_in_the_way_of_none_but_itself() {
    let folder = temporary();
    slices(folder.path(), &[0.0, 2.5]);
    let other = "1.2.3.4";
    let odd = |number, change: &dyn Fn(&mut DefaultDicomObject)| {
        slice(folder.path(), number, [0.0; 3], |object| {
            set(object, tags::SERIES_INSTANCE_UID, other);
            change(object);
        })
    };
    // An encoding that is not read, floating-point pixels, a file cut off in its pixels, and one cut off in its header.
    odd(3, &|object| object.meta_mut().transfer_syntax = "1.2.840.10008.1.2.4.201".into());
    odd(4, &|object| drop(object.take_element(tags::PIXEL_DATA)));
    for (number, lost) in [(5, 10), (6, 384 + 12 + 40)] {
        let path = odd(number, &|_| ());
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - lost]).unwrap();
    }
    refused(folder.path(), &VolumeOptions::default(), &["TransferSyntaxUID in ", "3.dcm, got "]);
    let own = "1.2.826.0.1.3680043.8.498.8.1";
    let source = open(folder.path(), &VolumeOptions::default().with_series(own)).unwrap();
    assert_eq!((source.profile().size.z, &source.profile().warnings[..]), (2, &[][..]));
    refused(folder.path(), &VolumeOptions::default().with_series(other), &["TransferSyntaxUID in ", "3.dcm, got "]);
    let unknown = VolumeOptions::default().with_series("9.9");
    let words = ["got no series 9.9, but series ", own, "series 1.2.3.4, which cannot be read: expected ", "3.dcm, got "];
    refused(folder.path(), &unknown, &words);
    // Of a file that does not say which series it is of, nobody knows that it is not wanted.
    let path = slice(folder.path(), 7, [0.0; 3], |_| ());
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..500]).unwrap();
    refused(folder.path(), &VolumeOptions::default().with_series(own), &["cannot parse ", "7.dcm as DICOM"]);
}

#[test]
fn volumes_of_one_series_are_told_from_several_series() {
    let folder = temporary();
    slices(folder.path(), &[0.0, 2.5]);
    let own = "1.2.826.0.1.3680043.8.498.8.1";
    slice(folder.path(), 3, [0.0; 3], |object| set(object, tags::IMAGE_ORIENTATION_PATIENT, &numbers(&[COLUMN, ROW].concat())));
    let Err(Error::Several { series, .. }) = open(folder.path(), &VolumeOptions::default()) else { panic!("it is one volume") };
    assert_eq!(series, [own, own]);
    slice(folder.path(), 3, [0.0; 3], |object| set(object, tags::SERIES_INSTANCE_UID, "1.2.3.4"));
    let Err(Error::Several { series, .. }) = open(folder.path(), &VolumeOptions::default()) else { panic!("it is one volume") };
    assert_eq!(series, [own, "1.2.3.4"]);
}

/// As careless anonymisation leaves them.
#[test]
fn one_identifier_of_different_images_is_refused_by_name() {
    let folder = temporary();
    let alike = |object: &mut DefaultDicomObject| set(object, tags::SOP_INSTANCE_UID, "1.2.3");
    for number in 1..=3 {
        slice(folder.path(), number, [0.0, 0.0, 2.5 * number as f64], alike);
    }
    let words = ["expected an SOPInstanceUID of its own for each image, got 1.2.3 for ", "1.dcm and, elsewhere, ", "2.dcm"];
    refused(folder.path(), &VolumeOptions::default(), &words);
    // Without places, numbers tell images apart.
    for number in 1..=3 {
        slice(folder.path(), number, [0.0; 3], |object| {
            alike(object);
            object.remove_element(tags::IMAGE_POSITION_PATIENT);
        });
    }
    refused(folder.path(), &VolumeOptions::default().with_place(Missing::Assume), &words);
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
fn a_file_that_was_sent_twice_counts_once() {
    let folder = temporary();
    let paths = slices(folder.path(), &[0.0, 2.5, 5.0]);
    let again = folder.path().join("again.dcm");
    fs::copy(&paths[1], &again).unwrap();
    assert_eq!(volume(folder.path()).profile().warnings, [Warning::Twice { path: again, same: paths[1].clone() }]);
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
