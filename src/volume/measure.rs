//! What is known of a volume's values only when all were read.

use swath_models::{Intensity, MeasuredScaling, Scaling, Voxels};
use swath_volumes::VolumeSource;

use super::intensity::{Step, apply};
use crate::{Error, Result};

/// The least deviation that is divided by, as in nnU-Net.
const LEAST_DEVIATION: f64 = 1e-8;

/// Buckets of a histogram over half of a number's bits.
const BUCKETS: usize = 1 << 16;

/// The steps of a card with the numbers of one volume. Each that is measured takes two passes over the volume, plane by plane; values that are not
/// finite do not count.
pub(super) fn measure(source: &dyn VolumeSource, frame: usize, card: &[Intensity]) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    for step in card {
        let pass = Pass { source, frame, steps: &steps };
        let step = match step {
            Intensity::Fixed(scaling) => Step::Scaling(*scaling),
            Intensity::Measured(MeasuredScaling::ClipPercentiles { lower, upper }) => {
                let [minimum, maximum] = pass.percentiles([*lower, *upper])?;
                Step::Scaling(Scaling::Clip { minimum, maximum })
            }
            Intensity::Measured(MeasuredScaling::ZScoreVolume { voxels }) => {
                let scaling = pass.deviation(*voxels)?;
                if *voxels == Voxels::All { Step::Scaling(scaling) } else { Step::Nonzero(scaling) }
            }
        };
        steps.push(step);
    }
    Ok(steps)
}

/// Reads a volume's values as some steps leave them.
struct Pass<'p> {
    source: &'p dyn VolumeSource,
    frame: usize,
    steps: &'p [Step],
}

impl Pass<'_> {
    /// Calls `see` with every finite value, in the order in which they are stored.
    fn each(&self, mut see: impl FnMut(f32)) -> Result<()> {
        let mut reader = self.source.reader(self.frame)?;
        for z in 0..self.source.profile().size.z {
            let mut plane = reader.read(z..z + 1)?;
            apply(self.steps, &mut plane);
            plane.into_iter().filter(|value| value.is_finite()).for_each(&mut see);
        }
        Ok(())
    }

    /// Mean and deviation.
    fn deviation(&self, voxels: Voxels) -> Result<Scaling> {
        let counts = |value: f32| voxels == Voxels::All || value != 0.0;
        let (mut count, mut sum) = (0u64, 0.0);
        self.each(|value| {
            if counts(value) {
                count += 1;
                sum += f64::from(value);
            }
        })?;
        if count == 0 {
            return Err(self.nothing());
        }
        let mean = sum / count as f64;
        let mut squares = 0.0;
        self.each(|value| {
            if counts(value) {
                squares += (f64::from(value) - mean).powi(2);
            }
        })?;
        Ok(Scaling::ZScore { mean, stddev: (squares / count as f64).sqrt().max(LEAST_DEVIATION) })
    }

    /// Percentiles, exactly: a first pass counts the upper halves of the values' bits, a second one the lower halves of those that matter.
    fn percentiles(&self, percentages: [f64; 2]) -> Result<[f64; 2]> {
        let mut upper = vec![0u64; BUCKETS];
        self.each(|value| upper[(key(value) >> 16) as usize] += 1)?;
        let count: u64 = upper.iter().sum();
        if count == 0 {
            return Err(self.nothing());
        }
        // Each lies between two values of the sorted ones.
        let places = percentages.map(|percentage| percentage / 100.0 * (count - 1) as f64);
        let ranks = places.map(|place| [place.floor() as u64, place.ceil() as u64]);
        let buckets = ranks.map(|pair| pair.map(|rank| find(&upper, rank)));
        let mut wanted: Vec<u32> = buckets.iter().flatten().map(|found| found.bucket).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut lower = vec![vec![0u64; BUCKETS]; wanted.len()];
        self.each(|value| {
            let key = key(value);
            if let Ok(place) = wanted.binary_search(&(key >> 16)) {
                lower[place][(key & 0xFFFF) as usize] += 1;
            }
        })?;
        let value = |found: Found| {
            let place = wanted.binary_search(&found.bucket).unwrap_or_default();
            f64::from(value(found.bucket << 16 | find(&lower[place], found.rest).bucket))
        };
        Ok([0, 1].map(|side| {
            let [low, high] = buckets[side].map(value);
            low + (high - low) * places[side].fract()
        }))
    }

    fn nothing(&self) -> Error {
        Error::NoValues { path: self.source.profile().path.clone() }
    }
}

/// Where a rank lies in a histogram.
#[derive(Clone, Copy)]
struct Found {
    bucket: u32,
    /// Its rank among the values of that bucket.
    rest: u64,
}

fn find(histogram: &[u64], rank: u64) -> Found {
    let mut rest = rank;
    for (bucket, count) in (0u32..).zip(histogram) {
        if rest < *count {
            return Found { bucket, rest };
        }
        rest -= count;
    }
    Found { bucket: histogram.len() as u32 - 1, rest: 0 }
}

/// The bits of a number, so that larger numbers have larger ones.
fn key(value: f32) -> u32 {
    let bits = value.to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

fn value(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 { key & !(1 << 31) } else { !key })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_numbers_do() {
        let numbers = [f32::MIN, -3.5, -1e-20, 0.0, 1e-20, 2.0, 2.000_000_2, f32::MAX];
        assert!(numbers.windows(2).all(|pair| key(pair[0]) < key(pair[1])));
        assert!(numbers.iter().all(|number| value(key(*number)).to_bits() == number.to_bits()));
    }
}
