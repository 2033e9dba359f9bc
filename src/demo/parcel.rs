//! The mosaic of fields: blocks of land (a jittered Voronoi diagram), each cut into strips of its own direction.

use super::noise::{Noise, Random, hash, mix, unit};

/// Mean width of a block, in pixels.
const BLOCK: f64 = 290.0;
/// How far a site may lie from the middle of its lattice cell, as a share of it; within this, the 3 x 3 cells around hold the nearest site.
const JITTER: f64 = 0.3;
/// Beyond this distance from a block's border, in pixels, it does not matter what the border is.
const BORDER: f64 = 12.0;

/// Blocks beyond the scene's edge, so that villages there find their fields too.
const MARGIN: i64 = 6;

/// The mosaic of fields.
#[derive(Debug)]
pub(super) struct Parcels {
    /// The blocks' sites, row by row of the lattice; the first is that of cell `-MARGIN, -MARGIN`.
    sites: Vec<Site>,
    /// Lattice cells per row.
    columns: i64,
    /// Displacements that bend the blocks' borders.
    bend: [Noise; 2],
}

/// One piece of land with one use, and where a point lies in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parcel {
    /// A random number of the block.
    pub(super) block: u64,
    /// A random number of the parcel.
    pub(super) id: u64,
    /// Position across the rows of a crop, in pixels.
    pub(super) across: f64,
    /// Distance to the nearest border between blocks that is a lane, in pixels; infinite if far.
    pub(super) lane: f64,
    /// Distance to the nearest border between blocks that is a hedge, in pixels; infinite if far.
    pub(super) hedge: f64,
}

#[derive(Debug)]
struct Site {
    x: f64,
    y: f64,
    id: u64,
}

impl Parcels {
    /// The mosaic of a scene that is `size` pixels wide and high.
    pub(super) fn new(seed: u64, size: usize) -> Self {
        let columns = (size as f64 / BLOCK).ceil() as i64 + 2 * MARGIN;
        let site = |row: i64, column: i64| {
            let id = hash(seed, column, row);
            let mut random = Random::new(id);
            let mut place = |cell: i64| ((cell - MARGIN) as f64 + 0.5 + random.between(-JITTER, JITTER)) * BLOCK;
            Site { x: place(column), y: place(row), id }
        };
        let sites = (0..columns).flat_map(|row| (0..columns).map(move |column| site(row, column))).collect();
        Self { sites, columns, bend: [Noise::new(seed ^ 1, 170.0), Noise::new(seed ^ 2, 170.0)] }
    }

    /// The parcel at a point.
    pub(super) fn at(&self, x: f64, y: f64) -> Parcel {
        let [bend_x, bend_y] = &self.bend;
        let [x, y] = [x + 16.0 * bend_x.at(x, y), y + 16.0 * bend_y.at(x, y)];
        let [column, row] = [x, y].map(|v| ((v / BLOCK).floor() as i64 + MARGIN).clamp(1, self.columns - 2));
        let sites: [&Site; 9] = std::array::from_fn(|i| {
            let [column, row] = [column + i as i64 % 3 - 1, row + i as i64 / 3 - 1];
            &self.sites[(row * self.columns + column) as usize]
        });
        let square = |s: &Site| (s.x - x) * (s.x - x) + (s.y - y) * (s.y - y);
        let mut nearest = 0;
        for i in 1..9 {
            if square(sites[i]) < square(sites[nearest]) {
                nearest = i;
            }
        }
        let home = sites[nearest];
        let mut lane = f64::INFINITY;
        let mut hedge = f64::INFINITY;
        for other in sites {
            let [dx, dy] = [other.x - home.x, other.y - home.y];
            let length = (dx * dx + dy * dy).sqrt();
            let border = (square(other) - square(home)) / (2.0 * length);
            if other.id == home.id || border > BORDER {
                continue;
            }
            // Symmetric in the two blocks, so that both sides agree.
            match mix(other.id ^ home.id) % 10 {
                0..6 => lane = lane.min(border),
                6..8 => hedge = hedge.min(border),
                _ => {}
            }
        }

        let mut random = Random::new(mix(home.id));
        let [ax, ay] = random.direction(1.0);
        let width = random.between(38.0, 105.0);
        let length = random.between(130.0, 330.0);
        let across = (y - home.y) * ax - (x - home.x) * ay;
        let along = (x - home.x) * ax + (y - home.y) * ay;
        let strip = (across / width).floor();
        let part = (along / length + unit(hash(home.id, strip as i64, 7))).floor();
        Parcel { block: home.id, id: hash(home.id, strip as i64, part as i64), across, lane, hedge }
    }
}
