//! What is computed for tiles of one extent, in which order, and where it is kept.

use super::arena::Place;
use super::buffers::Buffers;
use super::fusion::Fusion;
use super::kernels::{Element, Held};
use super::layer::Layer;
use super::ops::{Head, Map, Sampling};
use super::placement::{Demand, Placement};
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

/// Gives every value its buffer and place.
fn place<E: Element>(steps: &mut [Step<E>], head: &Head, shapes: &[Shape], views: &[View]) -> (Buffers, Vec<Option<Place>>) {
    let demand = |step| -> Demand<'_> {
        let Step { inputs, output, work, scratch, .. }: &Step<E> = step;
        Demand { inputs, output: *output, is_local: work.is_local(), scratch: *scratch }
    };
    let demands: Vec<Demand<'_>> = steps.iter().map(demand).collect();
    let read_last = head.maps.iter().map(|map| map.node);
    let Placement { buffers, buffer_of, overwritten, scratch } =
        Placement::new(&demands, read_last, shapes, views, Shape::elements);
    for ((step, overwritten), scratch) in steps.iter_mut().zip(overwritten).zip(scratch) {
        (step.overwritten, step.scratch_buffer) = (overwritten, scratch);
    }
    let place = |(&View { host, first_channel }, buffer): (&View, Option<usize>)| {
        Some(Place { buffer: buffer?, first_channel, stride: shapes[host].channels })
    };
    let places = views.iter().zip(buffer_of).map(place).collect();
    (buffers, places)
}
