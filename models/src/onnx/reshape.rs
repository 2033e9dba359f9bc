//! Changes of axes that leave the values where they are: only the note on the order of axes changes.

use super::array::Array;
use super::call::Call;
use super::draft::Draft;
use super::layout::{Axis, Layout, resolve};
use super::symbol::Symbol;
use super::value::{Feature, Groups};
use crate::Result;

pub(super) fn transpose(call: &Call<'_>) -> Result<Feature> {
    let x = call.feature(0)?;
    let order = order(call, x.layout.axes().len());
    let layout = x.layout.transposed(&order).ok_or_else(|| call.refuse(format!("order {order:?} of {}", x.layout)))?;
    Ok(Feature { node: x.node, layout })
}

/// The order that a `Transpose` gives to the axes; by default the reverse one.
pub(super) fn order(call: &Call<'_>, rank: usize) -> Vec<i64> {
    call.ints("perm").map_or_else(|| (0..rank as i64).rev().collect(), <[i64]>::to_vec)
}

/// Drops a batch or channel axis of length 1.
pub(super) fn squeeze(call: &Call<'_>, draft: &Draft) -> Result<Feature> {
    let x = call.feature(0)?;
    let places = call.listed("axes", 1)?.ok_or_else(|| call.refuse("does not say which axes"))?;
    let mut layout = x.layout.clone();
    for place in places {
        match x.layout.axis(place) {
            Some(axis @ (Axis::Batch | Axis::Channel)) if draft.length(x.node, axis) == Symbol::Number(1.0) => {
                layout = layout.without(axis);
            }
            _ => return Err(call.refuse(format!("drops axis {place} of {}", x.layout))),
        }
    }
    Ok(Feature { node: x.node, layout })
}

/// Brings back a channel or batch axis that was dropped.
pub(super) fn unsqueeze(call: &Call<'_>) -> Result<Feature> {
    let x = call.feature(0)?;
    let places = call.listed("axes", 1)?.unwrap_or_default();
    let fail = || call.refuse(format!("adds axes {places:?} to {}", x.layout));
    let rank = x.layout.axes().len() + places.len();
    let mut sorted: Vec<usize> = places.iter().map(|p| resolve(*p, rank)).collect::<Option<_>>().ok_or_else(fail)?;
    sorted.sort_unstable();
    let mut layout = x.layout.clone();
    for place in sorted {
        // With both gone, the batch comes first as it does everywhere.
        let axis = [Axis::Batch, Axis::Channel].into_iter().find(|a| layout.position(*a).is_none()).ok_or_else(fail)?;
        if place > layout.axes().len() {
            return Err(fail());
        }
        layout = layout.with(axis, place);
    }
    Ok(Feature { node: x.node, layout })
}

/// A reshape that keeps the axes, or drops, adds or moves axes of length 1.
pub(super) fn reshape(call: &Call<'_>, draft: &Draft) -> Result<Feature> {
    let x = call.feature(0)?;
    let mut target = call.array(1)?.ok_or_else(|| call.refuse("the shape is missing"))?.items;
    if call.int("allowzero", 0) == 0 {
        for (item, axis) in target.iter_mut().zip(x.layout.axes()) {
            if *item == Symbol::Number(0.0) {
                *item = draft.length(x.node, *axis);
            }
        }
    }
    let fits = |layout: &Layout| {
        let lengths: Vec<Symbol> = layout.axes().iter().map(|a| draft.length(x.node, *a)).collect();
        let matching = |(want, have): (&Symbol, &Symbol)| *want == Symbol::Number(-1.0) || want == have;
        lengths.len() == target.len() && target.iter().zip(&lengths).all(matching)
    };
    match candidates(&x.layout, draft.channels(x.node)).into_iter().find(fits) {
        Some(layout) => Ok(Feature { node: x.node, layout }),
        None => Err(call.refuse(format!("expected a shape that only drops or adds axes of length 1 of {}", x.layout))),
    }
}

/// A reshape to (batch, group, all else); `None` if it is another one.
pub(super) fn to_groups(call: &Call<'_>, draft: &Draft) -> Result<Option<Groups>> {
    let x = call.feature(0)?;
    let target = call.array(1)?.map(|array| array.items).unwrap_or_default();
    let [batch, Symbol::Number(groups), Symbol::Number(-1.0)] = target[..] else { return Ok(None) };
    let (groups, channels) = (groups as usize, draft.channels(x.node));
    let is_batch = [Symbol::Number(0.0), Symbol::Number(1.0)].contains(&batch);
    let is_split = groups > 0 && groups < channels && channels.is_multiple_of(groups);
    let is_first = x.layout == Layout::channels_first(draft.rank());
    Ok((is_batch && is_split && is_first).then(|| Groups { x: x.clone(), count: groups, of: x.node }))
}

/// A reshape that takes groups of channels back to channels.
pub(super) fn from_groups(call: &Call<'_>, draft: &Draft, groups: &Groups) -> Result<Feature> {
    let lengths: Vec<Symbol> = groups.x.layout.axes().iter().map(|axis| draft.length(groups.of, *axis)).collect();
    let target = call.symbols(1)?.unwrap_or_default();
    let fits = target.len() == lengths.len() && target.iter().zip(&lengths).all(|(want, have)| want == have);
    if fits { Ok(groups.x.clone()) } else { Err(call.refuse("expected the shape from before the channels were in groups")) }
}

/// All orders of axes under which the values stay where they are.
fn candidates(layout: &Layout, channels: usize) -> Vec<Layout> {
    let mut candidates = vec![layout.clone()];
    if channels == 1 {
        let space = layout.without(Axis::Channel);
        candidates.extend((0..=space.axes().len()).rev().map(|place| space.with(Axis::Channel, place)));
        candidates.insert(1, space);
    }
    for candidate in candidates.clone() {
        let rest = candidate.without(Axis::Batch);
        candidates.extend([rest.with(Axis::Batch, 0), rest]);
    }
    candidates
}

/// The dims of an array after a `Reshape`: 0 keeps a length, -1 is what is left.
pub(super) fn dims(call: &Call<'_>, array: &Array) -> Result<Vec<usize>> {
    let target = call.integers(1)?.unwrap_or_default();
    let fail = || call.refuse(format!("shape {target:?} from {:?}", array.dims));
    let keep = call.int("allowzero", 0) == 0;
    let mut dims = Vec::with_capacity(target.len());
    for (place, length) in target.iter().enumerate() {
        dims.push(match *length {
            -1 => 1,
            0 if keep => *array.dims.get(place).ok_or_else(fail)?,
            length => usize::try_from(length).ok().filter(|l| *l <= array.items.len()).ok_or_else(fail)?,
        });
    }
    if let Some(place) = target.iter().position(|l| *l == -1) {
        let rest = dims.iter().try_fold(1, |product: usize, d| product.checked_mul(*d)).ok_or_else(fail)?;
        dims[place] = array.items.len().checked_div(rest).ok_or_else(fail)?;
    }
    Ok(dims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rank;

    #[test]
    fn a_single_channel_may_be_anywhere() {
        let planar = Layout::channels_first(Rank::Planar);
        let all = candidates(&planar, 1);
        for layout in [planar.without(Axis::Channel), Layout::channels_last(Rank::Planar), planar.without(Axis::Batch)] {
            assert!(all.contains(&layout), "{layout}");
        }
        assert!(candidates(&planar, 2).iter().all(|l| l.without(Axis::Batch) == planar.without(Axis::Batch)));
    }
}
