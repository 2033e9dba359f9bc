//! Arithmetic on constants and shapes, which exporters write around `Resize`, `Reshape` and `Pad`.

use std::rc::Rc;

use super::array::{Array, MOST_AXES, count};
use super::call::Call;
use super::channels::cuts;
use super::constant::{Constant, Data};
use super::draft::Draft;
use super::layout::resolve;
use super::reshape::{dims, order};
use super::symbol::{Kind, Symbol};
use super::value::Value;
use crate::Result;

/// The lengths of a value's axes.
pub(super) fn shape(call: &Call<'_>, draft: &Draft) -> Result<Value> {
    let numbers = |dims: &[usize]| dims.iter().map(|d| Symbol::Number(*d as f64)).collect();
    let lengths: Vec<Symbol> = match call.value(0)? {
        Value::Feature(x) => x.layout.axes().iter().map(|axis| draft.length(x.node, *axis)).collect(),
        Value::Constant(constant) => numbers(&constant.dims),
        Value::Array(array) => numbers(&array.dims),
        Value::Maxima(_) | Value::Groups(_) | Value::Stack(_) => {
            return Err(call.refuse("the shape of indices, of channels in groups or of a stack"));
        }
    };
    let rank = lengths.len() as i64;
    let place = |name: &str, default: i64| {
        let place = call.int(name, default);
        (if place < 0 { place + rank } else { place }).clamp(0, rank) as usize
    };
    Ok(Array::list(lengths[place("start", 0)..place("end", rank).max(place("start", 0))].to_vec()).into())
}

/// The result of an operator none of whose inputs is a feature map; `None` if it is not one for constants or shapes.
pub(super) fn evaluate(call: &Call<'_>) -> Result<Option<Value>> {
    let fail = || call.refuse("arithmetic on shapes that is not supported");
    let x = || call.array(0)?.ok_or_else(|| call.refuse("input 0 is missing"));
    let pair = |f: fn(Symbol, Symbol, Kind) -> Option<Symbol>| -> Result<Array> {
        let y = call.array(1)?.ok_or_else(|| call.refuse("input 1 is missing"))?;
        x()?.zip(&y, f).ok_or_else(fail)
    };
    let array = match call.operator() {
        "Constant" => return constant(call).map(Some),
        "Identity" => return Ok(Some(call.value(0)?.clone())),
        "Cast" => return cast(call).map(Some),
        "Add" => pair(|a, b, _| a.add(b))?,
        "Sub" => pair(|a, b, _| a.sub(b))?,
        "Mul" => pair(Symbol::mul)?,
        "Div" => pair(Symbol::div)?,
        "Floor" => x()?.map(Symbol::floor),
        "Concat" => {
            let parts: Vec<Array> = (0..call.inputs.len()).filter_map(|i| call.array(i).transpose()).collect::<Result<_>>()?;
            Array::concat(&parts).ok_or_else(fail)?
        }
        "ConstantOfShape" => constant_of_shape(call)?,
        "Gather" => gather(call, &x()?)?,
        "Slice" => slice(call, x()?)?,
        "Transpose" => {
            let x = x()?;
            x.transposed(&order(call, x.dims.len())).ok_or_else(fail)?
        }
        "Reshape" => {
            let x = x()?;
            let dims = dims(call, &x)?;
            x.reshaped(dims).ok_or_else(fail)?
        }
        "Flatten" => {
            let x = x()?;
            let axis = call.int("axis", 1);
            let axis = if axis < 0 { axis + x.dims.len() as i64 } else { axis }.clamp(0, x.dims.len() as i64) as usize;
            let dims = vec![x.dims[..axis].iter().product(), x.dims[axis..].iter().product()];
            x.reshaped(dims).ok_or_else(fail)?
        }
        "Squeeze" => squeeze(call, x()?)?,
        "Unsqueeze" => unsqueeze(call, x()?)?,
        _ => return Ok(None),
    };
    Ok(Some(array.into()))
}

fn constant(call: &Call<'_>) -> Result<Value> {
    let scalar = |data| Constant { dims: vec![], data };
    let constant = if let Some(tensor) = call.attribute("value").and_then(|a| a.t.as_ref()) {
        Constant::decode(tensor, call.folder)?
    } else if let Some(a) = call.attribute("value_int") {
        scalar(Data::Integer(vec![a.i]))
    } else if let Some(a) = call.attribute("value_float") {
        scalar(Data::Real(vec![a.f]))
    } else if let Some(a) = call.attribute("value_ints") {
        Constant { dims: vec![a.ints.len()], data: Data::Integer(a.ints.clone()) }
    } else if let Some(a) = call.attribute("value_floats") {
        Constant { dims: vec![a.floats.len()], data: Data::Real(a.floats.clone()) }
    } else {
        return Err(call.refuse("holds neither numbers nor a dense tensor"));
    };
    Ok(Value::Constant(Rc::new(constant)))
}

fn cast(call: &Call<'_>) -> Result<Value> {
    let real = call.cast_to()?.is_real();
    match call.value(0)? {
        // Large weights are not copied for a cast to the type that they have here anyway.
        same @ Value::Constant(c) if matches!(c.data, Data::Real(_)) == real => Ok(same.clone()),
        _ => {
            let array = call.array(0)?.ok_or_else(|| call.refuse("input 0 is missing"))?;
            Ok(if real {
                Array { kind: Kind::Real, ..array }
            } else {
                Array { kind: Kind::Integer, ..array.map(Symbol::truncate) }
            }
            .into())
        }
    }
}

fn constant_of_shape(call: &Call<'_>) -> Result<Array> {
    const LARGEST: usize = 1 << 16;
    let shape = call.integers(0)?.unwrap_or_default();
    let dims: Option<Vec<usize>> = shape.iter().map(|d| usize::try_from(*d).ok()).collect();
    let count = dims.as_deref().and_then(count);
    let (Some(dims), Some(count @ 0..=LARGEST)) = (dims, count) else {
        return Err(call.refuse(format!("a shape of {shape:?}")));
    };
    let value = match call.attribute("value").and_then(|a| a.t.as_ref()) {
        Some(tensor) => Constant::decode(tensor, call.folder)?.to_array(),
        None => Array { dims: vec![1], items: vec![Symbol::Number(0.0)], kind: Kind::Real },
    };
    call.spend(count)?;
    let item = *value.items.first().ok_or_else(|| call.refuse("its value is empty"))?;
    Ok(Array { dims, items: vec![item; count], kind: value.kind })
}

fn gather(call: &Call<'_>, x: &Array) -> Result<Array> {
    let fail = || call.refuse("indices that are not there");
    let axis = resolve(call.int("axis", 0), x.dims.len()).ok_or_else(fail)?;
    let indices = call.array(1)?.ok_or_else(fail)?;
    let places: Vec<usize> = call
        .integers(1)?
        .unwrap_or_default()
        .into_iter()
        .map(|i| resolve(i, x.dims[axis]))
        .collect::<Option<_>>()
        .ok_or_else(fail)?;
    let dims = [&x.dims[..axis], &indices.dims, &x.dims[axis + 1..]].concat();
    take(call, x, axis, &places)?.and_then(|taken| taken.reshaped(dims)).ok_or_else(fail)
}

/// The given places along an axis that is there.
fn take(call: &Call<'_>, x: &Array, axis: usize, places: &[usize]) -> Result<Option<Array>> {
    // As many items at every place.
    call.spend((x.items.len() / x.dims[axis].max(1)).saturating_mul(places.len()))?;
    Ok(x.take(axis, places))
}

fn slice(call: &Call<'_>, mut x: Array) -> Result<Array> {
    for cut in cuts(call, x.dims.len())? {
        let fail = || call.refuse(format!("axis {} of {}", cut.axis, x.dims.len()));
        let axis = resolve(cut.axis, x.dims.len()).ok_or_else(fail)?;
        let places = cut.places(call, x.dims[axis])?;
        x = take(call, &x, axis, &places)?.ok_or_else(fail)?;
    }
    Ok(x)
}

fn squeeze(call: &Call<'_>, x: Array) -> Result<Array> {
    let rank = x.dims.len();
    let fail = || call.refuse("drops axes that are not there or not of length 1");
    let dropped: Vec<usize> = match call.listed("axes", 1)? {
        Some(list) => list.iter().map(|p| resolve(*p, rank)).collect::<Option<_>>().ok_or_else(fail)?,
        None => (0..rank).filter(|p| x.dims[*p] == 1).collect(),
    };
    let dims = (0..rank).filter(|p| !dropped.contains(p)).map(|p| x.dims[p]).collect();
    x.reshaped(dims).ok_or_else(fail)
}

fn unsqueeze(call: &Call<'_>, x: Array) -> Result<Array> {
    let fail = || call.refuse("adds axes at places that cannot be");
    let list = call.listed("axes", 1)?.ok_or_else(fail)?;
    let rank = x.dims.len() + list.len();
    if rank > MOST_AXES {
        return Err(call.refuse(format!("expected at most {MOST_AXES} axes, got {rank}")));
    }
    let mut added: Vec<usize> = list.iter().map(|p| resolve(*p, rank)).collect::<Option<_>>().ok_or_else(fail)?;
    added.sort_unstable();
    let mut dims = x.dims.clone();
    for place in added {
        if place > dims.len() {
            return Err(fail());
        }
        dims.insert(place, 1);
    }
    x.reshaped(dims).ok_or_else(fail)
}
