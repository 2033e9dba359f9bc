//! Swath labels every pixel of rasters too large for memory.

mod error;
mod georeference;
mod sink;
mod stac;

pub use error::{Error, Result};
pub use gdal::Gcp;
pub use georeference::Georeference;
pub use sink::{Existing, LabelProduct, LabelSink, LabelSummary, LayerEncoding, LayerProduct, LayerSink};
pub use stac::{ItemDescription, LayerAsset, ModelReference, acquired};
