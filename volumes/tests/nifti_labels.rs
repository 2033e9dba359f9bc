//! Labels written on the voxels of NIfTI volumes: what is kept, what changes, and what is refused.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod common;

use std::fs;
use std::path::Path;

use swath_volumes::{
    ByteOrder, Encoding, LabelClass, NiftiHeader, NiftiLabelWriter, NiftiProbabilityWriter, NiftiVersion, Origin, SampleType,
    VolumeSource,
};

use common::{golden, volume, voxels};

fn classes(largest: u16) -> Vec<LabelClass> {
    let class = |value, name: &str, colour| LabelClass { value, name: name.into(), colour };
    vec![
        class(0, "background", None),
        class(1, "left kidney", Some([200, 30, 40])),
        class(largest, "odd ]]> <name>", Some([0, 255, 51])),
    ]
}

fn header(source: &dyn VolumeSource) -> &NiftiHeader {
    match &source.profile().origin {
        Origin::Nifti(header) => header,
        _ => panic!("expected a NIfTI header"),
    }
}

/// Labels that count up to the largest and begin again.
fn labels(count: usize, largest: u16) -> Vec<u16> {
    (0..count).map(|at| (at % (usize::from(largest) + 1)) as u16).collect()
}

fn write(path: &Path, on: &dyn VolumeSource, labels: &[u16], largest: u16, part: usize) {
    let mut writer = NiftiLabelWriter::create(path, on.profile(), &classes(largest), Encoding::of(path)).unwrap();
    for part in labels.chunks(part) {
        writer.write(part).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn labels_come_back_on_the_same_voxels() {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(golden("nifti")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let source = volume(&golden("nifti").join(&name));
        let (before, size) = (source.profile(), source.profile().size);
        for (largest, sample, ending) in [(255, SampleType::U8, "nii"), (300, SampleType::U16, "nii.gz")] {
            let labels = labels(size.voxels(), largest);
            let path = folder.path().join(format!("labels.{ending}"));
            write(&path, source.as_ref(), &labels, largest, size.plane());
            let written = volume(&path);
            let after = written.profile();
            assert_eq!((after.size, after.frames, after.sample), (size, 1, sample), "{name}");
            // To the bit, whichever way the header says it.
            assert_eq!(
                after.affine.matrix().map(|row| row.map(f64::to_bits)),
                before.affine.matrix().map(|row| row.map(f64::to_bits))
            );
            assert_eq!(voxels(written.as_ref()), labels.iter().map(|&l| f32::from(l)).collect::<Vec<_>>(), "{name}");
            // Any cut of the labels gives the same bytes.
            let bytes = fs::read(&path).unwrap();
            write(&path, source.as_ref(), &labels, largest, 7);
            assert!(fs::read(&path).unwrap() == bytes, "{name}");
        }
    }
}

#[test]
fn of_a_header_only_what_says_how_values_are_stored_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.nii");
    for name in ["extensions.nii", "big_endian_int16.nii", "four_dimensions.nii", "nifti2.nii", "qform_mirrored.nii", "slope.nii"]
    {
        let source = volume(&golden("nifti").join(name));
        write(&path, source.as_ref(), &labels(60, 2), 2, 20);
        let written = volume(&path);
        let (before, after) = (header(source.as_ref()), header(written.as_ref()));
        assert_eq!((before.version(), before.order()), (after.version(), after.order()));
        let changeable: &[std::ops::Range<usize>] = match before.version() {
            // datatype and bitpix; vox_offset, scl_slope and scl_inter; cal_max and cal_min.
            NiftiVersion::One => &[70..74, 108..120, 124..132],
            NiftiVersion::Two => &[12..16, 168..208],
        };
        let four = name == "four_dimensions.nii";
        for (at, (a, b)) in before.bytes().iter().zip(after.bytes()).enumerate() {
            let dim = four && matches!(at, 40 | 41 | 48 | 49);
            assert!(a == b || dim || changeable.iter().any(|range| range.contains(&at)), "{name}: byte {at}");
        }
        let [table, kept @ ..] = after.extensions() else { panic!("{name}: no label table") };
        assert_eq!(kept, before.extensions(), "{name}");
        let xml = std::str::from_utf8(&table.content).unwrap();
        let label =
            "<Label Key=\"2\" Red=\"0\" Green=\"1\" Blue=\"0.2\" Alpha=\"1\"><![CDATA[odd ]]]]><![CDATA[> <name>]]></Label>";
        assert!(table.code == 0 && xml.contains(label), "{xml}");
        // Labels on labels have one table.
        let again = folder.path().join("again.nii");
        write(&again, written.as_ref(), &labels(60, 2), 2, 20);
        assert!(fs::read(&again).unwrap() == fs::read(&path).unwrap(), "{name}");
    }
}

#[test]
fn big_endian_labels_stay_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.nii");
    let source = volume(&golden("nifti/big_endian_int16.nii"));
    write(&path, source.as_ref(), &labels(60, 300), 300, 20);
    assert_eq!(header(volume(&path).as_ref()).order(), ByteOrder::Big);
    assert_eq!(fs::read(&path).unwrap().rchunks(2).next(), Some(&[0, 59][..]));
}

#[test]
fn probabilities_are_a_volume_for_each_class() {
    let folder = tempfile::tempdir().unwrap();
    for name in
        ["nifti/int16.nii", "nifti/big_endian_int16.nii", "nifti/four_dimensions.nii", "nifti/nifti2.nii", "dicom/explicit"]
    {
        let source = volume(&golden(name));
        let size = source.profile().size;
        // (classes, voxels)
        let value = |class: usize, voxel: usize| class as f32 * 0.25 + voxel as f32 * 1e-4;
        let wanted: Vec<f32> = (0..3).flat_map(|class| (0..size.voxels()).map(move |voxel| value(class, voxel))).collect();
        for ending in ["nii", "nii.gz"] {
            let path = folder.path().join(format!("probabilities.{ending}"));
            let create = || NiftiProbabilityWriter::create(&path, source.profile(), &classes(2), Encoding::of(&path));
            let mut writer = create().unwrap();
            // However they are dealt out.
            wanted.chunks(size.plane() + 7).for_each(|values| writer.write(values).unwrap());
            assert!(writer.write(&[0.5]).is_err());
            writer.finish().unwrap();
            let written = volume(&path);
            let profile = written.profile();
            assert_eq!((profile.size, profile.frames, profile.sample), (size, 3, SampleType::F32), "{name}");
            assert!(voxels(written.as_ref()) == wanted, "{name}");
            let mut writer = create().unwrap();
            writer.write(&wanted[1..]).unwrap();
            let message = format!("expected {} values for {}, got ", wanted.len(), path.display());
            assert_eq!(writer.finish().unwrap_err().to_string(), format!("{message}{}", wanted.len() - 1));
        }
    }
}

/// A plane whose header leaves the third length at 0, which is one it does not count.
#[test]
fn probabilities_of_a_plane_can_be_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let plane = folder.path().join("plane.nii");
    let mut bytes = fs::read(golden("nifti/two_dimensions.nii")).unwrap();
    assert_eq!(bytes[40..42], [2, 0]);
    bytes[46..48].fill(0);
    fs::write(&plane, bytes).unwrap();
    let source = volume(&plane);
    let size = source.profile().size;
    let path = folder.path().join("probabilities.nii");
    let mut writer = NiftiProbabilityWriter::create(&path, source.profile(), &classes(2), Encoding::Plain).unwrap();
    writer.write(&vec![0.5; 3 * size.voxels()]).unwrap();
    writer.finish().unwrap();
    let written = volume(&path);
    assert_eq!((written.profile().size, written.profile().frames), (size, 3));
    assert_eq!(written.profile().affine, source.profile().affine);
}

#[test]
fn labels_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.nii.gz");
    let source = volume(&golden("nifti/int16.nii"));
    let create = || NiftiLabelWriter::create(&path, source.profile(), &classes(2), Encoding::Gzip).unwrap();

    let mut writer = create();
    writer.write(&[0_u8; 59]).unwrap();
    let message = format!("expected 60 values for {}, got ", path.display());
    assert_eq!(writer.write(&[0_u8; 2]).unwrap_err().to_string(), format!("{message}61"));
    assert_eq!(writer.finish().unwrap_err().to_string(), format!("{message}59"));
    let error = create().write(&[0_u16, 256]).unwrap_err().to_string();
    assert_eq!(error, format!("expected labels up to 255 for {}, got 256", path.display()));
    let path = folder.path().join("none/labels.nii");
    let error = NiftiLabelWriter::create(&path, source.profile(), &classes(2), Encoding::Plain).unwrap_err().to_string();
    assert_eq!(error, format!("cannot create {}", path.display()));
}
