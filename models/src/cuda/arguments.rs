//! What the kernels take: the structures of the sources, field by field.

use super::kernel::Kernel;
use crate::{Activation, Axes, Padding, PoolKind, Scaling};

/// Channels that are read and written at once.
pub(super) const GROUP: usize = 8;

/// The argument of a kernel.
pub(super) trait Arguments: Send + Sync + 'static {}

macro_rules! arguments {
    ($($(#[$doc:meta])* $structure:ident => $($kernel:ident: $name:literal),+;)+) => { $(
        impl Arguments for $structure {}
        $(pub(super) const $kernel: Kernel<$structure> = Kernel::new($name);)+
    )+

        /// The names of all kernels.
        pub(super) const ALL_KERNELS: &[&str] = &[$($($name,)+)+];

        /// Every kernel with the bytes of its arguments.
        #[cfg(test)]
        pub(super) const ALL: &[(&str, usize)] = &[$($(($name, size_of::<$structure>()),)+)+];
    };
}

arguments! {
    Normalise => NORMALISE_U8: "normalise_u8", NORMALISE_U16: "normalise_u16", NORMALISE_I16: "normalise_i16", NORMALISE_F32: "normalise_f32";
    Activate => ACTIVATE: "activate";
    Scale => SCALE: "scale";
    Combine => COMBINE: "combine";
    Softmax => SOFTMAX: "softmax";
    Copy => COPY_CHANNELS: "copy_channels", COPY_GROUPS: "copy_groups";
    PoolWindow => POOL: "pool";
    Mean => MEAN_SUMS: "mean_sums", MEAN: "mean";
    Bend => BEND: "bend";
    UnitLength => UNIT_LENGTH: "unit_length";
    Bins => BINS: "bins";
    Unpool => UNPOOL: "unpool";
    Crop => CROP: "crop";
    Turn => TURN: "turn";
    Norm => NORM_SUMS: "norm_sums", NORM_MEANS: "norm_means", NORM_SQUARES: "norm_squares", NORM_SCALES: "norm_scales", NORM_SCALED: "norm_scaled";
    Encode => ENCODE_WEIGHTS: "encode_weights", ENCODE_SUMS: "encode_sums", ENCODE: "encode";
    Resample => RESIZE: "resize";
    Pad => PAD: "pad";
    Convolution => CONVOLUTION: "convolution", TRANSPOSED: "transposed", DEPTHWISE: "depthwise";
    Shuffle => SHUFFLE: "shuffle";
    HeadScores => HEAD_SCORES: "head_scores";
    Accumulate => ACCUMULATE: "accumulate";
    Label => LABEL: "label";
    Forget => FORGET: "forget";
}

/// A place in the card's memory; 0 is none.
pub(super) type Address = u64;

/// Values of a batch of tiles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Value {
    pub(super) at: Address,
    pub(super) batch: i32,
    pub(super) depth: i32,
    pub(super) height: i32,
    pub(super) width: i32,
    pub(super) channels: i32,
    /// Elements from one pixel to the next.
    pub(super) stride: i32,
}

impl Value {
    /// Pixels of all tiles.
    pub(super) fn pixels(&self) -> usize {
        [self.batch, self.depth, self.height, self.width].into_iter().map(|n| n as usize).product()
    }

    /// Groups of channels of all pixels: what most kernels compute.
    pub(super) fn groups(&self) -> usize {
        self.pixels() * (self.channels as usize).div_ceil(GROUP)
    }
}

/// Applied to a result.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
pub(super) struct Function {
    kind: i32,
    a: f32,
    b: f32,
}

impl From<Option<Activation>> for Function {
    fn from(activation: Option<Activation>) -> Self {
        let of = |kind, a, b| Self { kind, a, b };
        match activation {
            None => Self::default(),
            Some(Activation::Relu) => of(1, 0.0, 0.0),
            Some(Activation::LeakyRelu { slope }) => of(2, slope as f32, 0.0),
            Some(Activation::Sigmoid) => of(3, 0.0, 0.0),
            Some(Activation::HardSigmoid) => of(5, 0.0, 0.0),
            Some(Activation::HardSwish) => of(6, 0.0, 0.0),
            Some(Activation::Silu) => of(7, 0.0, 0.0),
            Some(Activation::Clip { min, max }) => {
                of(4, min.map_or(f32::NEG_INFINITY, |m| m as f32), max.map_or(f32::INFINITY, |m| m as f32))
            }
        }
    }
}

/// How a band is scaled.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub(super) struct BandScaling {
    kind: i64,
    a: f64,
    b: f64,
}

impl From<Scaling> for BandScaling {
    fn from(scaling: Scaling) -> Self {
        let of = |kind, a, b| Self { kind, a, b };
        match scaling {
            Scaling::MinMax { minimum, maximum } => of(1, minimum, maximum - minimum),
            Scaling::ZScore { mean, stddev } => of(1, mean, stddev),
            Scaling::Clip { minimum, maximum } => of(2, minimum, maximum),
            Scaling::ClipMin { minimum } => of(2, minimum, f64::INFINITY),
            Scaling::ClipMax { maximum } => of(2, f64::NEG_INFINITY, maximum),
            Scaling::Offset { value } => of(1, value, 1.0),
            Scaling::Scale { value } => of(1, 0.0, value),
            Scaling::None => of(0, 0.0, 1.0),
        }
    }
}

/// Pixels as they were read, and the network's input.
#[repr(C)]
pub(super) struct Normalise {
    pub(super) pixels: Address,
    pub(super) valid: Address,
    pub(super) scaling: Address,
    pub(super) output: Value,
}

/// An element-wise function.
#[repr(C)]
pub(super) struct Activate {
    pub(super) input: Value,
    pub(super) output: Value,
    pub(super) function: Function,
}

/// A factor and a summand per channel.
#[repr(C)]
pub(super) struct Scale {
    pub(super) input: Value,
    pub(super) output: Value,
    pub(super) factors: Address,
    pub(super) summands: Address,
    pub(super) function: Function,
}

/// Negative values times a factor per channel.
#[repr(C)]
pub(super) struct Bend {
    pub(super) input: Value,
    pub(super) output: Value,
    pub(super) slopes: Address,
}

/// Normalisation by the length of the vector of channels.
#[repr(C)]
pub(super) struct UnitLength {
    pub(super) input: Value,
    pub(super) output: Value,
    pub(super) weight: Address,
    pub(super) epsilon: f32,
    pub(super) function: Function,
}

/// The means of bins.
#[repr(C)]
pub(super) struct Bins {
    pub(super) input: Value,
    pub(super) output: Value,
}

/// Values that are put back where the maxima were.
#[repr(C)]
pub(super) struct Unpool {
    pub(super) values: Value,
    pub(super) pooled: Value,
    pub(super) output: Value,
    pub(super) kernel: Steps,
    pub(super) stride: Steps,
}

/// A part that is cut out.
#[repr(C)]
pub(super) struct Crop {
    pub(super) input: Value,
    pub(super) output: Value,
    pub(super) before: Steps,
}

/// Positions that become channels.
#[repr(C)]
pub(super) struct Turn {
    pub(super) input: Value,
    pub(super) output: Value,
}

/// Normalisation by means and variances of the value itself.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Norm {
    pub(super) input: Value,
    pub(super) output: Value,
    pub(super) sums: Address,
    pub(super) means: Address,
    pub(super) scale: Address,
    pub(super) shift: Address,
    pub(super) weight: Address,
    pub(super) bias: Address,
    pub(super) epsilon: f64,
    pub(super) chunks: i32,
    pub(super) groups: i32,
    pub(super) function: Function,
}

/// Residuals from codewords.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Encode {
    pub(super) input: Value,
    pub(super) output: Value,
    pub(super) codewords: Address,
    pub(super) scale: Address,
    pub(super) weights: Address,
    pub(super) sums: Address,
    pub(super) chunks: i32,
}

/// A sum or a product.
#[repr(C)]
pub(super) struct Combine {
    pub(super) first: Value,
    pub(super) second: Value,
    pub(super) output: Value,
    pub(super) product: i32,
    pub(super) function: Function,
}

/// Softmax over the channels.
#[repr(C)]
pub(super) struct Softmax {
    pub(super) input: Value,
    pub(super) output: Value,
}

/// Channels that become others.
#[repr(C)]
pub(super) struct Copy {
    pub(super) input: Value,
    pub(super) output: Value,
    pub(super) from: i32,
    pub(super) to: i32,
    pub(super) count: i32,
    pub(super) zeros: i32,
}

/// One integer per axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Steps {
    z: i32,
    y: i32,
    x: i32,
}

impl From<Axes<usize>> for Steps {
    fn from(axes: Axes<usize>) -> Self {
        Self { z: axes.z as i32, y: axes.y as i32, x: axes.x as i32 }
    }
}

impl Steps {
    /// What is added before the first position.
    pub(super) fn before(padding: Axes<Padding>) -> Self {
        padding.map(|padding| padding.before).into()
    }
}

/// A pooling.
#[repr(C)]
pub(super) struct PoolWindow {
    pub(super) input: Value,
    pub(super) output: Value,
    pub(super) kind: i32,
    pub(super) kernel: Steps,
    pub(super) stride: Steps,
    pub(super) before: Steps,
}

/// The number by which the sources call what is taken from a window.
pub(super) fn pool_kind(kind: PoolKind) -> i32 {
    match kind {
        PoolKind::Max => 0,
        PoolKind::AverageWithPadding => 1,
        PoolKind::AverageInside => 2,
    }
}

/// The mean over all positions.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Mean {
    pub(super) input: Value,
    pub(super) output: Value,
    pub(super) sums: Address,
    pub(super) chunks: i32,
}

/// One output position of a resampling along one axis.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub(super) struct Tap {
    pub(super) low: i32,
    pub(super) high: i32,
    pub(super) fraction: f32,
}

/// A resampling.
#[repr(C)]
pub(super) struct Resample {
    pub(super) input: Value,
    pub(super) output: Value,
    pub(super) z: Address,
    pub(super) y: Address,
    pub(super) x: Address,
}

/// More positions.
#[repr(C)]
pub(super) struct Pad {
    pub(super) input: Value,
    pub(super) output: Value,
    pub(super) z: Address,
    pub(super) y: Address,
    pub(super) x: Address,
    pub(super) fill: f32,
}

/// A convolution, transposed or not.
#[repr(C)]
pub(super) struct Convolution {
    pub(super) input: Value,
    pub(super) output: Value,
    pub(super) residual: Value,
    pub(super) weights: Address,
    pub(super) bias: Address,
    pub(super) kernel: Steps,
    pub(super) stride: Steps,
    pub(super) before: Steps,
    pub(super) dilation: Steps,
    pub(super) groups: i32,
    pub(super) function: Function,
}

/// Phases of a transposed convolution that become pixels.
#[repr(C)]
pub(super) struct Shuffle {
    pub(super) input: Value,
    pub(super) output: Value,
    pub(super) stride: Steps,
    pub(super) function: Function,
}

/// A map of scores.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Map {
    pub(super) value: Value,
    pub(super) z: Address,
    pub(super) y: Address,
    pub(super) x: Address,
}

/// The end of a network.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Head {
    pub(super) maps: Address,
    pub(super) count: i32,
    pub(super) channels: i32,
    pub(super) softmax: i32,
    pub(super) function: Function,
}

/// Scores of whole tiles.
#[repr(C)]
pub(super) struct HeadScores {
    pub(super) head: Head,
    pub(super) scores: Address,
    pub(super) depth: i32,
    pub(super) height: i32,
    pub(super) width: i32,
}

/// The rows of a mosaic.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Rows {
    pub(super) sums: Address,
    pub(super) valid: Address,
    pub(super) channels: i32,
    pub(super) height: i32,
    pub(super) width: i32,
}

/// A tile that is added to a mosaic.
#[repr(C)]
pub(super) struct Accumulate {
    pub(super) head: Head,
    pub(super) rows: Rows,
    pub(super) weights: Address,
    pub(super) valid: Address,
    pub(super) valid_width: i32,
    pub(super) valid_y: i32,
    pub(super) valid_x: i32,
    pub(super) batch: i32,
    pub(super) runs: i32,
    pub(super) height: i32,
    pub(super) width: i32,
    pub(super) y: i32,
    pub(super) x: i32,
    pub(super) first_y: i32,
    pub(super) first_x: i32,
    pub(super) end_y: i32,
    pub(super) end_x: i32,
}

/// A finished part of a mosaic.
#[repr(C)]
pub(super) struct Label {
    pub(super) rows: Rows,
    pub(super) y: i32,
    pub(super) x: i32,
    pub(super) height: i32,
    pub(super) width: i32,
    pub(super) values: Address,
    pub(super) kept: Address,
    pub(super) classes: i32,
    pub(super) nodata: u8,
    pub(super) labels: Address,
    pub(super) confidence: Address,
    pub(super) scores: Address,
    pub(super) valid: Address,
    pub(super) wrong: Address,
}

/// Rows of a mosaic that become zeros.
#[repr(C)]
pub(super) struct Forget {
    pub(super) rows: Rows,
    pub(super) y: i32,
    pub(super) height: i32,
}
