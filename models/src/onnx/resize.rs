//! Resampling to another extent.

use super::call::Call;
use super::draft::Draft;
use super::layout::{Axis, resolve, spatial};
use super::sliding::axes;
use super::symbol::{Length, Symbol};
use super::value::Feature;
use crate::{Coordinates, Interpolation, NodeId, Op, Rank, Resize, ResizeTo, Result};

/// `Upsample` of versions 7 and 9: scales as attribute or input, coordinates not centred.
pub(super) fn upsample(call: &Call<'_>, draft: &mut Draft) -> Result<Feature> {
    let x = call.feature(0)?;
    let interpolation = match call.text("mode", "nearest").as_ref() {
        "nearest" => Interpolation::NearestFloor,
        "linear" | "bilinear" => Interpolation::Linear,
        other => return Err(call.refuse(format!("mode {other}"))),
    };
    let scales = match call.attribute("scales") {
        Some(a) => a.floats.iter().map(|f| f64::from(*f)).collect(),
        None => call.numbers(1)?.ok_or_else(|| call.refuse("scales are missing"))?,
    };
    let to = by_scales(call, draft, x, &all_places(x), &scales, Coordinates::Asymmetric)?;
    push(call, draft, x, Target::Own(to), interpolation, Coordinates::Asymmetric)
}

pub(super) fn resize(call: &Call<'_>, draft: &mut Draft) -> Result<Feature> {
    let x = call.feature(0)?;
    call.require("antialias", 0)?;
    let policy = call.text("keep_aspect_ratio_policy", "stretch");
    if policy != "stretch" {
        return Err(call.refuse(format!("keep_aspect_ratio_policy {policy}")));
    }
    let coordinates = coordinates(call)?;
    let interpolation = interpolation(call)?;
    let places = match call.ints("axes") {
        None => all_places(x),
        Some(list) => list
            .iter()
            .map(|p| resolve(*p, x.layout.axes().len()))
            .collect::<Option<_>>()
            .ok_or_else(|| call.refuse("axes that are not there"))?,
    };
    let (scales, sizes) = if call.opset < 11 { (1, 3) } else { (2, 3) };
    let target = match (call.numbers(scales)?, call.symbols(sizes)?) {
        (Some(scales), None) => Target::Own(by_scales(call, draft, x, &places, &scales, coordinates)?),
        (None, Some(sizes)) => by_sizes(call, draft, x, &places, &sizes)?,
        _ => return Err(call.refuse("expected either scales or sizes")),
    };
    // Version 10 leaves open which neighbour is the nearest when a tensor is made smaller.
    if call.opset < 11
        && interpolation != Interpolation::Linear
        && !matches!(target, Target::Own(ResizeTo::Factor { factor }) if factor.into_array().iter().all(|f| *f >= 1.0))
    {
        return Err(call.refuse("makes a tensor smaller by nearest neighbours, which version 10 does not define"));
    }
    if call.text("coordinate_transformation_mode", "") == "pytorch_half_pixel"
        && let Some(longer) = made_single(draft, x, target)
    {
        let what = "coordinate_transformation_mode pytorch_half_pixel, which takes the first of";
        return Err(call.refuse(format!("{what} {longer} positions for a length of 1, expected their middle")));
    }
    push(call, draft, x, target, interpolation, coordinates)
}

/// The length of an axis of which one position is left, if there is such an axis and all lengths are known. Of a free extent only the smallest
/// tiles have one, where PyTorch itself takes the middle.
fn made_single(draft: &Draft, x: &Feature, target: Target) -> Option<usize> {
    let from = draft.extent(x.node)?;
    let to = match target {
        Target::Own(ResizeTo::Factor { factor }) => from.zip(factor).map(|(n, factor)| (n as f64 * factor) as usize),
        Target::Own(ResizeTo::Extent { extent }) => extent,
        Target::Own(ResizeTo::Like) => from,
        Target::Like(node) => draft.extent(node)?,
    };
    from.zip(to).into_array().into_iter().find(|(from, to)| *from > 1 && *to == 1).map(|(from, _)| from)
}

/// The extent of the result.
#[derive(Clone, Copy)]
enum Target {
    /// As the operator says it.
    Own(ResizeTo),
    /// That of another node.
    Like(NodeId),
}

fn push(
    call: &Call<'_>,
    draft: &mut Draft,
    x: &Feature,
    target: Target,
    interpolation: Interpolation,
    coordinates: Coordinates,
) -> Result<Feature> {
    let (to, inputs) = match target {
        Target::Own(to) => (to, vec![x.node]),
        Target::Like(other) => (ResizeTo::Like, vec![x.node, other]),
    };
    Ok(x.at(draft.push(call, Op::Resize(Resize { interpolation, coordinates, to }), inputs)?))
}

fn coordinates(call: &Call<'_>) -> Result<Coordinates> {
    let default = if call.opset < 11 { "asymmetric" } else { "half_pixel" };
    match call.text("coordinate_transformation_mode", default).as_ref() {
        // They differ from one another only where a result of length 1 is made of a longer input (the second), which is refused where
        // lengths are known, or where the scale is not the ratio of lengths (the third), which is always refused.
        "half_pixel" | "pytorch_half_pixel" | "half_pixel_symmetric" => Ok(Coordinates::HalfPixel),
        "asymmetric" => Ok(Coordinates::Asymmetric),
        "align_corners" => Ok(Coordinates::AlignCorners),
        other => Err(call.refuse(format!("coordinate_transformation_mode {other}"))),
    }
}

fn interpolation(call: &Call<'_>) -> Result<Interpolation> {
    let nearest = if call.opset < 11 { "floor" } else { "round_prefer_floor" };
    match (call.text("mode", "nearest").as_ref(), call.text("nearest_mode", nearest).as_ref()) {
        ("linear", _) => Ok(Interpolation::Linear),
        ("nearest", "floor") => Ok(Interpolation::NearestFloor),
        ("nearest", "ceil") => Ok(Interpolation::NearestCeil),
        ("nearest", "round_prefer_floor") => Ok(Interpolation::NearestPreferFloor),
        ("nearest", "round_prefer_ceil") => Ok(Interpolation::NearestPreferCeil),
        ("nearest", other) => Err(call.refuse(format!("nearest_mode {other}"))),
        (other, _) => Err(call.refuse(format!("mode {other}"))),
    }
}

fn all_places(x: &Feature) -> Vec<usize> {
    (0..x.layout.axes().len()).collect()
}

/// One item for each spatial axis, from items at places of the file; `missing` says what an axis without an item has. Items of batch
/// and channels must be as `unchanged` says.
fn per_axis<T: Copy + PartialEq>(
    call: &Call<'_>,
    draft: &Draft,
    x: &Feature,
    places: &[usize],
    items: &[T],
    unchanged: impl Fn(Axis) -> T,
) -> Result<Vec<T>> {
    if places.len() != items.len() {
        return Err(call.refuse(format!("{} scales or sizes for {} axes", items.len(), places.len())));
    }
    let item = |axis: Axis| {
        let given = x.layout.position(axis).and_then(|place| places.iter().position(|p| *p == place));
        given.map_or_else(|| unchanged(axis), |index| items[index])
    };
    if [Axis::Batch, Axis::Channel].into_iter().any(|axis| item(axis) != unchanged(axis)) {
        return Err(call.refuse("resizes batch or channels"));
    }
    Ok(spatial(draft.rank()).map(item).collect())
}

fn by_scales(
    call: &Call<'_>,
    draft: &Draft,
    x: &Feature,
    places: &[usize],
    scales: &[f64],
    coordinates: Coordinates,
) -> Result<ResizeTo> {
    let factors = per_axis(call, draft, x, places, scales, |_| 1.0)?;
    let factor = axes(call, draft.rank(), "scales", &factors, 1.0)?;
    let lengths = draft.extent(x.node).map(|extent| extent.map(|n| n as f64));
    for (axis, f) in factor.into_array().into_iter().enumerate() {
        // ONNX maps coordinates by the scale itself, a graph by the ratio of lengths: they must be the same for every input.
        let exact = f.fract() == 0.0 || lengths.is_some_and(|lengths| (lengths.into_array()[axis] * f).fract() == 0.0);
        if !(f > 0.0 && f.is_finite()) || !(exact || coordinates == Coordinates::AlignCorners) {
            return Err(call.refuse(format!("scale {f} does not give a whole length for every input")));
        }
    }
    Ok(ResizeTo::Factor { factor })
}

fn by_sizes(call: &Call<'_>, draft: &Draft, x: &Feature, places: &[usize], sizes: &[Symbol]) -> Result<Target> {
    let own = |axis| draft.length(x.node, axis);
    let wanted = per_axis(call, draft, x, places, sizes, own)?;
    let numbers: Option<Vec<f64>> = wanted.iter().map(|s| s.number()).collect();
    if let Some(numbers) = numbers {
        let Some(extent) = draft.extent(x.node) else {
            return Err(call.refuse(format!("resizes an input of free extent to a fixed one, {numbers:?}")));
        };
        let sizes = axes(call, draft.rank(), "sizes", &numbers.iter().map(|n| *n as usize).collect::<Vec<_>>(), 1)?;
        let ratio = sizes.zip(extent);
        let whole = ratio.into_array().iter().all(|(size, n)| size.is_multiple_of(*n));
        let factor = ratio.map(|(size, n)| (size / n) as f64);
        return Ok(Target::Own(if whole { ResizeTo::Factor { factor } } else { ResizeTo::Extent { extent: sizes } }));
    }
    let lengths = lengths(draft.rank(), &wanted).ok_or_else(|| call.refuse("sizes that are not those of one other node"))?;
    let node = lengths[0].node;
    if node == x.node {
        let factors: Vec<f64> = lengths.iter().map(|l| factor(*l)).collect();
        return Ok(Target::Own(ResizeTo::Factor { factor: axes(call, draft.rank(), "sizes", &factors, 1.0)? }));
    }
    if lengths.iter().all(|l| l.is_whole()) {
        Ok(Target::Like(node))
    } else {
        Err(call.refuse("sizes that are a multiple or fraction of another node's"))
    }
}

/// The lengths wanted, if each is one of the same node's own axis.
fn lengths(rank: Rank, wanted: &[Symbol]) -> Option<Vec<Length>> {
    let lengths: Vec<Length> = wanted
        .iter()
        .zip(spatial(rank))
        .map(|(symbol, axis)| match symbol {
            Symbol::Length(length) if length.axis == axis => Some(*length),
            _ => None,
        })
        .collect::<Option<_>>()?;
    lengths.iter().all(|l| l.node == lengths[0].node).then_some(lengths)
}

/// A factor whose product with a length, rounded down, is never one too small: 1/49 as a float is less than 1/49.
fn factor(length: Length) -> f64 {
    let factor = length.times as f64 / length.over as f64;
    if length.over.is_power_of_two() { factor } else { factor.next_up() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_round_down_exactly() {
        for over in 1..200 {
            let of = |times| factor(Length { node: NodeId(0), axis: Axis::X, times, over, rounded: true });
            for n in 1..2000u64 {
                for times in [1, 2, 3] {
                    assert_eq!((n as f64 * of(times)).floor() as u64, n * times / over, "{n} * {times} / {over}");
                }
            }
        }
    }
}
