//! How the samples of a DICOM image are stored.

use dicom_dictionary_std::tags;

use super::attributes::Attributes;
use super::codec::Samples;
use crate::{ByteOrder, Result, SampleType};

/// Real value of what lies outside the scanner's field of view, in Hounsfield units: air.
const AIR: f32 = -1024.0;

/// How the samples of a DICOM image are stored (PS3.5, 8.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// The type of the cell that a sample is in.
    pub(crate) sample: SampleType,
    bits: u32,
    /// Bits below the sample; overlays were once kept beside it.
    below: u32,
    signed: bool,
    /// Stored values of CT pixels outside the field of view, least and greatest.
    padding: Option<[i64; 2]>,
}

impl Stored {
    pub(crate) fn read(attributes: Attributes<'_>, modality: &str) -> Result<Self> {
        let allocated = attributes.required(tags::BITS_ALLOCATED, 8..=32, "8, 16 or 32 bits")?;
        let bits = attributes.required(tags::BITS_STORED, 1..=allocated, "1 to as many bits as are allocated")?;
        let high = attributes.integer(tags::HIGH_BIT)?.unwrap_or(bits - 1);
        if !(bits - 1..allocated).contains(&high) {
            return Err(attributes.wrong(tags::HIGH_BIT, "a bit of those allocated, as many above the lowest as are stored"));
        }
        let signed = attributes.integer(tags::PIXEL_REPRESENTATION)?.unwrap_or(0) == 1;
        let sample = match (allocated, signed) {
            (8, false) => SampleType::U8,
            (8, true) => SampleType::I8,
            (16, false) => SampleType::U16,
            (16, true) => SampleType::I16,
            (32, false) => SampleType::U32,
            (32, true) => SampleType::I32,
            _ => return Err(attributes.wrong(tags::BITS_ALLOCATED, "8, 16 or 32 bits")),
        };
        let mut stored = Self { sample, bits: bits as u32, below: (high + 1 - bits) as u32, signed, padding: None };
        // Of other modalities nothing says what the padding would be worth.
        if modality == "CT"
            && let Some(first) = attributes.integer(tags::PIXEL_PADDING_VALUE)?
        {
            let last = attributes.integer(tags::PIXEL_PADDING_RANGE_LIMIT)?.unwrap_or(first);
            // Files get the type of these wrong: what counts is their bits.
            let [first, last] = [first, last].map(|value| stored.value(value as u32, None));
            stored.padding = Some([first.min(last), first.max(last)]);
        }
        Ok(stored)
    }

    /// Whether stored values cannot be negative.
    pub(crate) fn is_unsigned(self) -> bool {
        !self.signed
    }

    /// The value of a sample whose bits are the lowest. Data that was compressed with less precision has its sign there.
    fn value(self, bits: u32, precision: Option<u32>) -> i64 {
        let width = precision.map_or(self.bits, |precision| precision.clamp(1, self.bits));
        let unused = 32 - width;
        if self.signed { i64::from((bits << unused).cast_signed() >> unused) } else { i64::from(bits << unused >> unused) }
    }

    fn real(self, value: i64, [slope, intercept]: [f64; 2]) -> f32 {
        match self.padding {
            Some([first, last]) if (first..=last).contains(&value) => AIR,
            _ => (value as f64 * slope + intercept) as f32,
        }
    }

    /// The real value of a cell.
    fn cell(self, cell: u32, rescale: [f64; 2]) -> f32 {
        self.real(self.value(cell >> self.below, None), rescale)
    }

    /// Real values of the cells of a file.
    pub(crate) fn native(self, bytes: &[u8], order: ByteOrder, rescale: [f64; 2], values: &mut Vec<f32>) {
        let mut put = |cell: u32| values.push(self.cell(cell, rescale));
        match (self.sample.bytes(), order) {
            (1, _) => bytes.iter().for_each(|&byte| put(byte.into())),
            (2, ByteOrder::Little) => bytes.as_chunks().0.iter().for_each(|&bytes| put(u16::from_le_bytes(bytes).into())),
            (2, ByteOrder::Big) => bytes.as_chunks().0.iter().for_each(|&bytes| put(u16::from_be_bytes(bytes).into())),
            (_, ByteOrder::Little) => bytes.as_chunks().0.iter().for_each(|&bytes| put(u32::from_le_bytes(bytes))),
            (_, ByteOrder::Big) => bytes.as_chunks().0.iter().for_each(|&bytes| put(u32::from_be_bytes(bytes))),
        }
    }

    /// Real values of samples that were compressed.
    pub(crate) fn compressed(self, samples: Samples, rescale: [f64; 2], values: &mut Vec<f32>) {
        match samples {
            Samples::Cells(cells) => values.extend(cells.into_iter().map(|cell| self.cell(cell, rescale))),
            Samples::Lowest { values: lowest, precision } => {
                values.extend(lowest.into_iter().map(|bits| self.real(self.value(bits, precision), rescale)));
            }
        }
    }
}
