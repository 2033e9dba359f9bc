//! How well labels agree with a reference.
//!
//! A [`ConfusionMatrix`] counts pixels by their class in the reference and in the prediction; the usual figures follow from it.

mod confusion;

pub use confusion::ConfusionMatrix;
