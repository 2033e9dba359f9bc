//! Where the classes are.

use swath_models::Axes;
use swath_models::train::Targets;
use swath_tiling::Window;

use super::recipe::{ClassSettings, Role};
use super::scene::{TrainingScene, TrainingSceneReader};
use crate::Result;
use crate::random::Random;

/// Side of the blocks that pixels are counted in.
const BLOCK: usize = 64;

/// Slices of such a block of a volume.
const SLICES: usize = 16;

/// Most columns that are read at once.
const COLUMNS: usize = 64 * BLOCK;

/// Pixels of every class in every block of a scene that are not held back: what crops are placed by without the labels in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Census {
    columns: usize,
    rows: usize,
    /// Of each class, per block.
    counts: Vec<Vec<u32>>,
    /// Of each class, in all.
    totals: Vec<u64>,
    /// Of each class, of the pixels that are held back.
    held_back: Vec<u64>,
    /// Pixels that are not held back, labelled or not.
    area: u64,
}

impl Census {
    /// Reads the labels of a scene once.
    pub(super) fn take(scene: &TrainingScene, classes: usize) -> Result<Self> {
        let all = scene.all();
        let (columns, rows) = (all.width.div_ceil(BLOCK), all.height.div_ceil(BLOCK));
        let layers = all.depth.div_ceil(SLICES);
        let mut own = Self {
            columns,
            rows,
            counts: vec![vec![0; columns * rows * layers]; classes],
            totals: vec![0; classes],
            held_back: vec![0; classes],
            area: 0,
        };
        let mut reader = scene.reader()?;
        for z in (0..all.depth).step_by(SLICES) {
            for y in (0..all.height).step_by(BLOCK) {
                for x in (0..all.width).step_by(COLUMNS) {
                    let window = Window { z, y, x, depth: SLICES, height: BLOCK, width: COLUMNS }.intersection(all);
                    own.count(scene, window, &reader.labels(window)?);
                }
            }
        }
        if scene.role == Role::Both {
            own.held_back.clone_from(&own.totals);
        }
        Ok(own)
    }

    fn count(&mut self, scene: &TrainingScene, window: Window, labels: &[u8]) {
        for start in (0..window.width).step_by(BLOCK) {
            let block = Window { x: window.x + start, width: BLOCK, ..window }.intersection(window);
            let held: Vec<Window> = scene.held(block).collect();
            let place = self.place(block);
            for line in 0..block.depth * block.height {
                for column in 0..block.width {
                    let label = labels[line * window.width + start + column];
                    let [z, y] = [block.z + line / block.height, block.y + line % block.height];
                    let is_held = is_in(&held, Axes { z, y, x: block.x + column });
                    self.area += u64::from(!is_held);
                    match (label, is_held) {
                        (Targets::IGNORE, _) => {}
                        (label, true) => self.held_back[usize::from(label)] += 1,
                        (label, false) => {
                            self.totals[usize::from(label)] += 1;
                            self.counts[usize::from(label)][place] += 1;
                        }
                    }
                }
            }
        }
    }

    fn place(&self, block: Window) -> usize {
        (block.z / SLICES * self.rows + block.y / BLOCK) * self.columns + block.x / BLOCK
    }

    /// Pixels of each class that may be learned from.
    pub(super) fn totals(&self) -> &[u64] {
        &self.totals
    }

    /// Pixels of each class that are held back.
    pub(super) fn held_back(&self) -> &[u64] {
        &self.held_back
    }

    /// Pixels that may be learned from, labelled or not.
    pub(super) fn area(&self) -> u64 {
        self.area
    }

    /// Where a pixel of a class that is there lies, all of them as likely.
    pub(super) fn pick(
        &self,
        class: u8,
        random: &mut Random,
        scene: &TrainingScene,
        reader: &mut TrainingSceneReader<'_>,
    ) -> Result<Axes<usize>> {
        let mut rank = random.below(self.totals[usize::from(class)] as usize);
        let counts = &self.counts[usize::from(class)];
        let found = counts.iter().position(|count| {
            let is_here = rank < *count as usize;
            rank -= if is_here { 0 } else { *count as usize };
            is_here
        });
        let place = found.unwrap_or_default();
        let (line, x) = (place / self.columns, place % self.columns * BLOCK);
        let (z, y) = (line / self.rows * SLICES, line % self.rows * BLOCK);
        let block = Window { z, y, x, depth: SLICES, height: BLOCK, width: BLOCK }.intersection(scene.all());
        let held: Vec<Window> = scene.held(block).collect();
        let labels = reader.labels(block)?;
        let pixels = labels.iter().enumerate().filter(|(_, label)| **label == class);
        let pixels = pixels.map(|(at, _)| {
            let line = at / block.width;
            Axes { z: block.z + line / block.height, y: block.y + line % block.height, x: block.x + at % block.width }
        });
        let first = Axes { z: block.z, y: block.y, x: block.x };
        Ok(pixels.filter(|pixel| !is_in(&held, *pixel)).nth(rank).unwrap_or(first))
    }
}

/// Warns of classes that no pixel has that may be learned from.
pub(super) fn warn_of_absent(classes: &[ClassSettings], censuses: &[Census]) {
    for (at, class) in classes.iter().enumerate() {
        if censuses.iter().all(|census| census.totals[at] == 0) {
            tracing::warn!("class `{}` has no pixel in any scene to learn from", class.name);
        }
    }
}

fn is_in(windows: &[Window], Axes { z, y, x }: Axes<usize>) -> bool {
    let pixel = Window { z, y, x, depth: 1, height: 1, width: 1 };
    windows.iter().any(|window| window.contains(pixel))
}
