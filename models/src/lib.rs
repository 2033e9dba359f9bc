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

// Helpers of the integration tests serve tests in here, too.
#[cfg(test)]
extern crate self as swath_models;

mod arithmetic;
mod augment;
mod axes;
mod builder;
mod card;
mod checkpoint;
mod class;
mod cost;
mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
mod drawn;
mod ensemble;
mod error;
mod executor;
mod files;
mod flaw;
mod geometry;
mod graph;
mod hdf5;
mod infer;
pub mod keras;
mod model;
pub mod onnx;
mod op;
mod orientation;
mod passes;
mod reference;
mod resample;
mod scaling;
mod score;
mod shape;
mod split_mix;
mod stitch;
mod tensor;
mod torch;
pub mod train;
mod weights;
mod windows;
pub mod zoo;

pub use arithmetic::{Arithmetic, Convolutions, Precision};
pub use augment::{Augmentation, Augmented};
pub use axes::{Axes, Padding};
pub use builder::{Builder, Chain, Scope};
pub use card::{
    CrfSettings, GsdRange, Intensity, LabelResampling, MeasuredScaling, ModelCard, Side, VolumeAxes, VolumeInput, Voxels,
};
pub use checkpoint::{AdaptBands, Change, Checkpoint, FileFormat};
pub use class::{Class, Colour, ColourError};
pub use cost::Cost;
pub use cpu::Fused;
#[cfg(feature = "cuda")]
pub use cuda::{Cuda, CudaDevices};
pub use ensemble::{Ensemble, Member};
pub use error::{Error, Result};
pub use executor::{DeviceFacts, Executor};
pub use geometry::{Geometry, Reach};
pub use graph::{Graph, Node, NodeId, Rank};
pub use model::{Golden, Model, ModelBytes};
pub use op::{
    Activation, BatchNorm, Conv, ConvTranspose, Coordinates, CropPlace, Encoding, GroupNorm, InstanceNorm, Interpolation,
    MaxUnpool, Op, PadFill, Pool, PoolKind, Resize, ResizeTo, Slopes, Turn,
};
pub use orientation::{Orientation, Oriented};
pub use reference::Reference;
pub use scaling::Scaling;
pub use score::ScoreActivation;
pub use shape::{Extent, Shape};
pub use stitch::{
    EndOfRows, FinishedRows, LabelTable, PixelType, Rows, RowsOf, Stitch, StitchBytes, StitchRequest, StitchTile, WantedRows,
    WrongScore,
};
pub use tensor::Tensor;
pub use weights::{TensorSpec, Weights};
