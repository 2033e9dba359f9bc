//! Compressed pixels.
//!
//! JPEG 2000 is decoded by `OpenJPEG` (C, built from source), lossless and baseline JPEG by `jpeg-decoder`; RLE and JPEG-LS here, for want
//! of a crate that needs neither `CMake` nor a DICOM library of its own. JPEG with 12 bits (extended, process 4), JPEG XL,
//! HTJ2K and video are not decoded.

mod bits;
mod jpeg_2000;
mod jpeg_ls;
mod rle;

use jpeg_decoder::PixelFormat;
use jpeg2k::{DecodeParameters, Image};

use super::syntax::Compression;

/// What is wrong with compressed pixels.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Damage {
    #[error("{what} ends early")]
    Short { what: &'static str },
    #[error("{what} is damaged")]
    Wrong { what: &'static str },
    #[error("expected {expected} {what}, got {got}")]
    Count { what: &'static str, expected: usize, got: usize },
    #[error("expected {expected_width} x {expected_height} pixels, got {width} x {height}")]
    Size { expected_width: usize, expected_height: usize, width: usize, height: usize },
    #[error("{what} cannot be decoded")]
    Unsupported { what: &'static str },
    #[error(transparent)]
    Jpeg(#[from] jpeg_decoder::Error),
    #[error(transparent)]
    Jpeg2000(#[from] jpeg2k::error::Error),
}

/// What pixels have to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Bytes of a stored sample.
    pub(crate) bytes: usize,
}

/// Samples as they were compressed.
pub(crate) enum Samples {
    /// The cells that they are stored in, with what is above and below them.
    Cells(Vec<u32>),
    /// The bits that count are the lowest.
    Lowest {
        values: Vec<u32>,
        /// How many bits the compressed data has, if it says so.
        precision: Option<u32>,
    },
}

/// Decodes a frame of one sample per pixel.
pub(crate) fn decode(compression: Compression, data: &[u8], expected: Expected) -> Result<Samples, Damage> {
    let Expected { width, height, bytes } = expected;
    let pixels = width * height;
    let check = |got_width: usize, got_height: usize| {
        let same = got_width == width && got_height == height;
        let error = Damage::Size { expected_width: width, expected_height: height, width: got_width, height: got_height };
        if same { Ok(()) } else { Err(error) }
    };
    match compression {
        Compression::Rle => Ok(Samples::Cells(rle::decode(data, pixels, bytes)?)),
        Compression::JpegLs => {
            let image = jpeg_ls::decode(data, pixels)?;
            check(image.width, image.height)?;
            samples(image.samples.into_iter().map(u32::from).collect(), pixels, None)
        }
        Compression::Jpeg => {
            let mut decoder = jpeg_decoder::Decoder::new(data);
            decoder.read_info()?;
            let info = decoder.info().ok_or(Damage::Short { what: "the header of JPEG data" })?;
            check(info.width.into(), info.height.into())?;
            let decoded = decoder.decode()?;
            let values = match info.pixel_format {
                PixelFormat::L8 => decoded.into_iter().map(u32::from).collect(),
                PixelFormat::L16 => decoded.as_chunks().0.iter().map(|&bytes| u32::from(u16::from_ne_bytes(bytes))).collect(),
                _ => return Err(Damage::Unsupported { what: "JPEG data in colour" }),
            };
            samples(values, pixels, None)
        }
        Compression::Jpeg2000 => {
            let header = jpeg_2000::Header::read(data)?;
            if header.components != 1 {
                return Err(Damage::Count { what: "components", expected: 1, got: header.components });
            }
            check(header.width, header.height)?;
            let image = Image::from_bytes_with(data, DecodeParameters::new().strict(true))?;
            let [component] = image.components() else {
                return Err(Damage::Count { what: "components", expected: 1, got: image.components().len() });
            };
            check(component.width() as usize, component.height() as usize)?;
            let values = component.data().iter().map(|&value| value as u32).collect();
            samples(values, pixels, Some(component.precision()))
        }
    }
}

fn samples(values: Vec<u32>, expected: usize, precision: Option<u32>) -> Result<Samples, Damage> {
    if values.len() == expected {
        Ok(Samples::Lowest { values, precision })
    } else {
        Err(Damage::Count { what: "pixels", expected, got: values.len() })
    }
}
