//! Where the classes are.

use swath_models::train::Targets;
use swath_tiling::Window;

use super::recipe::ClassSettings;
use super::scene::{TrainingScene, TrainingSceneReader};
use crate::Result;
use crate::random::Random;

/// Side of the blocks that pixels are counted in.
const BLOCK: usize = 64;

/// Most columns that are read at once.
const COLUMNS: usize = 64 * BLOCK;

/// Pixels of every class in every block of a scene that are not held back: what crops are placed by without the labels in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Census {
    columns: usize,
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
        let mut own = Self {
            columns,
            counts: vec![vec![0; columns * rows]; classes],
            totals: vec![0; classes],
            held_back: vec![0; classes],
            area: 0,
        };
        let mut reader = scene.reader()?;
        for y in (0..all.height).step_by(BLOCK) {
            for x in (0..all.width).step_by(COLUMNS) {
                let window = Window::plane(x, y, COLUMNS, BLOCK).intersection(all);
                own.count(scene, window, &reader.labels(window)?);
            }
        }
        Ok(own)
    }

    fn count(&mut self, scene: &TrainingScene, window: Window, labels: &[u8]) {
        for start in (0..window.width).step_by(BLOCK) {
            let block = Window::plane(window.x + start, window.y, BLOCK, BLOCK).intersection(window);
            let held: Vec<Window> = scene.held(block).collect();
            let place = self.place(block);
            for row in 0..block.height {
                for column in 0..block.width {
                    let label = labels[row * window.width + start + column];
                    let is_held = is_in(&held, block.x + column, block.y + row);
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
        block.y / BLOCK * self.columns + block.x / BLOCK
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

    /// Column and row of a pixel of a class that is there, all of them as likely.
    pub(super) fn pick(
        &self,
        class: u8,
        random: &mut Random,
        scene: &TrainingScene,
        reader: &mut TrainingSceneReader<'_>,
    ) -> Result<[usize; 2]> {
        let mut rank = random.below(self.totals[usize::from(class)] as usize);
        let counts = &self.counts[usize::from(class)];
        let found = counts.iter().position(|count| {
            let is_here = rank < *count as usize;
            rank -= if is_here { 0 } else { *count as usize };
            is_here
        });
        let place = found.unwrap_or_default();
        let corner = Window::plane(place % self.columns * BLOCK, place / self.columns * BLOCK, BLOCK, BLOCK);
        let block = corner.intersection(scene.all());
        let held: Vec<Window> = scene.held(block).collect();
        let labels = reader.labels(block)?;
        let pixels = labels.iter().enumerate().filter(|(_, label)| **label == class);
        let pixels = pixels.map(|(at, _)| [block.x + at % block.width, block.y + at / block.width]);
        Ok(pixels.filter(|[x, y]| !is_in(&held, *x, *y)).nth(rank).unwrap_or([block.x, block.y]))
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

fn is_in(windows: &[Window], x: usize, y: usize) -> bool {
    windows.iter().any(|window| window.contains(Window::plane(x, y, 1, 1)))
}
