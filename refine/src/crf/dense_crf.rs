//! The mean field of a fully connected CRF.

use rayon::prelude::*;
use swath_tiling::Size;

use super::{Appearance, CrfParameters, Lattice, Smoothness};
use crate::{Error, Result};

/// Pixels that a thread takes at once.
const CHUNK: usize = 1 << 13;

/// The least probability that is told from 0: what a network gives for certain may still be changed.
const LEAST: f32 = 1e-5;

/// A fully connected CRF (Krähenbühl and Koltun 2011, arXiv:1210.5644): every pixel prefers the label of all others, the more the nearer they are and
/// the more they look alike. Unlike labels cost the same (Potts); the potentials are `-ln p`, with p at least 1e-5.
///
/// The mean field is computed as in the authors' own implementation: parallel updates, kernels on the permutohedral [`Lattice`], each normalised from
/// both sides by the square root of what it makes of ones, and a pixel's message to itself not taken out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DenseCrf {
    parameters: CrfParameters,
}

/// What a CRF sees of the pixels whose probabilities it refines.
#[derive(Clone, Copy, Debug)]
pub struct Pixels<'a> {
    /// How many there are, one slice deep.
    pub size: Size,
    /// Row of the first one in the whole raster.
    pub y: usize,
    /// Column of the first one in the whole raster.
    pub x: usize,
    /// Their colours, `(bands, height, width)`, up to [`DenseCrf::MOST_BANDS`] of them, finite wherever `valid`. At most so many standard deviations
    /// apart as [`Lattice::most_apart`] allows in two dimensions more than there are bands.
    pub colours: &'a [f32],
    /// Whether each counts, `(height, width)`: others neither change nor change any.
    pub valid: &'a [bool],
}

/// A kernel on its lattice.
struct Kernel {
    weight: f32,
    lattice: Lattice,
    /// By pixel, what makes its row and column of the kernel sum to about one.
    norms: Vec<f32>,
}

impl DenseCrf {
    /// Most bands of colours.
    pub const MOST_BANDS: usize = Lattice::MOST_DIMENSIONS - 2;

    /// A CRF with these parameters.
    ///
    /// # Errors
    /// As [`CrfParameters::checked`].
    pub fn new(parameters: CrfParameters) -> Result<Self> {
        parameters.checked().map(|parameters| Self { parameters })
    }

    /// The parameters.
    #[must_use]
    pub fn parameters(&self) -> CrfParameters {
        self.parameters
    }

    /// Most bytes that [`DenseCrf::refine`] holds beside its arguments.
    #[must_use]
    pub fn bytes(&self, pixels: usize, classes: usize, bands: usize) -> usize {
        let points = |dimensions: usize| pixels * (dimensions * size_of::<f64>() + size_of::<f32>());
        let lattice = |dimensions: usize| Lattice::bytes(dimensions, pixels, classes) + points(dimensions);
        let CrfParameters { smoothness, appearance, .. } = self.parameters;
        let kernels = smoothness.map_or(0, |_| lattice(2)) + appearance.map_or(0, |_| lattice(2 + bands));
        // Potentials, probabilities, messages, those of one kernel, and what goes into it.
        kernels + 5 * classes * pixels * size_of::<f32>() + pixels * size_of::<usize>()
    }

    /// About how many floating-point operations it takes for so many pixels, if every second pixel has a vertex of its own.
    #[must_use]
    pub fn flops(&self, pixels: usize, classes: usize, bands: usize) -> u64 {
        let CrfParameters { iterations, smoothness, appearance } = self.parameters;
        let kernel = |dimensions: usize| {
            let corners = (dimensions + 1) as u64;
            // Spread and read, two for each corner; three for each of the axes that vertices are blurred along.
            4 * corners + 3 * corners.div_ceil(2)
        };
        let kernels = smoothness.map_or(0, |_| kernel(2)) + appearance.map_or(0, |_| kernel(2 + bands));
        (pixels * classes) as u64 * u64::from(iterations) * (kernels + 12)
    }

    /// Replaces probabilities `(classes, height, width)` by those of the mean field. Where one of a valid pixel is not a number, all stay as they are.
    ///
    /// The result is the same for any number of threads, bit for bit.
    ///
    /// # Errors
    /// If there are too many bands, or not as many values as pixels. If colours that count are not finite or too many standard deviations apart, or
    /// places are, which a larger width helps against.
    pub fn refine(&self, pixels: &Pixels<'_>, probabilities: &mut [f32]) -> Result<()> {
        let area = pixels.size.area();
        let bands = pixels.check(probabilities.len())?;
        // Pixels that do not count are left out of everything.
        let places: Vec<usize> = (0..area).filter(|pixel| pixels.valid[*pixel]).collect();
        if places.is_empty()
            || !probabilities.chunks_exact(area).all(|plane| places.iter().all(|place| plane[*place].is_finite()))
        {
            return Ok(());
        }
        let classes = probabilities.len() / area;
        // `(pixels, classes)` from here on: what belongs to a pixel lies together.
        let mut fields = vec![0.0; places.len() * classes];
        for (class, plane) in probabilities.chunks_exact(area).enumerate() {
            fields.iter_mut().skip(class).step_by(classes).zip(&places).for_each(|(p, place)| *p = plane[*place].max(LEAST));
        }
        let potentials: Vec<f32> = fields.iter().map(|p| p.ln()).collect();
        softmax(classes, &potentials, &mut fields);
        let kernels = self.kernels(pixels, &places, bands)?;
        let mut messages = vec![0.0; fields.len()];
        let [mut weighted, mut filtered] = [vec![0.0; fields.len()], vec![0.0; fields.len()]];
        for _ in 0..self.parameters.iterations {
            messages.copy_from_slice(&potentials);
            for kernel in &kernels {
                each(classes, &mut weighted, &fields, &kernel.norms, |out, field, norm| *out = field * norm);
                kernel.lattice.filter(classes, &weighted, &mut filtered);
                each(classes, &mut messages, &filtered, &kernel.norms, |out, field, norm| *out += kernel.weight * norm * field);
            }
            softmax(classes, &messages, &mut fields);
        }
        for (class, plane) in probabilities.chunks_exact_mut(area).enumerate() {
            fields.iter().skip(class).step_by(classes).zip(&places).for_each(|(p, place)| plane[*place] = *p);
        }
        Ok(())
    }

    fn kernels(&self, pixels: &Pixels<'_>, places: &[usize], bands: usize) -> Result<Vec<Kernel>> {
        let CrfParameters { smoothness, appearance, .. } = self.parameters;
        let smoothness = smoothness.map(|Smoothness { weight, width }| {
            let points = points(pixels, places, width, &[]);
            Kernel::new(places.len(), weight, 2, &points).map_err(|error| too_far(error, "smoothness-width", width, 0.0))
        });
        let appearance = appearance.map(|Appearance { weight, width, colour_width }| {
            let points = points(pixels, places, width, &vec![colour_width; bands]);
            Kernel::new(places.len(), weight, 2 + bands, &points)
                .map_err(|error| too_far(error, "appearance-width", width, colour_width))
        });
        smoothness.into_iter().chain(appearance).collect()
    }
}

impl Pixels<'_> {
    /// The number of bands, if all lengths fit.
    fn check(&self, probabilities: usize) -> Result<usize> {
        let area = self.size.area();
        let wrong = |what, expected: String, got: usize| Err(Error::Values { what, size: self.size, expected, got });
        if self.valid.len() != area {
            return wrong("validities", area.to_string(), self.valid.len());
        }
        if area == 0 {
            return Ok(0);
        }
        if !probabilities.is_multiple_of(area) || probabilities == 0 {
            return wrong("probabilities", format!("a multiple of {area}"), probabilities);
        }
        let most = DenseCrf::MOST_BANDS;
        if !self.colours.len().is_multiple_of(area) || self.colours.len() / area > most {
            return wrong("colours", format!("{area} for each of at most {most} bands"), self.colours.len());
        }
        Ok(self.colours.len() / area)
    }
}

impl Kernel {
    /// A kernel over so many points `(points, dimensions)` in standard deviations.
    fn new(count: usize, weight: f32, dimensions: usize, points: &[f64]) -> Result<Self> {
        let lattice = Lattice::new(dimensions, points)?;
        let mut norms = vec![0.0; count];
        lattice.filter(1, &vec![1.0; count], &mut norms);
        for norm in &mut norms {
            *norm = 1.0 / norm.sqrt();
        }
        Ok(Self { weight, lattice, norms })
    }
}

/// Where pixels lie in the whole raster, and as many bands of their colours as there are widths for them, all in standard deviations.
fn points(pixels: &Pixels<'_>, places: &[usize], width: f32, colour_widths: &[f32]) -> Vec<f64> {
    let Pixels { size, y, x, colours, .. } = *pixels;
    let mut points = Vec::with_capacity(places.len() * (2 + colour_widths.len()));
    for place in places {
        points.extend([x + place % size.width, y + place / size.width].map(|at| at as f64 / f64::from(width)));
        let colours = (0..).zip(colour_widths).map(|(band, width)| (colours[band * size.area() + place], width));
        points.extend(colours.map(|(colour, width)| f64::from(colour) / f64::from(*width)));
    }
    points
}

/// What to do about points that are too far apart: in pixels and colours.
fn too_far(error: Error, name: &'static str, width: f32, colour_width: f32) -> Error {
    let Error::Far { dimension, most, farthest, lowest, highest } = error else { return error };
    if let Some(band) = dimension.checked_sub(2) {
        let [most, farthest, lowest, highest] =
            [most, farthest, lowest, highest].map(|deviations| (deviations * f64::from(colour_width)) as f32);
        return Error::Colours { band, colour_width, most, farthest, lowest, highest };
    }
    let least = f64::from(width) * ((highest - lowest) / most).max(highest / farthest);
    let [first, last] = [lowest, highest].map(|deviations| (deviations * f64::from(width)).round());
    let places = if dimension == 0 { "columns" } else { "rows" };
    Error::Parameter {
        name,
        expected: format!("at least {:.1e} with pixels in {places} {first} to {last}", 1.1 * least),
        got: width.to_string(),
    }
}

/// Calls `change` with every value of `out`, the same one of `fields`, and what its pixel has of `norms`.
fn each(classes: usize, out: &mut [f32], fields: &[f32], norms: &[f32], change: impl Fn(&mut f32, f32, f32) + Sync) {
    let parts = out.par_chunks_mut(CHUNK * classes).zip(fields.par_chunks(CHUNK * classes)).zip(norms.par_chunks(CHUNK));
    parts.for_each(|((out, fields), norms)| {
        let pixels = out.chunks_exact_mut(classes).zip(fields.chunks_exact(classes)).zip(norms);
        for ((out, fields), norm) in pixels {
            out.iter_mut().zip(fields).for_each(|(out, field)| change(out, *field, *norm));
        }
    });
}

/// Probabilities of potentials, both `(pixels, classes)`.
fn softmax(classes: usize, potentials: &[f32], out: &mut [f32]) {
    let parts = out.par_chunks_mut(CHUNK * classes).zip(potentials.par_chunks(CHUNK * classes));
    parts.for_each(|(out, potentials)| {
        for (out, potentials) in out.chunks_exact_mut(classes).zip(potentials.chunks_exact(classes)) {
            let most = potentials.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let mut sum = 0.0;
            for (p, potential) in out.iter_mut().zip(potentials) {
                *p = (potential - most).exp();
                sum += *p;
            }
            for p in out {
                *p /= sum;
            }
        }
    });
}
