//! Numbers that may depend on the extent of the network's input.

use super::layout::Axis;
use crate::NodeId;

/// A number, or a length that is only known when the network runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Symbol {
    /// A number; whole ones are exact up to 2^53.
    Number(f64),
    /// A multiple or fraction of a node's extent.
    Length(Length),
}

/// `extent * times / over` of a node along an axis, in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Length {
    pub(super) node: NodeId,
    pub(super) axis: Axis,
    pub(super) times: u64,
    pub(super) over: u64,
    /// Whether the fraction is rounded down; false if `over` is 1.
    pub(super) rounded: bool,
}

/// Whether arithmetic rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    Real,
}

impl Length {
    /// The extent itself.
    pub(super) fn whole(node: NodeId, axis: Axis) -> Self {
        Self { node, axis, times: 1, over: 1, rounded: false }
    }

    /// Whether this is the extent itself.
    pub(super) fn is_whole(self) -> bool {
        self.times == 1 && self.over == 1
    }

    /// `times / over` times this; `None` if that cannot be told exactly, as of a multiple of what has been rounded.
    fn scaled(self, times: u64, over: u64, kind: Kind) -> Option<Self> {
        // floor(floor(a) / n) is floor(a / n), but floor(a) * n is not floor(a * n).
        if times == 0 || over == 0 || (self.rounded && (times != 1 || kind == Kind::Real)) {
            return None;
        }
        let (times, over) = (self.times.checked_mul(times)?, self.over.checked_mul(over)?);
        let common = gcd(times, over);
        Some(Self { times: times / common, over: over / common, ..self }.rounded(kind))
    }

    fn rounded(self, kind: Kind) -> Self {
        Self { rounded: self.over != 1 && (self.rounded || kind == Kind::Integer), ..self }
    }
}

impl Symbol {
    /// The number, if it is one.
    pub(super) fn number(self) -> Option<f64> {
        match self {
            Self::Number(n) => Some(n),
            Self::Length(_) => None,
        }
    }

    /// Rounded down, as `Floor` does, and for lengths (which are not negative) as a cast to an integer does.
    pub(super) fn floor(self) -> Self {
        match self {
            Self::Number(n) => Self::Number(n.floor()),
            Self::Length(l) => Self::Length(l.rounded(Kind::Integer)),
        }
    }

    /// Rounded towards zero, as a cast to an integer does.
    pub(super) fn truncate(self) -> Self {
        match self {
            Self::Number(n) => Self::Number(n.trunc()),
            length @ Self::Length(_) => length.floor(),
        }
    }

    pub(super) fn add(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => Some(Self::Number(a + b)),
            (length, Self::Number(0.0)) | (Self::Number(0.0), length) => Some(length),
            _ => None,
        }
    }

    pub(super) fn sub(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Length(a), Self::Length(b)) if a == b => Some(Self::Number(0.0)),
            (a, Self::Number(n)) => a.add(Self::Number(-n)),
            _ => None,
        }
    }

    pub(super) fn mul(self, other: Self, kind: Kind) -> Option<Self> {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => Some(Self::Number(a * b)),
            (Self::Length(l), Self::Number(n)) | (Self::Number(n), Self::Length(l)) => {
                let (times, over) = fraction(n)?;
                l.scaled(times, over, kind).map(Self::Length)
            }
            _ => None,
        }
    }

    pub(super) fn div(self, other: Self, kind: Kind) -> Option<Self> {
        match (self, other) {
            (_, Self::Number(0.0)) => None,
            (Self::Number(a), Self::Number(b)) => {
                let quotient = Self::Number(a / b);
                Some(if kind == Kind::Integer { quotient.truncate() } else { quotient })
            }
            (Self::Length(l), Self::Number(n)) => {
                let (times, over) = fraction(n)?;
                l.scaled(over, times, kind).map(Self::Length)
            }
            // The scale that some exporters compute: the extent wanted over the extent there is.
            (Self::Length(a), Self::Length(b)) if (a.node, a.axis) == (b.node, b.axis) && b.is_whole() && a.over == 1 => {
                Some(Self::Number(a.times as f64))
            }
            _ => None,
        }
    }
}

/// A positive number as a fraction, if its denominator is a small power of two.
fn fraction(n: f64) -> Option<(u64, u64)> {
    const OVER: f64 = 65536.0;
    let times = n * OVER;
    if !(n > 0.0 && times.fract() == 0.0 && times < 1e15) {
        return None;
    }
    let common = gcd(times as u64, OVER as u64);
    Some((times as u64 / common, OVER as u64 / common))
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(times: u64, over: u64, rounded: bool) -> Symbol {
        Symbol::Length(Length { node: NodeId(3), axis: Axis::Y, times, over, rounded })
    }

    fn number(n: f64) -> Symbol {
        Symbol::Number(n)
    }

    #[test]
    fn halves_of_halves_are_quarters() {
        let half = length(1, 1, false).div(number(2.0), Kind::Integer).unwrap();
        assert_eq!(half, length(1, 2, true));
        assert_eq!(half.div(number(2.0), Kind::Integer), Some(length(1, 4, true)));
    }

    #[test]
    fn a_multiple_of_what_was_rounded_is_unknown() {
        let half = length(1, 1, false).div(number(2.0), Kind::Integer).unwrap();
        assert_eq!(half.mul(number(2.0), Kind::Integer), None);
        let half = length(1, 1, false).mul(number(0.5), Kind::Real).unwrap();
        assert_eq!(half.mul(number(2.0), Kind::Real), Some(length(1, 1, false)));
        assert_eq!(half.floor().mul(number(2.0), Kind::Real), None);
        assert_eq!(half.floor().div(number(2.0), Kind::Real), None);
    }

    #[test]
    fn a_scale_comes_back_from_two_lengths() {
        let twice = length(1, 1, false).mul(number(2.0), Kind::Real).unwrap().floor();
        assert_eq!(twice.div(length(1, 1, false), Kind::Real), Some(number(2.0)));
        assert_eq!(length(1, 2, true).div(length(1, 1, false), Kind::Real), None);
    }

    #[test]
    fn lengths_do_not_add_up() {
        assert_eq!(length(1, 1, false).add(number(1.0)), None);
        assert_eq!(length(1, 1, false).add(number(0.0)), Some(length(1, 1, false)));
        assert_eq!(length(2, 1, false).sub(length(2, 1, false)), Some(number(0.0)));
        assert_eq!(number(7.0).div(number(-2.0), Kind::Integer), Some(number(-3.0)));
    }
}
