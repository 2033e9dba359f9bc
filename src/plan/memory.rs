//! What a plan holds in memory at its peak.

use swath_models::Executor;
use swath_tiling::{Mosaic, Size, TileGrid};

use super::{CardPlan, Layers, Layout};
use crate::pipeline::{PATCHES_AHEAD, in_flight};
use crate::refine::Refine;
use crate::source::RasterProfile;
use crate::{LabelSink, LayerSink, Result};

const MIB: usize = 1 << 20;

/// What CUDA's driver and libraries hold of the machine for each card.
const CONTEXT: usize = 1024 * MIB;

/// What the program holds before it reads: itself, GDAL with its drivers and projections, and the allocator's slack.
pub(crate) const BASE: usize = 112 * MIB;

/// GDAL's block cache where blocks are small.
const CACHE: usize = 64 * MIB;

/// The least that is kept of remote objects. It is taken from GDAL's block cache: tiles must not depend on where a scene is.
pub(super) const REMOTE_LEAST: usize = 16 * MIB;

/// The most that is kept of remote objects; half of it is asked for ahead of the readers.
pub(super) const REMOTE_MOST: usize = 256 * MIB;

/// Bytes held at the peak, by part. The files are finished when the network has run, so the larger of both counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryPlan {
    /// The program and its libraries.
    pub base: usize,
    /// GDAL's cache of decoded blocks.
    pub cache: usize,
    /// What is kept of a remote scene's files, as they are stored, read lately or asked for ahead; 0 for a local one.
    pub remote: usize,
    /// Blocks that are being decoded, which count beside the cache if they are larger than it.
    pub blocks: usize,
    /// The network's weights, in whatever form the executor keeps them.
    pub weights: usize,
    /// The weights while the model is loaded: as they were read, as they are rewritten, and as they are kept.
    pub loading: usize,
    /// Values between the network's layers, of all tiles that are computed at once; the executor keeps their buffers for the next scene.
    pub network: usize,
    /// Refining the probabilities of all tiles that are computed at once; 0 without a CRF.
    pub refining: usize,
    /// Pixels read, scores computed and labels found that wait for the next stage.
    pub waiting: usize,
    /// Sums that wait for later tiles, see [`Mosaic`].
    pub mosaic: usize,
    /// Planes of a volume: those that are read, and those that wait until their slices are finished; 0 for a scene.
    pub planes: usize,
    /// Making overviews and compressing, when all tiles are done.
    pub finish: usize,
}

impl MemoryPlan {
    /// The peak.
    #[must_use]
    pub fn total(&self) -> usize {
        let stage = (self.waiting + self.mosaic + self.planes).max(self.finish);
        self.base + self.loading.max(self.cache + self.remote + self.blocks + self.weights + self.network + self.refining + stage)
    }

    /// Adds up what a layout holds when it is run swath by swath.
    pub(super) fn new(
        layout: &Layout,
        swaths: &[TileGrid],
        executor: &dyn Executor,
        reading: Reading,
        computing: Computing,
        card: Option<CardPlan>,
        writing: Writing<'_>,
    ) -> Result<Self> {
        if let Some(card) = card {
            return Ok(Self::of_cards(layout, swaths, executor, reading, &card, writing));
        }
        let (bands, channels) = (executor.input_channels(), executor.output_channels());
        let input = layout.input.product();
        let scores = layout.grid.tile_size().area();
        let parameters = executor.parameters();
        // Pixels and their validity; a patch is held once more while it is read, in double precision where its type needs that.
        let patch = input * (bands * size_of::<f32>() + 1);
        // Where a tile reaches beyond the scene, it is put together from what was read.
        let patches =
            (reading.readers * (PATCHES_AHEAD + 2) + computing.workers) * patch + reading.readers * input * size_of::<f64>();
        let predicted = in_flight(computing.workers) * (scores * channels * size_of::<f32>() + input);
        Ok(Self {
            base: BASE,
            cache: reading.cache,
            remote: reading.remote,
            blocks: reading.blocks,
            weights: executor.resident_bytes(),
            // As they were read, and as they are rewritten.
            loading: 2 * size_of::<f32>() * parameters + executor.resident_bytes(),
            network: computing.workers * executor.peak_bytes(layout.input, computing.threads.div_ceil(computing.workers))?,
            refining: writing.refine.crf.as_ref().map_or(0, |crf| computing.workers * crf.bytes(scores, channels)),
            waiting: patches + predicted + scores * writing.pixel_bytes(),
            mosaic: swaths.iter().map(|swath| Mosaic::bytes(swath, channels, layout.blend)).max().unwrap_or(0),
            planes: reading.volume.map_or(0, |volume| volume.planes(layout)),
            finish: reading.volume.map_or_else(|| writing.finish_bytes(layout.window.size()), |volume| volume.finish),
        })
    }

    /// The same where cards compute and stitch: on the machine, there are tiles on their way there and labels on their way back.
    fn of_cards(
        layout: &Layout,
        swaths: &[TileGrid],
        executor: &dyn Executor,
        reading: Reading,
        card: &CardPlan,
        writing: Writing<'_>,
    ) -> Self {
        let bands = executor.input_channels();
        let (input, tile) = (layout.input.product(), layout.grid.tile_size());
        // As they were read, as they are sent, and their validity; see `new`.
        let patch = input * (bands * (size_of::<f32>() + card.pixels.bytes()) + 3);
        let patches = card.readers * (PATCHES_AHEAD + 2) * patch + card.readers * input * size_of::<f64>();
        let batch = card.batch * input * (bands * card.pixels.bytes() + 2);
        // Rows of tiles that are finished with one batch and its successor: on their way, arrived, waiting, and written.
        let rows = |swath: &TileGrid| {
            let columns = swath.len() / swath.row_starts().len();
            (3 + card.events() / columns) * tile.height * swath.owned().width
        };
        let parts = swaths.iter().map(rows).max().unwrap_or(0) * writing.pixel_bytes();
        Self {
            base: BASE + card.cards * CONTEXT,
            cache: reading.cache,
            remote: reading.remote,
            blocks: reading.blocks,
            weights: executor.resident_bytes(),
            loading: 2 * size_of::<f32>() * executor.parameters() + executor.resident_bytes(),
            network: card.cards * card.bytes.host,
            waiting: card.cards * (patches + batch + parts),
            refining: 0,
            mosaic: 0,
            planes: 0,
            finish: writing.finish_bytes(layout.window.size()),
        }
    }
}

/// What reading takes, whatever the tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// Threads that read.
    pub(super) readers: usize,
    /// Bytes of GDAL's block cache.
    pub(super) cache: usize,
    /// Bytes that are kept of a remote scene's files.
    pub(super) remote: usize,
    /// Bytes of cache that would keep all strips of a row of tiles; 0 where blocks are small.
    strips: usize,
    /// Bytes of the blocks that the readers decode at once, as they are stored and as they are read.
    blocks: usize,
    /// What a volume takes; none for a scene.
    volume: Option<VolumeMemory>,
}

/// What a volume takes beside its tiles: it is read and written plane by plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VolumeMemory {
    /// Bytes that reading and writing hold, whatever the tiles.
    pub(crate) fixed: usize,
    /// Bytes of a plane as it waits for the tiles that need it.
    pub(crate) read: usize,
    /// Bytes of a plane of what is finished, until its slices are complete.
    pub(crate) finished: usize,
    /// Bytes that what comes after the network holds.
    pub(crate) finish: usize,
}

impl VolumeMemory {
    /// A tile's planes are there while it is read; those of a layer of tiles wait until the last of them is finished.
    fn planes(self, layout: &Layout) -> usize {
        self.fixed + self.read * layout.input.z + self.finished * layout.grid.tile_size().depth
    }
}

impl Reading {
    /// `remote` are those kept of a remote scene's files, `bytes` those of a pixel in all bands read, `rows` those of a tile.
    pub(super) fn new(readers: usize, remote: usize, profile: &RasterProfile, bytes: usize, rows: usize, limit: usize) -> Self {
        let RasterProfile { size: raster, block, .. } = *profile;
        // Strips are as wide as the raster: unless a row of tiles stays cached, each tile decodes all of it again.
        let strips = if block.width >= raster.width { raster.width * (rows + 2 * block.height) * bytes } else { 0 };
        let cache = CACHE.max(strips.min(limit / 4)) - remote.min(REMOTE_LEAST);
        Self { readers, cache, remote, strips, blocks: 2 * readers * profile.block_bytes, volume: None }
    }

    /// One reader, and nothing of GDAL's.
    pub(super) fn volume(volume: VolumeMemory) -> Self {
        Self { readers: 1, cache: 0, remote: 0, strips: 0, blocks: 0, volume: Some(volume) }
    }

    /// The limit that would do for what is planned so: with it, the cache may be larger.
    pub(super) fn needed(&self, memory: &MemoryPlan) -> usize {
        if self.volume.is_some() {
            return memory.total();
        }
        let rest = memory.total() - memory.cache - memory.remote.min(REMOTE_LEAST);
        rest + CACHE.max(self.strips.min(rest.div_ceil(3)))
    }
}

/// What computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Computing {
    /// Tiles that are computed at once.
    pub(super) workers: usize,
    /// Threads of all workers.
    pub(super) threads: usize,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Writing<'a> {
    /// Beside the labels.
    pub(super) layers: Layers,
    /// Number of classes.
    pub(super) classes: usize,
    /// Threads that compress.
    pub(super) threads: usize,
    /// What is done after the network.
    pub(super) refine: &'a Refine,
}

impl Writing<'_> {
    /// Bytes of a pixel while it is labelled: its label, how sure it is, and a copy of what is written of its probabilities.
    fn pixel_bytes(self) -> usize {
        let floats = 1 + self.layers.probabilities.map_or(0, |_| self.classes);
        size_of::<u8>() + floats * size_of::<f32>()
    }

    /// Bytes that finishing the most demanding file takes; one is finished after the other, labels once they are what they are to be.
    fn finish_bytes(self, size: Size) -> usize {
        let layer = |bands: usize| move |encoding| LayerSink::finish_bytes(bands, encoding, self.threads);
        let probabilities = self.layers.probabilities.map_or(0, layer(self.classes));
        let confidence = self.layers.confidence.map_or(0, layer(1));
        let steps = self.refine.steps;
        let changing = if steps.is_none() { 0 } else { self.threads * steps.bytes(size) };
        LabelSink::finish_bytes(size.width, self.threads).max(changing).max(probabilities).max(confidence)
    }
}
