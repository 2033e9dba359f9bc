//! Swath labels every pixel of rasters too large for memory.
//!
//! ```text
//! source -> tiles -> model -> mosaic -> sink
//! ```
//!
//! A [`Scene`](source::Scene) is read in overlapping tiles ([`swath_tiling`]), a network ([`swath_models`]) scores every pixel, the scores are
//! stitched in a rolling mosaic, and the labels become a finished raster. What is read, held in memory and written is decided before the first
//! read, in a [`Plan`](plan::Plan). [`Segmenter`] puts it all together:
//!
//! ```
//! use swath::plan::PlanRequest;
//! use swath::{Existing, NoObserver, Outputs, Segmenter, demo};
//! use swath_models::Arithmetic;
//!
//! let folder = tempfile::tempdir()?;
//! let scene = demo::DemoScene::new(1, 256).write(folder.path())?.scene;
//! let segmenter = Segmenter::new(demo::model()?, Arithmetic::default())?;
//! let scene = segmenter.scene(&scene, None)?;
//! let plan = segmenter.plan(&scene, &PlanRequest::new(1 << 30, 2))?;
//! let outputs = Outputs::labels(folder.path().join("labels.tif"), Existing::Refuse);
//! let report = segmenter.run(&scene, &plan, &outputs, &NoObserver)?;
//! assert_eq!(report.labels.counts.iter().sum::<u64>(), 256 * 256);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod batch;
mod canvas;
mod clocks;
mod computing;
pub mod demo;
mod digest;
mod ensemble;
mod error;
pub mod evaluate;
mod font;
mod georeference;
mod heap;
mod identity;
mod labelled;
mod labels;
mod laid_layer;
mod ledger;
mod location;
pub mod manifest;
mod merge;
mod outputs;
mod pipeline;
pub mod plan;
mod preview;
mod product;
mod random;
pub mod refine;
mod remote;
mod resume;
mod segment;
mod shard;
mod sink;
pub mod source;
mod stac;
mod storage;
mod target;
mod timings;
pub mod train;
mod version;
pub mod volume;

pub use computing::{Computing, Device};
pub use error::{Error, Result, with_causes};
pub use gdal::Gcp;
pub use georeference::Georeference;
pub use labelled::{Labelled, Report};
pub use location::{Location, RemoteUri, Scheme};
pub use merge::{Shards, merge};
pub use outputs::{Outputs, ProbabilityOutput, check_files, refuse_files};
pub use pipeline::{NoObserver, Observer, Scores, run};
pub use preview::{Panels, preview};
pub use remote::{Access, RemoteError, Traffic, set_access, traffic};
pub use segment::{ModelChoice, Segmenter};
pub use shard::{Shard, ShardReport};
pub use sink::{Existing, LabelProduct, LabelSink, LabelSummary, LayerEncoding, LayerProduct, LayerSink, write_text};
pub use stac::{ItemDescription, LayerAsset, ModelReference, acquired};
pub use storage::ListEntry;
pub use target::Target;
pub use timings::{Stage, Timings};
pub use version::Version;
