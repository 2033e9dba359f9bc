//! How far scores are from targets.
//!
//! The softmax is computed once and shared by all terms. Every term depends on a pixel's probabilities `p` and target `t` in one of two ways,
//! and the gradient with respect to the pixel's logits is put together from both:
//!
//! - cross-entropy and focal loss depend on `p[t]` alone: `pull * (p - onehot(t))`, with one number per pixel;
//! - the Dice loss depends on sums over the batch: `p * (g - sum(p * g))`, where `g`, its slope in every probability, is the same for all pixels
//!   of a target.

mod cross_entropy;
mod dice;
mod evaluate;
mod focal;
mod sums;
mod term;

pub use cross_entropy::CrossEntropy;
pub use dice::Dice;
pub use evaluate::{Evaluated, Loss};
pub use focal::Focal;
pub use term::Term;
