//! The executor.

use std::fmt;

use super::engine::Engine;
use super::kernels::{Bf16, Isa};
use crate::passes::{drop_identities, drop_unused, fold_batch_norm};
use crate::{Arithmetic, Error, Executor, Extent, Graph, Precision, Result, Shape, Tensor, Weights};

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
    arithmetic: Arithmetic,
    engine: EngineOf,
}

/// An engine for each precision.
#[derive(Debug)]
enum EngineOf {
    F32(Engine<f32>),
    Bf16(Engine<Bf16>),
}

impl fmt::Debug for Fused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fused").field("engine", &self.engine).field("arithmetic", &self.arithmetic).finish_non_exhaustive()
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
        let engine = match arithmetic.precision {
            Precision::F32 => EngineOf::F32(Engine::new(lowered, &weights, isa, arithmetic.convolutions)?),
            Precision::Bf16 => EngineOf::Bf16(Engine::new(lowered, &weights, isa, arithmetic.convolutions)?),
            Precision::F16 | Precision::Tf32 => return Err(Error::Precision { precision: arithmetic.precision.name() }),
        };
        Ok(Self { graph, arithmetic, engine })
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
        match &self.engine {
            EngineOf::F32(engine) => engine.run(tile),
            EngineOf::Bf16(engine) => engine.run(tile),
        }
    }

    fn peak_bytes(&self, tile: Extent, threads: usize) -> Result<usize> {
        match &self.engine {
            EngineOf::F32(engine) => engine.peak_bytes(tile, threads),
            EngineOf::Bf16(engine) => engine.peak_bytes(tile, threads),
        }
    }

    fn recycle(&self, scores: Tensor) {
        match &self.engine {
            EngineOf::F32(engine) => engine.recycle(scores),
            EngineOf::Bf16(engine) => engine.recycle(scores),
        }
    }

    fn trim(&self) {
        match &self.engine {
            EngineOf::F32(engine) => engine.trim(),
            EngineOf::Bf16(engine) => engine.trim(),
        }
    }

    fn resident_bytes(&self) -> usize {
        match &self.engine {
            EngineOf::F32(engine) => engine.resident_bytes(),
            EngineOf::Bf16(engine) => engine.resident_bytes(),
        }
    }
}
