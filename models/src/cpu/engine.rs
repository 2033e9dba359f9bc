//! A graph made ready to be computed with values of one kind.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::arena::Arena;
use super::kernels::{Conditions, Element, Isa, Maps};
use super::layer::Layer;
use super::ops;
use super::program::Program;
use crate::{Convolutions, Extent, Graph, Result, Shape, Tensor, Weights};

/// A graph made ready to be computed with values of one kind.
pub(super) struct Engine<E: Element> {
    graph: Graph,
    /// Of every node.
    layers: Vec<Option<Layer<E>>>,
    isa: Isa,
    ready: Mutex<Ready<E>>,
}

/// What is kept for tiles of the same extent as the last one.
struct Ready<E: Element> {
    program: Option<Arc<Program<E>>>,
    /// Of calls that are over.
    arenas: Vec<Arena<E>>,
    /// Of as many values as the program's scores have: those that nobody reads any more.
    scores: Vec<Vec<f32>>,
}

/// What computes one tile.
struct Claim<E: Element> {
    program: Arc<Program<E>>,
    arena: Arena<E>,
    /// Where the scores go, of which each is written.
    scores: Vec<f32>,
}

impl<E: Element> Claim<E> {
    /// With what is kept of earlier calls, if anything is.
    fn new(program: Arc<Program<E>>, arena: Option<Arena<E>>, scores: Option<Vec<f32>>) -> Self {
        let arena = arena.unwrap_or_else(|| Arena::new(&program));
        let scores = scores.unwrap_or_else(|| vec![0.0; program.head.shape.elements()]);
        Self { program, arena, scores }
    }
}

impl<E: Element> fmt::Debug for Engine<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("graph", &self.graph.name()).field("isa", &self.isa).finish_non_exhaustive()
    }
}

impl<E: Element> Engine<E> {
    /// Packs the weights of a graph.
    pub(super) fn new(graph: Graph, weights: &Weights, isa: Isa, convolutions: Convolutions) -> Result<Self> {
        let maps = usual_maps(&graph);
        let layers = graph
            .nodes()
            .iter()
            .zip(maps)
            .map(|(node, maps)| Layer::new(node, &graph, weights, isa, Conditions { convolutions, maps }));
        let layers = layers.collect::<Result<_>>()?;
        Ok(Self { graph, layers, isa, ready: Mutex::new(Ready { program: None, arenas: Vec::new(), scores: Vec::new() }) })
    }

    /// The scores of a tile that has as many channels as the graph takes.
    pub(super) fn run(&self, tile: Tensor) -> Result<Tensor> {
        let shape = tile.shape();
        let Claim { program, mut arena, mut scores } = self.claim(shape.extent)?;
        let buffer = program.places[0].map(|place| place.buffer);
        let mut input = arena.take(buffer);
        ops::channels_last(shape, tile.data(), &mut input[..shape.elements()]);
        arena.put(buffer, input);
        drop(tile);
        for step in &program.steps {
            step.run(self.isa, &program, &mut arena);
        }
        program.head.run(self.isa, |node| arena.pixels(&program, node), &mut scores);
        self.release(&program, arena);
        Tensor::new(program.head.shape, scores)
    }

    /// Bytes that one tile needs on a pool of so many threads.
    pub(super) fn peak_bytes(&self, tile: Extent, threads: usize) -> Result<usize> {
        Ok(Program::new(&self.graph, &self.layers, tile)?.peak_bytes(threads))
    }

    /// Bytes of the packed weights.
    pub(super) fn resident_bytes(&self) -> usize {
        self.layers.iter().flatten().map(Layer::bytes).sum()
    }

    /// Gives back the memory that is kept for the next tile.
    pub(super) fn trim(&self) {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        ready.arenas.clear();
        ready.scores.clear();
        drop(ready);
        E::idle().lock().unwrap_or_else(PoisonError::into_inner).clear();
        f32::idle().lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Keeps scores that nobody reads any more for the next tile, unless its own are of another number.
    pub(super) fn recycle(&self, scores: Tensor) {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if ready.program.as_ref().is_some_and(|program| program.head.shape == scores.shape()) {
            ready.scores.push(scores.into_data());
        }
    }

    /// What computes a tile of an extent.
    fn claim(&self, tile: Extent) -> Result<Claim<E>> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(program) = ready.program.clone().filter(|program| program.tile == tile) {
            let (arena, scores) = (ready.arenas.pop(), ready.scores.pop());
            drop(ready);
            return Ok(Claim::new(program, arena, scores));
        }
        let program = Arc::new(Program::new(&self.graph, &self.layers, tile)?);
        *ready = Ready { program: Some(Arc::clone(&program)), arenas: Vec::new(), scores: Vec::new() };
        Ok(Claim::new(program, None, None))
    }

    /// Keeps an arena for the next tile, unless that has another extent.
    fn release(&self, program: &Arc<Program<E>>, arena: Arena<E>) {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if ready.program.as_ref().is_some_and(|current| Arc::ptr_eq(current, program)) {
            ready.arenas.push(arena);
        }
    }
}

/// Side of a usual tile, in pixels.
const USUAL_TILE: usize = 512;
/// Most positions of a small map.
const SMALL_MAP: usize = 16 * 16;

/// How large the maps of every node are in a usual tile: what is computed must not depend on the actual one. Of a volume one slice is looked at,
/// as Winograd's algorithm computes slice by slice; a graph that takes no usual tile is large enough.
fn usual_maps(graph: &Graph) -> Vec<Maps> {
    let tile = graph.fixed_extent().unwrap_or(Extent::planar(USUAL_TILE, USUAL_TILE));
    let size = |shape: &Shape| if shape.extent.y * shape.extent.x <= SMALL_MAP { Maps::Small } else { Maps::Large };
    graph.shapes(tile).map_or_else(|_| vec![Maps::Large; graph.nodes().len()], |shapes| shapes.iter().map(size).collect())
}
