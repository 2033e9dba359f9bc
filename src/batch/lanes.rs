//! Several scenes at once.

use std::collections::HashMap;
use std::iter::Enumerate;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;
use std::vec::IntoIter;

use super::job::{CONFIDENCE, PROBABILITIES, RECEIPT};
use super::{Outcome, Summary};
use crate::manifest::BatchScene;
use crate::plan::{Layers, Plan, PlanRequest};
use crate::source::{AreaFile, BandRequest};
use crate::{Error, Existing, Location, Result, Segmenter, remote};

/// How many failures a batch bears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Patience {
    /// All other scenes are tried, whatever happens.
    #[default]
    Endless,
    /// No further scene is begun when more than so many have failed.
    Failures(usize),
}

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
}

/// Hears what becomes of a batch's scenes. Called from several threads.
pub trait BatchObserver: Sync {
    /// A scene was planned and is now labelled.
    fn started(&self, _scene: &str, _plan: &Plan) {}

    /// A tile of some scene is done, and with it so many pixels.
    fn tile_done(&self, _pixels: usize) {}

    /// This is what became of a scene.
    fn ended(&self, _scene: &str, _outcome: &Outcome) {}

    /// Whether to stop now. Scenes that are being labelled stay resumable.
    fn is_cancelled(&self) -> bool {
        false
    }
}

impl Batch<'_> {
    /// Labels the scenes. Those that fail are in the summary.
    ///
    /// # Errors
    /// If the output cannot be listed.
    pub fn run(&self, mut scenes: Vec<Result<BatchScene>>, observer: &dyn BatchObserver) -> Result<Summary> {
        let started = Instant::now();
        self.refuse_twins(&mut scenes);
        let before = remote::traffic();
        let all = scenes.len();
        let run = Run {
            batch: self,
            observer,
            present: self.present()?,
            queue: Mutex::new(scenes.into_iter().enumerate()),
            summary: Mutex::default(),
            stop: AtomicBool::new(false),
        };
        thread::scope(|scope| {
            for _ in 0..self.jobs.get().min(all) {
                scope.spawn(|| run.lane());
            }
        });
        let mut summary = run.summary.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        summary.left = all - summary.done - summary.skipped - summary.failed.len();
        summary.elapsed = started.elapsed();
        summary.traffic = remote::traffic() - before;
        Ok(summary)
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
    queue: Mutex<Enumerate<IntoIter<Result<BatchScene>>>>,
    summary: Mutex<Summary>,
    /// Too many scenes failed.
    stop: AtomicBool,
}

impl Run<'_> {
    /// Takes scenes until there are none left, or the batch is stopped.
    fn lane(&self) {
        while !self.is_stopped() {
            // Only a lane that panicked leaves no lock, and its panic is passed on by the scope.
            let Some((place, scene)) = self.queue.lock().ok().and_then(|mut queue| queue.next()) else { return };
            let name = scene.as_ref().map_or_else(|_| format!("scene {}", place + 1), |scene| scene.name.to_string());
            let outcome = match scene.and_then(|scene| self.label(&scene)) {
                Ok(outcome) => outcome,
                Err(Error::Cancelled { .. }) => return,
                Err(error) => Outcome::Failed(error),
            };
            self.observer.ended(&name, &outcome);
            let Ok(mut summary) = self.summary.lock() else { return };
            summary.add(name, outcome);
            if let Patience::Failures(most) = self.batch.patience
                && summary.failed.len() > most
            {
                self.stop.store(true, Ordering::Relaxed);
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.observer.is_cancelled()
    }
}
