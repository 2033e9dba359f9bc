//! Tiles along one axis.

use std::ops::RangeInclusive;

use crate::{Error, Result, Span};

/// Equally long tiles that cover one axis exactly: each starts one step after the one before, the last is shifted inwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Axis {
    /// Positions along the axis.
    pub(crate) length: usize,
    /// Positions of a tile; no more than `length`.
    pub(crate) tile: usize,
    /// First positions, strictly increasing; consecutive tiles touch or overlap, and the last one ends at the last owned position or beyond.
    pub(crate) starts: Vec<usize>,
    /// The positions whose scores this axis is to yield: all of them, unless it is part of a swath.
    pub(crate) owned: Span,
}

impl Axis {
    /// Tiles of `tile` positions that overlap by `overlap`. One tile covers an axis that is no longer than it.
    pub(crate) fn new(length: usize, tile: usize, overlap: usize) -> Result<Self> {
        let owned = Span { start: 0, len: length };
        if length <= tile {
            return Ok(Self { length, tile: length, starts: vec![0], owned });
        }
        let Some(step) = tile.checked_sub(overlap).filter(|step| *step > 0) else {
            return Err(Error::Overlap { tile, overlap });
        };
        let last = length - tile;
        let mut starts: Vec<usize> = (0..last).step_by(step).collect();
        starts.push(last);
        Ok(Self { length, tile, starts, owned })
    }

    /// Tiles of `tile` positions, as few as start no more than `step` apart, spread evenly: the first starts at 0, the last ends with the axis,
    /// and what lies between is rounded to whole positions, halves to even ones.
    pub(crate) fn even(length: usize, tile: usize, step: f64) -> Result<Self> {
        let owned = Span { start: 0, len: length };
        if length <= tile {
            return Ok(Self { length, tile: length, starts: vec![0], owned });
        }
        if !(step >= 1.0 && step <= tile as f64) {
            return Err(Error::Step { tile, step: step.to_string() });
        }
        let last = (length - tile) as f64;
        let steps = (last / step).ceil();
        let starts = (0..=steps as usize).map(|k| (last / steps * k as f64).round_ties_even() as usize).collect();
        Ok(Self { length, tile, starts, owned })
    }

    /// The same axis with only the tiles that touch `owned`, which is not empty.
    pub(crate) fn part(&self, owned: Span) -> Self {
        let touches = |start: &usize| start + self.tile > owned.start && *start < owned.end();
        Self { starts: self.starts.iter().copied().filter(touches).collect(), owned, ..*self }
    }

    /// First position of the first tile.
    pub(crate) fn origin(&self) -> usize {
        self.starts[0]
    }

    /// From the first tile's first position to the last tile's end.
    pub(crate) fn extent(&self) -> usize {
        self.end(self.starts.len() - 1) - self.origin()
    }

    /// One past the last position of a tile.
    pub(crate) fn end(&self, index: usize) -> usize {
        self.starts[index] + self.tile
    }

    /// The positions of a tile.
    pub(crate) fn span(&self, index: usize) -> Span {
        Span { start: self.starts[index], len: self.tile }
    }

    /// The tiles up to `last` that cover a position of `span`, which that one covers.
    pub(crate) fn covering(&self, span: Span, last: usize) -> RangeInclusive<usize> {
        self.starts.partition_point(|start| start + self.tile <= span.start)..=last
    }

    /// The positions of tile `index` that an earlier tile covers too, counted from its start.
    pub(crate) fn shared_before(&self, index: usize) -> usize {
        if index == 0 { 0 } else { self.end(index - 1).saturating_sub(self.starts[index]) }
    }

    /// The positions of tile `index` that no later tile covers, counted from its start.
    pub(crate) fn done(&self, index: usize) -> usize {
        self.starts.get(index + 1).map_or(self.tile, |next| next - self.starts[index])
    }

    /// The most positions that two consecutive tiles share.
    pub(crate) fn widest_overlap(&self) -> usize {
        (0..self.starts.len()).map(|i| self.shared_before(i)).max().unwrap_or(0)
    }

    /// The part of tile `index` that is its own when every position belongs to one tile: overlaps are cut in the middle.
    pub(crate) fn core(&self, index: usize) -> Span {
        let cut = |left: usize| self.starts[left + 1].midpoint(self.end(left));
        let start = if index == 0 { self.starts[0] } else { cut(index - 1) };
        let end = if index + 1 == self.starts.len() { self.end(index) } else { cut(index) };
        Span::between(start, end)
    }
}
