//! Changes of finished labels, in blocks of bounded size.

mod block;
mod label_steps;
mod majority;
mod regions;

pub use block::LabelBlock;
pub use label_steps::LabelSteps;
pub use majority::{Majority, MajorityWidth};
pub use regions::Regions;
