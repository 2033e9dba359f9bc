//! What can go wrong in refining.

use swath_tiling::Size;

/// A result whose error is this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in refining.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A plane or volume without pixels.
    #[error("expected a size with at least one pixel, got {size}")]
    Empty {
        /// The size given.
        size: Size,
    },
    /// Labels that are no whole rows, or more than there are.
    #[error("expected at most {expected} labels in whole rows of {width}, got {got}")]
    Rows {
        /// Pixels of a row.
        width: usize,
        /// Labels that are left to feed.
        expected: usize,
        /// How many were given.
        got: usize,
    },
    /// A plane or volume that was finished before all rows were fed.
    #[error("expected {expected} rows, got {got}")]
    Unfinished {
        /// How many there are.
        expected: usize,
        /// How many were fed.
        got: usize,
    },
    /// More runs of equal labels than can be counted.
    #[error("expected at most {most} runs of equal labels, got more")]
    Runs {
        /// The most.
        most: usize,
    },
    /// A number that nothing can be computed with.
    #[error("expected {expected} for {name}, got {got}")]
    Parameter {
        /// What it is called on the command line and in the card.
        name: &'static str,
        /// What it may be.
        expected: String,
        /// What it is.
        got: String,
    },
    /// Points that are too far apart for a lattice, in standard deviations.
    #[error(
        "expected coordinates of dimension {dimension} at most {most} standard deviations apart and {farthest} from 0, got {lowest} to {highest}"
    )]
    Far {
        /// The dimension, from 0.
        dimension: usize,
        /// How far apart they may be wherever they are in other dimensions.
        most: f64,
        /// How far from 0 they may be.
        farthest: f64,
        /// The lowest coordinate; the one that is not finite, if there is one.
        lowest: f64,
        /// The highest one; the same.
        highest: f64,
    },
    /// Colours that are too many standard deviations apart for a CRF.
    #[error(
        "expected colours at most {most} apart and {farthest} from 0 with a colour-width of {colour_width}, got {lowest} to {highest} at place {band}"
    )]
    Colours {
        /// The band's place among those of the colours, from 0.
        band: usize,
        /// The CRF's parameter.
        colour_width: f32,
        /// How far apart they may be whatever those of other bands are.
        most: f32,
        /// How far from 0 they may be.
        farthest: f32,
        /// The lowest one; the one that is not finite, if there is one.
        lowest: f32,
        /// The highest one; the same.
        highest: f32,
    },
    /// Values that are not as many as pixels.
    #[error("expected {expected} {what} for {size} pixels, got {got}")]
    Values {
        /// What they are.
        what: &'static str,
        /// The pixels.
        size: Size,
        /// How many there should be.
        expected: String,
        /// How many there are.
        got: usize,
    },
}
