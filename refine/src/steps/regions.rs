//! Regions of one label that are too small.

use serde::{Deserialize, Serialize};
use swath_tiling::{Size, Window};

use crate::Connectivity;

/// Connected pixels of one label that are fewer than some number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Regions {
    /// The size from which on a region stays, in pixels.
    pub smallest: usize,
    /// Which pixels are connected.
    pub connectivity: Connectivity,
}

/// What is known of a pixel's region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Unknown,
    /// It is being walked through.
    Open,
    /// It is large enough, or has no data.
    Stays,
    /// It is too small, and complete.
    Small,
    /// It is too small, and has been dealt with.
    Done,
}

/// The labels of a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    /// Where the block lies in the raster.
    pub(super) window: Window,
    /// The raster.
    pub(super) raster: Size,
    pub(super) nodata: u8,
    /// `(height, width)`
    pub(super) labels: &'a [u8],
}

impl Field<'_> {
    fn place(&self, pixel: usize) -> (usize, usize) {
        (pixel % self.window.width, pixel / self.window.width)
    }

    /// Pixels that share an edge with one.
    fn beside(&self, pixel: usize) -> impl Iterator<Item = usize> + use<> {
        let (x, y) = self.place(pixel);
        let Window { width, height, .. } = self.window;
        let sides = [
            (x > 0).then(|| pixel - 1),
            (x + 1 < width).then(|| pixel + 1),
            (y > 0).then(|| pixel - width),
            (y + 1 < height).then(|| pixel + width),
        ];
        sides.into_iter().flatten()
    }

    /// Pixels that share only a corner with one.
    fn at_corners(&self, pixel: usize) -> impl Iterator<Item = usize> + use<> {
        let (x, y) = self.place(pixel);
        let Window { width, height, .. } = self.window;
        let [left, right, above, below] = [x > 0, x + 1 < width, y > 0, y + 1 < height];
        let corners = [
            (left && above).then(|| pixel - width - 1),
            (right && above).then(|| pixel - width + 1),
            (left && below).then(|| pixel + width - 1),
            (right && below).then(|| pixel + width + 1),
        ];
        corners.into_iter().flatten()
    }

    /// Whether a pixel is at the edge of the raster.
    fn is_at_edge(&self, pixel: usize) -> bool {
        let (x, y) = self.place(pixel);
        let (x, y) = (x + self.window.x, y + self.window.y);
        x == 0 || y == 0 || x + 1 == self.raster.width || y + 1 == self.raster.height
    }
}

impl Regions {
    /// Gives regions that are too small the label of those beside them that are not: the one with which they share most pixel edges, the lowest at a
    /// tie. What has none beside it stays, as do pixels without data, whose edges do not count.
    pub(super) fn sieve(self, field: Field<'_>) -> Vec<u8> {
        let mut labels = field.labels.to_vec();
        let mut marks = self.mark(field, |_| {});
        for first in 0..marks.len() {
            if marks[first] != Mark::Small {
                continue;
            }
            let region = self.walk(field, &mut marks, first);
            let mut edges = [0_u32; 256];
            for beside in region.iter().flat_map(|pixel| field.beside(*pixel)) {
                if marks[beside] == Mark::Stays && field.labels[beside] != field.nodata {
                    edges[usize::from(field.labels[beside])] += 1;
                }
            }
            // The first of the most: the lowest label.
            let best = (0..=u8::MAX).rev().max_by_key(|label| edges[usize::from(*label)]);
            if let Some(label) = best.filter(|label| edges[usize::from(*label)] > 0) {
                for pixel in &region {
                    labels[*pixel] = label;
                }
            }
        }
        labels
    }

    /// Gives regions that are too small the label that encloses them: they are not at the raster's edge, and all pixels that share an edge with them
    /// have that one label, and data.
    pub(super) fn fill(self, field: Field<'_>) -> Vec<u8> {
        let mut labels = field.labels.to_vec();
        self.mark(field, |region| {
            let own = field.labels[region[0]];
            let mut beside = region.iter().flat_map(|pixel| field.beside(*pixel)).map(|pixel| field.labels[pixel]);
            let mut others = beside.by_ref().filter(|label| *label != own);
            let Some(label) = others.next().filter(|label| *label != field.nodata) else { return };
            if others.all(|other| other == label) && !region.iter().any(|pixel| field.is_at_edge(*pixel)) {
                for pixel in region {
                    labels[*pixel] = label;
                }
            }
        });
        labels
    }

    /// Tells small regions from others; `small` is called with the pixels of each. A walk ends where it is long enough or meets a region that is
    /// known to be, so that every pixel is walked over once.
    fn mark(self, field: Field<'_>, mut small: impl FnMut(&[usize])) -> Vec<Mark> {
        let mark = |label: &u8| if *label == field.nodata { Mark::Stays } else { Mark::Unknown };
        let mut marks: Vec<Mark> = field.labels.iter().map(mark).collect();
        let mut region = Vec::new();
        for first in 0..marks.len() {
            if marks[first] != Mark::Unknown {
                continue;
            }
            region.clear();
            region.push(first);
            marks[first] = Mark::Open;
            let (mut next, mut stays) = (0, self.smallest <= 1);
            while next < region.len() && !stays {
                self.each_neighbour(field, region[next], |neighbour| match marks[neighbour] {
                    Mark::Unknown => {
                        marks[neighbour] = Mark::Open;
                        region.push(neighbour);
                    }
                    Mark::Stays => stays = true,
                    Mark::Open | Mark::Small | Mark::Done => {}
                });
                stays |= region.len() >= self.smallest;
                next += 1;
            }
            if !stays {
                small(&region);
            }
            let mark = if stays { Mark::Stays } else { Mark::Small };
            for pixel in &region {
                marks[*pixel] = mark;
            }
        }
        marks
    }

    /// All pixels of a small region.
    fn walk(self, field: Field<'_>, marks: &mut [Mark], first: usize) -> Vec<usize> {
        let mut region = vec![first];
        marks[first] = Mark::Done;
        let mut next = 0;
        while next < region.len() {
            self.each_neighbour(field, region[next], |neighbour| {
                if marks[neighbour] == Mark::Small {
                    marks[neighbour] = Mark::Done;
                    region.push(neighbour);
                }
            });
            next += 1;
        }
        region
    }

    /// Calls `visit` with the connected pixels around one.
    fn each_neighbour(self, field: Field<'_>, pixel: usize, mut visit: impl FnMut(usize)) {
        let own = field.labels[pixel];
        let mut visit = |neighbour: usize| {
            if field.labels[neighbour] == own {
                visit(neighbour);
            }
        };
        field.beside(pixel).for_each(&mut visit);
        if self.connectivity.is_diagonal() {
            field.at_corners(pixel).for_each(&mut visit);
        }
    }
}
