//! More positions around a tensor.

use super::call::Call;
use super::draft::Draft;
use super::layout::{Axis, resolve, spatial};
use super::sliding::paddings;
use super::value::Feature;
use crate::{Op, PadFill, Result};

/// Paddings are an attribute before version 11 and an input since; version 18 can name their axes.
pub(super) fn pad(call: &Call<'_>, draft: &mut Draft) -> Result<Feature> {
    let x = call.feature(0)?;
    let rank = x.layout.axes().len();
    let given = call.listed("pads", 1)?.ok_or_else(|| call.refuse("pads are missing"))?;
    let places = call.integers(3)?.unwrap_or_else(|| (0..rank as i64).collect());
    if given.len() != 2 * places.len() {
        return Err(call.refuse(format!("{} pads for {} axes", given.len(), places.len())));
    }
    let mut before_after = [vec![0; rank], vec![0; rank]];
    for (side, values) in before_after.iter_mut().zip(given.chunks(places.len().max(1))) {
        for (place, value) in places.iter().zip(values) {
            let place = resolve(*place, rank).ok_or_else(|| call.refuse(format!("axis {place} of {}", x.layout)))?;
            side[place] = *value;
        }
    }
    let at = |side: &[i64], axis: Axis| x.layout.position(axis).map_or(0, |place| side[place]);
    let [before, after] = &before_after;
    for axis in [Axis::Batch, Axis::Channel] {
        if (at(before, axis), at(after, axis)) != (0, 0) {
            return Err(call.refuse(format!("expected pads of spatial axes only, got others of {}", x.layout)));
        }
    }
    let list: Vec<i64> = [before, after].into_iter().flat_map(|side| spatial(draft.rank()).map(|axis| at(side, axis))).collect();
    let padding = paddings(call, draft.rank(), &list)?;
    if padding.is_zero() {
        return Ok(x.clone());
    }
    let fill = match call.text("mode", "constant").as_ref() {
        "constant" => {
            let input = call.numbers(2)?.map_or(0.0, |v| v[0]);
            PadFill::Constant { value: call.attribute("value").map_or(input, |a| f64::from(a.f)) }
        }
        "reflect" => PadFill::Reflect,
        "edge" => PadFill::Edge,
        other => return Err(call.refuse(format!("mode {other}"))),
    };
    Ok(x.at(draft.push(call, Op::Pad { padding, fill }, vec![x.node])?))
}
