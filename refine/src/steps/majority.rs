//! The most frequent label around each pixel.

use serde::{Deserialize, Serialize};
use swath_tiling::Size;

/// Each pixel gets the label that is the most frequent in a square around it, as far as there is a raster. At a tie it keeps its own label if that is
/// among them, else it gets the lowest. Pixels without data do not count and stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "usize", into = "usize")]
pub struct Majority {
    radius: usize,
}

/// A width that no square around a pixel has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an odd width from 3 to {most}, got {0}", most = Majority::WIDEST)]
pub struct MajorityWidth(usize);

impl Majority {
    /// The widest square, in pixels: counts have 16 bits.
    pub const WIDEST: usize = 255;

    /// A square of `width` pixels.
    ///
    /// # Errors
    /// If that is even, 1 or too wide.
    pub fn new(width: usize) -> Result<Self, MajorityWidth> {
        let is_width = width % 2 == 1 && (3..=Self::WIDEST).contains(&width);
        if is_width { Ok(Self { radius: width / 2 }) } else { Err(MajorityWidth(width)) }
    }

    /// Side of the square, in pixels.
    #[must_use]
    pub fn width(self) -> usize {
        2 * self.radius + 1
    }

    /// How far from a pixel others matter.
    pub(super) fn halo(self) -> usize {
        self.radius
    }

    /// The new labels of `labels`, `(height, width)`.
    pub(super) fn apply(self, size: Size, nodata: u8, labels: &[u8]) -> Vec<u8> {
        let Size { height, width, .. } = size;
        let mut present = [false; 256];
        for label in labels {
            present[usize::from(*label)] = true;
        }
        present[usize::from(nodata)] = false;
        let present: Vec<u8> = (0..=u8::MAX).filter(|label| present[usize::from(*label)]).collect();
        let mut changed = labels.to_vec();
        for y in 0..height {
            let rows = y.saturating_sub(self.radius)..height.min(y + self.radius + 1);
            let column = |x: usize| rows.clone().map(move |y| labels[y * width + x]);
            let mut counts = [0_u16; 256];
            (0..width.min(self.radius)).flat_map(column).for_each(|label| counts[usize::from(label)] += 1);
            for x in 0..width {
                if x + self.radius < width {
                    column(x + self.radius).for_each(|label| counts[usize::from(label)] += 1);
                }
                if x > self.radius {
                    column(x - self.radius - 1).for_each(|label| counts[usize::from(label)] -= 1);
                }
                let own = &mut changed[y * width + x];
                if *own != nodata {
                    // Strictly more is what another label needs.
                    *own = present.iter().copied().fold(*own, |best, label| {
                        let [most, count] = [best, label].map(|label| counts[usize::from(label)]);
                        if count > most { label } else { best }
                    });
                }
            }
        }
        changed
    }
}

impl TryFrom<usize> for Majority {
    type Error = MajorityWidth;

    fn try_from(width: usize) -> Result<Self, MajorityWidth> {
        Self::new(width)
    }
}

impl From<Majority> for usize {
    fn from(majority: Majority) -> Self {
        majority.width()
    }
}
