//! The label volume, and that of probabilities, as files.

use std::path::Path;

use jiff::Timestamp;
use swath_models::ModelCard;
use swath_volumes::{Encoding, LabelClass, NiftiLabelWriter, NiftiProbabilityWriter, SegmentationNotes, SegmentationWriter};

use super::files::images;
use super::kind::{is_dicom_name, is_nifti_name};
use super::scratch::Scratch;
use super::source::Volume;
use crate::{Error, Result};

/// Names that a label volume may have.
const ENDINGS: &str = ".nii, .nii.gz, or .dcm for a DICOM series";

/// Names that a volume of probabilities may have.
const PROBABILITY_ENDINGS: &str = ".nii or .nii.gz for probabilities";

/// A label volume on its way.
pub(super) struct LabelFile {
    writer: Writer,
    /// The label of voxels without one.
    nodata: u8,
}

enum Writer {
    Nifti(NiftiLabelWriter),
    Segmentation(Box<SegmentationWriter>),
}

impl LabelFile {
    /// An error if this name does not say how labels of the volume are written.
    pub(super) fn check(name: &Path, volume: &Volume) -> Result<()> {
        if is_nifti_name(name) || (is_dicom_name(name) && volume.is_dicom()) {
            return Ok(());
        }
        let volume = volume.location().shown();
        Err(Error::VolumeOutput { volume, expected: ENDINGS, path: name.to_owned() })
    }

    /// Begins the file `part`, which will be called `name`.
    pub(super) fn create(part: &Path, name: &Path, volume: &Volume, card: &ModelCard, classes: &[LabelClass]) -> Result<Self> {
        let profile = volume.stored_profile();
        let writer = if is_nifti_name(name) {
            Writer::Nifti(NiftiLabelWriter::create(part, profile, classes, Encoding::of(name))?)
        } else {
            // When the images were last written: the same run gives the same bytes tomorrow.
            let times =
                images(profile).into_iter().filter_map(|file| std::fs::metadata(file).and_then(|file| file.modified()).ok());
            let written = times.max().and_then(|time| Timestamp::try_from(time).ok()).unwrap_or_default();
            let notes = SegmentationNotes {
                description: card.name.clone(),
                algorithm: card.name.clone(),
                version: env!("CARGO_PKG_VERSION").into(),
                date: written.strftime("%Y%m%d").to_string(),
                time: written.strftime("%H%M%S").to_string(),
            };
            let frame = Some(volume.frame());
            Writer::Segmentation(Box::new(SegmentationWriter::create(part, profile, frame, classes, notes, folder_of(part))?))
        };
        Ok(Self { writer, nodata: card.nodata })
    }

    /// Writes the next planes.
    pub(super) fn write(&mut self, labels: &[u8]) -> Result<()> {
        match &mut self.writer {
            Writer::Nifti(writer) => writer.write(labels)?,
            Writer::Segmentation(writer) => {
                // A voxel without a label is in no segment, as those of label 0.
                let segments: Vec<u8> = labels.iter().map(|label| if *label == self.nodata { 0 } else { *label }).collect();
                writer.write(&segments)?;
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<()> {
        match self.writer {
            Writer::Nifti(writer) => writer.finish()?,
            Writer::Segmentation(writer) => writer.finish()?,
        }
        Ok(())
    }
}

/// A volume of probabilities, one of each class.
pub(super) struct ProbabilityFile;

impl ProbabilityFile {
    /// An error if this name does not say how probabilities are written.
    pub(super) fn check(name: &Path, volume: &Volume) -> Result<()> {
        if is_nifti_name(name) {
            return Ok(());
        }
        let volume = volume.location().shown();
        Err(Error::VolumeOutput { volume, expected: PROBABILITY_ENDINGS, path: name.to_owned() })
    }

    /// Writes the file `part`, which will be called `name`, of all that is found.
    pub(super) fn write(part: &Path, name: &Path, volume: &Volume, classes: &[LabelClass], found: &Scratch<f32>) -> Result<()> {
        let mut writer = NiftiProbabilityWriter::create(part, volume.stored_profile(), classes, Encoding::of(name))?;
        found.read(|probabilities| Ok(writer.write(probabilities)?))?;
        Ok(writer.finish()?)
    }
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
