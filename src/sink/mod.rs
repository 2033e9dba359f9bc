//! The finished product: label rasters, and layers of probabilities or confidence, each a Cloud Optimized GeoTIFF.
//!
//! Windows arrive in any order and go to a scratch file of plain values beside the output. `finish` turns it into a COG, reads that back,
//! and only then gives it its name. What is dropped unfinished, or fails, leaves nothing behind.

mod attributes;
mod cog;
mod coverage;
mod fingerprint;
mod label;
mod layer;
mod palette;
mod publish;
mod scratch;
pub(crate) mod space;
mod temporary;
mod watch;

pub(crate) use label::CompleteLabels;
pub use label::{LabelProduct, LabelSink, LabelSummary};
pub(crate) use layer::CompleteLayer;
pub use layer::{LayerEncoding, LayerProduct, LayerSink};
pub(crate) use palette::colours;
pub use publish::{Existing, write_text};
pub(crate) use publish::{Unpublished, part_path, prepare_text, refuse};
pub(crate) use scratch::{SCRATCH, Start, Stored, changed_path, scratch_path};
pub(crate) use temporary::{Temporary, remove, suffixed};
pub(crate) use watch::{Heed, watch};
