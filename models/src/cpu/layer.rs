//! The tensors of a node, in the form in which they are used.

use std::fmt;
use std::sync::Arc;

use super::kernels::{Conditions, Convolution, Element, Isa};
use super::ops::{Scale, Transposed};
use crate::passes::Scaling;
use crate::{Graph, Node, Op, Result, Weights};

/// The tensors of a node, in the form in which they are used; shared by the programs of all extents.
#[derive(Clone)]
pub(super) enum Layer<E: Element> {
    Convolution(Arc<Convolution<E>>),
    Transposed(Arc<Transposed<E>>),
    Scale(Arc<Scale>),
}

impl<E: Element> fmt::Debug for Layer<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Convolution(_) => "Convolution",
            Self::Transposed(_) => "Transposed",
            Self::Scale(_) => "Scale",
        })
    }
}

impl<E: Element> Layer<E> {
    /// Packs the tensors of a node; `None` if it has none.
    pub(super) fn new(node: &Node, graph: &Graph, weights: &Weights, isa: Isa, conditions: Conditions) -> Result<Option<Self>> {
        let get = |part: &str| weights.get(&format!("{}.{part}", node.name));
        Ok(match node.op {
            Op::Conv(conv) => {
                let bias = conv.bias.then(|| get("bias")).transpose()?;
                let convolution = Convolution::new(conv, graph.channels(node.inputs[0]), get("weight")?, bias, isa, conditions);
                Some(Self::Convolution(Arc::new(convolution)))
            }
            Op::ConvTranspose(conv) => {
                let bias = conv.bias.then(|| get("bias")).transpose()?;
                let transposed = Transposed::new(conv, graph.channels(node.inputs[0]), get("weight")?, bias, isa);
                Some(Self::Transposed(Arc::new(transposed)))
            }
            _ => Scaling::of(node, weights)?.map(|Scaling { scale, shift }| {
                let narrow = |values: Vec<f64>| values.into_iter().map(|v| v as f32).collect();
                Self::Scale(Arc::new(Scale { scale: narrow(scale), shift: narrow(shift) }))
            }),
        })
    }

    /// Bytes of the tensors.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Convolution(convolution) => convolution.bytes(),
            Self::Transposed(transposed) => transposed.bytes(),
            Self::Scale(scale) => scale.bytes(),
        }
    }
}
