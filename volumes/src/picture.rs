//! A picture that shows at a glance where labels lie.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use crate::{Error, LabelClass, Result, VolumeProfile};

/// The longest side of a panel, in pixels.
const MAX_SIDE: f64 = 600.0;
/// Space between panels, in pixels.
const GAP: usize = 6;
/// Shares of the voxels that are shown black and white at most, unless a range is given.
const STRETCH: [f64; 2] = [0.02, 0.98];
/// Colours of classes that have none, in turn.
const COLOURS: [[u8; 3]; 6] = [[230, 60, 50], [60, 170, 75], [255, 215, 0], [0, 120, 220], [240, 50, 230], [70, 225, 225]];

/// Three orthogonal slices through the middle of a volume with labels over them, from planes that pass by: no more is kept.
///
/// Panels are, from left to right, across the storage axes z, y and x. They are turned as radiologists do: up is the head, or the front of the
/// patient; to the left is the patient's right, or front. Pixels are square, and as fine as the finest voxels unless a panel would be
/// over 600 pixels long.
#[derive(Clone, Debug)]
pub struct QuickLook {
    slices: [Slice; 3],
    axes: [Axis; 3],
    range: Option<[f32; 2]>,
    /// By label.
    colours: Vec<Option<[u8; 3]>>,
}

/// A storage axis.
#[derive(Clone, Copy, Debug)]
struct Axis {
    voxels: usize,
    spacing: f64,
    /// The patient's axis on which it lies for the most part: 0, 1 or 2 of RAS.
    body: usize,
    positive: bool,
}

/// A slice across a storage axis.
#[derive(Clone, Debug)]
struct Slice {
    /// The storage axes along it, the faster one first.
    along: [usize; 2],
    values: Vec<f32>,
    labels: Vec<u16>,
}

impl QuickLook {
    /// A picture of a volume, black until planes come. Values from the first to the second of `range` are shown from black to white;
    /// without it, all but the lowest and the highest fiftieth.
    #[must_use]
    pub fn new(profile: &VolumeProfile, classes: &[LabelClass], range: Option<[f32; 2]>) -> Self {
        let lengths = [profile.size.x, profile.size.y, profile.size.z];
        let (codes, spacing) = (profile.affine.orientation().codes(), profile.affine.spacing());
        let axes = [0, 1, 2].map(|axis| Axis {
            voxels: lengths[axis],
            spacing: spacing[axis],
            body: codes[axis].axis(),
            positive: codes[axis].is_positive(),
        });
        let slices = [[0, 1], [0, 2], [1, 2]].map(|along| {
            let voxels = along.iter().map(|&axis| lengths[axis]).product();
            Slice { along, values: vec![0.0; voxels], labels: vec![0; voxels] }
        });
        let mut colours = vec![None; classes.iter().map(|class| usize::from(class.value) + 1).max().unwrap_or(0)];
        for (class, other) in classes.iter().filter(|class| class.value != 0).zip(COLOURS.iter().cycle()) {
            colours[usize::from(class.value)] = Some(class.colour.unwrap_or(*other));
        }
        Self { slices, axes, range, colours }
    }

    /// Takes what the picture shows of a plane: its values and labels, `(height, width)`. What is no whole plane of the volume is left out.
    pub fn plane<T: Copy + Into<u16>>(&mut self, plane: usize, values: &[f32], labels: &[T]) {
        let [x, y, z] = self.axes.map(|axis| axis.voxels);
        if plane >= z || values.len() != x * y || labels.len() != x * y {
            return;
        }
        let [axial, row, column] = &mut self.slices;
        let put = |slice: &mut Slice, to: usize, from: usize| {
            slice.values[to] = values[from];
            slice.labels[to] = labels[from].into();
        };
        if plane == z / 2 {
            (0..x * y).for_each(|at| put(axial, at, at));
        }
        (0..x).for_each(|at| put(row, plane * x + at, y / 2 * x + at));
        (0..y).for_each(|at| put(column, plane * y + at, at * x + x / 2));
    }

    /// Writes the picture as a PNG, in place of an earlier one.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let panels = self.slices.each_ref().map(|slice| self.panel(slice));
        let width = panels.iter().map(|panel| panel.width).sum::<usize>() + 2 * GAP;
        let height = panels.iter().map(|panel| panel.height).max().unwrap_or(1);
        let mut pixels = vec![[0_u8; 3]; width * height];
        let mut left = 0;
        for panel in &panels {
            let top = (height - panel.height) / 2;
            for (line, row) in panel.pixels.chunks_exact(panel.width).enumerate() {
                pixels[(top + line) * width + left..][..panel.width].copy_from_slice(row);
            }
            left += panel.width + GAP;
        }
        let fail = |source| Error::File { action: "create", path: path.into(), source };
        let mut encoder = png::Encoder::new(BufWriter::new(File::create(path).map_err(fail)?), width as u32, height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let encode = || {
            let mut writer = encoder.write_header()?;
            writer.write_image_data(pixels.as_flattened())?;
            writer.finish()
        };
        let written: std::result::Result<(), png::EncodingError> = encode();
        written.map_err(|source| Error::File { action: "write", path: path.into(), source: std::io::Error::other(source) })
    }

    /// A slice as it is shown.
    fn panel(&self, slice: &Slice) -> Panel {
        let [fast, slow] = slice.along.map(|axis| self.axes[axis]);
        // Down goes what lies along the body; of a slice across that, what lies from front to back.
        let upright = slow.body > fast.body;
        let (across, down) = if upright { (fast, slow) } else { (slow, fast) };
        let finest = self.axes.map(|axis| axis.spacing).into_iter().fold(f64::INFINITY, f64::min);
        let longest = [across, down].map(|axis| axis.voxels as f64 * axis.spacing).into_iter().fold(0.0, f64::max);
        let pixel = finest.max(longest / MAX_SIDE);
        let [width, height] = [across, down].map(|axis| ((axis.voxels as f64 * axis.spacing / pixel).round() as usize).max(1));
        let [black, white] = self.range.unwrap_or_else(|| stretch(&slice.values));
        // The voxel whose centre is nearest to that of a pixel.
        let voxel = |axis: Axis, at: usize, length: usize| {
            let at = ((2 * at + 1) * axis.voxels / (2 * length)).min(axis.voxels - 1);
            if axis.positive { axis.voxels - 1 - at } else { at }
        };
        let pixels = (0..width * height).map(|at| {
            let (x, y) = (voxel(across, at % width, width), voxel(down, at / width, height));
            let at = if upright { y * fast.voxels + x } else { x * fast.voxels + y };
            let grey = ((slice.values[at] - black) / (white - black).max(f32::MIN_POSITIVE) * 255.0).clamp(0.0, 255.0) as u8;
            match self.colours.get(usize::from(slice.labels[at])).copied().flatten() {
                None => [grey; 3],
                Some(colour) => colour.map(|part| grey.midpoint(part)),
            }
        });
        Panel { width, height, pixels: pixels.collect() }
    }
}

/// A part of the picture.
struct Panel {
    width: usize,
    height: usize,
    /// Red, green and blue, `(height, width)`.
    pixels: Vec<[u8; 3]>,
}

/// The values that are shown black and white.
fn stretch(values: &[f32]) -> [f32; 2] {
    let mut sorted: Vec<f32> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_by(f32::total_cmp);
    STRETCH.map(|share| sorted.get((share * sorted.len() as f64) as usize).copied().unwrap_or(0.0))
}
