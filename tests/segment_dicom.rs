//! The built binary on folders of DICOM images: segmentations lie on their images frame by frame, and gaps are what was asked for.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod nifti;
mod real_data;
mod support;

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::{DefaultDicomObject, InMemDicomObject, open_file};
use nifti::read_labels;
use support::{Linear, counts, swath};
use swath_models::{Model, ModelCard};
use tempfile::{TempDir, tempdir};

/// Columns and rows of a slice, and what air has in Hounsfield units.
const SIZE: [usize; 2] = [16, 12];
const AIR: i32 = -1024;

/// A model whose label of a voxel is its value, of 0 to 126 Hounsfield units.
fn write_model(folder: &Path) {
    let Model { card, graph, weights } = Linear::identity().model();
    let volume = r#"{ "axes": "LPS", "intensity": [{ "type": "clip", "minimum": 0, "maximum": 126 }] }"#;
    let card = ModelCard { volume: Some(serde_json::from_str(volume).unwrap()), ..card };
    Model { card, graph, weights }.write(&folder.join("model")).unwrap();
}

/// Writes an oblique slice so many mm along the normal from the first, with a name and number of its own.
fn write_slice(folder: &Path, number: usize, along: f64, value: impl Fn(usize, usize) -> i32) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("volumes/tests/golden/dicom/explicit/2.dcm");
    let mut object = open_file(golden).unwrap();
    let mut set = |tag, vr, value: PrimitiveValue| {
        object.put(DataElement::new(tag, vr, value));
    };
    let place =
        [0.48, -0.64, 0.6].iter().zip([-30.5, 12.25, 100.0]).map(|(normal, first)| format!("{:.6}", first + normal * along));
    let values = (0..SIZE[0] * SIZE[1]).map(|at| (value(at % SIZE[0], at / SIZE[0]) - AIR) as u16).collect::<Vec<_>>();
    set(tags::SOP_INSTANCE_UID, VR::UI, format!("1.2.826.0.1.3680043.8.498.77.{number}").into());
    set(tags::INSTANCE_NUMBER, VR::IS, number.to_string().into());
    set(tags::IMAGE_POSITION_PATIENT, VR::DS, place.collect::<Vec<_>>().join("\\").into());
    set(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(values.into()));
    object.write_to_file(folder.join(format!("{number}.dcm"))).unwrap();
}

/// A model, and slices at these places, numbered from 1; the values of each depend on its number.
fn slices(places: &[f64], value: impl Fn(usize, usize, usize) -> i32) -> TempDir {
    let folder = tempdir().unwrap();
    write_model(folder.path());
    fs::create_dir(folder.path().join("case")).unwrap();
    for (number, along) in (1..).zip(places) {
        write_slice(&folder.path().join("case"), number, *along, |x, y| value(number, x, y));
    }
    folder
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

/// The label of every pixel of an image: its value, which slope and intercept make of what is stored.
fn expected(image: &DefaultDicomObject) -> Vec<i32> {
    let [slope, intercept] = [tags::RESCALE_SLOPE, tags::RESCALE_INTERCEPT].map(|tag| numbers(image, tag)[0]);
    let stored = image.element(tags::PIXEL_DATA).unwrap().to_bytes().unwrap();
    let is_signed = image.element(tags::PIXEL_REPRESENTATION).unwrap().to_int::<u16>().unwrap() == 1;
    let values = stored.chunks_exact(2).map(|bytes| {
        let bytes = [bytes[0], bytes[1]];
        if is_signed { f64::from(i16::from_le_bytes(bytes)) } else { f64::from(u16::from_le_bytes(bytes)) }
    });
    values.map(|value| (value * slope + intercept).clamp(0.0, 126.0) as i32).collect()
}

/// Every frame of a segmentation has the place of the image that it names, and the pixels of its segment are those of that image with this label; every
/// such pixel of every image is in a frame. How many frames there are.
fn assert_frames_are_their_images(segmentation: &Path, images: &Path) -> usize {
    let object = open_file(segmentation).unwrap();
    let images: HashMap<String, DefaultDicomObject> = fs::read_dir(images)
        .unwrap()
        .map(|entry| open_file(entry.unwrap().path()).unwrap())
        .map(|image| (text(&image, tags::SOP_INSTANCE_UID), image))
        .collect();
    // Segments are named by their label: class_40.
    let label =
        |segment: &InMemDicomObject| text(segment, tags::SEGMENT_LABEL).trim_start_matches("class_").parse::<i32>().unwrap();
    let labels: HashMap<u16, i32> = items(&object, tags::SEGMENT_SEQUENCE)
        .iter()
        .map(|segment| (segment.element(tags::SEGMENT_NUMBER).unwrap().to_int().unwrap(), label(segment)))
        .collect();
    let bytes = object.element(tags::PIXEL_DATA).unwrap().to_bytes().unwrap();
    let frames = items(&object, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
    let (mut voxels, mut bit) = (0, 0);
    for frame in frames {
        let reference = &items(&items(frame, tags::DERIVATION_IMAGE_SEQUENCE)[0], tags::SOURCE_IMAGE_SEQUENCE)[0];
        let image = &images[&text(reference, tags::REFERENCED_SOP_INSTANCE_UID)];
        let place = numbers(&items(frame, tags::PLANE_POSITION_SEQUENCE)[0], tags::IMAGE_POSITION_PATIENT);
        assert_eq!(place, numbers(image, tags::IMAGE_POSITION_PATIENT));
        let segment = &items(frame, tags::SEGMENT_IDENTIFICATION_SEQUENCE)[0];
        let own = labels[&segment.element(tags::REFERENCED_SEGMENT_NUMBER).unwrap().to_int::<u16>().unwrap()];
        for (pixel, label) in expected(image).into_iter().enumerate() {
            let is_in = bytes[bit / 8] >> (bit % 8) & 1 == 1;
            assert_eq!(
                is_in,
                label == own,
                "pixel {pixel} of {} in the frame of label {own}",
                text(image, tags::SOP_INSTANCE_UID)
            );
            voxels += usize::from(is_in);
            bit += 1;
        }
    }
    let labelled = images.values().flat_map(expected).filter(|label| *label > 0).count();
    assert_eq!(voxels, labelled);
    frames.len()
}

/// Neither the names nor the numbers of the files say where they lie.
#[test]
fn frames_of_a_segmentation_are_those_of_their_images() {
    let folder = slices(&[5.0, 0.0, 10.0, 2.5, 7.5], |number, x, y| {
        [0, 40, 90][(x / 3 + 2 * y + number) % 3] - 7 * i32::from(x == number)
    });
    for options in ["", "--tile 7 --blend flat --overlap 2"] {
        let run = format!("segment case --model model --output labels.dcm --overwrite --max-memory 1GiB --threads 2 {options}");
        swath(folder.path(), &run).succeeds();
        assert!(assert_frames_are_their_images(&folder.path().join("labels.dcm"), &folder.path().join("case")) >= 5 * 2);
    }
}

#[test]
fn frames_of_a_real_segmentation_are_those_of_their_images() {
    let Some(data) = real_data::folder() else { return };
    let folder = tempdir().unwrap();
    write_model(folder.path());
    let images = data.join("medical/dicom/ct_philips_plain");
    let run = format!("segment {} --model model --output labels.dcm --max-memory 2GiB --tile 128", images.display());
    swath(folder.path(), &run).succeeds();
    assert!(assert_frames_are_their_images(&folder.path().join("labels.dcm"), &images) > 1);
}

#[test]
fn gaps_are_refused_or_filled() {
    let value = |number: usize, x: usize, _: usize| [10, 20, 60, 100][number - 1] + 2 * i32::from(x == 3);
    let folder = slices(&[0.0, 2.5, 7.5, 10.0], value);
    let segment = |options: &str| {
        swath(folder.path(), &format!("segment case --model model --overwrite --max-memory 1GiB --threads 2 --output {options}"))
    };
    segment("labels.nii.gz").fails(2, &["(2.00 times as much) between ", "2.dcm and ", "3.dcm", "--gaps fill"]);
    segment("labels.nii.gz --gaps fill").succeeds();
    let labels = read_labels(&folder.path().join("labels.nii.gz")).values;
    let of_each = |x: usize| labels.iter().skip(x).step_by(SIZE[0] * SIZE[1]).copied().collect::<Vec<_>>();
    assert_eq!(of_each(0), [10, 20, 40, 60, 100]);
    assert_eq!(of_each(3), [12, 22, 42, 62, 102]);
    let item = fs::read_to_string(folder.path().join("labels.json")).unwrap();
    assert!(item.contains("\"gaps\": \"fill\""), "{item}");
    // What is made up is no image, and has no frame.
    segment("labels.dcm --gaps fill").succeeds();
    assert_eq!(assert_frames_are_their_images(&folder.path().join("labels.dcm"), &folder.path().join("case")), 4 * 2);
    let uneven = slices(&[0.0, 2.5, 5.5, 8.0, 10.0], |number, _, _| [0, 25, 55, 80, 100][number - 1]);
    swath(uneven.path(), "segment case --model model --output labels.nii.gz --gaps fill --max-memory 1GiB")
        .fails(2, &["times as much"]);
    swath(uneven.path(), "segment case --model model --output labels.nii.gz --gaps resample --max-memory 1GiB").succeeds();
    let labels = read_labels(&uneven.path().join("labels.nii.gz")).values;
    let of_each: Vec<u8> = labels.iter().step_by(SIZE[0] * SIZE[1]).copied().collect();
    assert_eq!(of_each, [0, 25, 50, 75, 100]);
}

/// Of two series one can be chosen; two volumes of one series need folders of their own.
#[test]
fn what_is_said_of_several_volumes_is_what_helps() {
    let folder = slices(&[0.0, 2.5, 5.0], |number, _, _| number as i32);
    let change = |tag, vr, value: &str| {
        let file = folder.path().join("case/3.dcm");
        let mut object = open_file(&file).unwrap();
        object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
        object.write_to_file(&file).unwrap();
    };
    let run = "segment case --model model --output labels.nii.gz --max-memory 1GiB";
    change(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "-0.36\\0.48\\0.8\\0.8\\0.6\\0");
    swath(folder.path(), run).fails(2, &["got 2: ", "each needs a folder of its own"]);
    change(tags::SERIES_INSTANCE_UID, VR::UI, "1.2.3.4");
    swath(folder.path(), run).fails(2, &["got 2: ", "--series chooses one"]);
    swath(folder.path(), &format!("{run} --series 1.2.826.0.1.3680043.8.498.8.1")).succeeds();
}

/// What images do not say can be assumed, and labels say that it was.
#[test]
fn units_and_places_are_assumed_if_that_is_asked_for() {
    // A value of -1024 is stored as 0.
    let folder = slices(&[0.0; 11], |number, _, _| AIR + 10 * number as i32);
    let remove = |tag| {
        for number in 1..=11 {
            let file = folder.path().join(format!("case/{number}.dcm"));
            let mut object = open_file(&file).unwrap();
            object.remove_element(tag);
            object.write_to_file(&file).unwrap();
        }
    };
    let segment = |options: &str| {
        swath(
            folder.path(),
            &format!("segment case --model model --output labels.nii.gz --max-memory 1GiB --overwrite {options}"),
        )
    };
    remove(tags::IMAGE_POSITION_PATIENT);
    segment("").fails(2, &["expected the place of each image ", "--assume-place takes them for a stack"]);
    remove(tags::RESCALE_SLOPE);
    remove(tags::RESCALE_INTERCEPT);
    segment("--assume-place")
        .fails(2, &["expected RescaleSlope and RescaleIntercept", "--assume-hounsfield takes what is stored"]);
    segment("--assume-place --assume-hounsfield").succeeds();
    let labels = read_labels(&folder.path().join("labels.nii.gz")).values;
    let of_each: Vec<u8> = labels.iter().step_by(SIZE[0] * SIZE[1]).copied().collect();
    assert_eq!(of_each, [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110]);
    let item = fs::read_to_string(folder.path().join("labels.json")).unwrap();
    assert!(item.contains("\"assume_hounsfield\": true") && item.contains("\"assume_place\": true"), "{item}");
    // Labels of images that say everything, made with another assumption, are other labels.
    let whole = slices(&[0.0, 2.5], |number, _, _| 10 * number as i32);
    fs::create_dir(whole.path().join("cases")).unwrap();
    fs::rename(whole.path().join("case"), whole.path().join("cases/case")).unwrap();
    let batch = |options: &str| {
        swath(whole.path(), &format!("batch cases --model model --output out --max-memory 1GiB --threads 2 --json {options}"))
    };
    assert_eq!(batch("").succeeds().json()[0]["done"], 1);
    assert_eq!(batch("").succeeds().json()[0]["skipped"], 1);
    for options in ["--assume-hounsfield", "--assume-place"] {
        let run = batch(options);
        assert!(run.code == Some(1) && run.stderr.contains("case.nii.gz exists already"), "{run:?}");
    }
}

/// Two series of a folder are two volumes, though they have the same files.
#[test]
fn labels_of_another_series_are_not_its_own() {
    let folder = tempdir().unwrap();
    write_model(folder.path());
    fs::create_dir_all(folder.path().join("cases/case")).unwrap();
    for number in 1..=8 {
        write_slice(&folder.path().join("cases/case"), number, (number % 4) as f64 * 2.5, |x, _| (x + 10 * (number / 5)) as i32);
        let file = folder.path().join(format!("cases/case/{number}.dcm"));
        let mut object = open_file(&file).unwrap();
        let series: PrimitiveValue = format!("1.2.826.0.1.3680043.8.498.9{}", (number - 1) / 4).into();
        object.put(DataElement::new(tags::SERIES_INSTANCE_UID, VR::UI, series));
        object.write_to_file(&file).unwrap();
    }
    let batch = |series: usize, options: &str| {
        let series = format!("--series 1.2.826.0.1.3680043.8.498.9{series}");
        swath(folder.path(), &format!("batch cases --model model --output out --max-memory 1GiB --json {series} {options}"))
    };
    assert_eq!(batch(0, "").succeeds().json()[0]["done"], 1);
    assert_eq!(batch(0, "").succeeds().json()[0]["skipped"], 1);
    let first = read_labels(&folder.path().join("out/case.nii.gz")).values;
    let run = batch(1, "");
    assert!(run.code == Some(1) && run.stderr.contains("case.nii.gz exists already"), "{run:?}");
    assert_eq!(batch(1, "--overwrite").succeeds().json()[0]["done"], 1);
    assert!(read_labels(&folder.path().join("out/case.nii.gz")).values != first);
}

/// Not what lies beside the images, such as the labels themselves, but every image, in whatever folder of the case.
#[test]
fn a_series_is_what_its_images_are() {
    let folder = tempdir().unwrap();
    write_model(folder.path());
    let series = folder.path().join("cases/case/study/series");
    fs::create_dir_all(&series).unwrap();
    for number in 1..=4 {
        write_slice(&series, number, number as f64 * 2.5, |x, _| x as i32);
    }
    let batch = |options: &str| {
        swath(folder.path(), &format!("batch cases --model model --output cases/case --max-memory 1GiB --json {options}"))
    };
    assert_eq!(counts(&batch("").succeeds()), [1, 0, 0]);
    fs::write(folder.path().join("cases/case/.DS_Store"), "of another system").unwrap();
    fs::write(folder.path().join("cases/case/notes.txt"), "seen").unwrap();
    assert_eq!(counts(&batch("").succeeds()), [0, 1, 0]);
    write_slice(&series, 2, 5.0, |x, _| 2 * x as i32);
    assert_eq!(counts(&batch("")), [0, 0, 1]);
    assert_eq!(counts(&batch("--overwrite").succeeds()), [1, 0, 0]);
}
