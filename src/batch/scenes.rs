//! The scenes of a batch.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use super::job::{CONFIDENCE, PROBABILITIES, RECEIPT};
use super::lanes::{Entry, Lanes};
use super::{BatchObserver, Patience, Summary};
use crate::manifest::BatchScene;
use crate::plan::{Layers, PlanRequest};
use crate::source::{AreaFile, BandRequest};
use crate::{Error, Existing, Location, Result, Segmenter, Shard};

/// Scenes to label with one model, into one folder or prefix.
#[derive(Debug)]
pub struct Batch<'a> {
    /// The model.
    pub segmenter: &'a Segmenter,
    /// Where products go: a local folder or a prefix in a store.
    pub output: Location,
    /// Where products for a store are made.
    pub scratch: PathBuf,
    /// How each scene is planned. Memory is shared by all scenes that are labelled at once.
    pub request: PlanRequest,
    /// The model's bands in the scenes, if neither those of its card nor those that the manifest says.
    pub bands: Option<Vec<BandRequest>>,
    /// What happens to products that are there already, and to what was begun otherwise.
    pub existing: Existing,
    /// Scenes that are labelled at once. Each passes through phases that wait for a store, or keep one core busy, while others compute.
    pub jobs: NonZeroUsize,
    /// The part of each scene that is labelled, if not all.
    pub area: Option<AreaFile>,
    /// How many failures it bears.
    pub patience: Patience,
    /// The part of the scenes that is labelled, if not all: every N-th, from the K-th on.
    pub shard: Option<Shard>,
}

impl Batch<'_> {
    /// Labels the scenes. Those that fail are in the summary.
    ///
    /// # Errors
    /// If the output cannot be listed.
    pub fn run(&self, mut scenes: Vec<Result<BatchScene>>, observer: &dyn BatchObserver) -> Result<Summary> {
        self.refuse_twins(&mut scenes);
        let name = |place: usize, scene: &Result<BatchScene>| match scene {
            Ok(scene) => scene.name.to_string(),
            Err(_) => format!("scene {}", place + 1),
        };
        let entries = scenes.into_iter().enumerate().filter(|(place, _)| self.shard.is_none_or(|shard| shard.has(*place)));
        let entries = entries.map(|(place, raster)| Entry { name: name(place, &raster), raster }).collect();
        let run = Run { batch: self, observer, present: self.present()? };
        let lanes = Lanes { jobs: self.jobs, patience: self.patience, observer };
        Ok(lanes.run(entries, |_, scene| run.label(&scene?)))
    }

    /// Scenes with a product that an earlier one has, too, are errors: the scene `a_confidence`, where `a` has a layer of that name.
    fn refuse_twins(&self, scenes: &mut [Result<BatchScene>]) {
        let mut owners: HashMap<String, PathBuf> = HashMap::new();
        for place in scenes {
            let Ok(scene) = &place else { continue };
            let own = self.products(scene.name.as_str());
            let twin = own.iter().find_map(|name| Some((name.clone(), owners.get(name)?.clone())));
            let shown = scene.input.shown();
            match twin {
                Some((name, first)) => *place = Err(Error::SameOutput { first, second: shown, output: name.into() }),
                None => owners.extend(own.into_iter().map(|name| (name, shown.clone()))),
            }
        }
    }

    /// The names of all products of a scene.
    fn products(&self, name: &str) -> Vec<String> {
        let Layers { probabilities, confidence } = self.request.layers;
        let layers = [(probabilities, PROBABILITIES), (confidence, CONFIDENCE)];
        let layers = layers.into_iter().filter_map(|(layer, suffix)| layer.map(|_| suffix));
        [".tif", ".json", RECEIPT].into_iter().chain(layers).map(|suffix| format!("{name}{suffix}")).collect()
    }

    /// What lies in the output folder already: sizes by name. One listing instead of a question for each scene.
    fn present(&self) -> Result<HashMap<String, u64>> {
        Ok(self.output.list()?.into_iter().map(|entry| (entry.name, entry.version.size)).collect())
    }
}

/// A batch that is under way.
pub(super) struct Run<'a> {
    pub(super) batch: &'a Batch<'a>,
    pub(super) observer: &'a dyn BatchObserver,
    /// Sizes of the files in the output folder when the batch began, by name.
    pub(super) present: HashMap<String, u64>,
}
