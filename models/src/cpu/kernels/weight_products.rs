//! The products that the gradient of a convolution's weights is summed of.
#![expect(clippy::inline_always, reason = "the products must be compiled for the vector unit that runs them")]

use super::{
    product::Start,
    simd::{Job, Simd},
    window::Window,
};
use crate::Axes;

/// The input of a chunk: `(copies, planes, taps along depth, lines, positions, channels)`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Copied {
    /// Channels of a copy.
    pub(super) channels: usize,
    /// Values from one line to the next.
    pub(super) line: usize,
    /// Lines of a plane.
    pub(super) lines: usize,
    /// Values from one copy to the next.
    pub(super) copy: usize,
    /// Values from the rows of one panel to those of the next.
    pub(super) panel: usize,
    /// All values.
    pub(super) len: usize,
}

/// All products of a task's chunk.
pub(super) struct Products<'a, const ROWS: usize, const COLUMNS: usize> {
    pub(super) x: &'a [f32],
    /// `(output panels, pixels, WIDTH)`
    pub(super) dy: &'a [f32],
    pub(super) start: Start,
    pub(super) planes: usize,
    pub(super) lines: usize,
    pub(super) width: usize,
    pub(super) kernel: Axes<usize>,
    /// Panels of rows.
    pub(super) panels: usize,
    pub(super) copied: Copied,
    pub(super) window: &'a Window,
    /// `(output panels, row panels, taps, ROWS, WIDTH)`
    pub(super) sums: &'a mut [f32],
}

impl<const ROWS: usize, const COLUMNS: usize> Job for Products<'_, ROWS, COLUMNS> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { x, dy, start, planes, lines, width, kernel, panels, copied, window, sums } = self;
        let lanes = COLUMNS * S::LANES;
        let (line_size, step) = (width * lanes, window.stride.x * copied.channels);
        let out_panels = dy.chunks_exact(planes * lines * line_size);
        for (dy, sums) in out_panels.zip(sums.chunks_exact_mut(panels * kernel.product() * ROWS * lanes)) {
            for (index, block) in sums.chunks_exact_mut(ROWS * lanes).enumerate() {
                let (panel, tap) = (index / kernel.product(), index % kernel.product());
                let (line, tap_x) = (tap / kernel.x, tap % kernel.x);
                let (tap_z, tap_y) = (line / kernel.y, line % kernel.y);
                let first = panel * copied.panel + tap_x * window.dilation.x * copied.channels;
                let mut acc = zeros::<S, ROWS, COLUMNS>(simd);
                for (index, dy) in dy.chunks_exact(line_size).enumerate() {
                    let (plane, y) = (index / lines, index % lines);
                    let line = (plane * window.kernel.z + tap_z) * copied.lines + y * window.stride.y + tap_y * window.dilation.y;
                    let x = &x[line * copied.line + first..];
                    add_products(simd, [x, dy], [step, lanes], width, &mut acc);
                }
                store(simd, &acc, start, block);
            }
        }
    }
}

/// Sums in registers: of `ROWS` inputs with `COLUMNS` vectors of outputs.
type Block<S, const ROWS: usize, const COLUMNS: usize> = [[<S as Simd>::Vector; COLUMNS]; ROWS];

/// No sums yet.
#[inline(always)]
pub(super) fn zeros<S: Simd, const ROWS: usize, const COLUMNS: usize>(simd: S) -> Block<S, ROWS, COLUMNS> {
    [[simd.splat(0.0); COLUMNS]; ROWS]
}

/// Stores sums, or adds them to those stored earlier: each is complete before it meets the others, so that its error grows with its own terms alone.
#[inline(always)]
pub(super) fn store<S: Simd, const ROWS: usize, const COLUMNS: usize>(
    simd: S,
    block: &Block<S, ROWS, COLUMNS>,
    start: Start,
    to: &mut [f32],
) {
    for (row, to) in block.iter().zip(to.chunks_exact_mut(COLUMNS * S::LANES)) {
        for (&value, to) in row.iter().zip(to.chunks_exact_mut(S::LANES)) {
            let sum = match start {
                Start::Zero => value,
                Start::Output => simd.add(simd.load(to), value),
            };
            simd.store(sum, to);
        }
    }
}

/// Adds the products of inputs and outputs at so many pixels, which lie `steps` apart.
#[inline(always)]
pub(super) fn add_products<S: Simd, const ROWS: usize, const COLUMNS: usize>(
    simd: S,
    [x, dy]: [&[f32]; 2],
    steps: [usize; 2],
    pixels: usize,
    block: &mut Block<S, ROWS, COLUMNS>,
) {
    let last = steps.map(|step| (pixels - 1) * step);
    let (x, dy) = (&x[..last[0] + ROWS], &dy[..last[1] + COLUMNS * S::LANES]);
    for pixel in 0..pixels {
        let at = steps.map(|step| pixel * step);
        #[expect(unsafe_code, reason = "a check per pixel would cost as much as its loads")]
        // SAFETY: both were cut to end a block after the start of the last pixel.
        let (x, dy) = unsafe { (x.get_unchecked(at[0]..at[0] + ROWS), dy.get_unchecked(at[1]..at[1] + COLUMNS * S::LANES)) };
        let mut columns = [simd.splat(0.0); COLUMNS];
        for (column, value) in columns.iter_mut().enumerate() {
            *value = simd.load(&dy[column * S::LANES..(column + 1) * S::LANES]);
        }
        for row in 0..ROWS {
            let value = simd.splat(x[row]);
            for column in 0..COLUMNS {
                block[row][column] = simd.mul_add(value, columns[column], block[row][column]);
            }
        }
    }
}
