//! Telling whether a file holds what was written, without keeping it.

use std::ops::AddAssign;

use swath_tiling::{Size, Window};

/// A digest of pixels that does not depend on the order in which they are added: the sum of a hash of each value and its place.
///
/// It guards against accidents, not against malice: two different rasters have the same one with a chance of 1 in 2^64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint {
    size: Size,
    sum: u64,
}

impl Fingerprint {
    /// Of no pixels yet, of a raster with that size.
    pub(super) fn new(size: Size) -> Self {
        Self { size, sum: 0 }
    }

    /// Adds a window of a band, `(height, width)`. All NaN are alike.
    pub(super) fn add(&mut self, band: usize, window: Window, values: impl Iterator<Item = f32>) {
        let mut values = values;
        for y in window.y..window.y + window.height {
            let row = (band * self.size.height + y) * self.size.width + window.x;
            for (place, value) in (row..row + window.width).zip(&mut values) {
                let bits = if value.is_nan() { f32::NAN.to_bits() } else { value.to_bits() };
                self.sum = self.sum.wrapping_add(mix(place as u64, bits));
            }
        }
    }
}

impl AddAssign for Fingerprint {
    /// Adds the pixels of another one of the same raster.
    fn add_assign(&mut self, other: Self) {
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

/// `SplitMix64` (Steele, Lea and Flood 2014) of a place and a value.
fn mix(place: u64, bits: u32) -> u64 {
    let mut z = place.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (u64::from(bits) << 32 | u64::from(bits));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(windows: &[(Window, &[f32])]) -> Fingerprint {
        let mut fingerprint = Fingerprint::new(Size::plane(3, 2));
        for (window, values) in windows {
            fingerprint.add(1, *window, values.iter().copied());
        }
        fingerprint
    }

    #[test]
    fn only_places_and_values_matter() {
        let whole = of(&[(Window::plane(0, 0, 3, 2), &[1.0, 2.0, 3.0, 4.0, 5.0, f32::NAN])]);
        let parts = of(&[(Window::plane(1, 0, 2, 2), &[2.0, 3.0, 5.0, -f32::NAN]), (Window::plane(0, 0, 1, 2), &[1.0, 4.0])]);
        assert_eq!(whole, parts);
        let swapped = of(&[(Window::plane(0, 0, 3, 2), &[2.0, 1.0, 3.0, 4.0, 5.0, f32::NAN])]);
        assert_ne!(whole, swapped);
        let lost = of(&[(Window::plane(0, 0, 3, 2), &[1.0, 2.0, 3.0, 4.0, 5.0, 0.0])]);
        assert_ne!(whole, lost);
    }
}
