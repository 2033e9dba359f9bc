//! Oblique DICOM slices, written for a test.
#![allow(dead_code, reason = "every test binary uses its own part of it")]
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

use std::path::{Path, PathBuf};

use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::{DefaultDicomObject, open_file};

use crate::common::golden;

/// Directions of rows and columns of the slices, their normal, and the place of the first.
pub(crate) const ROW: [f64; 3] = [0.8, 0.6, 0.0];
pub(crate) const COLUMN: [f64; 3] = [-0.36, 0.48, 0.8];
pub(crate) const NORMAL: [f64; 3] = [0.48, -0.64, 0.6];
const PLACE: [f64; 3] = [-30.5, 12.25, 100.0];

/// A place so many mm along row, column and normal from the first.
fn place([row, column, normal]: [f64; 3]) -> [f64; 3] {
    [0, 1, 2].map(|axis| PLACE[axis] + row * ROW[axis] + column * COLUMN[axis] + normal * NORMAL[axis])
}

pub(crate) fn set(object: &mut DefaultDicomObject, tag: Tag, value: &str) {
    let vr = object.get(tag).map_or(VR::LO, DataElement::vr);
    object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
}

pub(crate) fn numbers(values: &[f64]) -> String {
    values.iter().map(|value| format!("{value:.6}")).collect::<Vec<_>>().join("\\")
}

/// Writes a slice with a number and a place, after what else is changed.
pub(crate) fn slice(folder: &Path, number: usize, along: [f64; 3], change: impl FnOnce(&mut DefaultDicomObject)) -> PathBuf {
    let mut object = open_file(golden("dicom/explicit/2.dcm")).unwrap();
    set(&mut object, tags::SOP_INSTANCE_UID, &format!("1.2.826.0.1.3680043.8.498.77.{number}"));
    set(&mut object, tags::INSTANCE_NUMBER, &number.to_string());
    set(&mut object, tags::IMAGE_POSITION_PATIENT, &numbers(&place(along)));
    change(&mut object);
    let path = folder.join(format!("{number}.dcm"));
    object.write_to_file(&path).unwrap();
    path
}

/// Slices at these distances along the normal, numbered from 1.
pub(crate) fn slices(folder: &Path, distances: &[f64]) -> Vec<PathBuf> {
    (1..).zip(distances).map(|(number, &along)| slice(folder, number, [0.0, 0.0, along], |_| ())).collect()
}
