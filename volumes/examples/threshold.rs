//! Labels a volume by limits, and writes everything that can be written of labels.
//!
//! ```text
//! cargo run -p swath-volumes --example threshold -- VOLUME OUTPUT LIMIT...
//! ```
//! A voxel's label is how many of the limits its value reaches. `OUTPUT` is a folder that is there: in it are then `labels.nii.gz`, `labels.nii`,
//! `slices.png` and, of DICOM images, `labels.dcm`.

use std::error::Error;
use std::path::Path;

use swath_volumes::{
    Encoding, LabelClass, Missing, NiftiLabelWriter, Origin, QuickLook, SegmentationNotes, SegmentationWriter, VolumeOptions,
    open,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [volume, output, limits @ ..] = arguments.as_slice() else {
        return Err("expected VOLUME OUTPUT LIMIT...".into());
    };
    let limits = limits.iter().map(|limit| limit.parse()).collect::<Result<Vec<f32>, _>>()?;
    let output = Path::new(output);
    let source = open(Path::new(volume), &VolumeOptions::default().with_place(Missing::Assume))?;
    let profile = source.profile();
    let colours = [[200, 80, 60], [90, 160, 220], [250, 220, 120]];
    let mut classes = vec![LabelClass { value: 0, name: "background".into(), colour: None }];
    for ((value, limit), colour) in (1..).zip(&limits).zip(colours.into_iter().cycle()) {
        classes.push(LabelClass { value, name: format!("from {limit}"), colour: Some(colour) });
    }

    let nifti = |name: &str, encoding| NiftiLabelWriter::create(&output.join(name), profile, &classes, encoding);
    let (mut plain, mut compressed) = (nifti("labels.nii", Encoding::Plain)?, nifti("labels.nii.gz", Encoding::Gzip)?);
    let mut segmentation = match &profile.origin {
        Origin::Dicom(series) if series.orientation.is_some() => {
            let notes = SegmentationNotes {
                description: "Voxels by limits".into(),
                algorithm: "threshold".into(),
                version: env!("CARGO_PKG_VERSION").into(),
                date: "20200102".into(),
                time: "030405".into(),
            };
            Some(SegmentationWriter::create(&output.join("labels.dcm"), profile, None, &classes, notes, output)?)
        }
        _ => None,
    };
    let mut picture = QuickLook::new(profile, &classes, None);
    let mut reader = source.reader(0)?;
    for plane in 0..profile.size.z {
        let values = reader.read(plane..plane + 1)?;
        let label = |value: &f32| limits.iter().filter(|limit| value >= *limit).count() as u16;
        let labels: Vec<u16> = values.iter().map(label).collect();
        plain.write(&labels)?;
        compressed.write(&labels)?;
        if let Some(segmentation) = &mut segmentation {
            segmentation.write(&labels)?;
        }
        picture.plane(plane, &values, &labels);
    }
    plain.finish()?;
    compressed.finish()?;
    segmentation.map_or(Ok(()), SegmentationWriter::finish)?;
    picture.write(&output.join("slices.png"))?;
    Ok(())
}
