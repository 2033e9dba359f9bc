//! The 16-bit floating point format with the exponent of 32 bits ("brain floating point").
#![expect(clippy::inline_always, reason = "a conversion must become vector instructions in the loops that call it")]

/// The upper half of an `f32`: its sign, exponent and 7 bits of its fraction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Bf16(u16);

impl Bf16 {
    /// The nearest number, of two equally near ones the even one; NaN stays NaN.
    #[inline(always)]
    pub(crate) fn new(value: f32) -> Self {
        let bits = value.to_bits();
        let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
        // Rounding could carry a NaN's fraction into the exponent.
        let bits = if value.is_nan() { bits | 0x0040_0000 } else { rounded };
        Self((bits >> 16) as u16)
    }

    /// The same number.
    #[inline(always)]
    pub(crate) fn to_f32(self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }

    /// The bits of two numbers, the first one in the lower half.
    #[inline(always)]
    pub(super) fn pair([low, high]: [Self; 2]) -> u32 {
        u32::from(low.0) | u32::from(high.0) << 16
    }
}

#[cfg(test)]
mod tests {
    use super::Bf16;

    #[test]
    fn rounds_as_half_does() {
        // Every upper half with lower halves around the ties.
        for high in 0..=u32::from(u16::MAX) {
            for low in [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff] {
                let value = f32::from_bits(high << 16 | low);
                let (ours, theirs) = (Bf16::new(value), half::bf16::from_f32(value));
                assert!(ours.0 == theirs.to_bits() || (value.is_nan() && ours.to_f32().is_nan()), "{value:e}");
            }
        }
    }

    #[test]
    fn a_pair_is_in_the_order_of_memory() {
        assert_eq!(Bf16::pair([Bf16(1), Bf16(0x8002)]), 0x8002_0001);
    }
}
