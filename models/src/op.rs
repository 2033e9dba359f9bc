//! What a node of a graph computes.

use serde::{Deserialize, Serialize};

use crate::{Axes, Extent, Padding};

/// What a node computes from its inputs. Tensors with learned values are named after the node: `{node}.weight`, `{node}.bias` and so on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op {
    /// The network's only input; always the first node.
    Input {
        /// Number of bands.
        channels: usize,
    },
    /// Convolution, as cross-correlation like every deep-learning library computes it.
    Conv(Conv),
    /// Transposed convolution (the gradient of [`Op::Conv`] with respect to its input).
    ConvTranspose(ConvTranspose),
    /// Batch normalisation with fixed statistics: `(x - running_mean) / sqrt(running_var + epsilon) * weight + bias`, per channel
    /// (Ioffe & Szegedy 2015).
    BatchNorm(BatchNorm),
    /// Normalisation of every channel by its own mean and variance over all positions, then `* weight + bias` (Ulyanov et al. 2016, arXiv
    /// 1607.08022).
    InstanceNorm(InstanceNorm),
    /// The same over all positions and the channels of a group (Wu & He 2018, arXiv 1803.08494).
    GroupNorm(GroupNorm),
    /// `x / sqrt(sum over channels of x^2 + epsilon) * weight` at every position, with one weight per channel (ParseNet, Liu et al. 2015, arXiv
    /// 1506.04579, eq. 1 to 3).
    #[serde(rename = "l2_norm")]
    L2Norm {
        /// Added to the sum of squares.
        epsilon: f64,
    },
    /// `x * weight + bias` with one weight and one bias per channel.
    Affine,
    /// An element-wise function.
    Activation(Activation),
    /// `x` where positive, `weight * x` elsewhere (He et al. 2015, arXiv 1502.01852).
    #[serde(rename = "prelu")]
    PRelu {
        /// How many weights there are.
        slopes: Slopes,
    },
    /// `exp(x) / sum(exp(x))` over the channels.
    Softmax,
    /// Maximum or mean over a sliding window.
    Pool(Pool),
    /// Puts every value of the first input at the place where its window of the second input has its maximum, zeros elsewhere: undoes a pooling
    /// of the second input, whose extent it gives (SegNet, Badrinarayanan et al. 2015, arXiv 1511.00561). The first of several equal maxima
    /// counts, in the order of rows; the last NaN, if there is one: PyTorch's rule.
    MaxUnpool(MaxUnpool),
    /// The mean over all positions, per channel: extent becomes 1.
    GlobalAveragePool,
    /// The means of so many bins along each axis; bin `i` of `n` holds the positions `floor(i * length / n)` to `ceil((i + 1) * length / n)`, which
    /// may overlap (PyTorch's rule).
    AdaptiveAveragePool {
        /// Bins per axis.
        bins: Axes<usize>,
    },
    /// Residuals of all positions from codewords, weighted by a softmax over codewords and summed (EncNet, Zhang et al. 2018, arXiv 1803.08904):
    /// what belongs to a codeword is a channel of the result, which is as wide as the input has channels.
    Encoding(Encoding),
    /// Of a value one row large, channels become positions along width, and the positions channels.
    Turn(Turn),
    /// Sum of two tensors. Channels and axes of length 1 are broadcast.
    Add,
    /// Product of two tensors. Channels and axes of length 1 are broadcast.
    Mul,
    /// Channels of all inputs, one after the other.
    Concat,
    /// A range of channels.
    Channels {
        /// First channel taken.
        start: usize,
        /// Number of channels taken.
        count: usize,
    },
    /// Resampling to another extent.
    Resize(Resize),
    /// More positions around the tensor.
    Pad {
        /// Positions added per axis.
        padding: Axes<Padding>,
        /// What they hold.
        fill: PadFill,
    },
    /// The part of the first input that is as large as the second one, of which only the extent counts.
    Crop {
        /// Where the part lies.
        place: CropPlace,
    },
}

/// Parameters of a convolution. Weight: `(out, in / groups, [kernel z,] kernel y, kernel x)`, bias: `(out)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conv {
    /// Number of output channels.
    pub out_channels: usize,
    /// Kernel size per axis.
    pub kernel: Axes<usize>,
    /// Step between outputs, in input positions.
    pub stride: Axes<usize>,
    /// Zeros around the input.
    pub padding: Axes<Padding>,
    /// Distance between kernel taps, in input positions.
    pub dilation: Axes<usize>,
    /// Channels are split into so many independent groups.
    pub groups: usize,
    /// Whether a bias is added.
    pub bias: bool,
}

impl Conv {
    /// A planar square kernel with stride 1, dilation 1 and zeros that keep the extent (for odd kernels); no bias.
    #[must_use]
    pub fn square(out_channels: usize, kernel: usize) -> Self {
        Self {
            out_channels,
            kernel: Axes::plane(kernel),
            stride: Axes::plane(1),
            padding: Axes::plane_padding(kernel / 2),
            dilation: Axes::plane(1),
            groups: 1,
            bias: false,
        }
    }

    /// With another step in the plane.
    #[must_use]
    pub fn stride(self, stride: usize) -> Self {
        Self { stride: Axes::plane(stride), ..self }
    }

    /// With other zeros around the plane.
    #[must_use]
    pub fn padding(self, padding: usize) -> Self {
        Self { padding: Axes::plane_padding(padding), ..self }
    }

    /// With dilated taps in the plane, and zeros that keep the extent (for odd kernels).
    #[must_use]
    pub fn dilation(self, dilation: usize) -> Self {
        let reach = dilation * (self.kernel.x / 2);
        Self { dilation: Axes::plane(dilation), padding: Axes::plane_padding(reach), ..self }
    }

    /// With channels in groups.
    #[must_use]
    pub fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    /// With a bias.
    #[must_use]
    pub fn biased(self) -> Self {
        Self { bias: true, ..self }
    }
}

/// Parameters of a transposed convolution. Weight: `(in, out / groups, [kernel z,] kernel y, kernel x)`, bias: `(out)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConvTranspose {
    /// Number of output channels.
    pub out_channels: usize,
    /// Kernel size per axis.
    pub kernel: Axes<usize>,
    /// Step between inputs, in output positions.
    pub stride: Axes<usize>,
    /// Positions cut off the full result.
    pub padding: Axes<Padding>,
    /// Positions added after the result's end.
    pub output_padding: Axes<usize>,
    /// Distance between kernel taps, in output positions.
    pub dilation: Axes<usize>,
    /// Channels are split into so many independent groups.
    pub groups: usize,
    /// Whether a bias is added.
    pub bias: bool,
}

impl ConvTranspose {
    /// A planar square kernel with nothing cut off; no bias.
    #[must_use]
    pub fn square(out_channels: usize, kernel: usize, stride: usize) -> Self {
        Self {
            out_channels,
            kernel: Axes::plane(kernel),
            stride: Axes::plane(stride),
            padding: Axes::default(),
            output_padding: Axes::cube(0),
            dilation: Axes::cube(1),
            groups: 1,
            bias: false,
        }
    }

    /// With so many positions cut off around the plane.
    #[must_use]
    pub fn padding(self, padding: usize) -> Self {
        Self { padding: Axes::plane_padding(padding), ..self }
    }

    /// With a bias.
    #[must_use]
    pub fn biased(self) -> Self {
        Self { bias: true, ..self }
    }
}

/// Parameters of a batch normalisation. Tensors: `weight`, `bias`, `running_mean`, `running_var`, each `(channels)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchNorm {
    /// Added to the variance.
    pub epsilon: f64,
}

/// Parameters of an instance normalisation. Tensors, if it is affine: `weight` and `bias`, each `(channels)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceNorm {
    /// Added to the variance.
    pub epsilon: f64,
    /// Whether there are weights and biases.
    pub affine: bool,
}

/// Parameters of a group normalisation. Tensors: `weight` and `bias`, each `(channels)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupNorm {
    /// Channels are split into so many groups.
    pub groups: usize,
    /// Added to the variance.
    pub epsilon: f64,
}

/// How many weights a [`Op::PRelu`] has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Slopes {
    /// One for all channels; weight: `(1)`.
    Shared,
    /// One for each channel; weight: `(channels)`.
    PerChannel,
}

/// Which pooling a [`Op::MaxUnpool`] undoes: one without padding, whose windows do not overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaxUnpool {
    /// Window size per axis.
    pub kernel: Axes<usize>,
    /// Step between windows, no less than their size.
    pub stride: Axes<usize>,
}

/// Parameters of an encoding. Tensors: `codewords`, `(codewords, channels)`, and `scale`, `(codewords)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encoding {
    /// Number of codewords.
    pub codewords: usize,
    /// Channels of the input.
    pub channels: usize,
}

/// Between which sizes an [`Op::Turn`] turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Channels of the result: the width of the input.
    pub channels: usize,
    /// Width of the result: the channels of the input.
    pub width: usize,
}

/// Where a part lies that is cut out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "place", rename_all = "snake_case")]
pub enum CropPlace {
    /// In the middle; of an odd number of positions that are cut off, the one more at the end.
    Middle,
    /// After so many positions along each axis.
    After {
        /// Positions cut off before.
        before: Axes<usize>,
    },
}

/// An element-wise function.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "function", rename_all = "snake_case")]
pub enum Activation {
    /// `max(x, 0)`
    Relu,
    /// `x` where positive, `slope * x` elsewhere.
    LeakyRelu {
        /// Factor for negative values.
        slope: f64,
    },
    /// `1 / (1 + exp(-x))`
    Sigmoid,
    /// `min(max(x, min), max)`; `None` is unbounded.
    Clip {
        /// Lower bound.
        min: Option<f64>,
        /// Upper bound.
        max: Option<f64>,
    },
    /// `min(max(x + 3, 0), 6) / 6`
    HardSigmoid,
    /// `x * min(max(x + 3, 0), 6) / 6` (MobileNetV3, Howard et al. 2019, arXiv 1905.02244, section 5.2).
    HardSwish,
    /// `x / (1 + exp(-x))`, also called swish.
    Silu,
}

/// Parameters of a sliding-window pooling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// What is taken from each window.
    pub kind: PoolKind,
    /// Window size per axis.
    pub kernel: Axes<usize>,
    /// Step between outputs, in input positions.
    pub stride: Axes<usize>,
    /// Positions added around the input.
    pub padding: Axes<Padding>,
}

/// What a pooling takes from each window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolKind {
    /// The largest value; padding never wins.
    Max,
    /// The mean over the window, padding counted as zeros.
    AverageWithPadding,
    /// The mean over the positions of the window that lie inside the input.
    AverageInside,
}

/// Parameters of a resampling.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resize {
    /// How values between positions are found.
    pub interpolation: Interpolation,
    /// How an output position maps to an input position.
    pub coordinates: Coordinates,
    /// The extent of the result.
    pub to: ResizeTo,
}

/// How values between positions are found, separably per axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interpolation {
    /// The value at `floor(x)` (PyTorch's and TensorFlow's default).
    NearestFloor,
    /// The value at the nearest position, the lower one at a tie (ONNX `round_prefer_floor`).
    NearestPreferFloor,
    /// The value at the nearest position, the higher one at a tie (ONNX `round_prefer_ceil`).
    NearestPreferCeil,
    /// The value at `ceil(x)`.
    NearestCeil,
    /// Linear between the two neighbours along each axis (bilinear, trilinear); beyond the ends the end value.
    Linear,
}

/// How an output position maps to an input position; `scale` is `output length / input length`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coordinates {
    /// `(x + 0.5) / scale - 0.5` (PyTorch's `align_corners=False`, ONNX `half_pixel`).
    HalfPixel,
    /// `x / scale` (ONNX `asymmetric`).
    Asymmetric,
    /// `x * (input - 1) / (output - 1)`: the corner positions coincide.
    AlignCorners,
}

/// The extent of a resampling's result.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "to", rename_all = "snake_case")]
pub enum ResizeTo {
    /// The extent of the second input.
    Like,
    /// So many times the input's extent, rounded down; positions are mapped by the ratio of the lengths that this gives.
    Factor {
        /// Factor per axis.
        factor: Axes<f64>,
    },
    /// Always this extent; only for networks of a fixed input extent.
    Extent {
        /// The extent.
        extent: Axes<usize>,
    },
}

/// What added positions hold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fill", rename_all = "snake_case")]
pub enum PadFill {
    /// One value.
    Constant {
        /// The value.
        value: f64,
    },
    /// The value at the nearest edge.
    Edge,
    /// Mirrored at the edge position, which is not repeated.
    Reflect,
}

impl Activation {
    /// Whether it is made of straight lines, so that its result tells its slope.
    #[must_use]
    pub fn is_piecewise_linear(self) -> bool {
        match self {
            Self::Relu | Self::LeakyRelu { .. } | Self::Clip { .. } => true,
            Self::Sigmoid | Self::HardSigmoid | Self::HardSwish | Self::Silu => false,
        }
    }
}

impl CropPlace {
    /// Positions cut off before, along each axis.
    pub(crate) fn before(self, input: Extent, result: Extent) -> Axes<usize> {
        match self {
            Self::Middle => input.zip(result).map(|(input, result)| input.saturating_sub(result) / 2),
            Self::After { before } => before,
        }
    }
}

impl Op {
    /// How the operator is called in tables and messages.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Input { .. } => "input",
            Self::Conv(_) => "conv",
            Self::ConvTranspose(_) => "conv_transpose",
            Self::BatchNorm(_) => "batch_norm",
            Self::InstanceNorm(_) => "instance_norm",
            Self::GroupNorm(_) => "group_norm",
            Self::L2Norm { .. } => "l2_norm",
            Self::Affine => "affine",
            Self::Activation(Activation::Relu) => "relu",
            Self::Activation(Activation::LeakyRelu { .. }) => "leaky_relu",
            Self::Activation(Activation::Sigmoid) => "sigmoid",
            Self::Activation(Activation::Clip { .. }) => "clip",
            Self::Activation(Activation::HardSigmoid) => "hard_sigmoid",
            Self::Activation(Activation::HardSwish) => "hard_swish",
            Self::Activation(Activation::Silu) => "silu",
            Self::PRelu { .. } => "prelu",
            Self::Softmax => "softmax",
            Self::Pool(Pool { kind: PoolKind::Max, .. }) => "max_pool",
            Self::Pool(_) => "average_pool",
            Self::MaxUnpool(_) => "max_unpool",
            Self::GlobalAveragePool => "global_average_pool",
            Self::AdaptiveAveragePool { .. } => "adaptive_average_pool",
            Self::Encoding(_) => "encoding",
            Self::Turn(_) => "turn",
            Self::Add => "add",
            Self::Mul => "mul",
            Self::Concat => "concat",
            Self::Channels { .. } => "channels",
            Self::Resize(_) => "resize",
            Self::Pad { .. } => "pad",
            Self::Crop { .. } => "crop",
        }
    }
}
