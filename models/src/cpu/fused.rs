//! The executor.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::arena::Arena;
use super::kernels::Isa;
use super::layer::Layer;
use super::ops;
use super::program::Program;
use crate::passes::{drop_identities, drop_unused, fold_batch_norm};
use crate::{Arithmetic, Error, Executor, Extent, Graph, Result, Shape, Tensor, Weights};

/// Runs a graph on the CPU with what follows a convolution made part of it, on all threads of the rayon pool that it is called from.
///
/// The scores are those of [`Reference`](crate::Reference) up to rounding, and the same to the bit for any number of threads.
///
/// ```
/// use swath_models::{zoo, Arithmetic, Executor, Fused, Shape, Tensor};
///
/// let graph = zoo::build("fcn_resnet50", 3, 2)?;
/// let weights = zoo::random_weights(&graph, 1);
/// let executor = Fused::new(graph, &weights, Arithmetic::default())?;
/// let shape = Shape::planar(3, 40, 33);
/// let scores = executor.run(Tensor::new(shape, vec![0.5; shape.elements()])?)?;
/// assert_eq!(scores.shape(), Shape::planar(2, 40, 33));
/// # Ok::<(), swath_models::Error>(())
/// ```
pub struct Fused {
    /// The graph as given.
    graph: Graph,
    /// What is computed.
    lowered: Graph,
    /// Of every node of `lowered`.
    layers: Vec<Option<Layer>>,
    isa: Isa,
    arithmetic: Arithmetic,
    ready: Mutex<Ready>,
}

/// What is kept for tiles of the same extent as the last one.
#[derive(Default)]
struct Ready {
    program: Option<Arc<Program>>,
    /// Of calls that are over.
    arenas: Vec<Arena>,
}

impl fmt::Debug for Fused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fused").field("graph", &self.graph.name()).field("isa", &self.isa).finish_non_exhaustive()
    }
}

impl Fused {
    /// An executor of `graph` with `weights`.
    ///
    /// # Errors
    /// If the weights are not exactly those of the graph, or the environment variable `SWATH_ISA` asks for instructions that the processor lacks.
    pub fn new(graph: Graph, weights: &Weights, arithmetic: Arithmetic) -> Result<Self> {
        weights.check(&graph)?;
        let isa = Isa::detect().map_err(|reason| Error::Processor { reason })?;
        let (lowered, weights) = drop_unused(&drop_identities(&graph)?, weights.clone())?;
        let (lowered, weights) = fold_batch_norm(&lowered, weights)?;
        let layers = lowered.nodes().iter().map(|node| Layer::new(node, &lowered, &weights, isa)).collect::<Result<_>>()?;
        Ok(Self { graph, lowered, layers, isa, arithmetic, ready: Mutex::default() })
    }

    /// A program for tiles of an extent, and an arena if there is a free one.
    fn claim(&self, tile: Extent) -> Result<(Arc<Program>, Option<Arena>)> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(program) = ready.program.clone().filter(|program| program.tile == tile) {
            return Ok((program, ready.arenas.pop()));
        }
        let program = Arc::new(Program::new(&self.lowered, &self.layers, tile)?);
        *ready = Ready { program: Some(Arc::clone(&program)), arenas: Vec::new() };
        Ok((program, None))
    }

    /// Keeps an arena for the next tile, unless that has another extent.
    fn release(&self, program: &Arc<Program>, arena: Arena) {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if ready.program.as_ref().is_some_and(|current| Arc::ptr_eq(current, program)) {
            ready.arenas.push(arena);
        }
    }
}

impl Executor for Fused {
    fn graph(&self) -> &Graph {
        &self.graph
    }

    fn arithmetic(&self) -> Arithmetic {
        self.arithmetic
    }

    fn run(&self, tile: Tensor) -> Result<Tensor> {
        let shape = tile.shape();
        if shape.channels != self.graph.input_channels() {
            let want = Shape { channels: self.graph.input_channels(), ..shape };
            let node = self.graph.nodes()[0].name.clone();
            return Err(Error::Node { node, expected: want.to_string(), got: shape.to_string() });
        }
        let (program, arena) = self.claim(shape.extent)?;
        let mut arena = arena.unwrap_or_else(|| Arena::new(&program));
        let mut input = arena.take(program.buffer_of[0]);
        ops::channels_last(shape, tile.data(), &mut input[..shape.elements()]);
        arena.put(program.buffer_of[0], input);
        drop(tile);
        for step in &program.steps {
            step.run(self.isa, &program, &mut arena);
        }
        let mut scores = vec![0.0; program.head.shape.elements()];
        program.head.run(self.isa, |node| arena.values(&program, node), &mut scores);
        self.release(&program, arena);
        Tensor::new(program.head.shape, scores)
    }

    fn peak_bytes(&self, tile: Extent, threads: usize) -> Result<usize> {
        Ok(Program::new(&self.lowered, &self.layers, tile)?.peak_bytes(threads))
    }

    fn resident_bytes(&self) -> usize {
        self.layers.iter().flatten().map(Layer::bytes).sum()
    }
}
