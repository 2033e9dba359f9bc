//! The tensors of a node, in the form in which they are used.

use std::fmt;
use std::sync::Arc;

use super::kernels::{Conditions, Convolution, Element, Isa};
use super::ops::{Codewords, L2Norm, Normalise, Scale, Slopes, Transposed};
use crate::passes::Scaling;
use crate::{Graph, Node, Op, Result, Weights};

/// The tensors of a node, in the form in which they are used; shared by the programs of all extents.
#[derive(Clone)]
pub(super) enum Layer<E: Element> {
    Convolution(Arc<Convolution<E>>),
    Transposed(Arc<Transposed<E>>),
    Scale(Arc<Scale>),
    Normalise(Arc<Normalise>),
    L2Norm(Arc<L2Norm>),
    Slopes(Arc<Slopes>),
    Codewords(Arc<Codewords>),
}

impl<E: Element> fmt::Debug for Layer<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Convolution(_) => "Convolution",
            Self::Transposed(_) => "Transposed",
            Self::Scale(_) => "Scale",
            Self::Normalise(_) => "Normalise",
            Self::L2Norm(_) => "L2Norm",
            Self::Slopes(_) => "Slopes",
            Self::Codewords(_) => "Codewords",
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
            Op::InstanceNorm(norm) => {
                let channels = graph.channels(node.inputs[0]);
                let [weight, bias] = if norm.affine {
                    [get("weight")?.to_vec(), get("bias")?.to_vec()]
                } else {
                    [vec![1.0; channels], vec![0.0; channels]]
                };
                Some(Self::Normalise(Arc::new(Normalise { groups: channels, epsilon: norm.epsilon, weight, bias })))
            }
            Op::GroupNorm(norm) => {
                let [weight, bias] = [get("weight")?.to_vec(), get("bias")?.to_vec()];
                Some(Self::Normalise(Arc::new(Normalise { groups: norm.groups, epsilon: norm.epsilon, weight, bias })))
            }
            Op::L2Norm { epsilon } => Some(Self::L2Norm(Arc::new(L2Norm { epsilon, weight: get("weight")?.to_vec() }))),
            Op::PRelu { slopes } => {
                let weight = get("weight")?;
                let slopes = match slopes {
                    crate::Slopes::Shared => weight.repeat(graph.channels(node.inputs[0])),
                    crate::Slopes::PerChannel => weight.to_vec(),
                };
                Some(Self::Slopes(Arc::new(Slopes { slopes })))
            }
            Op::Encoding(_) => {
                let (codewords, scale) = (get("codewords")?.to_vec(), get("scale")?.to_vec());
                Some(Self::Codewords(Arc::new(Codewords { codewords, scale })))
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
            Self::Normalise(normalise) => normalise.bytes(),
            Self::L2Norm(norm) => norm.bytes(),
            Self::Slopes(slopes) => slopes.bytes(),
            Self::Codewords(codewords) => codewords.bytes(),
        }
    }
}
