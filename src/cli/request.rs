//! From what was typed to what the engine is asked.

use std::path::PathBuf;
use std::{env, thread};

use swath::plan::{Layers, PlanRequest, Tiles};
use swath::refine::{Amount, Refinement, SmallRegions};
use swath::source::{AreaFile, Scene};
use swath::{Access, Computing, LayerEncoding, ModelChoice, Segmenter, set_access};
use swath_models::Precision;

use super::args::{LayerArgs, LayerFlags, ModelArg, PrecisionChoice, ProbabilityType, RefineArgs, RemoteArgs, TileArgs};
use super::fail::AnyError;
use super::parse::{Overlap, Workers};

impl TileArgs {
    /// The request that these arguments make of a plan.
    ///
    /// # Errors
    /// If memory is not bounded and the system does not say how much is free.
    pub(super) fn request(&self, layers: Layers) -> Result<PlanRequest, AnyError> {
        Ok(PlanRequest {
            tile: self.tile,
            overlap: match self.overlap {
                Overlap::Auto => None,
                Overlap::Pixels(pixels) => Some(pixels),
            },
            blend: self.blend,
            window: self.window,
            max_memory: self.max_memory.map_or_else(half_of_free_memory, Ok)?,
            tiles: self.max_memory.map_or(Tiles::Keep, |_| Tiles::MayShrink),
            threads: self.threads(),
            workers: match self.workers {
                Workers::Auto => None,
                Workers::Count(count) => Some(count),
            },
            layers,
        })
    }

    /// What runs the network, and how: fast, unless every pixel is to be that of the whole scene.
    pub(super) fn computing(&self) -> Computing {
        let precision = |choice| match choice {
            PrecisionChoice::F32 => Precision::F32,
            PrecisionChoice::Bf16 => Precision::Bf16,
            PrecisionChoice::F16 => Precision::F16,
            PrecisionChoice::Tf32 => Precision::Tf32,
        };
        Computing { device: self.device, precision: self.precision.map(precision), convolutions: self.blend.convolutions() }
    }

    /// The scene, within the area of interest if there is one.
    ///
    /// # Errors
    /// As [`Scene::within`].
    pub(super) fn within(&self, scene: Scene) -> swath::Result<Scene> {
        match self.area() {
            Some(area) => scene.within(&area),
            None => Ok(scene),
        }
    }

    /// The part of each scene that is labelled, if not all.
    pub(super) fn area(&self) -> Option<AreaFile> {
        self.aoi.as_ref().map(|path| AreaFile { path: path.clone(), layer: self.aoi_layer.clone() })
    }

    /// How many threads compute.
    pub(super) fn threads(&self) -> usize {
        self.threads.map_or_else(cores, usize::from)
    }
}

impl ModelArg {
    /// The models, ready to label, with what is done after them.
    ///
    /// # Errors
    /// If a model cannot be read, several do not go together, or views or refinements do not fit them.
    pub(super) fn open(&self, computing: Computing, refine: &RefineArgs) -> Result<Segmenter, AnyError> {
        let weights = self.model_weights.clone().unwrap_or_else(|| vec![1.0; self.model.len()]);
        if weights.len() != self.model.len() {
            let given = weights.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return Err(swath::Error::ModelWeights { models: self.model.len(), got: given }.into());
        }
        let choice = |(folder, weight): (&PathBuf, f32)| ModelChoice { folder: folder.clone(), weight };
        let models: Vec<ModelChoice> = self.model.iter().zip(weights).map(choice).collect();
        Ok(Segmenter::open_all(&models, computing)?.augmented(self.tta.clone())?.refined(refine.refinement())?)
    }
}

impl RefineArgs {
    /// What is done after the network.
    pub(super) fn refinement(&self) -> Refinement {
        let regions = |below: Option<Amount>| below.map(|below| SmallRegions { below, connectivity: self.connectivity });
        Refinement {
            crf: self.crf.clone().unwrap_or_default(),
            thresholds: self.threshold.clone(),
            below: self.below.clone(),
            majority: self.majority,
            holes: regions(self.fill_holes),
            sieve: regions(self.sieve),
        }
    }
}

impl RemoteArgs {
    /// Decides how stores are accessed, before any is.
    pub(super) fn set_up(&self) {
        set_access(if self.anonymous { Access::Anonymous } else { Access::Signed });
    }

    /// Where what goes to a store is made.
    pub(super) fn scratch(&self) -> PathBuf {
        self.scratch.clone().unwrap_or_else(own_folder)
    }
}

impl LayerArgs {
    /// What is written beside the labels.
    pub(super) fn layers(&self) -> Layers {
        Layers {
            probabilities: self.probabilities.as_ref().map(|_| self.probability_type.encoding()),
            confidence: self.confidence.as_ref().map(|_| LayerEncoding::U8),
        }
    }
}

impl LayerFlags {
    /// What is written beside the labels.
    pub(super) fn layers(&self) -> Layers {
        Layers {
            probabilities: self.probabilities.then(|| self.probability_type.encoding()),
            confidence: self.confidence.then_some(LayerEncoding::U8),
        }
    }
}

impl ProbabilityType {
    /// The same for the engine.
    pub(super) fn encoding(self) -> LayerEncoding {
        match self {
            Self::F32 => LayerEncoding::F32,
            Self::U8 => LayerEncoding::U8,
        }
    }
}

/// The user's own folder for what is not lost when the machine starts anew; where there is none, the one for temporary files.
fn own_folder() -> PathBuf {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = set("XDG_STATE_HOME").or_else(|| set("HOME").map(|home| home.join(".local/state")));
    state.map_or_else(env::temp_dir, |state| state.join("swath"))
}

/// All cores that the process may use.
pub(super) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Half the bytes of memory that are free, within the limit of the control group if there is one.
pub(super) fn half_of_free_memory() -> Result<usize, AnyError> {
    let mut system = sysinfo::System::new()
        .map_err(|error| format!("the system does not say how much memory is free ({error}): give --max-memory"))?;
    system.refresh_memory();
    let group = system.cgroup_limits().map_or(u64::MAX, |limits| limits.free_memory);
    Ok(system.available_memory().min(group) as usize / 2)
}
