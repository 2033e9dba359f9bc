//! Gaussian filtering in many dimensions.

use rayon::prelude::*;

use super::vertices::{COORDINATES, Key, Vertices};

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

    /// Farther from the origin than so many standard deviations, points are taken for as far: their keys have 16 bits.
    const FARTHEST: f32 = 1000.0;

    /// A lattice for points `(points, dimensions)` in standard deviations. `origin` is added to them, however large: where the lattice lies does not
    /// depend on how points are cut into parts with origins of their own.
    ///
    /// # Panics
    /// If there are more dimensions than [`Lattice::MOST_DIMENSIONS`] or none, or the points are not whole.
    #[must_use]
    pub fn new(dimensions: usize, points: &[f32], origin: &[f64]) -> Self {
        assert!((1..=Self::MOST_DIMENSIONS).contains(&dimensions) && origin.len() == dimensions);
        assert!(points.len().is_multiple_of(dimensions));
        let corners = dimensions + 1;
        let simplices = Simplices::new(dimensions, origin);
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
        let neighbours =
            axes.map(|(axis, key)| [-1, 1].map(|step| vertices.find(simplices.step(key, axis, step)).unwrap_or(NONE)));
        let neighbours = neighbours.collect();
        Self { dimensions, vertices: vertices.len(), around, weights, neighbours }
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
    scales: [f32; COORDINATES],
    /// Where the origin lies relative to the lattice.
    phase: [f32; COORDINATES + 1],
}

/// The vertices around a point and how much of it is theirs.
struct Simplex {
    keys: [Key; COORDINATES + 1],
    weights: [f32; COORDINATES + 1],
}

impl Simplices {
    fn new(dimensions: usize, origin: &[f64]) -> Self {
        // The blur along each axis has a variance of its own: so the lattice is made as much finer.
        let finer = (2.0_f64 / 3.0).sqrt() * (dimensions + 1) as f64;
        let mut scales = [0.0; COORDINATES];
        for (i, scale) in scales.iter_mut().enumerate().take(dimensions) {
            *scale = finer / (((i + 1) * (i + 2)) as f64).sqrt();
        }
        let mut phase = [0.0; COORDINATES + 1];
        elevate(origin, &scales, &mut phase);
        // Moved by a vertex of the kind that simplices are found by, the lattice is the same: of all of them, one that is near.
        let step = (dimensions + 1) as f64;
        let mut moved = 0.0;
        for value in &mut phase[1..=dimensions] {
            let vertex = (*value / step).round() * step;
            *value -= vertex;
            moved += vertex;
        }
        phase[0] += moved;
        Self { dimensions, scales: scales.map(|scale| scale as f32), phase: phase.map(|value| value as f32) }
    }

    /// The simplex that encloses a point (section 3.1 and 3.2 of the paper).
    fn around(&self, point: &[f32]) -> Simplex {
        let d = self.dimensions;
        let step = (d + 1) as i32;
        let mut near = [0.0; COORDINATES];
        near.iter_mut()
            .zip(point)
            .for_each(|(to, from): (&mut f32, &f32)| *to = from.clamp(-Lattice::FARTHEST, Lattice::FARTHEST));
        let mut elevated = [0.0; COORDINATES + 1];
        elevate(&near[..d], &self.scales, &mut elevated);
        elevated.iter_mut().zip(&self.phase).for_each(|(value, phase)| *value += phase);
        // The nearest vertex whose coordinates are multiples of the step, were they to sum to zero, and the order of what is left.
        let (mut vertex, mut ranks, mut sum) = ([0_i32; COORDINATES + 1], [0_i32; COORDINATES + 1], 0);
        for i in 0..=d {
            let rounded = (elevated[i] / step as f32).round_ties_even() as i32;
            vertex[i] = rounded * step;
            sum += rounded;
        }
        let mut rest = [0.0; COORDINATES + 1];
        (0..=d).for_each(|i| rest[i] = elevated[i] - vertex[i] as f32);
        for i in 0..d {
            for j in i + 1..=d {
                if rest[i] < rest[j] { ranks[i] += 1 } else { ranks[j] += 1 }
            }
        }
        // They do sum to zero once those that were rounded farthest are rounded the other way.
        for i in 0..=d {
            ranks[i] += sum;
            if ranks[i] < 0 {
                ranks[i] += step;
                vertex[i] += step;
            } else if ranks[i] > d as i32 {
                ranks[i] -= step;
                vertex[i] -= step;
            }
        }
        let mut weights = [0.0; COORDINATES + 2];
        for i in 0..=d {
            let share = (elevated[i] - vertex[i] as f32) / step as f32;
            let place = d - ranks[i] as usize;
            weights[place] += share;
            weights[place + 1] -= share;
        }
        weights[0] += 1.0 + weights[d + 1];
        let mut keys = [0; COORDINATES + 1];
        for (color, key) in keys.iter_mut().enumerate().take(d + 1) {
            for i in 0..d {
                let wraps = ranks[i] as usize > d - color;
                *key = with(*key, i, vertex[i] + color as i32 - if wraps { step } else { 0 });
            }
        }
        let mut own = [0.0; COORDINATES + 1];
        own.copy_from_slice(&weights[..=COORDINATES]);
        Simplex { keys, weights: own }
    }

    /// The next vertex along an axis, forwards (1) or backwards (-1).
    fn step(&self, key: Key, axis: usize, step: i32) -> Key {
        let mut moved = 0;
        for i in 0..self.dimensions {
            let along = if i == axis { -(self.dimensions as i32) } else { 1 };
            moved = with(moved, i, i32::from((key >> (16 * i)) as u16 as i16) + along * step);
        }
        moved
    }
}

/// A key with another coordinate, which was 0.
fn with(key: Key, place: usize, coordinate: i32) -> Key {
    key | Key::from(coordinate as i16 as u16) << (16 * place)
}

/// Brings a point into the hyperplane of the lattice, whose coordinates sum to zero.
fn elevate<T>(point: &[T], scales: &[T], elevated: &mut [T])
where
    T: Copy + Default + std::ops::Mul<Output = T> + std::ops::Sub<Output = T> + std::ops::AddAssign + From<u8>,
{
    let mut sum = T::default();
    for i in (0..point.len()).rev() {
        let scaled = point[i] * scales[i];
        elevated[i + 1] = sum - T::from(i as u8 + 1) * scaled;
        sum += scaled;
    }
    elevated[0] = sum;
}
