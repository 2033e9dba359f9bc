//! A DICOM file with an image.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use dicom_object::collector::DicomCollectorOptions;
use dicom_object::file::ReadPreamble;

use super::attributes::{Attributes, with_known_types};
use super::frames::{Frame, frames};
use super::pixels::{Pixels, Value};
use super::stored::Stored;
use super::syntax::Syntax;
use crate::source::start;
use crate::{ByteOrder, Error, Result, SampleType};

/// What a file of a folder is.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    Image(Box<Instance>),
    /// Something else: a few words.
    Other(&'static str),
}

/// A DICOM file with an image in shades of grey: what its header says.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) path: PathBuf,
    pub(crate) syntax: Syntax,
    pub(crate) class: String,
    pub(crate) uid: String,
    pub(crate) study: String,
    pub(crate) series: String,
    pub(crate) frame_of_reference: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) modality: String,
    pub(crate) image_type: Vec<String>,
    pub(crate) number: Option<i64>,
    pub(crate) acquisition: Option<i64>,
    pub(crate) temporal: Option<i64>,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) stored: Stored,
    pub(crate) inverted: bool,
    pub(crate) frames: Vec<Frame>,
    pub(crate) pixels: Pixels,
}

impl Instance {
    /// Reads the header of a file.
    pub(crate) fn read(path: &Path) -> Result<Found> {
        let start = start(path)?;
        if start.get(128..132) != Some(b"DICM") {
            return Ok(Found::Other("no DICOM file"));
        }
        let read = |source| Error::File { action: "read", path: path.into(), source };
        let header = Header::read(path)?;
        let attributes = Attributes::new(&header.object, path);
        let modality = attributes.text(tags::MODALITY).unwrap_or_default();
        match modality.as_str() {
            "SEG" => return Ok(Found::Other("a DICOM segmentation")),
            "RTDOSE" => return Ok(Found::Other("a DICOM radiation dose")),
            _ if !attributes.has(tags::ROWS) || !attributes.has(tags::COLUMNS) => {
                return Ok(Found::Other("DICOM without an image"));
            }
            _ => {}
        }
        if attributes.integer(tags::SAMPLES_PER_PIXEL)?.unwrap_or(1) != 1 {
            return Ok(Found::Other("a DICOM image in colour"));
        }
        let photometric = attributes.text(tags::PHOTOMETRIC_INTERPRETATION).unwrap_or_default();
        if !matches!(photometric.as_str(), "" | "MONOCHROME1" | "MONOCHROME2") {
            return Ok(Found::Other("a DICOM image in colour"));
        }
        let length = "1 to 65535 pixels";
        let rows = attributes.required(tags::ROWS, 1..=65535, length)? as usize;
        let columns = attributes.required(tags::COLUMNS, 1..=65535, length)? as usize;
        let syntax = header.syntax(path)?;
        let stored = Stored::read(attributes, &modality)?;
        if matches!((syntax, stored.sample), (Syntax::Native(ByteOrder::Big), SampleType::U8 | SampleType::I8)) {
            return Err(attributes.wrong(tags::BITS_ALLOCATED, "16 bits or more in big-endian files"));
        }
        let count = attributes.integer(tags::NUMBER_OF_FRAMES)?.unwrap_or(1);
        let count = usize::try_from(count).ok().filter(|count| (1..1 << 24).contains(count));
        let count = count.ok_or_else(|| attributes.wrong(tags::NUMBER_OF_FRAMES, "at least one frame"))?;
        let frames = frames(attributes, count)?;

        let mut file = File::open(path).map_err(read)?;
        let order = if let Syntax::Native(order) = syntax { order } else { ByteOrder::Little };
        let value = Value::after(&mut file, header.end, order, Syntax::is_implicit(&header.syntax)).map_err(read)?;
        let value = value.ok_or_else(|| attributes.wrong(tags::PIXEL_DATA, "pixels of 8, 16 or 32 bits"))?;
        let pixels = match syntax {
            Syntax::Native(_) => Pixels::native(&file, value, (rows * columns * stored.sample.bytes()) as u64, count, path)?,
            Syntax::Encapsulated(_) => Pixels::encapsulated(&mut file, value, count, path)?,
        };
        Ok(Found::Image(Box::new(Self {
            path: path.into(),
            syntax,
            class: attributes.text(tags::SOP_CLASS_UID).unwrap_or_else(|| header.class.clone()),
            uid: attributes.text(tags::SOP_INSTANCE_UID).unwrap_or_else(|| header.instance.clone()),
            study: attributes.text(tags::STUDY_INSTANCE_UID).unwrap_or_default(),
            series: attributes.text(tags::SERIES_INSTANCE_UID).unwrap_or_default(),
            frame_of_reference: attributes.text(tags::FRAME_OF_REFERENCE_UID),
            description: attributes.text(tags::SERIES_DESCRIPTION),
            modality,
            image_type: attributes.texts(tags::IMAGE_TYPE),
            number: attributes.integer(tags::INSTANCE_NUMBER)?,
            acquisition: attributes.integer(tags::ACQUISITION_NUMBER)?,
            temporal: attributes.integer(tags::TEMPORAL_POSITION_IDENTIFIER)?,
            rows,
            columns,
            stored,
            inverted: photometric == "MONOCHROME1",
            frames,
            pixels,
        })))
    }

    /// The `SeriesInstanceUID` of a file that may not be readable beyond it.
    pub(crate) fn series_of(path: &Path) -> Option<String> {
        let header = Header::up_to(path, Tag(0x0020, 0x000f)).ok()?;
        Attributes::new(&header.object, path).text(tags::SERIES_INSTANCE_UID)
    }

    /// Whether it only shows where the others lie.
    pub(crate) fn is_localizer(&self) -> bool {
        self.image_type.iter().any(|value| value.eq_ignore_ascii_case("LOCALIZER") || value.eq_ignore_ascii_case("SCOUT"))
    }
}

/// What comes before the pixels.
pub(crate) struct Header {
    pub(crate) object: InMemDicomObject,
    syntax: String,
    class: String,
    instance: String,
    /// Where it ends: after the element header of the pixels, if there are any.
    end: u64,
}

impl Header {
    /// Reads a DICOM file up to its pixels.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        // Floating-point pixels come right before the others.
        Self::up_to(path, Tag(0x7fe0, 0x0008))
    }

    /// Reads a DICOM file up to the first attribute that is this one or comes after it.
    fn up_to(path: &Path, stop: Tag) -> Result<Self> {
        let open = |source| Error::File { action: "open", path: path.into(), source };
        let damage = |source: Box<dyn std::error::Error + Send + Sync>| Error::Dicom { path: path.into(), source };
        let consumed = Arc::new(AtomicU64::new(0));
        let file = Counted { file: BufReader::new(File::open(path).map_err(open)?), consumed: Arc::clone(&consumed) };
        // A buffer of one byte, that what is consumed here is what the parser has read.
        let reader = BufReader::with_capacity(1, file);
        let mut collector = DicomCollectorOptions::new().read_preamble(ReadPreamble::Always).from_reader(reader);
        let meta = collector.read_file_meta().map_err(|error| damage(Box::new(error)))?;
        let trimmed = |text: &str| text.trim_end_matches(['\0', ' ']).to_owned();
        let syntax = trimmed(meta.transfer_syntax());
        let (class, instance) = (trimmed(meta.media_storage_sop_class_uid()), trimmed(meta.media_storage_sop_instance_uid()));
        let mut object = InMemDicomObject::new_empty();
        collector.read_dataset_up_to(stop, &mut object).map_err(|error| damage(Box::new(error)))?;
        with_known_types(&mut object);
        Ok(Self { object, syntax, class, instance, end: consumed.load(Ordering::Relaxed) })
    }

    fn syntax(&self, path: &Path) -> Result<Syntax> {
        Syntax::of(&self.syntax).ok_or_else(|| Error::Field {
            path: path.into(),
            field: "TransferSyntaxUID",
            expected: "uncompressed, RLE, JPEG (8 bits or lossless), JPEG-LS or JPEG 2000",
            got: dicom_name(&self.syntax),
        })
    }
}

/// The name of a transfer syntax, or its UID.
fn dicom_name(uid: &str) -> String {
    use dicom_encoding::transfer_syntax::TransferSyntaxIndex as _;
    let syntax = dicom_transfer_syntax_registry::TransferSyntaxRegistry.get(uid);
    syntax.map_or_else(|| uid.to_owned(), |syntax| syntax.name().to_owned())
}

/// Counts the bytes that are read.
struct Counted {
    file: BufReader<File>,
    consumed: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.consumed.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl Seek for Counted {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let at = self.file.seek(to)?;
        self.consumed.store(at, Ordering::Relaxed);
        Ok(at)
    }
}
