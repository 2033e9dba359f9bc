//! What graphics processors are asked to do.

use swath_models::{Axes, Executor, PixelType, Scaling, StitchBytes, StitchRequest, WantedRows};
use swath_tiling::{Blend, TileGrid};

use super::{Layers, Layout, Plan};
use crate::Result;
use crate::pipeline::LabelsWanted;

/// Pixels that a card computes at once, if its memory allows: enough to keep all of its processors busy.
const BATCH_PIXELS: usize = 1 << 22;

/// Of the memory that is free on a card, what a plan may take: libraries take some when they first run.
const USABLE: f64 = 0.9;

/// What graphics processors are asked to do, and what it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CardPlan {
    /// How many there are.
    pub cards: usize,
    /// Tiles that each computes at once.
    pub batch: usize,
    /// Threads that read for each.
    pub readers: usize,
    /// The type in which pixels go to them.
    pub pixels: PixelType,
    /// Bytes on each card, and on the machine for each.
    pub bytes: StitchBytes,
    /// Bytes that were free on the one with the least of them.
    pub free: usize,
}

impl CardPlan {
    /// The largest batch that fits on each card; the smallest if none does. `None` if the network runs on the processor.
    pub(super) fn new(
        executor: &dyn Executor,
        layout: &Layout,
        swaths: &[TileGrid],
        layers: Layers,
        pixels: PixelType,
        readers: usize,
    ) -> Result<Option<Self>> {
        let Some(device) = executor.device() else { return Ok(None) };
        let most = (BATCH_PIXELS / layout.input.product()).clamp(1, swaths.iter().map(TileGrid::len).max().unwrap_or(1));
        let widest = swaths.iter().max_by_key(|swath| columns(swath));
        let cards = device.cards.max(1);
        let readers = readers.div_ceil(cards).max(1);
        let none = StitchBytes { card: 0, host: 0 };
        let mut card = Self { cards, batch: most, readers, pixels, bytes: none, free: device.free };
        let Some(widest) = widest else { return Ok(Some(card)) };
        loop {
            let request = card.sized(layout, widest, Self::wanted(layers));
            card.bytes = executor.stitch_bytes(&request)?;
            if card.fits() || card.batch == 1 {
                return Ok(Some(card));
            }
            card.batch = card.batch.div_ceil(2);
        }
    }

    /// Whether it fits on each card.
    pub(super) fn fits(&self) -> bool {
        self.bytes.card as f64 <= USABLE * self.free as f64
    }

    /// What each card is asked for a swath.
    pub(crate) fn request(
        &self,
        plan: &Plan,
        swath: &TileGrid,
        scaling: &[Scaling],
        labels: Option<&LabelsWanted>,
    ) -> StitchRequest {
        let wanted = match labels {
            None => WantedRows::Scores,
            Some(LabelsWanted { confidence: false, .. }) => WantedRows::Labels,
            Some(LabelsWanted { confidence: true, .. }) => WantedRows::LabelsWithConfidence,
        };
        let mut request = self.sized(&plan.layout, swath, wanted);
        request.scaling = scaling.to_vec();
        if let Some(labels) = labels {
            request.labels = labels.table.clone();
        }
        request
    }

    fn wanted(layers: Layers) -> WantedRows {
        match (layers.probabilities, layers.confidence) {
            (Some(_), _) => WantedRows::Scores,
            (None, Some(_)) => WantedRows::LabelsWithConfidence,
            (None, None) => WantedRows::Labels,
        }
    }

    fn sized(&self, layout: &Layout, swath: &TileGrid, wanted: WantedRows) -> StitchRequest {
        let tile = layout.grid.tile_size();
        let first = swath.tile(0);
        let Axes { y, x, .. } = layout.offset(&first, first.window);
        StitchRequest {
            input: layout.input,
            scores: [tile.height, tile.width],
            offset: [y, x],
            width: columns(swath),
            weights: match layout.blend {
                Blend::Taper(taper) => Some(taper.weights(tile)),
                Blend::Crop => None,
            },
            pixels: self.pixels,
            scaling: Vec::new(),
            labels: swath_models::LabelTable { values: Vec::new(), kept: Vec::new(), nodata: 0 },
            wanted,
            batch: self.batch,
        }
    }

    /// Events that wait for who writes.
    pub(crate) fn events(&self) -> usize {
        2 * self.batch + 2
    }
}

/// Columns of all tiles of a swath.
fn columns(swath: &TileGrid) -> usize {
    let last = swath.tile(swath.len() / swath.row_starts().len() - 1).window;
    last.x + last.width - swath.tile(0).window.x
}
