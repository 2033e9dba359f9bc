//! Gaussian filtering in many dimensions.

use rayon::prelude::*;

use super::keys::Keys;
use super::vertices::{COORDINATES, Key, Vertices};
use crate::{Error, Result};

/// Points or vertices that a thread takes at once.
const CHUNK: usize = 1 << 12;

/// No vertex: of the border, which has the value 0.
const NONE: u32 = u32::MAX;

/// A Gaussian filter over points in up to 8 dimensions on the permutohedral lattice (Adams, Baek and Davis 2010, doi:10.1111/j.1467-8659.2009.01645.x):
/// values are spread to the vertices of the simplices that the points lie in, blurred along the lattice's axes, and read where the points lie.
///
/// The time does not depend on how wide the Gaussian is. It is approximated: weights are right within a few percent of the largest.
#[derive(Clone, Debug)]
pub struct Lattice {
    dimensions: usize,
    vertices: usize,
    /// Of every point, the vertices around it: `dimensions + 1` each.
    around: Vec<u32>,
    /// How much of the point is theirs.
    weights: Vec<f32>,
    /// Along every axis, both neighbours of every vertex: `(dimensions + 1, vertices, 2)`.
    neighbours: Vec<[u32; 2]>,
}

impl Lattice {
    /// Most dimensions.
    pub const MOST_DIMENSIONS: usize = COORDINATES;

    /// How far from 0 a coordinate may be, in standard deviations: up to here, double precision places points within a thousandth of one.
    pub const FARTHEST: f64 = (1_u64 << 36) as f64;

    /// A lattice for points `(points, dimensions)` in standard deviations. It lies on 0, whatever the points: those of a part have the vertices that
    /// they have among all of them.
    ///
    /// # Errors
    /// If a coordinate is not finite or farther from 0 than [`Lattice::FARTHEST`], or points are too far apart to be told from each other: if they are
    /// at most [`Lattice::most_apart`], they never are.
    ///
    /// # Panics
    /// If there are more dimensions than [`Lattice::MOST_DIMENSIONS`] or none, or the points are not whole.
    pub fn new(dimensions: usize, points: &[f64]) -> Result<Self> {
        assert!((1..=Self::MOST_DIMENSIONS).contains(&dimensions));
        assert!(points.len().is_multiple_of(dimensions));
        let corners = dimensions + 1;
        let simplices = Simplices::new(dimensions, points)?;
        let mut vertices = Vertices::new();
        let count = points.len() / dimensions;
        let mut around = Vec::with_capacity(count * corners);
        let mut weights = Vec::with_capacity(count * corners);
        for point in points.chunks_exact(dimensions) {
            let simplex = simplices.around(point);
            around.extend(simplex.keys[..corners].iter().map(|key| vertices.find_or_add(*key)));
            weights.extend_from_slice(&simplex.weights[..corners]);
        }
        let axes = (0..corners).flat_map(|axis| vertices.keys().iter().map(move |key| (axis, *key)));
        let keys = &simplices.keys;
        let neighbours = axes.map(|(axis, key)| {
            [keys.backwards(key, axis), keys.forwards(key, axis)].map(|beside| vertices.find(beside).unwrap_or(NONE))
        });
        let neighbours = neighbours.collect();
        Ok(Self { dimensions, vertices: vertices.len(), around, weights, neighbours })
    }

    /// How far apart points may be in each dimension, in standard deviations: about 11 million in 5 dimensions, 18 thousand in 8.
    ///
    /// # Panics
    /// If there are more dimensions than [`Lattice::MOST_DIMENSIONS`] or none.
    #[must_use]
    pub fn most_apart(dimensions: usize) -> f64 {
        assert!((1..=Self::MOST_DIMENSIONS).contains(&dimensions));
        let elevated = elevated_ranges(&[[0.0, 1.0]; COORDINATES][..dimensions], &scales(dimensions));
        let longest = elevated[..dimensions].iter().map(|[lowest, highest]| highest - lowest).fold(0.0, f64::max);
        (Keys::most_apart(dimensions) / longest).floor().min(2.0 * Self::FARTHEST)
    }

    /// Most bytes that a lattice for so many points holds, with what [`Lattice::filter`] takes beside its arguments; most of it only if nearly no two
    /// points share a vertex.
    #[must_use]
    pub fn bytes(dimensions: usize, points: usize, channels: usize) -> usize {
        let corners = points * (dimensions + 1);
        let own = corners * (size_of::<u32>() + size_of::<f32>());
        let neighbours = corners * (dimensions + 1) * size_of::<[u32; 2]>();
        let some = channels.min(8) * size_of::<f32>();
        // Of many channels, some are copied, filtered, and copied back. The table of vertices is gone by then.
        own + neighbours + Vertices::bytes(corners).max(2 * (corners + points) * some)
    }

    /// Filters values `(points, channels)` into `out`.
    ///
    /// # Panics
    /// If there are not as many values as points times channels.
    pub fn filter(&self, channels: usize, values: &[f32], out: &mut [f32]) {
        let points = self.around.len() / (self.dimensions + 1);
        assert!(values.len() == points * channels && out.len() == values.len());
        // Loops over so few values that the compiler knows how many are several times as fast.
        match channels {
            0 => {}
            1 => self.filter_some::<1>(values, out),
            2 => self.filter_some::<2>(values, out),
            3 => self.filter_some::<3>(values, out),
            4 => self.filter_some::<4>(values, out),
            5 => self.filter_some::<5>(values, out),
            6 => self.filter_some::<6>(values, out),
            7 => self.filter_some::<7>(values, out),
            8 => self.filter_some::<8>(values, out),
            _ => {
                let [mut some, mut filtered] = [Vec::new(), Vec::new()];
                for first in (0..channels).step_by(8) {
                    let group = first..channels.min(first + 8);
                    some.clear();
                    some.extend(values.chunks_exact(channels).flat_map(|values| &values[group.clone()]));
                    filtered.resize(some.len(), 0.0);
                    self.filter(group.len(), &some, &mut filtered);
                    for (out, filtered) in out.chunks_exact_mut(channels).zip(filtered.chunks_exact(group.len())) {
                        out[group.clone()].copy_from_slice(filtered);
                    }
                }
            }
        }
    }

    fn filter_some<const C: usize>(&self, values: &[f32], out: &mut [f32]) {
        let corners = self.dimensions + 1;
        let mut spread = self.spread::<C>(values);
        let mut blurred = vec![[0.0; C]; spread.len()];
        for neighbours in self.neighbours.chunks_exact(self.vertices.max(1)) {
            let parts = blurred.par_chunks_mut(CHUNK).zip(neighbours.par_chunks(CHUNK)).zip(spread.par_chunks(CHUNK));
            parts.for_each(|((out, neighbours), own)| {
                for ((out, own), pair) in out.iter_mut().zip(own).zip(neighbours) {
                    let mut sum = *own;
                    for neighbour in pair.iter().filter(|neighbour| **neighbour != NONE) {
                        sum.iter_mut().zip(&spread[*neighbour as usize]).for_each(|(sum, value)| *sum += 0.5 * value);
                    }
                    *out = sum;
                }
            });
            std::mem::swap(&mut spread, &mut blurred);
        }
        // What the blurs add to a constant, but for the borders.
        let scale = 1.0 / (1.0 + (-(self.dimensions as f32)).exp2());
        let places = self.around.par_chunks(CHUNK * corners).zip(self.weights.par_chunks(CHUNK * corners));
        out.as_chunks_mut::<C>().0.par_chunks_mut(CHUNK).zip(places).for_each(|(out, (around, weights))| {
            let places = around.chunks_exact(corners).zip(weights.chunks_exact(corners));
            for (out, (around, weights)) in out.iter_mut().zip(places) {
                let mut sums = [0.0; C];
                for (vertex, weight) in around.iter().zip(weights) {
                    let weight = weight * scale;
                    sums.iter_mut().zip(&spread[*vertex as usize]).for_each(|(sum, value)| *sum += weight * value);
                }
                *out = sums;
            }
        });
    }

    /// The sums at the vertices. On one thread: several would need an order of their own for the sums to be the same.
    fn spread<const C: usize>(&self, values: &[f32]) -> Vec<[f32; C]> {
        let corners = self.dimensions + 1;
        let mut spread = vec![[0.0; C]; self.vertices];
        let places = self.around.chunks_exact(corners).zip(self.weights.chunks_exact(corners));
        for (values, (around, weights)) in values.as_chunks::<C>().0.iter().zip(places) {
            for (vertex, weight) in around.iter().zip(weights) {
                spread[*vertex as usize].iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
            }
        }
        spread
    }
}

/// How points lie among the lattice's simplices.
#[derive(Clone, Debug)]
struct Simplices {
    dimensions: usize,
    /// Of every coordinate on its way into the lattice's hyperplane.
    scales: [f64; COORDINATES],
    keys: Keys,
}

/// The vertices around a point and how much of it is theirs.
struct Simplex {
    keys: [Key; COORDINATES + 1],
    weights: [f32; COORDINATES + 1],
}

impl Simplices {
    /// The simplices around all points.
    fn new(dimensions: usize, points: &[f64]) -> Result<Self> {
        let mut ranges = [[0.0; 2]; COORDINATES];
        for (dimension, range) in ranges.iter_mut().enumerate().take(dimensions) {
            *range = points.get(dimension).map_or([0.0; 2], |first| [*first; 2]);
            for at in points.iter().skip(dimension).step_by(dimensions) {
                *range = [range[0].min(*at), range[1].max(*at)];
                // A minimum passes over what is not a number.
                if at.is_nan() || at.abs() > Lattice::FARTHEST {
                    return Err(far(dimensions, dimension, [*at; 2]));
                }
            }
        }
        let scales = scales(dimensions);
        let ranges = &ranges[..dimensions];
        let Some(keys) = Keys::new(dimensions, &elevated_ranges(ranges, &scales)) else {
            let length = |range: &[f64; 2]| range[1] - range[0];
            let longest = (0..dimensions).rev().max_by(|a, b| length(&ranges[*a]).total_cmp(&length(&ranges[*b]))).unwrap_or(0);
            return Err(far(dimensions, longest, ranges[longest]));
        };
        Ok(Self { dimensions, scales, keys })
    }

    /// The simplex that encloses a point (section 3.1 and 3.2 of the paper).
    ///
    /// In double precision: what is near a border between simplices is on the same side of it wherever the raster is cut, and pixels far from the
    /// raster's corner are as far from each other as those beside it.
    fn around(&self, point: &[f64]) -> Simplex {
        let d = self.dimensions;
        let step = (d + 1) as f64;
        let elevated = elevate(point, &self.scales);
        // The nearest vertex whose coordinates are multiples of the step, were they to sum to zero, and the order of what is left.
        let (mut quotients, mut ranks, mut sum) = ([0_i64; COORDINATES + 1], [0_i64; COORDINATES + 1], 0);
        let mut rest = [0.0; COORDINATES + 1];
        for i in 0..=d {
            let rounded = (elevated[i] / step).round_ties_even();
            rest[i] = elevated[i] - rounded * step;
            quotients[i] = rounded as i64;
            sum += quotients[i];
        }
        for i in 0..d {
            for j in i + 1..=d {
                if rest[i] < rest[j] { ranks[i] += 1 } else { ranks[j] += 1 }
            }
        }
        // They do sum to zero once those that were rounded farthest are rounded the other way.
        for i in 0..=d {
            ranks[i] += sum;
            if ranks[i] < 0 {
                ranks[i] += d as i64 + 1;
                quotients[i] += 1;
                rest[i] -= step;
            } else if ranks[i] > d as i64 {
                ranks[i] -= d as i64 + 1;
                quotients[i] -= 1;
                rest[i] += step;
            }
        }
        let (mut weights, mut of_rank) = ([0.0; COORDINATES + 2], [0; COORDINATES + 1]);
        for i in 0..=d {
            let share = (rest[i] / step) as f32;
            let rank = ranks[i] as usize;
            weights[d - rank] += share;
            weights[d - rank + 1] -= share;
            of_rank[rank] = i;
        }
        weights[0] += 1.0 + weights[d + 1];
        // From the vertex without remainder, one step along each axis, the farthest first.
        let mut keys = [0; COORDINATES + 1];
        keys[0] = self.keys.of(&quotients[..d]);
        for remainder in 1..=d {
            keys[remainder] = self.keys.forwards(keys[remainder - 1], of_rank[d + 1 - remainder]);
        }
        let mut own = [0.0; COORDINATES + 1];
        own.copy_from_slice(&weights[..=COORDINATES]);
        Simplex { keys, weights: own }
    }
}

fn far(dimensions: usize, dimension: usize, [lowest, highest]: [f64; 2]) -> Error {
    let (most, farthest) = (Lattice::most_apart(dimensions), Lattice::FARTHEST);
    Error::Far { dimension, most, farthest, lowest, highest }
}

/// What coordinates are multiplied by before they are brought into the hyperplane.
fn scales(dimensions: usize) -> [f64; COORDINATES] {
    // The blur along each axis has a variance of its own: so the lattice is made as much finer.
    let finer = (2.0_f64 / 3.0).sqrt() * (dimensions + 1) as f64;
    let mut scales = [0.0; COORDINATES];
    for (i, scale) in scales.iter_mut().enumerate().take(dimensions) {
        *scale = finer / (((i + 1) * (i + 2)) as f64).sqrt();
    }
    scales
}

/// Brings a point into the hyperplane of the lattice, whose coordinates sum to zero.
fn elevate(point: &[f64], scales: &[f64]) -> [f64; COORDINATES + 1] {
    let (mut elevated, mut sum) = ([0.0; COORDINATES + 1], 0.0);
    for (i, at) in point.iter().enumerate().rev() {
        let scaled = at * scales[i];
        elevated[i + 1] = sum - (i + 1) as f64 * scaled;
        sum += scaled;
    }
    elevated[0] = sum;
    elevated
}

/// From where to where the coordinates of points are once they are in the hyperplane, if those of the points are from the first to the second of these.
fn elevated_ranges(ranges: &[[f64; 2]], scales: &[f64]) -> [[f64; 2]; COORDINATES + 1] {
    let (mut elevated, mut sum) = ([[0.0; 2]; COORDINATES + 1], [0.0; 2]);
    for (i, range) in ranges.iter().enumerate().rev() {
        let [lowest, highest] = range.map(|at| at * scales[i]);
        let times = (i + 1) as f64;
        elevated[i + 1] = [sum[0] - times * highest, sum[1] - times * lowest];
        sum = [sum[0] + lowest, sum[1] + highest];
    }
    elevated[0] = sum;
    elevated
}
