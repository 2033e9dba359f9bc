//! What the segments of a DICOM segmentation are.

use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::colour::cielab;
use super::elements::{code, item, short, text};
use super::writer::SegmentationNotes;
use crate::LabelClass;

/// The coding scheme of codes that only Swath knows: it cannot tell which of a clinical scheme's codes a class means.
const SCHEME: &str = "99SWATH";

/// The item of `SegmentSequence` for a class.
pub(super) fn segment(number: u16, class: &LabelClass, notes: &SegmentationNotes) -> InMemDicomObject {
    let label = cut(&class.name, 64);
    let mut elements = vec![
        short(tags::SEGMENT_NUMBER, number),
        text(tags::SEGMENT_LABEL, VR::LO, label.clone()),
        text(tags::SEGMENT_ALGORITHM_TYPE, VR::CS, "AUTOMATIC"),
        text(tags::SEGMENT_ALGORITHM_NAME, VR::LO, cut(&notes.algorithm, 64)),
        code(tags::SEGMENTED_PROPERTY_CATEGORY_CODE_SEQUENCE, "CLASS", SCHEME, "Class of a segmentation model"),
        code(tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE, &format!("CLASS-{}", class.value), SCHEME, &label),
    ];
    if let Some(colour) = class.colour {
        let value = PrimitiveValue::U16(cielab(colour).into_iter().collect());
        elements.push(DataElement::new(tags::RECOMMENDED_DISPLAY_CIE_LAB_VALUE, VR::US, value));
    }
    item(elements)
}

/// A text of at most so many characters, without the one that separates values.
pub(super) fn cut(text: &str, most: usize) -> String {
    text.chars().map(|character| if character == '\\' { '/' } else { character }).take(most).collect()
}
