//! What a plan holds in memory at its peak.

use swath_models::Executor;
use swath_tiling::{Mosaic, Size, TileGrid};

use super::{Layers, Layout};
use crate::Result;
use crate::pipeline::{PATCHES_AHEAD, SCORES_AHEAD};

const MIB: usize = 1 << 20;

/// What the program holds before it reads: itself, GDAL with its drivers and projections, and the allocator's slack.
const BASE: usize = 112 * MIB;

/// GDAL's block cache where blocks are small.
const CACHE: usize = 64 * MIB;

/// Bytes held at the peak, by part. Parts that are never held at once are counted as if they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryPlan {
    /// The program and its libraries.
    pub base: usize,
    /// GDAL's cache of decoded blocks.
    pub cache: usize,
    /// The network's weights.
    pub weights: usize,
    /// Values between the network's layers.
    pub network: usize,
    /// Pixels read and scores computed that wait for the next stage.
    pub waiting: usize,
    /// Sums that wait for later tiles, see [`Mosaic`].
    pub mosaic: usize,
    /// Labels and layers on their way to the file.
    pub output: usize,
}

impl MemoryPlan {
    /// All parts together.
    #[must_use]
    pub fn total(&self) -> usize {
        self.base + self.cache + self.weights + self.network + self.waiting + self.mosaic + self.output
    }

    /// Adds up what a layout holds when it is run swath by swath.
    pub(super) fn new(
        layout: &Layout,
        swaths: &[TileGrid],
        executor: &dyn Executor,
        reading: Reading,
        layers: Layers,
    ) -> Result<Self> {
        let (bands, classes) = (executor.graph().input_channels(), executor.graph().output_channels());
        let input = layout.input.product();
        let scores = layout.grid.tile_size().area();
        // Pixels and their validity; a patch is held once more while it is read, in double precision where its type needs that.
        let patch = input * (bands * size_of::<f32>() + 1);
        let patches = reading.readers * (PATCHES_AHEAD + 1) + 1;
        let labels = scores * (1 + layers.probability_bytes + layers.confidence_bytes + size_of::<f32>());
        Ok(Self {
            base: BASE,
            cache: reading.cache,
            weights: executor.resident_bytes(),
            network: executor.peak_bytes(layout.input)?,
            waiting: patches * patch
                + reading.readers * input * size_of::<f64>()
                + (SCORES_AHEAD + 2) * (scores * classes * size_of::<f32>() + input),
            mosaic: swaths.iter().map(|swath| Mosaic::bytes(swath, classes, layout.blend)).max().unwrap_or(0),
            output: labels + reading.writing,
        })
    }
}

/// What reading and writing take, whatever the tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// Threads that read.
    pub(super) readers: usize,
    /// Bytes of GDAL's block cache.
    pub(super) cache: usize,
    /// Bytes of cache that would keep all strips of a row of tiles; 0 where blocks are small.
    strips: usize,
    /// Bytes that writing the finished file takes.
    pub(super) writing: usize,
}

impl Reading {
    /// `bytes` are those of a pixel in all bands read.
    pub(super) fn new(readers: usize, raster: Size, block: Size, bytes: usize, rows: usize, limit: usize) -> Self {
        // Strips are as wide as the raster: unless a row of tiles stays cached, each tile decodes all of it again.
        let strips = if block.width >= raster.width { raster.width * (rows + 2 * block.height) * bytes } else { 0 };
        Self { readers, cache: CACHE.max(strips.min(limit / 4)), strips, writing: 24 * MIB }
    }

    /// The limit that would do for what is planned so: with it, the cache may be larger.
    pub(super) fn needed(&self, memory: &MemoryPlan) -> usize {
        let rest = memory.total() - memory.cache;
        rest + CACHE.max(self.strips.min(rest.div_ceil(3)))
    }
}
