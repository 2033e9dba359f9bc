//! One operation of a tape.

use super::convolution::LearnedConvolution;
use super::element_wise::Bent;
use super::group_norm::GroupNorm;
use super::spread::Spread;
use super::transposed::LearnedTransposed;
use super::window::Windows;
use crate::cpu::kernels::{Conditions, Isa, Maps};
use crate::cpu::ops::{Positions, Sampling};
use crate::{Activation, Axes, Convolutions, Error, Extent, Graph, MaxUnpool, Op, Pool, PoolKind, Result, Shape};

/// One operation of a tape. Values are called by the node that gives them.
pub(super) struct Step {
    pub(super) work: Work,
    /// The node whose tensors it uses.
    pub(super) node: usize,
    pub(super) inputs: Vec<usize>,
    /// The node, or the activation after it.
    pub(super) output: usize,
    /// How the node's operator is called.
    pub(super) kind: &'static str,
}

/// What a step computes.
pub(super) enum Work {
    Convolution {
        layer: LearnedConvolution,
        biases: usize,
    },
    Transposed {
        layer: LearnedTransposed,
        biases: usize,
    },
    Norm {
        epsilon: f64,
        activation: Option<Activation>,
    },
    Affine {
        activation: Option<Activation>,
    },
    GroupNorm {
        norm: GroupNorm,
        is_affine: bool,
    },
    L2Norm {
        epsilon: f64,
    },
    PRelu,
    /// In the place of its input's values if these have the same place.
    Activation(Activation),
    Softmax,
    Pool {
        pool: Pool,
        windows: Windows,
    },
    Unpool(MaxUnpool),
    Mean,
    Bins {
        bins: Extent,
        spread: Spread,
    },
    Encoding,
    Turn,
    Add {
        activation: Option<Activation>,
    },
    Mul,
    /// Puts every input in its place, which starts at a channel, where it does not lie there already.
    Concat {
        starts: Vec<usize>,
    },
    Channels {
        start: usize,
    },
    Resize {
        sampling: Sampling,
        spread: Spread,
    },
    Pad {
        positions: Positions,
        spread: Spread,
    },
    Crop {
        before: Axes<usize>,
        spread: Spread,
    },
}

/// Positions of a map that is small for a convolution: 16 x 16.
const SMALL_MAP: usize = 256;

impl Work {
    /// What a node computes, for one batch's shapes; `None` for the network's input.
    pub(super) fn new(
        graph: &Graph,
        node: usize,
        shapes: &[Shape],
        isa: Isa,
        convolutions: Convolutions,
    ) -> Result<Option<Self>> {
        let (output, node) = (shapes[node], &graph.nodes()[node]);
        let Some(input) = node.inputs.first().map(|input| shapes[input.index()]) else { return Ok(None) };
        let maps = if output.extent.product() <= SMALL_MAP { Maps::Small } else { Maps::Large };
        let conditions = Conditions { convolutions, maps };
        Ok(Some(match &node.op {
            Op::Input { .. } => return Ok(None),
            Op::Conv(conv) => Self::Convolution {
                layer: LearnedConvolution::new(*conv, input.channels, isa, conditions),
                biases: if conv.bias { conv.out_channels } else { 0 },
            },
            Op::ConvTranspose(conv) => Self::Transposed {
                layer: LearnedTransposed::new(*conv, input.channels, isa, conditions),
                biases: if conv.bias { conv.out_channels } else { 0 },
            },
            Op::BatchNorm(norm) => Self::Norm { epsilon: norm.epsilon, activation: None },
            Op::Affine => Self::Affine { activation: None },
            Op::InstanceNorm(norm) => Self::GroupNorm {
                norm: GroupNorm { groups: input.channels, epsilon: norm.epsilon, channels: input.channels },
                is_affine: norm.affine,
            },
            Op::GroupNorm(norm) => Self::GroupNorm {
                norm: GroupNorm { groups: norm.groups, epsilon: norm.epsilon, channels: input.channels },
                is_affine: true,
            },
            Op::L2Norm { epsilon } => Self::L2Norm { epsilon: *epsilon },
            Op::PRelu { .. } => Self::PRelu,
            Op::Activation(Activation::LeakyRelu { slope }) if *slope < 0.0 => {
                let expected = "a slope of 0 or more, so that a result tells its gradient".into();
                return Err(Error::Node { node: node.name.clone(), expected, got: slope.to_string() });
            }
            Op::Activation(activation) => Self::Activation(*activation),
            Op::Softmax => Self::Softmax,
            Op::Pool(pool) => Self::Pool { pool: *pool, windows: Windows::new(pool, input.extent, output.extent) },
            Op::MaxUnpool(unpool) => Self::Unpool(*unpool),
            Op::GlobalAveragePool => Self::Mean,
            Op::AdaptiveAveragePool { bins } => Self::Bins { bins: *bins, spread: Spread::of_bins(*bins, input.extent) },
            Op::Encoding(_) => Self::Encoding,
            Op::Turn(_) => Self::Turn,
            Op::Add => Self::Add { activation: None },
            Op::Mul => Self::Mul,
            Op::Concat => {
                let starts = node.inputs.iter().scan(0, |next, input| {
                    let start = *next;
                    *next += shapes[input.index()].channels;
                    Some(start)
                });
                Self::Concat { starts: starts.collect() }
            }
            Op::Channels { start, .. } => Self::Channels { start: *start },
            Op::Resize(resize) => Self::Resize {
                sampling: Sampling::new(*resize, input.extent, output.extent),
                spread: Spread::of_resize(*resize, input.extent, output.extent),
            },
            Op::Pad { padding, fill } => {
                let Some(positions) = Positions::new(input.extent, *padding, *fill) else {
                    let expected = "more positions than are reflected".into();
                    return Err(Error::Node { node: node.name.clone(), expected, got: input.to_string() });
                };
                let spread = Spread::of_padding(&positions, input.extent, output.extent);
                Self::Pad { positions, spread }
            }
            Op::Crop { place } => {
                let before = place.before(input.extent, output.extent);
                Self::Crop { before, spread: Spread::of_crop(before, input.extent, output.extent) }
            }
        }))
    }

    /// Whether the pixels of its output may have others' channels between them.
    pub(super) fn writes_views(&self) -> bool {
        match self {
            Self::Convolution { .. }
            | Self::Transposed { .. }
            | Self::Norm { .. }
            | Self::Affine { .. }
            | Self::Activation(Activation::Relu | Activation::LeakyRelu { .. } | Activation::Clip { .. })
            | Self::GroupNorm { .. }
            | Self::Pool { .. }
            | Self::Resize { .. }
            | Self::Crop { .. } => true,
            Self::Activation(Activation::Sigmoid | Activation::HardSigmoid | Activation::HardSwish | Activation::Silu)
            | Self::L2Norm { .. }
            | Self::PRelu
            | Self::Softmax
            | Self::Unpool(_)
            | Self::Mean
            | Self::Bins { .. }
            | Self::Encoding
            | Self::Turn
            | Self::Add { .. }
            | Self::Mul
            | Self::Concat { .. }
            | Self::Channels { .. }
            | Self::Pad { .. } => false,
        }
    }

    /// Whether an activation of its result can be computed together with it.
    pub(super) fn absorbs(&mut self, following: Activation) -> bool {
        let (Self::Norm { activation, .. } | Self::Affine { activation } | Self::Add { activation }) = self else { return false };
        // The gradient of what is left is told by its result.
        let is_negative = matches!(following, Activation::LeakyRelu { slope } if slope < 0.0);
        if !following.is_piecewise_linear() || is_negative {
            return false;
        }
        *activation = Some(following);
        true
    }

    /// Frees what only the gradient with respect to its input needs.
    pub(super) fn drop_input_gradient(&mut self) {
        if let Self::Convolution { layer, .. } = self {
            layer.drop_input_gradient();
        }
    }

    /// Whether the way back reads its result.
    pub(super) fn rereads_output(&self) -> bool {
        match self {
            Self::Activation(activation) => Bent::of(*activation).is_none(),
            _ => matches!(self, Self::Softmax | Self::Add { activation: Some(_) }),
        }
    }

    /// Whether the way back reads its inputs.
    pub(super) fn rereads_inputs(&self) -> bool {
        match self {
            Self::Activation(activation) => Bent::of(*activation).is_some(),
            // Normalisations without weights, too.
            Self::GroupNorm { .. } | Self::Unpool(_) | Self::Mul => true,
            _ => self.has_tensors(),
        }
    }

    /// Whether it has tensors to learn.
    pub(super) fn has_tensors(&self) -> bool {
        match self {
            Self::GroupNorm { is_affine, .. } => *is_affine,
            Self::Convolution { .. }
            | Self::Transposed { .. }
            | Self::Norm { .. }
            | Self::Affine { .. }
            | Self::L2Norm { .. }
            | Self::PRelu
            | Self::Encoding => true,
            _ => false,
        }
    }

    /// Whether it keeps beside its result where in each window the maximum is.
    pub(super) fn is_maximum(&self) -> bool {
        matches!(self, Self::Pool { pool: Pool { kind: PoolKind::Max, .. }, .. })
    }
}
