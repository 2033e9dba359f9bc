//! Values put along a new first axis and summed over it, as `torch.stack(..).sum(0)` is written.

use std::rc::Rc;

use super::call::Call;
use super::draft::Draft;
use super::layout::Axis;
use super::value::{Feature, Value};
use crate::{Op, Result};

/// A new axis before the batch; `None` if the axis is another one.
pub(super) fn stack(call: &Call<'_>) -> Result<Option<Value>> {
    let x = call.feature(0)?;
    let is_first = call.listed("axes", 1)?.is_some_and(|places| places == [0]) && x.layout.position(Axis::Batch).is_some();
    Ok(is_first.then(|| Value::Stack(Rc::new([x.clone()]))))
}

/// Stacks one after the other.
pub(super) fn stacked(call: &Call<'_>) -> Result<Value> {
    call.require("axis", 0)?;
    let mut all = Vec::new();
    for input in 0..call.inputs.len() {
        match call.value(input)? {
            Value::Stack(stack) => {
                call.spend(stack.len())?;
                all.extend(stack.iter().cloned());
            }
            _ => return Err(call.refuse(format!("input {input} has no axis before the batch, as others have"))),
        }
    }
    Ok(Value::Stack(all.into()))
}

/// The sum over a stack.
pub(super) fn sum(call: &Call<'_>, draft: &mut Draft) -> Result<Feature> {
    let fail = || call.refuse("expected a sum over the axis before the batch with keepdims=0");
    let Value::Stack(stack) = call.value(0)? else { return Err(fail()) };
    if call.listed("axes", 1)?.is_none_or(|axes| axes != [0]) || call.int("keepdims", 1) != 0 {
        return Err(fail());
    }
    let [first, others @ ..] = &stack[..] else { return Err(fail()) };
    others.iter().try_fold(first.clone(), |sum, x| {
        if sum.layout != x.layout {
            return Err(call.refuse(format!("expected values with the same axes, got {} and {}", sum.layout, x.layout)));
        }
        Ok(sum.at(draft.push(call, Op::Add, vec![sum.node, x.node])?))
    })
}
