//! One scene, from file to finished product.

use std::path::PathBuf;
use std::time::Instant;

use swath_refine::LabelSteps;
use swath_tiling::Window;

use super::Segmenter;
use super::writer::Writer;
use crate::heap;
use crate::identity::difference;
use crate::labelled::{say_kept, sync_folders};
use crate::labels::Labeller;
use crate::ledger::{self, Durability, Ledger};
use crate::pipeline::{self, Observer};
use crate::plan::Plan;
use crate::product::{Product, Sinks};
use crate::resume::recover;
use crate::shard::ShardFacts;
use crate::sink::Start;
use crate::sink::space::{self, Need};
use crate::source::{DECODED, RasterSource as _, STORED, Scene};
use crate::{Error, Existing, Labelled, LayerEncoding, Location, Outputs, ProbabilityOutput, Report, Result, Shard, ShardReport};

/// A run that may begin: nobody else writes its outputs.
#[derive(Debug)]
struct Admission {
    outputs: Outputs,
    ledger: Ledger,
    run: ledger::Run,
    start: Start,
}

impl Segmenter {
    /// Labels a scene. The outputs appear when all of them are complete.
    ///
    /// A run that was killed, interrupted or failed is gone on with, if it was the same: of the same model, scene and options. What it had done is
    /// checked and kept, and the rasters are those of a run without a break, byte for byte.
    ///
    /// # Errors
    /// If something exists already, there is an unfinished run of another model, scene or option, the disk is too full, something cannot be read or
    /// written, or a score is not a number.
    pub fn run(&self, scene: &Scene, plan: &Plan, outputs: &Outputs, observer: &dyn Observer) -> Result<Report> {
        self.run_then(scene, plan, outputs, observer, |_| Ok(()))
    }

    /// The same; when the outputs have their names, `then` is called, which may take them elsewhere. If it fails, the same run goes on there.
    ///
    /// # Errors
    /// As [`Segmenter::run`], or if `then` fails.
    pub fn run_then(
        &self,
        scene: &Scene,
        plan: &Plan,
        outputs: &Outputs,
        observer: &dyn Observer,
        then: impl FnOnce(&Report) -> Result<()>,
    ) -> Result<Report> {
        let labelled = self.label(scene, plan, outputs, observer)?;
        self.finish(labelled, observer, then)
    }

    /// The first half of [`Segmenter::run`]: the network has run when it returns. [`Labelled::finish`] is the second.
    ///
    /// # Errors
    /// As [`Segmenter::run`].
    pub fn label(&self, scene: &Scene, plan: &Plan, outputs: &Outputs, observer: &dyn Observer) -> Result<Labelled> {
        self.label_part(scene, plan, outputs, None, observer)
    }

    /// Labels one of several parts of the scene that `plan` is for; `outputs` are the whole's. [`merge`](crate::merge) makes them of all shards.
    ///
    /// # Errors
    /// As [`Segmenter::run_then`].
    pub fn run_shard(
        &self,
        scene: &Scene,
        plan: &Plan,
        shard: Shard,
        outputs: &Outputs,
        observer: &dyn Observer,
        then: impl FnOnce(&Report) -> Result<()>,
    ) -> Result<ShardReport> {
        let [whole, mut outputs] = [outputs, &shard.outputs(outputs)].map(Clone::clone);
        let identity = self.identity(scene, plan);
        let found = if outputs.existing == Existing::Refuse { ShardFacts::read(&outputs.item())? } else { None };
        if let Some(found) = found {
            let difference = difference(&found.identity, &identity);
            if !difference.is_empty() {
                return Err(Error::OtherRun { path: outputs.labels, difference });
            }
            if found.rows == 0 {
                return Ok(ShardReport::Empty(outputs.item()));
            }
            if outputs.rasters().iter().all(|raster| raster.exists()) {
                return Ok(ShardReport::Finished(outputs.item()));
            }
            // A raster of it was lost; what is left is its own.
            outputs.existing = Existing::Overwrite;
        }
        whole.refuse()?;
        let part = shard.part(plan);
        let window = part.as_ref().map(|part| plan.to_output(part.layout.window));
        let facts = ShardFacts {
            shard,
            first_row: window.map_or(0, |window| window.y),
            rows: window.map_or(0, |window| window.height),
            identity,
            whole: self.product(scene, plan),
        };
        let Some(part) = part else {
            facts.write_alone(&outputs.item(), outputs.existing)?;
            return Ok(ShardReport::Empty(outputs.item()));
        };
        let labelled = self.label_part(scene, &part, &outputs, Some(&facts), observer)?;
        let report = self.finish(labelled, observer, then)?;
        Ok(ShardReport::Labelled(Box::new(report)))
    }

    /// Gives back the memory that the network took before the files are made.
    fn finish(&self, labelled: Labelled, observer: &dyn Observer, then: impl FnOnce(&Report) -> Result<()>) -> Result<Report> {
        self.executor.trim();
        heap::trim();
        labelled.finish_then(observer, then)
    }

    /// Whether a run could begin: an error if the outputs are not those of the plan, one of them is the scene, exists already, or has a folder that is
    /// missing or not writable, another process writes them, or an unfinished run is another one.
    ///
    /// # Errors
    /// As said.
    pub fn check(&self, scene: &Scene, plan: &Plan, outputs: &Outputs) -> Result<()> {
        outputs.try_to_create()?;
        self.admit(scene, plan, outputs).map(drop)
    }

    /// Locks the outputs and finds where to start.
    fn admit(&self, scene: &Scene, plan: &Plan, outputs: &Outputs) -> Result<Admission> {
        for location in scene.input().locations() {
            if let Location::Local(path) = location {
                outputs.refuse_scene(path)?;
            }
        }
        if outputs.layers() != plan.layers {
            return Err(Error::Layers { path: outputs.labels.clone(), expected: plan.layers.to_string() });
        }
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        let files = outputs.files().into_iter().map(absolute).collect();
        let run = ledger::Run { identity: self.identity(scene, plan), files };
        let ledger = Ledger::open(&outputs.labels)?;
        let mut outputs = outputs.clone();
        let (start, existing) = ledger.admit(&run, &outputs.labels, outputs.existing)?;
        outputs.existing = existing;
        outputs.refuse()?;
        Ok(Admission { outputs, ledger, run, start })
    }

    fn label_part(
        &self,
        scene: &Scene,
        plan: &Plan,
        outputs: &Outputs,
        shard: Option<&ShardFacts>,
        observer: &dyn Observer,
    ) -> Result<Labelled> {
        let started = Instant::now();
        let _decoded = DECODED.share(plan.memory.cache);
        let _stored = STORED.share(plan.memory.remote);
        let Admission { outputs, mut ledger, run, start } = self.admit(scene, plan, outputs)?;
        let product = self.product(scene, plan);
        // The labels of a shard's neighbours are not there yet: steps that need them are done when all are merged.
        let steps = if shard.is_some() { LabelSteps::none(product.nodata) } else { product.steps };
        let product = Product { steps, ..product };
        // What is done within one row of tiles is not worth a ledger.
        let is_long = plan.swaths.len() > 1 || plan.layout.grid.row_starts().len() > 1;
        let (finished, old) = match (start, ledger.entries()) {
            (Start::Continue, Some(entries)) => (entries.windows.clone(), start),
            _ => (Vec::new(), Start::Anew),
        };
        match old {
            Start::Continue => ledger.go_on(),
            Start::Anew => {
                ledger.forget()?;
                check_space(&product, &outputs)?;
                if is_long {
                    ledger.begin(run.clone(), Durability::Machine)?;
                }
            }
        }
        let mut sinks = Sinks::start(&product, &outputs, plan.finish_threads, old)?;
        if is_long {
            sync_folders(&outputs.files())?;
        }
        if ledger.is_worth_keeping() {
            sinks.keep();
        }
        let rest = recover(plan, &finished, &mut sinks)?;
        if rest.pixels > 0 {
            observer.resumed(plan.tiles().saturating_sub(rest.plan.tiles()), rest.pixels);
            let Window { y, height, .. } = plan.layout.window;
            let row = rest.plan.swaths.first().map_or(height, |swath| swath.owned().y - y);
            tracing::info!("{}: resuming at row {row} of {height}", outputs.labels.display());
        }
        let labeller = Labeller::new(&self.card, plan.refine.thresholds.as_ref());
        let ledger_of = is_long.then_some(&mut ledger);
        let mut writer = Writer { plan: &rest.plan, labeller, sinks: &mut sinks, ledger: ledger_of };
        let result = pipeline::run_to(scene, self.executor.as_ref(), &self.card.scaling, &rest.plan, observer, &mut writer);
        let timings = match result {
            Ok(timings) => timings,
            Err(error) => {
                if error.would_recur() {
                    ledger.forget()?;
                } else if ledger.is_worth_keeping() {
                    say_kept(&outputs.labels);
                }
                return Err(error);
            }
        };
        let shard = shard.map(ShardFacts::to_json).transpose()?;
        let scene = scene.profile().path.clone();
        Ok(Labelled { scene, product, outputs, sinks, ledger, run, shard, timings, spent: started.elapsed() })
    }
}

/// An error if scratch and finished files do not fit on the disk.
fn check_space(product: &Product, outputs: &Outputs) -> Result<()> {
    let pixels = product.size().area() as u64;
    let values = |bands: usize, encoding: LayerEncoding| pixels * (bands * encoding.bytes()) as u64;
    // Scratch, and what DEFLATE usually leaves with a third more for overviews: of labels little, of numbers nearly all.
    let scratches = if product.steps.is_none() { 1 } else { 2 };
    let mut needs = vec![Need { file: outputs.labels.clone(), bytes: scratches * pixels + pixels / 4 }];
    if let Some(ProbabilityOutput { path, encoding }) = &outputs.probabilities {
        let scratch = values(product.classes.len(), *encoding);
        needs.push(Need { file: path.clone(), bytes: 2 * scratch });
    }
    if let Some(path) = &outputs.confidence {
        needs.push(Need { file: path.clone(), bytes: 2 * values(1, LayerEncoding::U8) });
    }
    space::check(&needs)
}
