//! A graph made ready for a card.
#![expect(unsafe_code, reason = "launches read and write addresses")]

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::arguments::{self, BandScaling};
use super::blueprint::{Blueprint, lower};
use super::device::{Device, Memory, Stream};
use super::kernel::Stored;
use super::parameters::Parameters;
use super::program::Program;
use super::turn::{Turn, Turns};
use crate::split_mix::SplitMix;
use crate::{Extent, Graph, Precision, Result, Scaling, Shape, Tensor, Weights};

/// Runs before time is taken: clocks and caches settle.
const WARM_UP: usize = 3;

/// A graph made ready for a card.
pub(super) struct Engine {
    device: Arc<dyn Device>,
    parameters: Parameters,
    precision: Precision,
    turns: Turns,
    single: Mutex<Option<Single>>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("device", &self.device).field("parameters", &self.parameters).finish_non_exhaustive()
    }
}

/// What computes one tile at a time, of the extent of the last one.
#[derive(Debug)]
struct Single {
    program: Program,
    /// The tile: `(channels, depth, height, width)`.
    pixels: Memory,
    /// One that changes nothing, of every channel.
    scaling: Memory,
    scores: Memory,
}

impl Engine {
    pub(super) fn new(device: Arc<dyn Device>, graph: &Graph, weights: &Weights, precision: Precision) -> Result<Self> {
        weights.check(graph)?;
        let (graph, weights) = lower(graph, weights)?;
        let parameters = Parameters::new(graph, weights, Stored::of(precision));
        Ok(Self { device, parameters, precision, turns: Turns::default(), single: Mutex::default() })
    }

    pub(super) fn device(&self) -> &Arc<dyn Device> {
        &self.device
    }

    /// The graph that is computed.
    pub(super) fn graph(&self) -> &Graph {
        self.parameters.graph()
    }

    /// Waits for the card: one at a time has it, with its memory and its streams.
    pub(super) fn turn(&self) -> Turn<'_> {
        self.turns.take()
    }

    /// Bytes that the card holds of the weights.
    pub(super) fn resident_bytes(&self) -> usize {
        self.parameters.bytes()
    }

    /// What is computed for a batch of tiles.
    pub(super) fn blueprint(&self, tile: Extent, batch: usize) -> Result<Blueprint> {
        Blueprint::new(self.graph(), tile, batch)
    }

    /// Bytes of the buffers of a batch of tiles.
    pub(super) fn buffer_bytes(&self, tile: Extent, batch: usize) -> Result<usize> {
        Ok(self.blueprint(tile, batch)?.bytes(Stored::of(self.precision)))
    }

    /// What computes a batch of tiles.
    pub(super) fn program(&self, tile: Extent, batch: usize) -> Result<Program> {
        let mut program = Program::new(&self.device, &self.parameters, self.precision, self.blueprint(tile, batch)?)?;
        program.record()?;
        Ok(program)
    }

    /// How one band after the other is scaled.
    pub(super) fn scaling(&self, scaling: &[Scaling]) -> Result<Memory> {
        let bands: Vec<BandScaling> = scaling.iter().map(|&scaling| scaling.into()).collect();
        Memory::of(&self.device, &bands)
    }

    /// The scores of a tile that has as many channels as the graph takes.
    pub(super) fn run(&self, tile: &Tensor) -> Result<Tensor> {
        let shape = tile.shape();
        let _turn = self.turn();
        let mut single = self.single.lock().unwrap_or_else(PoisonError::into_inner);
        let Single { program, pixels, scaling, scores } = match single.take() {
            Some(ready) if ready.program.tile() == shape.extent => single.insert(ready),
            other => {
                // Its memory first, so that there is room for the next one's.
                drop(other);
                single.insert(self.single(shape)?)
            }
        };
        let result = program.scores(self.graph());
        let normalise =
            arguments::Normalise { pixels: pixels.address(), valid: 0, scaling: scaling.address(), output: program.input };
        let extent = result.extent.map(|n| n as i32);
        let head = arguments::HeadScores {
            head: program.head,
            scores: scores.address(),
            depth: extent.z,
            height: extent.y,
            width: extent.x,
        };
        pixels.write(tile.data())?;
        // SAFETY: pixels, input and scores are memory of the device, as large as the program's shapes say.
        unsafe { self.device.launch(&arguments::NORMALISE_F32.launch(normalise, program.input.groups())) }?;
        program.run()?;
        // SAFETY: as above.
        unsafe { self.device.launch(&arguments::HEAD_SCORES.launch(head, result.extent.product())) }?;
        Tensor::new(result, scores.read(result.elements())?)
    }

    /// How long the network takes for a batch of noise, on average over `runs`: nothing goes up or comes back meanwhile.
    pub(super) fn time(&self, tile: Extent, batch: usize, runs: usize) -> Result<Duration> {
        let _turn = self.turn();
        let program = self.program(tile, batch)?;
        let shape = Shape { channels: self.graph().input_channels(), extent: tile };
        let mut noise = SplitMix::new(1);
        let values: Vec<f32> = (0..batch * shape.elements()).map(|_| noise.symmetric() as f32).collect();
        let (pixels, scaling) = (Memory::of(&self.device, &values)?, self.scaling(&vec![Scaling::None; shape.channels])?);
        let (pixels, scaling) = (pixels.address(), scaling.address());
        let normalise = arguments::Normalise { pixels, valid: 0, scaling, output: program.input };
        // SAFETY: pixels and input are memory of the device, as large as the program's shapes say; they live until the end.
        unsafe { self.device.launch(&arguments::NORMALISE_F32.launch(normalise, program.input.groups())) }?;
        let finished = || self.device.wait(&self.device.mark(Stream::Compute)?);
        for _ in 0..WARM_UP {
            program.run()?;
        }
        finished()?;
        let started = Instant::now();
        for _ in 0..runs {
            program.run()?;
        }
        finished()?;
        Ok(started.elapsed() / runs.max(1) as u32)
    }

    fn single(&self, shape: Shape) -> Result<Single> {
        let program = self.program(shape.extent, 1)?;
        Ok(Single {
            pixels: Memory::new(&self.device, shape.bytes())?,
            scaling: self.scaling(&vec![Scaling::None; shape.channels])?,
            scores: Memory::new(&self.device, program.scores(self.graph()).bytes())?,
            program,
        })
    }

    /// Gives back the memory that is kept for the next tile.
    pub(super) fn trim(&self) {
        self.single.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
