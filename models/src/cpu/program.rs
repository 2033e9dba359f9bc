//! What is computed for tiles of one extent, in which order, and where it is kept.

use super::arena::Place;
use super::buffers::{Buffers, Lifetime};
use super::fusion::Fusion;
use super::kernels::{Element, Held};
use super::layer::Layer;
use super::ops::{Head, Map, Sampling};
use super::step::Step;
use super::views::{View, place_parts};
use crate::{Extent, Graph, Op, Result, Shape};

/// What is computed for tiles of one extent. Values are called by the node that gives them.
#[derive(Debug)]
pub(super) struct Program<E: Element> {
    /// Extent of the tiles.
    pub(super) tile: Extent,
    /// Of every node's values.
    pub(super) shapes: Vec<Shape>,
    pub(super) steps: Vec<Step<E>>,
    pub(super) head: Head,
    pub(super) buffers: Buffers,
    /// Of every node's values; nodes computed with others have none.
    pub(super) places: Vec<Option<Place>>,
}

impl<E: Element> Program<E> {
    /// The program for tiles of the given extent.
    pub(super) fn new(graph: &Graph, layers: &[Option<Layer<E>>], tile: Extent) -> Result<Self> {
        let shapes = graph.shapes(tile)?;
        let fusion = Fusion::new(graph, &shapes);
        let groups = fusion.groups.iter().filter(|group| group.node != 0);
        let mut steps: Vec<Step<E>> = groups.map(|group| Step::new(graph, layers, &shapes, group)).collect::<Result<_>>()?;
        let maps = fusion.maps.iter().map(|&id| {
            let (node, index) = (&graph.nodes()[id.index()], id.index());
            match node.op {
                Op::Resize(resize) if !fusion.gives(id) => {
                    let input = node.inputs[0].index();
                    let sampling = Sampling::new(resize, shapes[input].extent, shapes[index].extent);
                    Map { node: input, shape: shapes[input], sampling: Some(sampling) }
                }
                _ => Map { node: index, shape: shapes[index], sampling: None },
            }
        });
        let head = Head { maps: maps.collect(), last: fusion.last, shape: shapes[graph.output().index()] };
        let views = place_parts(&mut steps, &shapes);
        let (buffers, places) = place(&mut steps, &head, &shapes, &views);
        Ok(Self { tile, shapes, steps, head, buffers, places })
    }

    /// Bytes that one tile needs: buffers, the tile or its scores, and what the kernels hold on a pool of so many threads.
    pub(super) fn peak_bytes(&self, threads: usize) -> usize {
        let kernels = self.steps.iter().map(|step| step.held(self, threads)).fold(Held::default(), Held::most).bytes();
        self.buffers.elements() * size_of::<E>() + self.shapes[0].bytes().max(self.head.shape.bytes()) + kernels
    }
}

/// Gives every value its buffer, and lets steps write over an input that nobody reads later. The tile is written at time 0, the values of the
/// first step at time 1, and so on; the head reads last. A value with views in it is kept from the first of them on, as long as any is read, and
/// never overwritten by a step that reads one of them.
fn place<E: Element>(steps: &mut [Step<E>], head: &Head, shapes: &[Shape], views: &[View]) -> (Buffers, Vec<Option<Place>>) {
    let host = |node: usize| views[node].host;
    // Of hosts; views themselves have none, and so are never overwritten.
    let mut last_read = vec![0; shapes.len()];
    for (index, step) in steps.iter().enumerate() {
        step.inputs.iter().for_each(|&input| last_read[host(input)] = index + 1);
    }
    head.maps.iter().for_each(|map| last_read[host(map.node)] = steps.len() + 1);
    let mut lifetimes = vec![Lifetime { elements: shapes[0].elements(), first: 0, last: last_read[0] }];
    let mut lifetime_of: Vec<Option<usize>> = vec![None; shapes.len()];
    lifetime_of[0] = Some(0);
    for (index, step) in steps.iter_mut().enumerate() {
        let time = index + 1;
        let output = host(step.output);
        let dying = |input: usize| last_read[input] == time && shapes[input] == shapes[step.output];
        let once = |input: usize| step.inputs.iter().filter(|&&other| host(other) == input).count() == 1;
        step.overwritten = step.inputs.iter().copied().find(|&input| step.work.is_local() && dying(input) && once(input));
        let own = Lifetime { elements: shapes[output].elements(), first: time, last: last_read[output].max(time) };
        lifetime_of[output] = step.overwritten.map_or(lifetime_of[output], |input| lifetime_of[input]);
        if let Some(shared) = lifetime_of[output] {
            lifetimes[shared].last = own.last;
        } else {
            lifetime_of[output] = Some(lifetimes.len());
            lifetimes.push(own);
        }
        if step.scratch > 0 {
            lifetimes.push(Lifetime { elements: step.scratch, first: time, last: time });
            step.scratch_buffer = Some(lifetimes.len() - 1);
        }
    }
    let buffers = Buffers::new(&lifetimes);
    for step in steps {
        step.scratch_buffer = step.scratch_buffer.map(|lifetime| buffers.of[lifetime]);
    }
    let place = |&View { host, first_channel }: &View| {
        let buffer = buffers.of[lifetime_of[host]?];
        Some(Place { buffer, first_channel, stride: shapes[host].channels })
    };
    let places = views.iter().map(place).collect();
    (buffers, places)
}
