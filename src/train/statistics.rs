//! How the bands' values are spread.

use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use swath_models::Scaling;

use super::crops::{CropMaker, Stream};
use super::scene::Readers;
use crate::Result;

/// Pixels that are looked at, in whole crops.
const PIXELS: usize = 1 << 25;

/// Least and most crops that are looked at.
const CROPS: [usize; 2] = [64, 512];

/// Mean and standard deviation of a band's valid pixels, as they are sampled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct BandStatistics {
    pub(super) mean: f64,
    pub(super) deviation: f64,
}

impl BandStatistics {
    /// The scaling that brings the band to mean 0 and deviation 1.
    pub(super) fn scaling(self) -> Scaling {
        // A band that is the same everywhere stays so.
        let stddev = if self.deviation > 0.0 { self.deviation } else { 1.0 };
        Scaling::ZScore { mean: self.mean, stddev }
    }
}

/// Count, sum and sum of squares.
type Sums = [f64; 3];

/// The statistics of each band over crops that are sampled like those of the training, but not varied. The same for any number of threads.
pub(super) fn measure(maker: &CropMaker<'_>, bands: usize) -> Result<Vec<BandStatistics>> {
    let crops = (PIXELS / maker.extent.product()).clamp(CROPS[0], CROPS[1]);
    let sums = (0..crops as u64).into_par_iter().map_init(
        || Readers::new(maker.scenes, rayon::current_num_threads()),
        |readers, number| {
            let patch = maker.crop(Stream::Statistics, number, readers)?.patch;
            let planes = patch.pixels.chunks_exact(patch.valid.len());
            let sums = planes.map(|plane| {
                let valid = plane.iter().zip(&patch.valid).filter(|(_, valid)| **valid).map(|(x, _)| f64::from(*x));
                valid.fold([0.0; 3], |[count, sum, squares], x| [count + 1.0, sum + x, squares + x * x])
            });
            Ok(sums.collect())
        },
    );
    let sums: Vec<Vec<Sums>> = sums.collect::<Result<_>>()?;
    let total =
        |band: usize| -> Sums { sums.iter().fold([0.0; 3], |total, crop| std::array::from_fn(|at| total[at] + crop[band][at])) };
    let statistics = |[count, sum, squares]: Sums| {
        let mean = sum / f64::max(count, 1.0);
        let variance = squares / f64::max(count, 1.0) - mean * mean;
        BandStatistics { mean, deviation: variance.max(0.0).sqrt() }
    };
    Ok((0..bands).map(total).map(statistics).collect())
}
