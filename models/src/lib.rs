//! Segmentation networks as data: what they are, what they weigh, what they see, and what executes them.
//!
//! A network is a [`Graph`]: nodes in topological order, planar (2-D) and volumetric (3-D) alike. Everything else is derived from it:
//! shapes ([`Graph::shapes`]), cost ([`Graph::cost`]), what an output pixel can see of the input ([`Graph::geometry`]), which tensors it
//! needs ([`Graph::tensors`]). [`Weights`] are strict: missing, misshapen and unused tensors are errors. A [`ModelCard`] (a STAC MLM item)
//! tells how a scene becomes the network's input, and a [`Model`] is a folder with all three. An [`Executor`] runs the graph: perhaps on
//! several views of each tile ([`Augmented`]), perhaps several graphs ([`Ensemble`]); [`train`] learns its weights.
//!
//! Arrays are `(channels, depth, height, width)`; a planar network has depth 1.
//!
//! This crate knows nothing of rasters on disk, of tiles or of the command line.
// What needs the processor's vector instructions is the only exception.
#![deny(unsafe_code)]

mod arithmetic;
mod augment;
mod axes;
mod builder;
mod card;
mod class;
mod cost;
mod cpu;
mod ensemble;
mod error;
mod executor;
mod files;
mod geometry;
mod graph;
mod infer;
mod model;
pub mod onnx;
mod op;
mod passes;
mod reference;
mod resample;
mod scaling;
mod score;
mod shape;
mod split_mix;
mod tensor;
pub mod train;
mod weights;
mod windows;
pub mod zoo;

pub use arithmetic::{Arithmetic, Convolutions, Precision};
pub use augment::{Augmentation, Augmented};
pub use axes::{Axes, Padding};
pub use builder::{Builder, Chain, Scope};
pub use card::{CrfSettings, GsdRange, ModelCard};
pub use class::{Class, Colour, ColourError};
pub use cost::Cost;
pub use cpu::Fused;
pub use ensemble::{Ensemble, Member};
pub use error::{Error, Result};
pub use executor::Executor;
pub use geometry::{Geometry, Reach};
pub use graph::{Graph, Node, NodeId, Rank};
pub use model::{Golden, Model, ModelBytes};
pub use op::{
    Activation, BatchNorm, Conv, ConvTranspose, Coordinates, Interpolation, Op, PadFill, Pool, PoolKind, Resize, ResizeTo,
};
pub use reference::Reference;
pub use scaling::Scaling;
pub use score::ScoreActivation;
pub use shape::{Extent, Shape};
pub use tensor::Tensor;
pub use weights::{TensorSpec, Weights};
