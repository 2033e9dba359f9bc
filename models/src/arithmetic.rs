//! How the values of a network are computed.

/// How the values of a network are computed. Runs of the same arithmetic on the same tiles give the same bytes, on however many threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arithmetic {
    /// How values between layers are kept.
    pub precision: Precision,
    /// How convolutions are computed.
    pub convolutions: Convolutions,
}

/// How values between layers are kept, and the weights of convolutions that are computed directly. Sums, and the weights of depthwise convolutions
/// and of Winograd's algorithm, are always `f32`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floating point.
    #[default]
    F32,
    /// 16-bit floating point with the exponent of 32 bits and 8 bits of significand. Processors that multiply it (`avx512_bf16`) do so at twice
    /// the speed; on others it is slower than `f32`.
    Bf16,
    /// 16-bit floating point with 5 bits of exponent and 11 bits of significand; on graphics processors only.
    F16,
    /// `f32` whose 11 highest bits of significand are multiplied; on graphics processors only.
    Tf32,
}

impl Precision {
    /// The name on the command line and in a STAC item.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
            Self::Tf32 => "tf32",
        }
    }
}

/// How convolutions are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Convolutions {
    /// Sums whose order the layer alone fixes: the bits of a value depend on the inputs that it sees, and not on where in its tile it lies.
    #[default]
    Direct,
    /// By Winograd's algorithm (Lavin & Gray 2016, arXiv 1509.09308) where that takes fewer operations. A value is computed together with its
    /// neighbours, and rounded differently (a layer's by less than 3e-5 of the magnitudes in its sum) if its tile is cut elsewhere.
    Winograd,
    /// By whatever kernel of cuDNN's is fastest on the card for the layer's shape.
    Cudnn,
}

impl Convolutions {
    /// The name in a plan and in a STAC item.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Winograd => "winograd",
            Self::Cudnn => "cudnn",
        }
    }
}
