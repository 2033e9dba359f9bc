//! DICOM segmentations, read again element by element.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod common;
#[path = "common/slices.rs"]
mod slices;

use std::fs;
use std::path::{Path, PathBuf};

use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{InMemDicomObject, open_file};
use swath_volumes::{Gaps, LabelClass, Origin, SegmentationNotes, SegmentationWriter, VolumeOptions, VolumeSource};

use common::{golden, volume};
use slices::slice;

fn classes() -> Vec<LabelClass> {
    let class = |value, name: &str, colour| LabelClass { value, name: name.into(), colour };
    vec![
        class(0, "background", None),
        class(300, "cœur", Some([255, 0, 0])),
        class(2, "os\\bone", None),
        class(7, "nowhere", Some([0, 0, 255])),
    ]
}

fn notes() -> SegmentationNotes {
    SegmentationNotes {
        description: "Organs".into(),
        algorithm: "network 1".into(),
        version: "0.1.0".into(),
        date: "20200102".into(),
        time: "030405".into(),
    }
}

fn write(folder: &Path, source: &dyn VolumeSource, labels: &[u16], part: usize) -> PathBuf {
    let path = folder.join("labels.dcm");
    let mut writer = SegmentationWriter::create(&path, source.profile(), None, &classes(), notes(), folder).unwrap();
    for part in labels.chunks(part) {
        writer.write(part).unwrap();
    }
    writer.finish().unwrap();
    assert_eq!(fs::read_dir(folder).unwrap().count(), 1, "no scratch file is left");
    path
}

/// Labels 2 and 300 in blocks, 300 on the second plane only.
fn labels(source: &dyn VolumeSource) -> Vec<u16> {
    let size = source.profile().size;
    let label = |at: usize| match (at / size.plane(), at % size.x, at % size.plane() / size.x) {
        (1, 3..7, 2..4) => 300,
        (_, 5..9, 4..=8) => 2,
        _ => 0,
    };
    (0..size.voxels()).map(label).collect()
}

fn items(object: &InMemDicomObject, tag: Tag) -> &[InMemDicomObject] {
    object.element(tag).unwrap().items().unwrap()
}

fn text(object: &InMemDicomObject, tag: Tag) -> String {
    object.element(tag).unwrap().to_str().unwrap().trim_end_matches(['\0', ' ']).to_owned()
}

fn numbers(object: &InMemDicomObject, tag: Tag) -> Vec<f64> {
    object.element(tag).unwrap().to_multi_float64().unwrap()
}

/// Slices of 15 x 11 pixels: their frames do not end with a byte.
fn odd(folder: &Path) -> PathBuf {
    for name in ["0.dcm", "1.dcm", "2.dcm"] {
        let mut object = open_file(golden("dicom/explicit").join(name)).unwrap();
        object.put(DataElement::new(tags::ROWS, VR::US, PrimitiveValue::from(11_u16)));
        object.put(DataElement::new(tags::COLUMNS, VR::US, PrimitiveValue::from(15_u16)));
        object.write_to_file(folder.join(name)).unwrap();
    }
    folder.into()
}

#[test]
fn frames_are_the_labels_of_their_images() {
    let images = tempfile::tempdir().unwrap();
    for images in [golden("dicom/explicit"), golden("dicom/enhanced"), odd(images.path())] {
        let folder = tempfile::tempdir().unwrap();
        let source = volume(&images);
        let (profile, labels) = (source.profile(), labels(source.as_ref()));
        let object = open_file(write(folder.path(), source.as_ref(), &labels, profile.size.plane())).unwrap();
        let Origin::Dicom(series) = &profile.origin else { panic!("expected a DICOM series") };

        assert_eq!(object.meta().media_storage_sop_class_uid().trim_end_matches('\0'), uids::SEGMENTATION_STORAGE);
        assert_eq!(text(&object, tags::SEGMENTATION_TYPE), "BINARY");
        assert_eq!(
            (text(&object, tags::PATIENT_NAME).as_str(), text(&object, tags::STUDY_INSTANCE_UID)),
            ("Phantom^Swath", series.study.clone())
        );
        assert_eq!(Some(text(&object, tags::FRAME_OF_REFERENCE_UID)), series.frame_of_reference);
        let segments = items(&object, tags::SEGMENT_SEQUENCE);
        let names: Vec<String> = segments.iter().map(|segment| text(segment, tags::SEGMENT_LABEL)).collect();
        assert_eq!(names, ["os/bone", "nowhere", "cœur"]);
        assert!(segments[0].get(tags::RECOMMENDED_DISPLAY_CIE_LAB_VALUE).is_none());
        let red = segments[2].element(tags::RECOMMENDED_DISPLAY_CIE_LAB_VALUE).unwrap().to_multi_int::<u16>().unwrap();
        assert!(red[0].abs_diff(35578) < 20, "{red:?}");

        // Label 2 on three planes, then label 300 on the second.
        let frames = items(&object, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
        let expected = [(1, 2, 0), (1, 2, 1), (1, 2, 2), (3, 300, 1)];
        assert_eq!((frames.len(), text(&object, tags::NUMBER_OF_FRAMES).as_str()), (4, "4"));
        let bytes = object.element(tags::PIXEL_DATA).unwrap().to_bytes().unwrap();
        let plane_voxels = profile.size.plane();
        assert_eq!(bytes.len(), (4 * plane_voxels).div_ceil(8).next_multiple_of(2));
        for (at, (frame, (segment, label, plane))) in frames.iter().zip(expected).enumerate() {
            let image = series.planes[0][plane].as_ref().unwrap();
            let identification = &items(frame, tags::SEGMENT_IDENTIFICATION_SEQUENCE)[0];
            assert_eq!(identification.element(tags::REFERENCED_SEGMENT_NUMBER).unwrap().to_int::<u16>().unwrap(), segment);
            let position = &items(frame, tags::PLANE_POSITION_SEQUENCE)[0];
            assert_eq!(Some(numbers(position, tags::IMAGE_POSITION_PATIENT)), image.position.map(Vec::from));
            let reference = &items(&items(frame, tags::DERIVATION_IMAGE_SEQUENCE)[0], tags::SOURCE_IMAGE_SEQUENCE)[0];
            assert_eq!(text(reference, tags::REFERENCED_SOP_INSTANCE_UID), image.instance);
            let number = reference.get(tags::REFERENCED_FRAME_NUMBER).map(|number| number.to_int::<usize>().unwrap());
            assert_eq!(number, image.frame.map(|frame| frame + 1));
            for voxel in 0..plane_voxels {
                let bit = at * plane_voxels + voxel;
                assert_eq!(bytes[bit / 8] >> (bit % 8) & 1 == 1, labels[plane * plane_voxels + voxel] == label, "{at} {voxel}");
            }
        }
        let shared = &items(&object, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE)[0];
        let measures = &items(shared, tags::PIXEL_MEASURES_SEQUENCE)[0];
        assert_eq!(numbers(measures, tags::PIXEL_SPACING), [0.75, 1.25]);
        assert!((numbers(measures, tags::SPACING_BETWEEN_SLICES)[0] - 2.5).abs() < 1e-6);
    }
}

#[test]
fn the_same_labels_give_the_same_bytes_and_others_other_identifiers() {
    let folder = tempfile::tempdir().unwrap();
    let source = volume(&golden("dicom/explicit"));
    let mut labels = labels(source.as_ref());
    let bytes = |labels: &[u16], part| fs::read(write(folder.path(), source.as_ref(), labels, part)).unwrap();
    let first = bytes(&labels, 192);
    assert!(bytes(&labels, 7) == first);
    let identifier = || text(&open_file(folder.path().join("labels.dcm")).unwrap(), tags::SOP_INSTANCE_UID);
    let before = identifier();
    labels[0] = 2;
    bytes(&labels, 192);
    assert_ne!(identifier(), before);
    assert!(before.starts_with("2.25.") && before.len() <= 64);
}

#[test]
fn without_a_labelled_voxel_there_is_one_empty_frame() {
    let folder = tempfile::tempdir().unwrap();
    let source = volume(&golden("dicom/explicit"));
    let object = open_file(write(folder.path(), source.as_ref(), &vec![0; source.profile().size.voxels()], 100)).unwrap();
    assert_eq!(text(&object, tags::NUMBER_OF_FRAMES), "1");
    assert!(object.element(tags::PIXEL_DATA).unwrap().to_bytes().unwrap().iter().all(|byte| *byte == 0));
}

#[test]
fn planes_that_were_filled_in_have_no_frame() {
    let folder = tempfile::tempdir().unwrap();
    let images = tempfile::tempdir().unwrap();
    // The second of the three slices is missing; that it is a gap only a fourth tells.
    for (name, along) in [("2.dcm", 0.0), ("0.dcm", 2.5), ("1.dcm", 7.5)] {
        let mut object = open_file(golden("dicom/explicit").join(name)).unwrap();
        let place =
            [0.48, -0.64, 0.6].iter().zip([-30.5, 12.25, 100.0]).map(|(normal, first)| format!("{:.6}", first + normal * along));
        let place = place.collect::<Vec<_>>().join("\\");
        object.put(DataElement::new(tags::IMAGE_POSITION_PATIENT, VR::DS, PrimitiveValue::from(place)));
        object.write_to_file(images.path().join(name)).unwrap();
    }
    fs::copy(golden("dicom/explicit/2.dcm"), images.path().join("3.dcm")).unwrap();
    let mut object = open_file(images.path().join("3.dcm")).unwrap();
    object.put(DataElement::new(tags::SOP_INSTANCE_UID, VR::UI, PrimitiveValue::from("1.2.3.4")));
    object.put(DataElement::new(tags::IMAGE_POSITION_PATIENT, VR::DS, PrimitiveValue::from("-25.7\\5.85\\106")));
    object.write_to_file(images.path().join("3.dcm")).unwrap();
    let open = |gaps| swath_volumes::open(images.path(), &VolumeOptions::default().with_gaps(gaps)).unwrap();
    let source = open(Gaps::Fill);
    assert_eq!(source.profile().size.z, 5);
    let object = open_file(write(folder.path(), source.as_ref(), &[300; 5 * 192], 960)).unwrap();
    let frames = items(&object, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
    let along: Vec<f64> = frames
        .iter()
        .map(|frame| numbers(&items(frame, tags::PLANE_POSITION_SEQUENCE)[0], tags::IMAGE_POSITION_PATIENT)[2])
        .collect();
    assert_eq!(along, [100.0, 101.5, 104.5, 106.0]);
    // Resampled planes are no images.
    let path = folder.path().join("labels.dcm");
    let error =
        SegmentationWriter::create(&path, open(Gaps::Resample).profile(), None, &classes(), notes(), folder.path()).unwrap_err();
    assert!(error.to_string().ends_with("got planes that were resampled"), "{error}");
}

/// A gantry tilt of 20 degrees: slices are as far apart as their planes are, not as their first pixels.
#[test]
fn slices_of_a_stack_that_leans_are_measured_along_their_normal() {
    let (folder, images) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for number in 0..3 {
        let along = number as f64;
        slice(images.path(), number + 1, [0.0, 2.5 * 20_f64.to_radians().tan() * along, 2.5 * along], |_| ());
    }
    let source = volume(images.path());
    assert!(source.profile().affine.spacing()[2] > 2.65);
    let object = open_file(write(folder.path(), source.as_ref(), &labels(source.as_ref()), 192)).unwrap();
    let measures = &items(&items(&object, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE)[0], tags::PIXEL_MEASURES_SEQUENCE)[0];
    for tag in [tags::SPACING_BETWEEN_SLICES, tags::SLICE_THICKNESS] {
        assert!((numbers(measures, tag)[0] - 2.5).abs() < 1e-5, "{:?}", numbers(measures, tag));
    }
}

#[test]
fn what_cannot_be_a_segmentation_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.dcm");
    let create = |images: &Path, classes: &[LabelClass]| {
        SegmentationWriter::create(&path, volume(images).profile(), None, classes, notes(), folder.path())
    };
    let error = create(&golden("nifti/int16.nii"), &classes()).unwrap_err().to_string();
    assert_eq!(error, format!("expected DICOM images for the DICOM segmentation {}, got a NIfTI file", path.display()));
    let error = create(&golden("dicom/explicit"), &classes()[..1]).unwrap_err().to_string();
    assert_eq!(error, format!("expected a class beside the background for the DICOM segmentation {}, got none", path.display()));

    let mut writer = create(&golden("dicom/explicit"), &classes()).unwrap();
    let error = writer.write(&[300_u16; 577]).unwrap_err().to_string();
    assert_eq!(error, format!("expected 576 values for {}, got 577", path.display()));
    writer.write(&[300_u16; 191]).unwrap();
    let error = writer.write(&[5_u16]).unwrap_err().to_string();
    assert_eq!(error, format!("expected labels of the classes for {}, got 5", path.display()));
    let mut writer = create(&golden("dicom/explicit"), &classes()).unwrap();
    writer.write(&[2_u8; 100]).unwrap();
    let error = writer.finish().unwrap_err().to_string();
    assert_eq!(error, format!("expected 576 values for {}, got 100", path.display()));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left of what was not finished");
}
