//! Channels put together, picked and split; parts cut out.

use super::call::Call;
use super::draft::Draft;
use super::layout::{Axis, resolve};
use super::sliding::sizes;
use super::value::{Feature, Value};
use crate::{Axes, Coordinates, CropPlace, Extent, Interpolation, NodeId, Op, Resize, ResizeTo, Result};

pub(super) fn concat(call: &Call<'_>, draft: &mut Draft) -> Result<Feature> {
    let parts: Vec<&Feature> = (0..call.inputs.len()).map(|i| call.feature(i)).collect::<Result<_>>()?;
    let first = call.feature(0)?;
    if let Some(other) = parts.iter().find(|p| p.layout != first.layout) {
        return Err(call.refuse(format!("expected inputs with the same axes, got {} and {}", first.layout, other.layout)));
    }
    let axis = call.int("axis", 1);
    if first.layout.axis(axis) != Some(Axis::Channel) {
        return Err(call.refuse(format!("expected a concatenation of channels, got axis {axis} of {}", first.layout)));
    }
    Ok(first.at(draft.push(call, Op::Concat, parts.iter().map(|p| p.node).collect())?))
}

/// Slices of channels, and of space where the network's extent is fixed.
pub(super) fn slice(call: &Call<'_>, draft: &mut Draft) -> Result<Feature> {
    let x = call.feature(0)?;
    let mut node = x.node;
    let whole = draft.extent(node);
    let (mut before, mut kept) = (Axes::cube(0), whole);
    for cut in cuts(call, x.layout.axes().len())? {
        let axis = x.layout.axis(cut.axis).ok_or_else(|| call.refuse(format!("axis {} of {}", cut.axis, x.layout)))?;
        let fail = || call.refuse(format!("crops axis {} of {}", cut.axis, x.layout));
        if axis == Axis::Channel {
            let places = cut.places(call, draft.channels(node))?;
            node = pick(call, draft, node, &places)?;
        } else if let Some(length) = kept.as_mut().and_then(|extent| axis.of_mut(extent)) {
            let Places { first, count, .. } = cut.of(*length);
            if count == 0 || cut.step != 1 {
                return Err(fail());
            }
            *length = count;
            if let Some(before) = axis.of_mut(&mut before) {
                *before += first;
            }
        } else if axis == Axis::Batch {
            if cut.of(1).count != 1 {
                return Err(fail());
            }
        } else if cut.start != 0 || cut.step != 1 || cut.end < i64::from(i32::MAX) {
            // Exporters write the largest integer where nothing is cut off.
            return Err(fail());
        }
    }
    match kept {
        Some(kept) if Some(kept) != whole => Ok(x.at(crop(call, draft, node, before, kept)?)),
        _ => Ok(x.at(node)),
    }
}

/// A part of a value of fixed extent.
fn crop(call: &Call<'_>, draft: &mut Draft, mut x: NodeId, mut before: Axes<usize>, kept: Extent) -> Result<NodeId> {
    // Exporters cut one axis after the other.
    if let Some((whole, first)) = draft.cropped(x) {
        (x, before) = (whole, first.zip(before).map(|(first, more)| first + more));
    }
    let like = if let Some(like) = draft.of_extent(kept) {
        like
    } else {
        // An extent that nothing has yet.
        let resize = Resize {
            interpolation: Interpolation::NearestFloor,
            coordinates: Coordinates::Asymmetric,
            to: ResizeTo::Extent { extent: kept },
        };
        let band = pick(call, draft, NodeId(0), &[0])?;
        draft.push(call, Op::Resize(resize), vec![band])?
    };
    draft.push(call, Op::Crop { place: CropPlace::After { before } }, vec![x, like])
}

/// A scalar index drops the channel axis.
pub(super) fn gather(call: &Call<'_>, draft: &mut Draft) -> Result<Feature> {
    let x = call.feature(0)?;
    let axis = call.int("axis", 0);
    if x.layout.axis(axis) != Some(Axis::Channel) {
        return Err(call.refuse(format!("expected a choice of channels, got axis {axis} of {}", x.layout)));
    }
    let indices = call.array(1)?.ok_or_else(|| call.refuse("indices are missing"))?;
    let channels = draft.channels(x.node);
    let places: Option<Vec<usize>> = call.integers(1)?.unwrap_or_default().into_iter().map(|i| resolve(i, channels)).collect();
    let places = places.ok_or_else(|| call.refuse(format!("indices beyond the {channels} channels")))?;
    let node = pick(call, draft, x.node, &places)?;
    match indices.dims.len() {
        0 => Ok(Feature { node, layout: x.layout.without(Axis::Channel) }),
        1 => Ok(x.at(node)),
        rank => Err(call.refuse(format!("indices of {rank} axes"))),
    }
}

/// One value per output that is read.
pub(super) fn split(call: &Call<'_>, draft: &mut Draft) -> Result<Vec<Option<Value>>> {
    let x = call.feature(0)?;
    let axis = call.int("axis", 0);
    if x.layout.axis(axis) != Some(Axis::Channel) {
        return Err(call.refuse(format!("expected a split of channels, got axis {axis} of {}", x.layout)));
    }
    let (channels, parts) = (draft.channels(x.node), call.node.output.len());
    let counts: Vec<usize> = if let Some(list) = call.listed("split", 1)? {
        sizes(call, "split", &list)?
    } else {
        // The last part may be smaller.
        let count = channels.div_ceil(parts);
        (0..parts).map(|i| count.min(channels.saturating_sub(i * count))).collect()
    };
    if counts.len() != parts || counts.iter().sum::<usize>() != channels {
        return Err(call.refuse(format!("{parts} outputs of {counts:?} channels from {channels}")));
    }
    call.spend(channels)?;
    let mut start = 0;
    let mut values = Vec::with_capacity(parts);
    for (count, wanted) in counts.into_iter().zip(&call.wanted) {
        let places: Vec<usize> = (start..start + count).collect();
        values.push(if *wanted { Some(x.at(pick(call, draft, x.node, &places)?).into()) } else { None });
        start += count;
    }
    Ok(values)
}

/// Channels in any order: ranges, put together if there are several.
fn pick(call: &Call<'_>, draft: &mut Draft, x: NodeId, places: &[usize]) -> Result<NodeId> {
    if places.iter().copied().eq(0..draft.channels(x)) {
        return Ok(x);
    }
    let mut parts = Vec::new();
    for run in places.chunk_by(|a, b| a + 1 == *b) {
        parts.push(draft.push(call, Op::Channels { start: run[0], count: run.len() }, vec![x])?);
    }
    match parts.as_slice() {
        [] => Err(call.refuse("takes no channels")),
        [one] => Ok(*one),
        _ => draft.push(call, Op::Concat, parts),
    }
}

/// What a `Slice` takes of one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) axis: i64,
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) step: i64,
}

impl Cut {
    /// The places taken of an axis; start and end count from the end if negative, and are moved inside.
    fn of(self, length: usize) -> Places {
        let n = length as i64;
        let inside = |place: i64, low: i64, high: i64| if place < 0 { place.saturating_add(n) } else { place }.clamp(low, high);
        let (start, end) = match self.step {
            1.. => (inside(self.start, 0, n), inside(self.end, 0, n)),
            _ => (inside(self.start, -1, n - 1), inside(self.end, -1, n - 1)),
        };
        let distance = if self.step > 0 { end - start } else { start - end };
        let count = u64::try_from(distance).unwrap_or(0).div_ceil(self.step.unsigned_abs());
        Places { first: start as usize, step: self.step, count: count as usize }
    }

    /// The same one by one.
    pub(super) fn places(self, call: &Call<'_>, length: usize) -> Result<Vec<usize>> {
        let places = self.of(length);
        call.spend(places.count)?;
        Ok(places.list())
    }
}

/// Places that are evenly apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Places {
    /// The first one, if there are any.
    first: usize,
    step: i64,
    count: usize,
}

impl Places {
    fn list(self) -> Vec<usize> {
        (0..self.count as i64).map(|i| (self.first as i64 + i * self.step) as usize).collect()
    }
}

/// What a `Slice` of a value of `rank` axes takes: attributes before version 10, inputs since.
pub(super) fn cuts(call: &Call<'_>, rank: usize) -> Result<Vec<Cut>> {
    let missing = |what: &str| call.refuse(format!("{what} are missing"));
    let starts = call.listed("starts", 1)?.ok_or_else(|| missing("starts"))?;
    let ends = call.listed("ends", 2)?.ok_or_else(|| missing("ends"))?;
    let axes = call.listed("axes", 3)?.unwrap_or_else(|| (0..starts.len().min(rank) as i64).collect());
    let steps = call.integers(4)?.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] || steps.contains(&0) {
        return Err(call.refuse("starts, ends, axes and steps do not fit together"));
    }
    let each = starts.into_iter().zip(ends).zip(axes.into_iter().zip(steps));
    Ok(each.map(|((start, end), (axis, step))| Cut { axis, start, end, step }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values as numpy's `range(n)[start:end:step]` gives them.
    #[test]
    fn cuts_as_numpy_does() {
        let places = |start, end, step| Cut { axis: 0, start, end, step }.of(5).list();
        assert_eq!(places(0, i64::MAX, 1), [0, 1, 2, 3, 4]);
        assert_eq!(places(-2, 9, 1), [3, 4]);
        assert_eq!(places(1, -1, 2), [1, 3]);
        assert_eq!(places(-1, i64::MIN, -1), [4, 3, 2, 1, 0]);
        assert_eq!(places(9, 1, -2), [4, 2]);
        assert_eq!(places(3, 3, 1), [0usize; 0]);
        assert_eq!(places(-9, 2, 1), [0, 1]);
        assert_eq!(places(4, 0, i64::MIN), [4]);
        assert_eq!(places(0, 5, i64::MAX), [0]);
        assert_eq!(places(i64::MAX, i64::MIN, -4), [4, 0]);
        assert_eq!(places(3, 1, 1), [0usize; 0]);
    }
}
