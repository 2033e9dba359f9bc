//! Folders of DICOM files as they come from hospitals: what is refused, what is left out, and what is only said.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod common;
#[path = "common/slices.rs"]
mod slices;

use std::fs;
use std::path::{Path, PathBuf};

use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::tags;
use swath_volumes::{Gaps, Origin, Rescale, VolumeOptions, Warning, open};

use common::{failure, golden, volume, voxels};
use slices::{COLUMN, NORMAL, ROW, numbers, set, slice, slices};

#[track_caller]
fn refused(folder: &Path, words: &[&str]) {
    let error = failure(folder, &VolumeOptions::default());
    for word in words {
        assert!(error.contains(word), "`{word}` is missing from: {error}");
    }
}

fn warnings(folder: &Path) -> Vec<Warning> {
    volume(folder).profile().warnings.clone()
}

fn temporary() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn slices_follow_their_places_not_their_numbers_or_names() {
    let folder = temporary();
    let paths = slices(folder.path(), &[5.0, 0.0, 10.0, 2.5, 7.5]);
    let source = volume(folder.path());
    let Origin::Dicom(series) = &source.profile().origin else { panic!("expected a DICOM series") };
    let order: Vec<&PathBuf> = series.planes[0].iter().flatten().map(|plane| &plane.path).collect();
    assert_eq!(order, [&paths[1], &paths[3], &paths[0], &paths[4], &paths[2]]);
    assert!((source.profile().affine.spacing()[2] - 2.5).abs() < 1e-6);
    // 2, 4, 1, 5, 3: it rises, then falls.
    assert_eq!(source.profile().warnings, [Warning::Numbering { path: paths[3].clone(), next: paths[0].clone() }]);
}

#[test]
fn numbers_that_fall_all_along_are_nothing_to_say() {
    let folder = temporary();
    slices(folder.path(), &[10.0, 7.5, 5.0, 2.5]);
    assert_eq!(warnings(folder.path()), []);
}

#[test]
fn a_gap_is_refused_with_its_files_and_its_size() {
    let folder = temporary();
    slices(folder.path(), &[0.0, 2.5, 5.0, 10.0, 12.5, 15.0]);
    refused(folder.path(), &["expected slices 2.5", "(2.00 times as much) between ", "3.dcm and ", "4.dcm"]);
}

/// Slices whose values are all the same.
fn flat_slices(folder: &Path, slices: &[(f64, u16)]) {
    for (number, &(along, value)) in (1..).zip(slices) {
        slice(folder, number, [0.0, 0.0, along], |object| {
            object.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(vec![value; 192].into())));
        });
    }
}

/// The first value of each plane.
fn of_each_plane(folder: &Path, gaps: Gaps) -> (Vec<f32>, f64, Vec<Warning>) {
    let source = open(folder, &VolumeOptions::default().with_gaps(gaps)).unwrap();
    let values = voxels(source.as_ref()).into_iter().step_by(192).collect();
    (values, source.profile().affine.spacing()[2], source.profile().warnings.clone())
}

#[test]
fn gaps_of_whole_slices_are_filled_if_that_is_asked_for() {
    let folder = temporary();
    flat_slices(folder.path(), &[(0.0, 1024), (2.5, 1124), (10.0, 1424), (12.5, 1024)]);
    let (values, spacing, warnings) = of_each_plane(folder.path(), Gaps::Fill);
    assert_eq!((values, warnings), (vec![0.0, 100.0, 200.0, 300.0, 400.0, 0.0], vec![Warning::MadeUp { planes: 2 }]));
    assert!((spacing - 2.5).abs() < 1e-6);
    let source = open(folder.path(), &VolumeOptions::default().with_gaps(Gaps::Fill)).unwrap();
    let Origin::Dicom(series) = &source.profile().origin else { panic!("expected a DICOM series") };
    assert_eq!(series.planes[0].iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false, false, true, true]);
    // A gap of one slice and a half is no missing slice.
    let folder = temporary();
    flat_slices(folder.path(), &[(0.0, 1), (2.5, 1), (6.25, 1), (8.75, 1)]);
    let error = failure(folder.path(), &VolumeOptions::default().with_gaps(Gaps::Fill));
    assert!(error.contains("(1.50 times as much) between ") && error.contains("2.dcm and "), "{error}");
}

#[test]
fn uneven_slices_are_resampled_if_that_is_asked_for() {
    let folder = temporary();
    // Twice the place: 10 mm in steps of 2.5.
    flat_slices(folder.path(), &[(0.0, 1024), (2.5, 1029), (5.5, 1035), (8.0, 1040), (10.0, 1044)]);
    refused(folder.path(), &["(0.80 times as much) between ", "4.dcm and "]);
    let (values, spacing, warnings) = of_each_plane(folder.path(), Gaps::Resample);
    assert!(values.iter().zip([0.0, 5.0, 10.0, 15.0, 20.0]).all(|(got, wanted)| (got - wanted).abs() < 1e-4), "{values:?}");
    assert!((spacing - 2.5).abs() < 1e-6);
    assert_eq!(warnings, [Warning::MadeUp { planes: 2 }]);
}

#[test]
fn slices_that_are_uneven_within_a_tenth_of_a_millimetre_are_read_and_said() {
    let folder = temporary();
    slices(folder.path(), &[0.0, 2.5, 5.09, 7.5]);
    let [Warning::Uneven { least, greatest }] = warnings(folder.path())[..] else { panic!("{:?}", warnings(folder.path())) };
    assert!((least - 2.41).abs() < 1e-5 && (greatest - 2.59).abs() < 1e-5);
    // Within a hundredth of the distance nothing is said, beyond a tenth of a millimetre it is refused.
    let folder = temporary();
    slices(folder.path(), &[0.0, 2.5, 5.01, 7.5]);
    assert_eq!(warnings(folder.path()), []);
    let folder = temporary();
    slices(folder.path(), &[0.0, 2.5, 5.0, 7.63]);
    refused(
        folder.path(),
        &["expected slices 2.500 mm apart, got 2.630 mm (1.05 times as much) between ", "3.dcm and ", "4.dcm"],
    );
}

#[test]
fn several_images_in_one_place_are_refused_by_name() {
    let folder = temporary();
    slices(folder.path(), &[0.0, 2.5, 5.0, 2.5]);
    refused(folder.path(), &["expected one image at each place, got ", "2.dcm, ", "4.dcm"]);
}

#[test]
fn acquisitions_of_the_same_places_are_the_frames_of_a_volume() {
    for tag in [tags::ACQUISITION_NUMBER, tags::TEMPORAL_POSITION_IDENTIFIER] {
        let folder = temporary();
        for number in 0..6 {
            let along = [0.0, 0.0, 2.5 * (number % 3) as f64];
            slice(folder.path(), number + 1, along, |object| {
                object.put(DataElement::new(tag, VR::IS, PrimitiveValue::from((1 + number / 3).to_string())));
                set(object, tags::RESCALE_INTERCEPT, if number < 3 { "-1000" } else { "-900" });
            });
        }
        let source = volume(folder.path());
        assert_eq!((source.profile().frames, source.profile().size.z), (2, 3));
        assert_eq!(source.profile().rescale, Rescale::PerPlane);
        let [first, second] = [0, 1].map(|frame| source.reader(frame).unwrap().read(0..3).unwrap());
        assert!(first.iter().zip(&second).all(|(a, b)| (b - a - 100.0).abs() < 1e-3));
    }
}

#[test]
fn mixed_orientations_sizes_and_spacings_are_not_one_volume() {
    let turned = numbers(&[COLUMN, ROW].concat());
    let changes: [(&str, Tag, &str); 2] =
        [("orientation", tags::IMAGE_ORIENTATION_PATIENT, &turned), ("images of 16 x 12", tags::PIXEL_SPACING, "0.75\\1.5")];
    for (word, tag, value) in changes {
        let folder = temporary();
        slices(folder.path(), &[0.0, 2.5]);
        slice(folder.path(), 3, [0.0, 0.0, 5.0], |object| set(object, tag, value));
        refused(folder.path(), &["expected one volume in ", "got 2: ", word, "3.dcm"]);
    }
    let folder = temporary();
    slices(folder.path(), &[0.0, 2.5]);
    slice(folder.path(), 3, [0.0, 0.0, 5.0], |object| {
        object.put(DataElement::new(tags::ROWS, VR::US, PrimitiveValue::from(6_u16)));
    });
    refused(folder.path(), &["got 2: ", "2 images of 16 x 12", "1 images of 16 x 6"]);
}

#[test]
fn localizers_colours_and_other_files_are_left_out_and_said() {
    let folder = temporary();
    slices(folder.path(), &[0.0, 2.5, 5.0]);
    let scout = slice(folder.path(), 4, [0.0, 0.0, 40.0], |object| set(object, tags::IMAGE_TYPE, "ORIGINAL\\PRIMARY\\LOCALIZER"));
    let colour = slice(folder.path(), 5, [0.0, 0.0, 0.0], |object| {
        object.put(DataElement::new(tags::SAMPLES_PER_PIXEL, VR::US, PrimitiveValue::from(3_u16)));
        set(object, tags::PHOTOMETRIC_INTERPRETATION, "RGB");
    });
    let report = slice(folder.path(), 6, [0.0, 0.0, 0.0], |object| {
        set(object, tags::MODALITY, "SR");
        for tag in [tags::ROWS, tags::COLUMNS, tags::PIXEL_DATA] {
            object.remove_element(tag);
        }
    });
    let (text, empty) = (folder.path().join("a.txt"), folder.path().join("b"));
    fs::write(&text, "see the other disc").unwrap();
    fs::write(&empty, "").unwrap();
    fs::create_dir(folder.path().join(".hidden")).unwrap();
    let left_out = |what, count, example: PathBuf| Warning::LeftOut { what, count, example };
    let expected = [
        left_out("DICOM without an image", 1, report),
        left_out("a DICOM image in colour", 1, colour.clone()),
        left_out("a localizer", 1, scout.clone()),
        left_out("no DICOM file", 2, text),
    ];
    let source = volume(folder.path());
    assert_eq!((source.profile().size.z, &source.profile().warnings[..]), (3, &expected[..]));
    assert_eq!(
        expected[3].to_string(),
        format!("2 files are left out, among them {}: each is no DICOM file", folder.path().join("a.txt").display())
    );
    // By themselves: the localizer is an image, the colours are none.
    assert_eq!(volume(&scout).profile().size.z, 1);
    refused(&colour, &["expected DICOM images in shades of grey in ", "got a DICOM image in colour (", "5.dcm"]);
}

#[cfg(unix)]
#[test]
fn folders_within_are_looked_into_once_wherever_links_lead() {
    let folder = temporary();
    let [first, second] = ["disc 1", "disc 2"].map(|name| folder.path().join(name));
    fs::create_dir(&first).unwrap();
    fs::create_dir(&second).unwrap();
    slices(&first, &[0.0, 5.0]);
    slice(&second, 7, [0.0, 0.0, 2.5], |_| ());
    std::os::unix::fs::symlink(folder.path(), first.join("all")).unwrap();
    let source = volume(folder.path());
    let warnings = &source.profile().warnings;
    assert!(source.profile().size.z == 3 && matches!(warnings[..], [Warning::Numbering { .. }]), "{warnings:?}");
}

#[test]
fn a_folder_without_an_image_says_what_is_in_it() {
    let folder = temporary();
    refused(folder.path(), &["expected DICOM images in shades of grey in ", "got no file"]);
    fs::write(folder.path().join("readme"), "nothing").unwrap();
    refused(folder.path(), &["got no DICOM file (", "readme)"]);
}

#[test]
fn a_stack_that_leans_keeps_its_shear() {
    let folder = temporary();
    for number in 0..4 {
        let along = number as f64;
        slice(folder.path(), number + 1, [0.0, 0.7 * along, 2.5 * along], |_| ());
    }
    let source = volume(folder.path());
    let affine = source.profile().affine.to_lps();
    for axis in 0..3 {
        assert!((affine.column(2)[axis] - (0.7 * COLUMN[axis] + 2.5 * NORMAL[axis])).abs() < 1e-6);
    }
    let [Warning::Tilt { degrees }] = source.profile().warnings[..] else { panic!("{:?}", source.profile().warnings) };
    assert!((degrees - (0.7_f64 / 2.5).atan().to_degrees()).abs() < 1e-4);
}

#[test]
fn a_slice_beside_the_others_is_refused_by_name() {
    let folder = temporary();
    for (number, row) in [0.0, 0.0, 4.0, 0.0].into_iter().enumerate() {
        slice(folder.path(), number + 1, [row, 0.0, 2.5 * number as f64], |_| ());
    }
    refused(folder.path(), &["3.dcm on the line of the other slices, got 4.000 mm beside it"]);
}

#[test]
fn pixels_that_are_not_square_keep_their_sides() {
    let source = volume(&golden("dicom/explicit"));
    // PixelSpacing is the distance of rows, then of columns.
    let [x, y, _] = source.profile().affine.spacing();
    assert!((x - 1.25).abs() < 1e-12 && (y - 0.75).abs() < 1e-12, "{x} {y}");
}

#[test]
fn one_slice_is_as_thick_as_its_header_says() {
    let folder = temporary();
    let cases = [
        (Some("4.5"), Some("3"), 4.5, "SpacingBetweenSlices"),
        (None, Some("3"), 3.0, "SliceThickness"),
        (None, None, 1.0, "nothing"),
    ];
    for (between, thickness, length, attribute) in cases {
        let path = slice(folder.path(), 1, [0.0; 3], |object| {
            object.remove_element(tags::SLICE_THICKNESS);
            for (tag, value) in [(tags::SPACING_BETWEEN_SLICES, between), (tags::SLICE_THICKNESS, thickness)] {
                if let Some(value) = value {
                    object.put(DataElement::new(tag, VR::DS, PrimitiveValue::from(value)));
                }
            }
        });
        let source = volume(&path);
        assert!((source.profile().affine.spacing()[2] - length).abs() < 1e-6);
        assert_eq!(source.profile().warnings, [Warning::OneSlice { attribute }]);
    }
}

#[test]
fn a_slope_that_is_no_number_is_refused() {
    let folder = temporary();
    for (tag, value, name) in [
        (tags::RESCALE_SLOPE, "1,5", "RescaleSlope"),
        (tags::RESCALE_SLOPE, "0", "RescaleSlope"),
        (tags::RESCALE_INTERCEPT, "air", "RescaleIntercept"),
        (tags::PIXEL_SPACING, "0\\1", "PixelSpacing"),
        (tags::PIXEL_SPACING, "1", "PixelSpacing"),
        (tags::IMAGE_POSITION_PATIENT, "1\\2", "ImagePositionPatient"),
        (tags::IMAGE_ORIENTATION_PATIENT, "1\\0\\0\\1\\0\\0", "ImageOrientationPatient"),
    ] {
        slice(folder.path(), 1, [0.0; 3], |object| set(object, tag, value));
        refused(folder.path(), &[&format!("as {name} in "), &format!("got {value}")]);
    }
}

#[test]
fn what_lies_outside_the_scanner_is_air() {
    let folder = temporary();
    let path = slice(folder.path(), 1, [0.0; 3], |object| {
        // As an unsigned number, of what is stored as -2000 in 16 bits.
        object.put(DataElement::new(tags::BITS_STORED, VR::US, PrimitiveValue::from(16_u16)));
        object.put(DataElement::new(tags::HIGH_BIT, VR::US, PrimitiveValue::from(15_u16)));
        object.put(DataElement::new(tags::PIXEL_REPRESENTATION, VR::US, PrimitiveValue::from(1_u16)));
        object.put(DataElement::new(tags::PIXEL_PADDING_VALUE, VR::US, PrimitiveValue::from(63536_u16)));
        let values: Vec<u16> = (0..192).map(|at| if at < 5 { 63536 } else { at }).collect();
        object.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(values.into())));
    });
    let values = voxels(volume(&path).as_ref());
    let wanted: Vec<f32> = (0..192).map(|at| if at < 5 { -1024.0 } else { at as f32 - 1024.0 }).collect();
    assert_eq!(values, wanted);
}

#[test]
fn white_that_is_low_is_said_and_left() {
    let folder = temporary();
    let path = slice(folder.path(), 1, [0.0; 3], |_| ());
    let plain = voxels(volume(&path).as_ref());
    slice(folder.path(), 1, [0.0; 3], |object| set(object, tags::PHOTOMETRIC_INTERPRETATION, "MONOCHROME1"));
    let source = volume(&path);
    assert_eq!(voxels(source.as_ref()), plain);
    assert!(source.profile().warnings.contains(&Warning::Inverted));
}

#[test]
fn damage_is_refused_by_file() {
    let folder = temporary();
    let paths = slices(folder.path(), &[0.0, 2.5, 5.0]);
    let whole = fs::read(&paths[1]).unwrap();
    // The pixels end early, the header does, or there are none.
    fs::write(&paths[1], &whole[..whole.len() - 10]).unwrap();
    refused(folder.path(), &["expected 384 bytes of voxels in ", "2.dcm, got 374"]);
    fs::write(&paths[1], &whole[..500]).unwrap();
    refused(folder.path(), &["cannot parse ", "2.dcm as DICOM"]);
    slice(folder.path(), 2, [0.0, 0.0, 2.5], |object| drop(object.take_element(tags::PIXEL_DATA)));
    refused(folder.path(), &["expected pixels of 8, 16 or 32 bits as PixelData in ", "2.dcm, got nothing"]);
    for (tag, value, words) in [
        (tags::BITS_ALLOCATED, 12, "expected 8, 16 or 32 bits as BitsAllocated in "),
        (tags::BITS_STORED, 17, "expected 1 to as many bits as are allocated as BitsStored in "),
        (tags::HIGH_BIT, 16, " as HighBit in "),
        (tags::ROWS, 0, "expected 1 to 65535 pixels as Rows in "),
    ] {
        slice(folder.path(), 2, [0.0, 0.0, 2.5], |object| {
            object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value as u16)));
        });
        refused(folder.path(), &[words, "2.dcm, got "]);
    }
}

#[test]
fn a_compression_that_cannot_be_read_is_named() {
    let folder = temporary();
    let path = slice(folder.path(), 1, [0.0; 3], |object| object.meta_mut().transfer_syntax = "1.2.840.10008.1.2.4.110".into());
    refused(&path, &["JPEG-LS or JPEG 2000 as TransferSyntaxUID in ", "got JPEG XL Lossless"]);
}

#[test]
fn compressed_pixels_that_are_damaged_are_refused_by_file_and_frame() {
    for name in ["rle", "jpeg_ls", "jpeg_lossless", "jpeg2000", "enhanced_jpeg"] {
        let folder = temporary();
        let path = folder.path().join("damaged.dcm");
        let source = fs::read_dir(golden("dicom").join(name)).unwrap().next().unwrap().unwrap().path();
        let whole = fs::read(source).unwrap();
        // Where the first fragment after the offset table begins, and how long it is.
        let item = [0xfe, 0xff, 0x00, 0xe0];
        let pixels = whole.windows(4).rposition(|bytes| bytes == [0xe0, 0x7f, 0x10, 0x00]).unwrap();
        let at: Vec<usize> = (pixels..whole.len() - 4).filter(|&at| whole[at..at + 4] == item).collect();
        let [start, length] = [at[1] + 8, u32::from_le_bytes(whole[at[1] + 4..at[1] + 8].try_into().unwrap()) as usize];
        // Cut off within the fragment.
        fs::write(&path, &whole[..start + length / 2]).unwrap();
        refused(&path, &["expected compressed pixels of ", "got a fragment cut off"]);
        // A fragment that ends early: nothing is made up of what is missing.
        for keep in [length * 7 / 20 * 2, 40, 6] {
            let mut short = whole[..start + keep].to_vec();
            short[start - 4..start].copy_from_slice(&(keep as u32).to_le_bytes());
            short.extend(&whole[start + length..]);
            // The offset table is that of whole fragments.
            if at.len() == 2 {
                fs::write(&path, short).unwrap();
                refused(&path, &["cannot decode frame 0 of ", "damaged.dcm"]);
            }
        }
        // Any byte may be wrong: there is an error or there are values, but no panic.
        for place in (start..start + length).step_by(3) {
            let mut noise = whole.clone();
            noise[place] ^= 0x5a;
            fs::write(&path, noise).unwrap();
            let source = volume(&path);
            let _ = source.reader(0).unwrap().read(0..source.profile().size.z);
        }
    }
}
