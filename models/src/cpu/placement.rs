//! Which buffer each value of a program lies in.

use super::buffers::{Buffers, Lifetime};
use super::views::View;
use crate::Shape;

/// What a step asks of the buffers. Values are called by the node that gives them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand<'a> {
    /// The values that it reads.
    pub(crate) inputs: &'a [usize],
    /// The value that it writes.
    pub(crate) output: usize,
    /// Whether an output value needs no other input value than the one at its place, or those of its pixel.
    pub(crate) is_local: bool,
    /// Elements that it needs room for while it runs.
    pub(crate) scratch: usize,
}

/// Which buffer each value lies in.
#[derive(Debug)]
pub(crate) struct Placement {
    pub(crate) buffers: Buffers,
    /// Of every value that is kept; views have the buffer of their host.
    pub(crate) buffer_of: Vec<Option<usize>>,
    /// For every step, the input whose buffer its output takes over.
    pub(crate) overwritten: Vec<Option<usize>>,
    /// For every step, the buffer that it may use while it runs.
    pub(crate) scratch: Vec<Option<usize>>,
}

impl Placement {
    /// Gives every value its buffer, and lets steps write over an input that nobody reads later. The tile is written at time 0, the values of the
    /// first step at time 1, and so on; `read_last` are read after all steps. A value with views in it is kept from the first of them on, as long as
    /// any is read, and never overwritten by a step that reads one of them. `elements` says how much room values of a shape take.
    pub(crate) fn new(
        demands: &[Demand<'_>],
        read_last: impl Iterator<Item = usize>,
        shapes: &[Shape],
        views: &[View],
        elements: impl Fn(Shape) -> usize,
    ) -> Self {
        let host = |node: usize| views[node].host;
        // Of hosts; views themselves have none, and so are never overwritten.
        let mut last_read = vec![0; shapes.len()];
        for (index, demand) in demands.iter().enumerate() {
            demand.inputs.iter().for_each(|&input| last_read[host(input)] = index + 1);
        }
        read_last.for_each(|node| last_read[host(node)] = demands.len() + 1);
        let mut lifetimes = vec![Lifetime { elements: elements(shapes[0]), first: 0, last: last_read[0] }];
        let mut lifetime_of: Vec<Option<usize>> = vec![None; shapes.len()];
        lifetime_of[0] = Some(0);
        let (mut overwritten, mut scratch) = (Vec::new(), Vec::new());
        for (index, demand) in demands.iter().enumerate() {
            let time = index + 1;
            let output = host(demand.output);
            let dying = |input: usize| last_read[input] == time && shapes[input] == shapes[demand.output];
            let once = |input: usize| demand.inputs.iter().filter(|&&other| host(other) == input).count() == 1;
            let taken = demand.inputs.iter().copied().find(|&input| demand.is_local && dying(input) && once(input));
            let own = Lifetime { elements: elements(shapes[output]), first: time, last: last_read[output].max(time) };
            lifetime_of[output] = taken.map_or(lifetime_of[output], |input| lifetime_of[input]);
            if let Some(shared) = lifetime_of[output] {
                lifetimes[shared].last = own.last;
            } else {
                lifetime_of[output] = Some(lifetimes.len());
                lifetimes.push(own);
            }
            overwritten.push(taken);
            scratch.push((demand.scratch > 0).then_some(lifetimes.len()));
            if demand.scratch > 0 {
                lifetimes.push(Lifetime { elements: demand.scratch, first: time, last: time });
            }
        }
        let buffers = Buffers::new(&lifetimes);
        let buffer = |lifetime: Option<usize>| lifetime.map(|lifetime| buffers.of[lifetime]);
        let buffer_of = views.iter().map(|view| buffer(lifetime_of[view.host])).collect();
        let scratch = scratch.into_iter().map(buffer).collect();
        Self { buffers, buffer_of, overwritten, scratch }
    }
}
