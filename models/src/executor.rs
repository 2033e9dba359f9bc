//! What runs a network.

use crate::{Arithmetic, Extent, Geometry, Graph, Result, Tensor};

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

    /// The only extent that tiles may have, if there is one.
    fn fixed_extent(&self) -> Option<Extent> {
        self.graph().fixed_extent()
    }

    /// How the scores' pixels relate to a tile's.
    ///
    /// # Errors
    /// As [`Graph::geometry`].
    fn geometry(&self) -> Result<Geometry> {
        self.graph().geometry()
    }

    /// Floating-point operations of one call of [`Executor::run`]; `u64::MAX` where they are more.
    ///
    /// # Errors
    /// If the network cannot take a tile of this extent.
    fn flops(&self, tile: Extent) -> Result<u64> {
        Ok(self.graph().cost(tile)?.flops)
    }

    /// Number of learned values.
    fn parameters(&self) -> usize {
        self.graph().parameters()
    }

    /// How it computes the network.
    fn arithmetic(&self) -> Arithmetic;

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

    /// Gives back the memory that is kept for the next tile, if any is.
    fn trim(&self) {}
}
