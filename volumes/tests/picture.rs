//! Quick looks: which voxel is where, and how it is coloured.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod common;

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use swath_volumes::{LabelClass, QuickLook, VolumeSource};

use common::{golden, volume};

struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Picture {
    fn read(path: &Path) -> Self {
        let mut reader = png::Decoder::new(BufReader::new(File::open(path).unwrap())).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        Self { width: info.width as usize, height: info.height as usize, pixels }
    }

    fn at(&self, x: usize, y: usize) -> [u8; 3] {
        let at = 3 * (y * self.width + x);
        [self.pixels[at], self.pixels[at + 1], self.pixels[at + 2]]
    }
}

/// The picture of a volume whose values are given by voxel, with label 1 in the last voxel.
fn picture(source: &dyn VolumeSource, value: impl Fn(usize, usize, usize) -> f32) -> Picture {
    let size = source.profile().size;
    let classes = [LabelClass { value: 1, name: "last".into(), colour: Some([255, 1, 1]) }];
    let mut look = QuickLook::new(source.profile(), &classes, Some([0.0, 255.0]));
    // The last plane first: their order does not matter.
    for z in (0..size.z).rev() {
        let values: Vec<f32> = (0..size.plane()).map(|at| value(at % size.x, at / size.x, z)).collect();
        let labels: Vec<u8> = (0..size.plane()).map(|at| u8::from(at + 1 == size.plane() && z == size.z / 2)).collect();
        look.plane(z, &values, &labels);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("slices.png");
    look.write(&path).unwrap();
    Picture::read(&path)
}

#[test]
fn panels_are_turned_as_radiologists_do() {
    // 5 x 4 x 3 voxels of 1.5 x 2 x 3.25 mm, towards left, front and head: columns lie as in the picture, rows and planes the other way.
    let source = volume(&golden("nifti/int16.nii"));
    assert_eq!(source.profile().affine.orientation().to_string(), "LAS");
    let picture = picture(source.as_ref(), |x, y, z| (40 * x + 10 * y + z) as f32);
    // Of square pixels, 1.5 mm each: 5 x 5 (4 x 2 mm), 5 x 7 (3 x 3.25 mm), 5 x 7.
    assert_eq!((picture.width, picture.height), (5 + 6 + 5 + 6 + 5, 7));
    let grey = |value: usize| [value as u8; 3];
    // Across the body, the middle plane (1): up is the front, which is the last row.
    assert_eq!(picture.at(0, 1), grey(31));
    assert_eq!(picture.at(0, 5), grey(1));
    assert_eq!(picture.at(4, 5), grey(161));
    // The last voxel of the plane is half of the class's colour.
    assert_eq!(picture.at(4, 1), [223, 96, 96]);
    // From the front, the middle row (2): up is the head, which is the last plane.
    assert_eq!(picture.at(11, 0), grey(22));
    assert_eq!(picture.at(15, 6), grey(180));
    // From the side, the middle column (2): the front, which is the last row, is to the left.
    assert_eq!(picture.at(22, 0), grey(112));
    assert_eq!(picture.at(26, 6), grey(80));
    // Beside the panels it is black.
    assert_eq!((picture.at(8, 3), picture.at(0, 0)), (grey(0), grey(0)));
}

#[test]
fn planes_across_the_left_right_axis_are_the_first_panel() {
    // Sagittal planes: towards back, feet and left.
    let Some(folder) = common::medical() else { return };
    let source = volume(&folder.join("dicom/mr_compressed_rle"));
    assert_eq!(source.profile().affine.orientation().to_string(), "PIR");
    let size = source.profile().size;
    assert_eq!((size.x, size.y, size.z), (256, 256, 4));
    let picture = picture(source.as_ref(), |x, y, _| if x < 20 && y < 20 { 200.0 } else { 0.0 });
    // The front and head are first: up and left.
    assert_eq!((picture.at(5, 5), picture.at(250, 250)), ([200; 3], [0; 3]));
}
