//! A trained volumetric network on a magnetic resonance image of a head, at once and in tiles, against ONNX Runtime.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod real_data;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;
use swath_models::{Arithmetic, Axes, Executor, Extent, Fused, Scaling, Shape, Tensor, onnx};
use swath_tiling::{Blend, Mosaic, Size, TileGrid, Window};

/// A volume of bytes, `(depth, height, width)`, whose axes are the first, second and third of a `NIfTI` file: the order of nibabel, for
/// which the network was converted.
struct Volume {
    size: Size,
    values: Vec<u8>,
}

impl Volume {
    /// Reads a `.nii.gz` of unsigned bytes: <https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h>.
    fn read(path: &Path) -> Self {
        let mut bytes = Vec::new();
        GzDecoder::new(File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
        let short = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
        let (axes, data_type) = (short(40), short(70));
        assert_eq!((&bytes[344..348], axes, data_type), (b"n+1\0".as_slice(), 3, 2), "{}: a volume of bytes", path.display());
        let [depth, height, width] = [42, 44, 46].map(short);
        let offset = f32::from_le_bytes(bytes[108..112].try_into().unwrap()) as usize;
        let stored = &bytes[offset..];
        assert_eq!(stored.len(), depth * height * width);
        // The first axis of the file is the contiguous one; here it is the last.
        let place = |at: usize| at / width / height + depth * (at / width % height + height * (at % width));
        Self { size: Size { depth, height, width }, values: (0..stored.len()).map(|at| stored[place(at)]).collect() }
    }

    /// The positions of a window within the volume, row by row.
    fn rows(&self, window: Window) -> impl Iterator<Item = usize> + use<> {
        let (z, y) = (window.z..window.z + window.depth, window.y..window.y + window.height);
        let Size { height, width, .. } = self.size;
        z.flat_map(move |z| y.clone().map(move |y| (z * height + y) * width + window.x))
    }

    /// A window as the network sees it.
    fn tile(&self, window: Window) -> Tensor {
        let mut values: Vec<f32> = self
            .rows(window)
            .flat_map(|start| &self.values[start..start + window.width])
            .map(|value| f32::from(*value))
            .collect();
        Scaling::Scale { value: 255.0 }.apply(&mut values);
        let extent = Extent { z: window.depth, y: window.height, x: window.width };
        Tensor::new(Shape { channels: 1, extent }, values).unwrap()
    }

    /// Sets the labels of a window to the classes of the largest scores, `(channels, depth, height, width)`.
    fn label(&mut self, window: Window, scores: &[f32]) {
        let voxels = window.area();
        let best = |voxel: usize| {
            let scores = (0..scores.len() / voxels).map(|class| scores[class * voxels + voxel]);
            let best = scores.enumerate().reduce(|best, score| if score.1 > best.1 { score } else { best });
            best.map(|(class, _)| class as u8).unwrap()
        };
        for (row, start) in self.rows(window).enumerate() {
            for x in 0..window.width {
                self.values[start + x] = best(row * window.width + x);
            }
        }
    }
}

/// The network, the image and the labels of ONNX Runtime.
fn head(data: &Path) -> (Fused, Volume, Volume) {
    let imported = onnx::read(&data.join("weights/meshnet/meshnet11_gwm.onnx"), None).unwrap();
    let network = Fused::new(imported.graph, &imported.weights, Arithmetic::default()).unwrap();
    let [image, expected] =
        ["t1_crop", "t1_crop_meshnet11_ref"].map(|name| Volume::read(&data.join(format!("medical/nifti/{name}.nii.gz"))));
    assert_eq!(image.size, expected.size);
    (network, image, expected)
}

/// Labels a volume in cubes of one side, their overlaps cut in the middle.
fn segment(network: &Fused, image: &Volume, side: usize) -> Volume {
    let halo = network.graph().geometry().unwrap().halo().unwrap();
    assert_eq!(halo, Axes::cube(24));
    let overlap = halo.map(|halo| 2 * halo);
    let overlap = Size { depth: overlap.z, height: overlap.y, width: overlap.x };
    let grid = TileGrid::new(image.size, Size { depth: side, height: side, width: side }, overlap).unwrap();
    let mut mosaic = Mosaic::new(&grid, network.graph().output_channels(), Blend::Crop);
    let mut labels = Volume { size: image.size, values: vec![u8::MAX; image.values.len()] };
    for tile in grid.tiles() {
        let scores = network.run(image.tile(tile.window)).unwrap();
        if let Some(block) = mosaic.feed(&tile, Some(scores.data())).unwrap() {
            labels.label(block.window, &block.scores);
        }
    }
    mosaic.finish().unwrap();
    labels
}

fn assert_equal(labels: &Volume, expected: &Volume) {
    let other = labels.values.iter().zip(&expected.values).filter(|(label, expected)| label != expected).count();
    assert_eq!(other, 0, "of {} labels", expected.values.len());
}

#[test]
fn a_head_at_once_is_that_of_onnx_runtime() {
    let Some(data) = real_data::folder() else { return };
    let (network, image, expected) = head(&data);
    assert_equal(&segment(&network, &image, 256), &expected);
}

#[test]
fn a_head_in_tiles_is_that_of_onnx_runtime() {
    let Some(data) = real_data::folder() else { return };
    let (network, image, expected) = head(&data);
    assert_equal(&segment(&network, &image, 152), &expected);
}
