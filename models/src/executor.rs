//! What runs a network.

use crate::{Arithmetic, Axes, Extent, Geometry, Graph, Rank, Result, Stitch, StitchBytes, StitchRequest, Tensor};

/// Runs a network on one tile after the other. Implementations may be called from several threads at once.
pub trait Executor: Send + Sync {
    /// The network that is run; of several, the first.
    fn graph(&self) -> &Graph;

    /// Number of bands that a tile has.
    fn input_channels(&self) -> usize {
        self.graph().input_channels()
    }

    /// Number of scores that a pixel gets.
    fn output_channels(&self) -> usize {
        self.graph().output_channels()
    }

    /// Number of learned values.
    fn parameters(&self) -> usize {
        self.graph().parameters()
    }

    /// How it computes the network.
    fn arithmetic(&self) -> Arithmetic;

    /// How scores relate to a tile's pixels, along the tile's axes.
    ///
    /// # Errors
    /// If the network does not score every pixel.
    fn geometry(&self) -> Result<Geometry> {
        self.graph().geometry()
    }

    /// The only length of a tile along each axis where it takes no other one.
    fn fixed(&self) -> Axes<Option<usize>> {
        match (self.graph().fixed_extent(), self.graph().rank()) {
            (Some(extent), _) => extent.map(Some),
            (None, Rank::Planar) => Axes { z: Some(1), y: None, x: None },
            (None, Rank::Volumetric) => Axes { z: None, y: None, x: None },
        }
    }

    /// Floating-point operations of one call of [`Executor::run`]; `u64::MAX` where they are more.
    ///
    /// # Errors
    /// If the network cannot take a tile of this extent.
    fn flops(&self, tile: Extent) -> Result<u64> {
        Ok(self.graph().cost(tile)?.flops)
    }

    /// The scores for one tile.
    ///
    /// # Errors
    /// If the tile's shape does not fit the network; the error names the node.
    fn run(&self, tile: Tensor) -> Result<Tensor>;

    /// Bytes that one call of [`Executor::run`] on a pool of so many threads holds at its peak, beside the weights, for a tile of the given extent.
    ///
    /// # Errors
    /// If the network cannot take a tile of this extent.
    fn peak_bytes(&self, tile: Extent, threads: usize) -> Result<usize>;

    /// Bytes that the executor holds all the time: its weights, in whatever form it keeps them.
    fn resident_bytes(&self) -> usize;

    /// Where the network runs, if not on the processor: what plans and products say.
    fn device(&self) -> Option<DeviceFacts> {
        None
    }

    /// What makes labels of tiles where the network runs, one for each card; none where scores come back for the caller to stitch.
    ///
    /// # Errors
    /// If the request does not fit the network, or memory is too short for it.
    fn stitchers(&self, request: &StitchRequest) -> Result<Vec<Box<dyn Stitch + Send + '_>>> {
        let _ = request;
        Ok(Vec::new())
    }

    /// Bytes that such a one takes on its card and on the machine.
    ///
    /// # Errors
    /// If the network cannot take tiles of this extent.
    fn stitch_bytes(&self, request: &StitchRequest) -> Result<StitchBytes> {
        let _ = request;
        Ok(StitchBytes { card: 0, host: 0 })
    }

    /// Takes scores that nobody reads any more: the next tile's may be written to their memory, which the system would have to clear anew.
    fn recycle(&self, scores: Tensor) {
        drop(scores);
    }

    /// Gives back the memory that is kept for the next tile, if any is.
    fn trim(&self) {}
}

/// Where a network runs, if not on the processor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceFacts {
    /// What it is called, such as `NVIDIA H200`.
    pub name: String,
    /// Cards that are used.
    pub cards: usize,
    /// Bytes that are free on the one with the least of them.
    pub free: usize,
}
