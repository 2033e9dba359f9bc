//! The executor.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::card::{self, Card};
use super::device::Device;
use super::engine::Engine;
use super::kernel::Stored;
use super::resident::Resident;
use crate::{
    Arithmetic, Convolutions, DeviceFacts, Error, Executor, Extent, Graph, Precision, Result, Shape, Stitch, StitchBytes,
    StitchRequest, Tensor, Weights,
};

/// Which cards are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CudaDevices {
    /// All that the driver finds.
    All,
    /// One, from 0 on.
    One(usize),
}

/// Runs a graph on CUDA: convolutions with what follows them by cuDNN, all else by kernels of its own.
///
/// The scores are those of [`Fused`](crate::Fused) up to the precision's rounding. They are the same for any number of cards of one kind.
pub struct Cuda {
    /// The graph as given.
    graph: Graph,
    precision: Precision,
    facts: DeviceFacts,
    engines: Vec<Engine>,
}

impl fmt::Debug for Cuda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cuda").field("facts", &self.facts).field("precision", &self.precision).finish_non_exhaustive()
    }
}

impl Cuda {
    /// An executor of `graph` with `weights` on the cards of this machine.
    ///
    /// # Errors
    /// If the weights are not exactly those of the graph, or the driver, a library or the card is missing: the error says what, and where it was
    /// looked for.
    pub fn new(graph: Graph, weights: &Weights, precision: Precision, devices: CudaDevices) -> Result<Self> {
        weights.check(&graph)?;
        let ordinals = match devices {
            CudaDevices::One(ordinal) => ordinal..ordinal + 1,
            CudaDevices::All => 0..card::count()?,
        };
        if ordinals.is_empty() {
            return Err(Error::NoCuda { missing: "the NVIDIA driver finds no card".into() });
        }
        let open = |ordinal| Card::new(ordinal, Stored::of(precision)).map(Arc::new);
        let cards = ordinals.map(open).collect::<Result<Vec<_>>>()?;
        let engine = |card: &Arc<Card>| Engine::new(Arc::clone(card) as Arc<dyn Device>, &graph, weights, precision);
        let engines = cards.iter().map(engine).collect::<Result<_>>()?;
        let name = cards.first().map(|card| card.name().to_owned()).unwrap_or_default();
        // Asked once: later, it depends on what another scene is doing.
        let free = cards.iter().map(|card| card.memory().map(|[free, _]| free)).collect::<Result<Vec<_>>>()?;
        let facts = DeviceFacts { name, cards: cards.len(), free: free.into_iter().min().unwrap_or(0) };
        Ok(Self { graph, precision, facts, engines })
    }

    /// How long the network takes for a batch of tiles on the first card, on average over `runs`: no pixels go there, and nothing comes back.
    ///
    /// # Errors
    /// If the network cannot take tiles of this extent, or the card fails.
    pub fn time(&self, tile: Extent, batch: usize, runs: usize) -> Result<Duration> {
        self.engine()?.time(tile, batch, runs)
    }

    /// The first card's engine; there is at least one.
    fn engine(&self) -> Result<&Engine> {
        self.engines.first().ok_or_else(|| Error::NoCuda { missing: "the NVIDIA driver finds no card".into() })
    }
}

impl Executor for Cuda {
    fn graph(&self) -> &Graph {
        &self.graph
    }

    fn arithmetic(&self) -> Arithmetic {
        Arithmetic { precision: self.precision, convolutions: Convolutions::Cudnn }
    }

    fn run(&self, tile: Tensor) -> Result<Tensor> {
        let shape = tile.shape();
        if shape.channels != self.graph.input_channels() {
            let want = Shape { channels: self.graph.input_channels(), ..shape };
            let node = self.graph.nodes()[0].name.clone();
            return Err(Error::Node { node, expected: want.to_string(), got: shape.to_string() });
        }
        self.engine()?.run(&tile)
    }

    fn peak_bytes(&self, tile: Extent, _threads: usize) -> Result<usize> {
        let shapes = self.graph.shapes(tile)?;
        // On the machine: the tile, then its scores.
        Ok(shapes[0].bytes().max(shapes[self.graph.output().index()].bytes()))
    }

    fn resident_bytes(&self) -> usize {
        // On the machine: the weights as they were read, for programs of other extents.
        self.graph.parameters() * size_of::<f32>() * self.engines.len()
    }

    fn trim(&self) {
        self.engines.iter().for_each(Engine::trim);
    }

    fn device(&self) -> Option<DeviceFacts> {
        Some(self.facts.clone())
    }

    fn stitchers(&self, request: &StitchRequest) -> Result<Vec<Box<dyn Stitch + Send + '_>>> {
        let stitcher = |engine| Ok(Box::new(Resident::new(engine, request.clone())?) as Box<dyn Stitch + Send>);
        self.engines.iter().map(stitcher).collect()
    }

    fn stitch_bytes(&self, request: &StitchRequest) -> Result<StitchBytes> {
        Resident::bytes(self.engine()?, request)
    }
}
