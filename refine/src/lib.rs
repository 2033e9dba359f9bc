//! What is done with labels and probabilities after the network: connected components, majority, sieve, holes, and the dense CRF.
//!
//! Labels are `u8` in the order `(depth, height, width)`, the last axis contiguous; a scene is one slice deep. Everything here is a function of
//! arrays in memory: this crate does no I/O and knows nothing of rasters on disk or of networks.
//!
//! [`Labelling`] finds the connected [`Components`] of planes and volumes, fed row by row. [`LabelSteps`] changes label rasters in blocks of
//! bounded size, with the same result however they are cut. [`DenseCrf`] refines probabilities by what the pixels look like.
#![forbid(unsafe_code)]

mod components;
mod connectivity;
mod crf;
mod disjoint_sets;
mod error;
mod labelling;
mod steps;

pub use components::{Beside, Component, Components};
pub use connectivity::Connectivity;
pub use crf::{Appearance, CrfParameters, DenseCrf, Lattice, Pixels, Smoothness};
pub use error::{Error, Result};
pub use labelling::Labelling;
pub use steps::{LabelBlock, LabelSteps, Majority, MajorityWidth, Regions};
