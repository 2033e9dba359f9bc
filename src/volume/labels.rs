//! From finished scores to planes of labels and probabilities on the volume's own voxels.

use std::time::Duration;

use rayon::ThreadPool;
use rayon::iter::{IndexedParallelIterator as _, ParallelIterator as _};
use rayon::slice::ParallelSliceMut as _;
use swath_models::{LabelResampling, ModelCard, ScoreActivation};
use swath_tiling::{Size, Window};

use super::line::{Line, Taps, mix, resize};
use super::slab::Slab;
use super::source::Volume;
use crate::clocks::Clock;
use crate::labels::Labeller;
use crate::plan::Layers;
use crate::{Result, Scores};

/// What is made of scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Labels.
    Labels,
    /// Labels, and the probability of each class.
    Probabilities,
}

impl Wanted {
    pub(super) fn of(layers: Layers) -> Self {
        if layers.probabilities.is_some() { Self::Probabilities } else { Self::Labels }
    }
}

/// Finished planes of the volume's own voxels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Finished<'f> {
    /// `(planes, height, width)`
    pub(super) labels: &'f [u8],
    /// `(classes, planes, height, width)`, NaN where there is no label; empty if they are not wanted.
    pub(super) probabilities: &'f [f32],
}

impl<'f> Finished<'f> {
    fn only(labels: &'f [u8]) -> Self {
        Self { labels, probabilities: &[] }
    }
}

/// Where finished planes go.
pub(super) trait PlaneSink: Send {
    /// Takes the next planes.
    fn take(&mut self, finished: Finished<'_>) -> Result<()>;

    /// Hears that no more planes come before the next layer of tiles is finished.
    fn settle(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Makes planes of labels from blocks of finished scores.
pub(super) struct LabelPlanes<'v> {
    labeller: Labeller,
    activation: ScoreActivation,
    /// Whether the one score of a voxel is a logit.
    is_logit: bool,
    wanted: Wanted,
    way: Way<'v>,
    pool: &'v ThreadPool,
    /// The time that bringing labels or scores back has taken.
    restoring: Clock,
}

/// How labels come back to the volume's own voxels.
enum Way<'v> {
    /// They are there.
    Same(Slab<u8>),
    /// Each voxel has the label of the nearest one of the grid.
    Nearest { volume: &'v Volume, slab: Slab<u8>, next: usize },
    /// Each voxel has the label of its own scores.
    Scores(Box<Restored<'v>>),
}

impl<'v> LabelPlanes<'v> {
    /// Labels of a network with `channels` scores per voxel, from the volume's own plane `next` on; threads of `pool` resample them.
    pub(super) fn new(
        card: &ModelCard,
        volume: &'v Volume,
        channels: usize,
        wanted: Wanted,
        next: usize,
        pool: &'v ThreadPool,
    ) -> Self {
        let size = Size { depth: volume.lines().z.to, height: volume.lines().y.to, width: volume.lines().x.to };
        let first = Self::first_needed(volume, wanted, next);
        let way = if are_scores_held(volume, wanted) {
            Way::Scores(Box::new(Restored::new(volume, Slab::new(channels, size, first), channels, next, pool)))
        } else if volume.is_resampled() {
            Way::Nearest { volume, slab: Slab::new(1, size, first), next }
        } else {
            Way::Same(Slab::new(1, size, first))
        };
        let (labeller, activation) = (Labeller::new(card, None), card.activation);
        let is_logit = channels == 1 && activation == ScoreActivation::Sigmoid;
        Self { labeller, activation, is_logit, wanted, way, pool, restoring: Clock::default() }
    }

    /// The first plane of the grid that the volume's own planes from `next` on are made of.
    pub(super) fn first_needed(volume: &Volume, wanted: Wanted, next: usize) -> usize {
        if are_scores_held(volume, wanted) {
            plane_taps(volume).get(next).map_or(volume.lines().z.to, |taps| taps.low)
        } else if volume.is_resampled() {
            volume.lines().z.reversed().nearest(next)
        } else {
            next
        }
    }

    /// The time that bringing labels or scores back to the volume's own voxels has taken.
    pub(super) fn restoring(&self) -> Duration {
        self.restoring.take()
    }

    /// Bytes of a plane while its slices are not finished: of its labels, or of all scores.
    pub(super) fn plane_bytes(volume: &Volume, channels: usize, wanted: Wanted) -> usize {
        let lines = volume.lines();
        let plane = lines.y.to * lines.x.to;
        if are_scores_held(volume, wanted) { plane * channels * size_of::<f32>() } else { plane }
    }

    /// Bytes that are held whatever the tiles: two planes of scores, and those of one of the volume's own planes.
    pub(super) fn fixed_bytes(volume: &Volume, channels: usize, wanted: Wanted, threads: usize) -> usize {
        let lines = volume.lines();
        let (plane, own) = (lines.y.to * lines.x.to, lines.y.from * lines.x.from);
        if are_scores_held(volume, wanted) {
            // Of one score, the probabilities are two.
            let probabilities = if wanted == Wanted::Probabilities { channels.max(2) + 2 } else { 0 };
            (plane * (channels + threads) + own * (channels + 2 + probabilities)) * size_of::<f32>()
        } else {
            own
        }
    }

    /// Takes a block; `sink` gets the planes of the volume's own voxels that are finished with it.
    pub(super) fn take(&mut self, mut scores: Scores, sink: &mut dyn PlaneSink) -> Result<()> {
        let window = scores.window;
        let mut write = |finished: Finished<'_>| sink.take(finished);
        match &mut self.way {
            Way::Same(slab) => {
                self.is_logit.then(|| to_probabilities(&mut scores.scores));
                if slab.add(window, &self.labeller.label(&scores).values)? {
                    write(Finished::only(slab.values()))?;
                }
            }
            Way::Nearest { volume, slab, next } => {
                self.is_logit.then(|| to_probabilities(&mut scores.scores));
                if slab.add(window, &self.labeller.label(&scores).values)? {
                    let lines = volume.lines();
                    let [z, y, x] = [lines.z, lines.y, lines.x].map(Line::reversed);
                    while *next < z.to && z.nearest(*next) < slab.first() + slab.depth() {
                        let plane = slab.plane(0, z.nearest(*next));
                        let rows = (0..y.to).map(|row| &plane[y.nearest(row) * x.from..][..x.from]);
                        let labels = rows.flat_map(|row| (0..x.to).map(|column| row[x.nearest(column)]));
                        write(Finished::only(&self.restoring.time(|| labels.collect::<Vec<u8>>())))?;
                        *next += 1;
                    }
                }
            }
            Way::Scores(restored) => {
                // Where there is no value there is no label: what is not a number stays so.
                for plane in scores.scores.chunks_exact_mut(scores.valid.len()) {
                    plane.iter_mut().zip(&scores.valid).filter(|(_, valid)| !**valid).for_each(|(score, _)| *score = f32::NAN);
                }
                if restored.slab.add(window, &scores.scores)? {
                    drop(scores);
                    restored.each(&self.restoring, |mut scores| {
                        self.is_logit.then(|| to_probabilities(&mut scores.scores));
                        let labels = &self.labeller.label(&scores).values;
                        if self.wanted == Wanted::Labels {
                            return write(Finished::only(labels));
                        }
                        match self.activation {
                            ScoreActivation::Softmax => self.pool.install(|| softmax(&mut scores.scores, scores.valid.len())),
                            ScoreActivation::Sigmoid if !self.is_logit => to_probabilities(&mut scores.scores),
                            ScoreActivation::Sigmoid | ScoreActivation::None => {}
                        }
                        write(Finished { labels, probabilities: &self.labeller.probabilities(&scores) })
                    })?;
                }
            }
        }
        sink.settle()
    }
}

/// Whether scores wait until their planes are whole, and not their labels.
fn are_scores_held(volume: &Volume, wanted: Wanted) -> bool {
    wanted == Wanted::Probabilities || volume.is_resampled() && volume.labels() == LabelResampling::Scores
}

/// Makes logits, `(classes, pixels)`, probabilities of classes that exclude each other.
fn softmax(logits: &mut [f32], pixels: usize) {
    let mut largest = vec![f32::NEG_INFINITY; pixels];
    for plane in logits.chunks_exact(pixels) {
        largest.iter_mut().zip(plane).for_each(|(largest, logit)| *largest = largest.max(*logit));
    }
    logits.par_chunks_exact_mut(pixels).for_each(|plane| {
        plane.iter_mut().zip(&largest).for_each(|(logit, largest)| *logit = (*logit - largest).exp());
    });
    let mut sums = vec![0.0; pixels];
    for plane in logits.chunks_exact(pixels) {
        sums.iter_mut().zip(plane).for_each(|(sum, share)| *sum += share);
    }
    for plane in logits.chunks_exact_mut(pixels) {
        plane.iter_mut().zip(&sums).for_each(|(share, sum)| *share /= sum);
    }
}

fn to_probabilities(logits: &mut [f32]) {
    for logit in logits {
        *logit = 1.0 / (1.0 + (-*logit).exp());
    }
}

/// What the volume's own planes are mixed of.
fn plane_taps(volume: &Volume) -> Vec<Taps> {
    taps_back(volume, 0, volume.lines().z)
}

/// What the volume's own voxels along an axis are mixed of.
fn taps_back(volume: &Volume, axis: usize, line: Line) -> Vec<Taps> {
    let is_nearest = volume.labels() == LabelResampling::Nearest || volume.coarse() == Some(axis);
    if is_nearest { line.reversed().all_nearest() } else { line.reversed().all() }
}

/// Scores on the volume's own voxels, plane by plane: one lies between two planes of the grid, so that no more than these are needed.
struct Restored<'v> {
    slab: Slab<f32>,
    channels: usize,
    /// From the grid to the volume's own voxels.
    planes: Vec<Taps>,
    rows: Vec<Taps>,
    columns: Vec<Taps>,
    width: usize,
    /// The last plane of the slab before: `(channels, height, width)`.
    before: Vec<f32>,
    /// The next of the volume's own planes.
    next: usize,
    pool: &'v ThreadPool,
}

impl<'v> Restored<'v> {
    fn new(volume: &Volume, slab: Slab<f32>, channels: usize, next: usize, pool: &'v ThreadPool) -> Self {
        let lines = volume.lines();
        let (rows, columns) = (taps_back(volume, 1, lines.y), taps_back(volume, 2, lines.x));
        Self { slab, channels, planes: plane_taps(volume), rows, columns, width: lines.x.to, before: Vec::new(), next, pool }
    }

    /// Calls `label` with the scores of every plane that the slab completes; `clock` measures how long finding them takes.
    fn each(&mut self, clock: &Clock, mut label: impl FnMut(Scores) -> Result<()>) -> Result<()> {
        let end = self.slab.first() + self.slab.depth();
        while let Some(taps) = self.planes.get(self.next).copied().filter(|taps| taps.high < end) {
            let window = Window { z: self.next, ..Window::plane(0, 0, self.columns.len(), self.rows.len()) };
            let mut scores = vec![0.0; self.channels * window.area()];
            clock.time(|| {
                self.pool.install(|| {
                    let planes = scores.par_chunks_exact_mut(window.area()).enumerate();
                    planes.for_each(|(channel, plane)| self.restore(plane, channel, taps));
                });
            });
            let valid = scores[..window.area()].iter().map(|score| score.is_finite()).collect();
            label(Scores { window, scores, valid })?;
            self.next += 1;
        }
        self.before.clear();
        for channel in 0..self.channels {
            self.before.extend_from_slice(self.slab.plane(channel, end - 1));
        }
        Ok(())
    }

    /// One channel of one of the volume's own planes.
    fn restore(&self, out: &mut [f32], channel: usize, Taps { low, high, weight }: Taps) {
        let area = self.slab.plane(0, self.slab.first()).len();
        let plane = |z: usize| {
            if z < self.slab.first() { &self.before[channel * area..(channel + 1) * area] } else { self.slab.plane(channel, z) }
        };
        if weight == 0.0 {
            return resize(out, plane(low), &self.rows, &self.columns, self.width);
        }
        let mut between = vec![0.0; plane(low).len()];
        mix(&mut between, plane(low), plane(high), weight);
        resize(out, &between, &self.rows, &self.columns, self.width);
    }
}
