//! Functional groups: what holds of the frames of a DICOM segmentation.

use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::elements::{Element, code, decimals, item, sequence, short, text};
use crate::{DicomOrientation, DicomPlane};

/// What holds of all frames.
pub(super) fn shared(orientation: &DicomOrientation, across: f64) -> Element {
    let DicomOrientation { row, column, spacing } = orientation;
    let measures = [
        decimals(tags::SLICE_THICKNESS, &[across]),
        decimals(tags::SPACING_BETWEEN_SLICES, &[across]),
        decimals(tags::PIXEL_SPACING, spacing),
    ];
    let directions: Vec<f64> = row.iter().chain(column).copied().collect();
    let groups = [
        sequence(tags::PIXEL_MEASURES_SEQUENCE, vec![item(measures)]),
        sequence(tags::PLANE_ORIENTATION_SEQUENCE, vec![item([decimals(tags::IMAGE_ORIENTATION_PATIENT, &directions)])]),
    ];
    sequence(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, vec![item(groups)])
}

/// What holds of one frame: its segment and plane (counted from 1), its place, and the image that it was made from.
pub(super) fn per_frame(segment: u16, index: u32, plane: &DicomPlane, position: [f64; 3]) -> InMemDicomObject {
    let indices = PrimitiveValue::U32([u32::from(segment), index].into_iter().collect());
    let mut source = reference(plane);
    source.extend([
        text(tags::SPATIAL_LOCATIONS_PRESERVED, VR::CS, "YES"),
        code(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, "121322", "DCM", "Source image for image processing operation"),
    ]);
    let derivation = [
        sequence(tags::SOURCE_IMAGE_SEQUENCE, vec![item(source)]),
        code(tags::DERIVATION_CODE_SEQUENCE, "113076", "DCM", "Segmentation"),
    ];
    item([
        sequence(tags::DERIVATION_IMAGE_SEQUENCE, vec![item(derivation)]),
        sequence(tags::FRAME_CONTENT_SEQUENCE, vec![item([DataElement::new(tags::DIMENSION_INDEX_VALUES, VR::UL, indices)])]),
        sequence(tags::PLANE_POSITION_SEQUENCE, vec![item([decimals(tags::IMAGE_POSITION_PATIENT, &position)])]),
        sequence(tags::SEGMENT_IDENTIFICATION_SEQUENCE, vec![item([short(tags::REFERENCED_SEGMENT_NUMBER, segment)])]),
    ])
}

/// The reference to a plane's image.
pub(super) fn reference(plane: &DicomPlane) -> Vec<Element> {
    let mut elements = vec![
        text(tags::REFERENCED_SOP_CLASS_UID, VR::UI, plane.class.clone()),
        text(tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, plane.instance.clone()),
    ];
    if let Some(frame) = plane.frame {
        elements.push(text(tags::REFERENCED_FRAME_NUMBER, VR::IS, (frame + 1).to_string()));
    }
    elements
}

/// The dimensions along which frames are sorted: segments, then places.
pub(super) fn dimensions(uid: &str) -> [Element; 2] {
    let dimension = |pointer, group, label: &str| {
        item([
            text(tags::DIMENSION_ORGANIZATION_UID, VR::UI, uid),
            DataElement::new(tags::DIMENSION_INDEX_POINTER, VR::AT, PrimitiveValue::from(pointer)),
            DataElement::new(tags::FUNCTIONAL_GROUP_POINTER, VR::AT, PrimitiveValue::from(group)),
            text(tags::DIMENSION_DESCRIPTION_LABEL, VR::LO, label),
        ])
    };
    let organization = item([text(tags::DIMENSION_ORGANIZATION_UID, VR::UI, uid)]);
    [
        sequence(tags::DIMENSION_ORGANIZATION_SEQUENCE, vec![organization]),
        sequence(
            tags::DIMENSION_INDEX_SEQUENCE,
            vec![
                dimension(tags::REFERENCED_SEGMENT_NUMBER, tags::SEGMENT_IDENTIFICATION_SEQUENCE, "Segment Number"),
                dimension(tags::IMAGE_POSITION_PATIENT, tags::PLANE_POSITION_SEQUENCE, "Image Position Patient"),
            ],
        ),
    ]
}
