//! The fully connected CRF of Krähenbühl and Koltun, as `DeepLab` v1 and v2 use it.

mod dense_crf;
mod keys;
mod lattice;
mod parameters;
mod vertices;

pub use dense_crf::{DenseCrf, Pixels};
pub use lattice::Lattice;
pub use parameters::{Appearance, CrfParameters, Smoothness};
