//! From finished scores to planes of labels on the volume's own voxels.

use rayon::ThreadPool;
use rayon::iter::{IndexedParallelIterator as _, ParallelIterator as _};
use rayon::slice::ParallelSliceMut as _;
use swath_models::{LabelResampling, ModelCard, ScoreActivation};
use swath_tiling::{Size, Window};

use super::line::{Line, Taps, mix, resize};
use super::slab::Slab;
use super::source::Volume;
use crate::labels::Labeller;
use crate::{Result, Scores};

/// Makes planes of labels from blocks of finished scores.
pub(super) struct LabelPlanes<'v> {
    labeller: Labeller,
    /// Whether the one score of a voxel is a logit.
    is_logit: bool,
    way: Way<'v>,
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
    /// Labels of a network with `channels` scores per voxel; threads of `pool` resample them.
    pub(super) fn new(card: &ModelCard, volume: &'v Volume, channels: usize, pool: &'v ThreadPool) -> Self {
        let size = Size { depth: volume.lines().z.to, height: volume.lines().y.to, width: volume.lines().x.to };
        let way = match volume.labels() {
            _ if !volume.is_resampled() => Way::Same(Slab::new(1, size)),
            LabelResampling::Nearest => Way::Nearest { volume, slab: Slab::new(1, size), next: 0 },
            LabelResampling::Scores => Way::Scores(Box::new(Restored::new(volume, channels, size, pool))),
        };
        let is_logit = channels == 1 && card.activation == ScoreActivation::Sigmoid;
        Self { labeller: Labeller::new(card, None), is_logit, way }
    }

    /// Bytes of a plane while its slices are not finished: of its labels, or of all scores.
    pub(super) fn plane_bytes(volume: &Volume, channels: usize) -> usize {
        let lines = volume.lines();
        let plane = lines.y.to * lines.x.to;
        if volume.is_resampled() && volume.labels() == LabelResampling::Scores {
            plane * channels * size_of::<f32>()
        } else {
            plane
        }
    }

    /// Bytes that are held whatever the tiles: two planes of scores, and those of one of the volume's own planes.
    pub(super) fn fixed_bytes(volume: &Volume, channels: usize, threads: usize) -> usize {
        let lines = volume.lines();
        let (plane, own) = (lines.y.to * lines.x.to, lines.y.from * lines.x.from);
        if volume.is_resampled() && volume.labels() == LabelResampling::Scores {
            (plane * (channels + threads) + own * (channels + 2)) * size_of::<f32>()
        } else {
            own
        }
    }

    /// Takes a block; `write` is called with the planes that are finished with it, `(planes, height, width)` of the volume's own voxels.
    pub(super) fn take(&mut self, mut scores: Scores, mut write: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let window = scores.window;
        match &mut self.way {
            Way::Same(slab) => {
                self.is_logit.then(|| to_probabilities(&mut scores.scores));
                if slab.add(window, &self.labeller.label(&scores).values)? {
                    write(slab.values())?;
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
                        let labels: Vec<u8> = rows.flat_map(|row| (0..x.to).map(|column| row[x.nearest(column)])).collect();
                        write(&labels)?;
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
                    restored.each(|mut scores| {
                        self.is_logit.then(|| to_probabilities(&mut scores.scores));
                        write(&self.labeller.label(&scores).values)
                    })?;
                }
            }
        }
        Ok(())
    }
}

fn to_probabilities(logits: &mut [f32]) {
    for logit in logits {
        *logit = 1.0 / (1.0 + (-*logit).exp());
    }
}

/// Scores on the volume's own voxels, plane by plane: one lies between two planes of the grid, so that no more than these are needed.
struct Restored<'v> {
    slab: Slab<f32>,
    channels: usize,
    /// From the grid to the volume's own voxels.
    z: Line,
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
    fn new(volume: &Volume, channels: usize, size: Size, pool: &'v ThreadPool) -> Self {
        let lines = volume.lines();
        let [z, y, x] = [lines.z, lines.y, lines.x].map(Line::reversed);
        Self {
            slab: Slab::new(channels, size),
            channels,
            z,
            rows: y.all(),
            columns: x.all(),
            width: size.width,
            before: Vec::new(),
            next: 0,
            pool,
        }
    }

    /// Calls `label` with the scores of every plane that the slab completes.
    fn each(&mut self, mut label: impl FnMut(Scores) -> Result<()>) -> Result<()> {
        let end = self.slab.first() + self.slab.depth();
        while self.next < self.z.to {
            let taps = self.z.taps(self.next);
            if taps.high >= end {
                break;
            }
            let window = Window { z: self.next, ..Window::plane(0, 0, self.columns.len(), self.rows.len()) };
            let mut scores = vec![0.0; self.channels * window.area()];
            self.pool.install(|| {
                let planes = scores.par_chunks_exact_mut(window.area()).enumerate();
                planes.for_each(|(channel, plane)| self.restore(plane, channel, taps));
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
