//! Writing a DICOM segmentation, a few planes at a time.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read as _, Write as _};
use std::io::{Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dicom_core::header::HasLength;
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use dicom_object::meta::FileMetaTableBuilder;
use sha2::{Digest as _, Sha256};

use super::elements::{Element, item, sequence, short, text, texts};
use super::groups::{dimensions, per_frame, reference, shared};
use super::packed::{BitWriter, packed};
use super::segments::{cut, segment};
use super::uid::uid;
use crate::dicom::instance::Header;
use crate::{DicomOrientation, DicomPlane, DicomSeries, Error, Gaps, LabelClass, Origin, Result, VolumeProfile, VolumeSize};

/// What of the first image is that of the segmentation too: patient, study, frame of reference.
const KEPT: [Tag; 17] = [
    tags::PATIENT_NAME,
    tags::PATIENT_ID,
    tags::PATIENT_BIRTH_DATE,
    tags::PATIENT_SEX,
    tags::PATIENT_AGE,
    tags::PATIENT_SIZE,
    tags::PATIENT_WEIGHT,
    tags::STUDY_INSTANCE_UID,
    tags::STUDY_ID,
    tags::STUDY_DATE,
    tags::STUDY_TIME,
    tags::STUDY_DESCRIPTION,
    tags::ACCESSION_NUMBER,
    tags::REFERRING_PHYSICIAN_NAME,
    tags::FRAME_OF_REFERENCE_UID,
    tags::POSITION_REFERENCE_INDICATOR,
    tags::SPECIFIC_CHARACTER_SET,
];

/// What a segmentation says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentationNotes {
    /// `SeriesDescription`.
    pub description: String,
    /// `SegmentAlgorithmName`: the model.
    pub algorithm: String,
    /// `SoftwareVersions`.
    pub version: String,
    /// `ContentDate`, as `YYYYMMDD`: the caller's, for the same run is to give the same bytes.
    pub date: String,
    /// `ContentTime`, as `HHMMSS`.
    pub time: String,
}

/// Writes labels on the voxels of DICOM images as a DICOM segmentation (`BINARY`), a few planes at a time.
///
/// Each class but that of label 0 is a segment, numbered from 1 in the order of the labels, with its name and colour. A frame is a segment on
/// one image, with a reference to it and its exact place; frames without a voxel are left out, and so are planes that were filled in. Study, patient and frame of
/// reference are those of the images. The same labels on the same images give the same bytes, identifiers included.
///
/// Until [`finish`](Self::finish), frames are kept in a scratch file, a bit a voxel; then the file is written under the name given: whoever
/// wants it whole or not at all gives a name such as `labels.dcm.part`, and renames it.
#[derive(Debug)]
pub struct SegmentationWriter {
    path: PathBuf,
    series: Arc<DicomSeries>,
    time: usize,
    size: VolumeSize,
    orientation: DicomOrientation,
    /// Between planes along their normal, in mm.
    across: f64,
    classes: Vec<LabelClass>,
    notes: SegmentationNotes,
    /// Labels of a plane that is not whole yet.
    pending: Vec<u16>,
    plane: usize,
    scratch: BufWriter<File>,
    /// Images, classes, notes and frames: what identifiers follow from.
    content: Sha256,
    /// In the order of the scratch file.
    frames: Vec<FrameId>,
}

/// A frame of the segmentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct FrameId {
    /// The class, by its place in `classes`.
    class: usize,
    plane: usize,
    /// Its place in the scratch file.
    at: usize,
}

impl SegmentationWriter {
    /// Begins a segmentation of one of the volume's [frames](VolumeProfile::frames). The scratch file goes into `scratch`, and is never
    /// seen there.
    ///
    /// # Errors
    /// If the volume has not come from DICOM images that say where they lie, there is no class but the background, or the scratch
    /// file cannot be made.
    pub fn create(
        path: &Path,
        profile: &VolumeProfile,
        frame: Option<usize>,
        classes: &[LabelClass],
        notes: SegmentationNotes,
        scratch: &Path,
    ) -> Result<Self> {
        let wrong = |expected, got: &str| Error::Segmentation { path: path.into(), expected, got: got.into() };
        let Origin::Dicom(series) = &profile.origin else { return Err(wrong("DICOM images", "a NIfTI file")) };
        if series.gaps == Gaps::Resample && series.planes.iter().flatten().any(Option::is_none) {
            return Err(wrong("planes that are images", "planes that were resampled"));
        }
        let orientation = series.orientation.ok_or_else(|| wrong("images that say where they lie", "none that do"))?;
        let mut classes: Vec<LabelClass> = classes.iter().filter(|class| class.value != 0).cloned().collect();
        classes.sort_by_key(|class| class.value);
        if classes.is_empty() || classes.len() > usize::from(u16::MAX) {
            return Err(wrong("a class beside the background", "none"));
        }
        let make = tempfile::tempfile_in(scratch);
        let file = make.map_err(|source| Error::File { action: "make a scratch file in", path: scratch.into(), source })?;
        let time = profile.frame(frame)?;
        let mut content = Sha256::new();
        for plane in series.planes[time].iter().flatten() {
            content.update(format!("{} {:?}\n", plane.instance, plane.frame));
        }
        content.update(format!("{classes:?} {notes:?}\n"));
        Ok(Self {
            path: path.into(),
            series: Arc::clone(series),
            time,
            size: profile.size,
            orientation,
            across: profile.affine.plane_distance(),
            classes,
            notes,
            pending: Vec::new(),
            plane: 0,
            scratch: BufWriter::with_capacity(1 << 16, file),
            content,
            frames: Vec::new(),
        })
    }

    fn fail(&self, action: &'static str) -> impl Fn(io::Error) -> Error + use<> {
        let path = self.path.clone();
        move |source| Error::File { action, path: path.clone(), source }
    }

    /// Bytes of a frame in the scratch file.
    fn frame_bytes(&self) -> usize {
        self.size.plane().div_ceil(8)
    }

    fn written(&self) -> u64 {
        (self.plane * self.size.plane() + self.pending.len()) as u64
    }

    /// Writes the next voxels, in storage order: x fastest, then y, then z.
    ///
    /// # Errors
    /// If there are more than the volume has, one is no class's value, or the scratch file cannot be written.
    pub fn write<T: Copy + Into<u16>>(&mut self, labels: &[T]) -> Result<()> {
        let (expected, got) = (self.size.voxels() as u64, self.written() + labels.len() as u64);
        if got > expected {
            return Err(Error::Values { path: self.path.clone(), expected, got });
        }
        for &label in labels {
            self.pending.push(label.into());
            if self.pending.len() == self.size.plane() {
                self.finish_plane()?;
            }
        }
        Ok(())
    }

    fn finish_plane(&mut self) -> Result<()> {
        let mut present = vec![false; usize::from(u16::MAX) + 1];
        self.pending.iter().for_each(|&label| present[usize::from(label)] = true);
        // A plane that was made up between two images is on neither of them.
        let image = self.series.planes[self.time][self.plane].is_some();
        for (class, value) in self.classes.iter().map(|class| class.value).enumerate() {
            if !std::mem::take(&mut present[usize::from(value)]) {
                continue;
            }
            if let Some(bits) = packed(&self.pending, value).filter(|_| image) {
                let write = self.scratch.write_all(&bits);
                write.map_err(|source| Error::File { action: "write the scratch file of", path: self.path.clone(), source })?;
                self.content.update(format!("{class} {}\n", self.plane));
                self.content.update(&bits);
                self.frames.push(FrameId { class, plane: self.plane, at: self.frames.len() });
            }
        }
        if let Some(label) = present.iter().skip(1).position(|&present| present) {
            return Err(Error::NoClass { path: self.path.clone(), label: label as u16 + 1 });
        }
        self.pending.clear();
        self.plane += 1;
        Ok(())
    }

    /// Writes the file and brings it to the disk.
    ///
    /// # Errors
    /// If voxels are missing, the first image cannot be read again, or the file cannot be written.
    pub fn finish(mut self) -> Result<()> {
        let (expected, got) = (self.size.voxels() as u64, self.written());
        if got != expected {
            return Err(Error::Values { path: self.path, expected, got });
        }
        if self.frames.is_empty() {
            // A file has a frame: that of a class which is nowhere.
            let write = self.scratch.write_all(&vec![0; self.frame_bytes()]);
            write.map_err(self.fail("write the scratch file of"))?;
            let plane = self.series.planes[self.time].iter().position(Option::is_some).unwrap_or(0);
            self.frames.push(FrameId { class: 0, plane, at: 0 });
        }
        self.frames.sort_unstable();
        let bits = self.frames.len() as u64 * self.size.plane() as u64;
        let length = u32::try_from(bits.div_ceil(8).next_multiple_of(2)).ok().filter(|length| *length < u32::MAX);
        let length = length.ok_or_else(|| Error::Segmentation {
            path: self.path.clone(),
            expected: "less than 4 GiB of frames",
            got: format!("{} frames of {} x {} bits", self.frames.len(), self.size.x, self.size.y),
        })?;
        self.scratch.flush().map_err(self.fail("write the scratch file of"))?;
        let digest = self.content.clone().finalize();
        let object = self.object(&digest)?;
        let meta = FileMetaTableBuilder::new()
            .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
            .media_storage_sop_class_uid(uids::SEGMENTATION_STORAGE)
            .media_storage_sop_instance_uid(uid("instance", &digest));
        let damage = |source: Box<dyn std::error::Error + Send + Sync>| Error::File {
            action: "write",
            path: self.path.clone(),
            source: io::Error::other(source),
        };
        let object = object.with_meta(meta).map_err(|error| damage(Box::new(error)))?;
        let file = File::create(&self.path).map_err(self.fail("create"))?;
        let mut file = BufWriter::with_capacity(1 << 16, file);
        object.write_all(&mut file).map_err(|error| damage(Box::new(error)))?;
        self.write_pixels(file, length).map_err(self.fail("write"))
    }

    /// Appends the pixels, which are never in memory together: the last element of the file.
    fn write_pixels(&self, mut file: BufWriter<File>, length: u32) -> io::Result<()> {
        // (7FE0,0010), OB, two bytes that mean nothing, the length.
        file.write_all(&[0xe0, 0x7f, 0x10, 0x00, b'O', b'B', 0, 0])?;
        file.write_all(&length.to_le_bytes())?;
        let mut bits = BitWriter::new(file);
        let mut scratch = BufReader::new(self.scratch.get_ref());
        let mut frame = vec![0; self.frame_bytes()];
        for FrameId { at, .. } in &self.frames {
            scratch.seek(SeekFrom::Start((at * frame.len()) as u64))?;
            scratch.read_exact(&mut frame)?;
            bits.write(&frame, self.size.plane())?;
        }
        bits.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }

    /// The data set, without its pixels.
    fn object(&self, digest: &[u8]) -> Result<InMemDicomObject> {
        let planes = &self.series.planes[self.time];
        let images: Vec<&DicomPlane> = planes.iter().flatten().collect();
        let first = *images.first().ok_or_else(|| self.wrong("images", "none".into()))?;
        let mut source = Header::read(&first.path)?.object;
        source.convert_to_utf8();
        let mut object = InMemDicomObject::new_empty();
        for tag in KEPT {
            if let Some(element) = source.get(tag) {
                object.put(element.clone());
            }
        }
        // Those that have to be there, if need be empty (PS3.3, types 1 and 2).
        for (tag, vr) in [
            (tags::PATIENT_NAME, VR::PN),
            (tags::PATIENT_ID, VR::LO),
            (tags::PATIENT_BIRTH_DATE, VR::DA),
            (tags::PATIENT_SEX, VR::CS),
            (tags::STUDY_ID, VR::SH),
            (tags::STUDY_DATE, VR::DA),
            (tags::STUDY_TIME, VR::TM),
            (tags::ACCESSION_NUMBER, VR::SH),
            (tags::REFERRING_PHYSICIAN_NAME, VR::PN),
            (tags::POSITION_REFERENCE_INDICATOR, VR::LO),
        ] {
            if object.get(tag).is_none() {
                object.put(DataElement::empty(tag, vr));
            }
        }
        // Of images that lost these, each series is a study, and has a space, of its own.
        for (tag, what) in [(tags::STUDY_INSTANCE_UID, "study"), (tags::FRAME_OF_REFERENCE_UID, "frame of reference")] {
            if object.get(tag).is_none_or(HasLength::is_empty) {
                object.put(text(tag, VR::UI, uid(what, first.instance.as_bytes())));
            }
        }
        for element in self.about(digest).into_iter().chain(self.image(digest)) {
            object.put(element);
        }
        let classes = (1..).zip(&self.classes);
        object
            .put(sequence(tags::SEGMENT_SEQUENCE, classes.map(|(number, class)| segment(number, class, &self.notes)).collect()));
        object.put(self.references(&images));
        object.put(shared(&self.orientation, self.across));
        let groups: Result<Vec<InMemDicomObject>> = self.frames.iter().map(|frame| self.group(frame, planes)).collect();
        object.put(sequence(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, groups?));
        Ok(object)
    }

    fn wrong(&self, expected: &'static str, got: String) -> Error {
        Error::Segmentation { path: self.path.clone(), expected, got }
    }

    fn group(&self, frame: &FrameId, planes: &[Option<DicomPlane>]) -> Result<InMemDicomObject> {
        let plane = planes[frame.plane].as_ref().ok_or_else(|| self.wrong("images", "an interpolated plane".into()))?;
        let place = plane.position.ok_or_else(|| self.wrong("images that say where they lie", plane.path.display().to_string()));
        let position = place?;
        Ok(per_frame(frame.class as u16 + 1, frame.plane as u32 + 1, plane, position))
    }

    /// What it is, and who made it.
    fn about(&self, digest: &[u8]) -> Vec<Element> {
        let SegmentationNotes { description, version, date, time, .. } = &self.notes;
        vec![
            text(tags::SOP_CLASS_UID, VR::UI, uids::SEGMENTATION_STORAGE),
            text(tags::SOP_INSTANCE_UID, VR::UI, uid("instance", digest)),
            text(tags::SERIES_INSTANCE_UID, VR::UI, uid("series", digest)),
            text(tags::MODALITY, VR::CS, "SEG"),
            text(tags::SERIES_NUMBER, VR::IS, "1000"),
            text(tags::SERIES_DESCRIPTION, VR::LO, cut(description, 64)),
            text(tags::INSTANCE_NUMBER, VR::IS, "1"),
            text(tags::MANUFACTURER, VR::LO, "Swath"),
            text(tags::MANUFACTURER_MODEL_NAME, VR::LO, "Swath"),
            text(tags::DEVICE_SERIAL_NUMBER, VR::LO, "none"),
            text(tags::SOFTWARE_VERSIONS, VR::LO, cut(version, 64)),
            text(tags::CONTENT_DATE, VR::DA, date.as_str()),
            text(tags::CONTENT_TIME, VR::TM, time.as_str()),
            text(tags::CONTENT_LABEL, VR::CS, "SEGMENTATION"),
            text(tags::CONTENT_DESCRIPTION, VR::LO, cut(description, 64)),
            DataElement::empty(tags::CONTENT_CREATOR_NAME, VR::PN),
        ]
    }

    /// How its pixels are kept.
    fn image(&self, digest: &[u8]) -> Vec<Element> {
        let mut elements = vec![
            texts(tags::IMAGE_TYPE, VR::CS, &["DERIVED", "PRIMARY"]),
            text(tags::SEGMENTATION_TYPE, VR::CS, "BINARY"),
            text(tags::SEGMENTS_OVERLAP, VR::CS, "NO"),
            text(tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "00"),
            text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2"),
            text(tags::NUMBER_OF_FRAMES, VR::IS, self.frames.len().to_string()),
            short(tags::SAMPLES_PER_PIXEL, 1),
            short(tags::ROWS, self.size.y as u16),
            short(tags::COLUMNS, self.size.x as u16),
            short(tags::BITS_ALLOCATED, 1),
            short(tags::BITS_STORED, 1),
            short(tags::HIGH_BIT, 0),
            short(tags::PIXEL_REPRESENTATION, 0),
        ];
        elements.extend(dimensions(&uid("dimensions", digest)));
        elements
    }

    /// The images that it was made from.
    fn references(&self, images: &[&DicomPlane]) -> Element {
        let mut instances = images.to_vec();
        instances.dedup_by(|a, b| a.instance == b.instance);
        let whole = |plane: &&DicomPlane| item(reference(&DicomPlane { frame: None, ..DicomPlane::clone(plane) }));
        // Readers look for the images here: those of a series that lost its identifier too.
        let name = if self.series.series.is_empty() {
            uid("source series", images[0].instance.as_bytes())
        } else {
            self.series.series.clone()
        };
        let series = [
            text(tags::SERIES_INSTANCE_UID, VR::UI, name),
            sequence(tags::REFERENCED_INSTANCE_SEQUENCE, instances.iter().map(whole).collect()),
        ];
        sequence(tags::REFERENCED_SERIES_SEQUENCE, vec![item(series)])
    }
}
