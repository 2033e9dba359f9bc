//! What is done after the network: a CRF on each tile, thresholds for each pixel, and changes of the finished labels.
//!
//! A [`Refinement`] says what is asked for; with a model's card and a scene it becomes a [`Refine`], which is part of a plan.

mod refinement;
mod resolved;
mod thresholds;
mod tile_crf;

pub use refinement::{Amount, CrfChoice, Refinement, SmallRegions, Threshold};
pub use resolved::Refine;
pub use thresholds::Thresholds;
pub use tile_crf::TileCrf;
