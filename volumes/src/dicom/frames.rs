//! The frames of a DICOM image.

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::attributes::Attributes;
use crate::Result;

/// A frame of a DICOM image: what differs from frame to frame, wherever the file says it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Frame {
    pub(crate) place: Option<Place>,
    /// Distance of rows, then of columns, in mm.
    pub(crate) spacing: Option<[f64; 2]>,
    /// Distance to the next slice that the file says there is.
    pub(crate) between: Option<f64>,
    pub(crate) thickness: Option<f64>,
    /// Slope and intercept.
    pub(crate) rescale: Option<[f64; 2]>,
    /// Which of several times it shows.
    pub(crate) temporal: Option<i64>,
}

/// Where a frame lies, in LPS millimetres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    /// The centre of its first pixel.
    pub(crate) position: [f64; 3],
    /// The direction of a row, towards later columns.
    pub(crate) row: [f64; 3],
    /// The direction of a column, towards later rows.
    pub(crate) column: [f64; 3],
}

impl Place {
    /// The direction across the plane: row x column.
    pub(crate) fn normal(&self) -> [f64; 3] {
        let (u, v) = (self.row, self.column);
        [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]]
    }
}

/// The frames of an image: of an enhanced one by its functional groups, those of the frame first, then the shared ones; else by the
/// attributes of the file (PS3.3, C.7.6.16).
pub(crate) fn frames(attributes: Attributes<'_>, count: usize) -> Result<Vec<Frame>> {
    let shared: Vec<_> = attributes.items(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE).take(1).collect();
    let each: Vec<_> = attributes.items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE).collect();
    if each.is_empty() && shared.is_empty() {
        let mut frame = frame(&[attributes], |from, _| Some(from))?;
        if count > 1 {
            // A position that the file has is not that of each of them.
            frame.place = None;
        }
        return Ok(vec![frame; count]);
    }
    if !each.is_empty() && each.len() != count {
        return Err(attributes.wrong(tags::NUMBER_OF_FRAMES, "as many frames as PerFrameFunctionalGroupsSequence has items"));
    }
    let groups = |index: usize| each.get(index).into_iter().chain(&shared).copied().collect::<Vec<_>>();
    (0..count).map(|index| frame(&groups(index), |from, sequence| from.items(sequence).next())).collect()
}

/// A frame whose attributes are in the first of these places that has them, in the macro's sequence.
fn frame<'a>(places: &[Attributes<'a>], within: impl Fn(Attributes<'a>, Tag) -> Option<Attributes<'a>>) -> Result<Frame> {
    let find = |sequence: Tag, tag: Tag| places.iter().filter_map(|&place| within(place, sequence)).find(|found| found.has(tag));
    let number = |sequence, tag| find(sequence, tag).map_or(Ok(None), |found| found.number(tag));
    let measures = tags::PIXEL_MEASURES_SEQUENCE;
    let position = match find(tags::PLANE_POSITION_SEQUENCE, tags::IMAGE_POSITION_PATIENT) {
        Some(found) => found.numbers::<3>(tags::IMAGE_POSITION_PATIENT, "three numbers")?,
        None => None,
    };
    let orientation = match find(tags::PLANE_ORIENTATION_SEQUENCE, tags::IMAGE_ORIENTATION_PATIENT) {
        Some(found) => {
            let directions = found.numbers::<6>(tags::IMAGE_ORIENTATION_PATIENT, "six numbers")?;
            Some((found, directions)).filter(|_| directions.is_some())
        }
        None => None,
    };
    let place = match (position, orientation) {
        (Some(position), Some((found, Some([row_x, row_y, row_z, column_x, column_y, column_z])))) => {
            let (row, column) = ([row_x, row_y, row_z], [column_x, column_y, column_z]);
            let dot = |u: [f64; 3], v: [f64; 3]| u[0] * v[0] + u[1] * v[1] + u[2] * v[2];
            let unit = |v| (dot(v, v) - 1.0).abs() < 1e-2;
            if !unit(row) || !unit(column) || dot(row, column).abs() > 1e-2 {
                return Err(found.wrong(tags::IMAGE_ORIENTATION_PATIENT, "two perpendicular directions of length 1"));
            }
            Some(Place { position, row, column })
        }
        _ => None,
    };
    let spacing = match find(measures, tags::PIXEL_SPACING) {
        Some(found) => {
            let expected = "two distances above 0";
            let spacing = found.numbers::<2>(tags::PIXEL_SPACING, expected)?;
            if spacing.is_some_and(|spacing| spacing.iter().any(|distance| *distance <= 0.0)) {
                return Err(found.wrong(tags::PIXEL_SPACING, expected));
            }
            spacing
        }
        None => None,
    };
    let transformation = tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE;
    let rescale = match find(transformation, tags::RESCALE_SLOPE) {
        Some(found) => {
            let slope = found.number(tags::RESCALE_SLOPE)?.filter(|slope| *slope != 0.0);
            let slope = slope.ok_or_else(|| found.wrong(tags::RESCALE_SLOPE, "a number other than 0"))?;
            let intercept = found.number(tags::RESCALE_INTERCEPT)?;
            Some([slope, intercept.ok_or_else(|| found.wrong(tags::RESCALE_INTERCEPT, "a number beside RescaleSlope"))?])
        }
        None => None,
    };
    if rescale.is_none()
        && let Some(found) = find(transformation, tags::MODALITY_LUT_SEQUENCE)
    {
        return Err(found.wrong(tags::MODALITY_LUT_SEQUENCE, "RescaleSlope and RescaleIntercept instead of a table"));
    }
    let content = tags::FRAME_CONTENT_SEQUENCE;
    let temporal =
        find(content, tags::TEMPORAL_POSITION_INDEX).map_or(Ok(None), |found| found.integer(tags::TEMPORAL_POSITION_INDEX))?;
    Ok(Frame {
        place,
        spacing,
        between: number(measures, tags::SPACING_BETWEEN_SLICES)?.filter(|length| *length > 0.0),
        thickness: number(measures, tags::SLICE_THICKNESS)?.filter(|length| *length > 0.0),
        rescale,
        temporal,
    })
}
