//! Tiles that become labels on graphics processors: pixels go there as they were read.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Scope;

use swath_models::{EndOfRows, FinishedRows, PixelType, Rows, RowsOf, Stitch, StitchTile};
use swath_tiling::{Blend, Tile, TileGrid, Window};

use super::Scores;
use super::read;
use super::run::Run;
use super::sink::{LabelledPart, LabelsWanted, RowSink};
use crate::plan::CardPlan;
use crate::source::{Patch, WindowReader, read_extended};
use crate::{Error, Result};

/// Bands of rows for each card, where there are several: whoever is done takes the next one. Rows of tiles between two bands are computed twice.
const BANDS_PER_CARD: usize = 4;

/// A tile as it was read.
struct Stored {
    tile: Tile,
    /// Values of the plan's type, `(bands, height, width)`.
    pixels: Vec<u8>,
    /// Whether the network sees each pixel.
    seen: Vec<u8>,
    /// Whether each pixel is labelled.
    valid: Vec<u8>,
}

impl Stored {
    /// Whether the network runs.
    fn runs(&self) -> bool {
        self.valid.contains(&1)
    }
}

/// Reads a tile for a card.
fn stored(run: &Run<'_>, reader: &mut dyn WindowReader, tile: Tile) -> Result<Stored> {
    let layout = &run.plan.layout;
    let patch = run.clocks.reading.busy.time(|| read_extended(reader, layout.raster, layout.reach(&tile)))?;
    let Patch { pixels, valid, wanted, .. } = patch;
    Ok(run.clocks.scaling.busy.time(|| {
        let seen: Vec<u8> = valid.iter().map(|valid| u8::from(*valid)).collect();
        let labelled = match wanted {
            Some(wanted) => valid.iter().zip(wanted).map(|(valid, wanted)| u8::from(*valid && wanted)).collect(),
            None => seen.clone(),
        };
        let kind = run.plan.card.map_or(PixelType::F32, |card| card.pixels);
        Stored { tile, pixels: narrowed(&pixels, kind), seen, valid: labelled }
    }))
}

/// Values in the type in which they were stored, which holds all of them.
fn narrowed(values: &[f32], kind: PixelType) -> Vec<u8> {
    match kind {
        PixelType::U8 => values.iter().map(|v| *v as u8).collect(),
        PixelType::U16 => values.iter().flat_map(|v| (*v as u16).to_ne_bytes()).collect(),
        PixelType::I16 => values.iter().flat_map(|v| (*v as i16).to_ne_bytes()).collect(),
        PixelType::F32 => values.iter().flat_map(|v| v.to_ne_bytes()).collect(),
    }
}

/// What a card does, in order.
enum Event {
    /// A tile is stitched.
    Tile,
    Rows(FinishedRows),
    /// The band is finished.
    Done,
}

/// Labels a swath on cards. Parts reach the sink in order of their rows, so that it does not matter how many cards there are.
pub(super) fn run(run: &Run<'_>, card: &CardPlan, swath: &TileGrid, sink: &mut dyn RowSink) -> Result<()> {
    let wanted = sink.labels_wanted();
    let request = card.request(run.plan, swath, run.scaling, wanted.as_ref());
    let mut stitchers = run.executor.stitchers(&request).map_err(|source| failed(run, swath.owned(), source))?;
    let bands = bands(swath, stitchers.len());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let (senders, receivers): (Vec<_>, Vec<_>) = bands.iter().map(|_| sync_channel::<Result<Event>>(card.events())).unzip();
        for stitcher in &mut stitchers {
            let (bands, senders, next) = (&bands, senders.clone(), &next);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let (Some(band), Some(send)) = (bands.get(index), senders.get(index)) else { return };
                    let result = label(run, card, band, stitcher.as_mut(), send);
                    let failed = result.is_err();
                    // Nobody listens any more where another error came first.
                    let heard = send.send(result.map(|()| Event::Done)).is_ok();
                    if failed || !heard {
                        next.store(bands.len(), Ordering::Relaxed);
                        return;
                    }
                }
            });
        }
        drop(senders);
        let result = deliver(run, &bands, &receivers, wanted.as_ref(), sink);
        next.store(bands.len(), Ordering::Relaxed);
        result
    })
}

/// The swath in bands of rows; one if there is one card.
fn bands(swath: &TileGrid, cards: usize) -> Vec<TileGrid> {
    let owned = swath.owned();
    let rows: Vec<usize> = swath.row_starts().map(|start| start.max(owned.y)).collect();
    let count = if cards == 1 { 1 } else { (cards * BANDS_PER_CARD).min(rows.len()) };
    let starts: Vec<usize> = (0..count).map(|band| rows[band * rows.len() / count]).collect();
    let ends = starts.iter().skip(1).copied().chain([owned.y + owned.height]);
    let band = |(y, end): (usize, usize)| (end > y).then(|| swath.owning(Window { y, height: end - y, ..owned }));
    // What lies above the first row of tiles is its own.
    starts.iter().enumerate().map(|(band, start)| if band == 0 { owned.y } else { *start }).zip(ends).filter_map(band).collect()
}

/// Hands on what the bands become, one after the other.
fn deliver(
    run: &Run<'_>,
    bands: &[TileGrid],
    receivers: &[Receiver<Result<Event>>],
    wanted: Option<&LabelsWanted>,
    sink: &mut dyn RowSink,
) -> Result<()> {
    let clocks = &run.clocks;
    // Written since the last tile that was told of.
    let mut pixels = 0;
    for (band, receiver) in bands.iter().zip(receivers) {
        loop {
            // A card's thread that ends without a word has panicked: the scope passes that on.
            let Ok(event) = clocks.stitching.starved.time(|| receiver.recv()) else { return Ok(()) };
            match event? {
                Event::Tile => run.observer.tile_done(std::mem::take(&mut pixels)),
                Event::Rows(rows) => {
                    pixels += rows.rows.height * rows.rows.width;
                    clocks.writing.busy.time(|| hand_on(run, band, rows, wanted, sink))?;
                }
                Event::Done => break,
            }
        }
    }
    Ok(())
}

fn hand_on(
    run: &Run<'_>,
    band: &TileGrid,
    rows: FinishedRows,
    wanted: Option<&LabelsWanted>,
    sink: &mut dyn RowSink,
) -> Result<()> {
    let RowsOf { y, x, height, width } = rows.rows;
    let window = Window::plane(x + band.tile(0).window.x, y, width, height);
    if let Some(wrong) = rows.wrong {
        let path = run.source.profile().path.clone();
        let (x, y) = (window.x + wrong.x, window.y + wrong.y);
        return Err(Error::NotFinite { path, class: wrong.channel, score: wrong.score, x, y, z: 0 });
    }
    if wanted.is_some() {
        sink.labels(LabelledPart { window, labels: rows.labels, confidence: rows.confidence })
    } else {
        sink.scores(Scores { window, scores: rows.scores, valid: rows.valid })
    }
}

/// Labels a band: reads ahead, and keeps the card busy.
fn label(
    run: &Run<'_>,
    card: &CardPlan,
    band: &TileGrid,
    stitcher: &mut dyn Stitch,
    send: &SyncSender<Result<Event>>,
) -> Result<()> {
    std::thread::scope(|scope: &Scope<'_, '_>| {
        let inputs = read::start(scope, run, band, card.readers, stored);
        let mut batch: Vec<Stored> = Vec::new();
        for index in 0..band.len() {
            if run.observer.is_cancelled() {
                return Err(Error::Cancelled { path: run.source.profile().path.clone() });
            }
            // A reader ends early only after it sent its error.
            let received = run.clocks.network.starved.time(|| inputs[index % inputs.len()].recv());
            let Ok(input) = received else { return Ok(()) };
            batch.push(input?);
            if batch.len() == stitcher.batch() || index + 1 == band.len() {
                submit(run, band, stitcher, &batch)?;
                run.clocks.tiles.fetch_add(batch.iter().filter(|input| input.runs()).count() as u64, Ordering::Relaxed);
                let tiles = batch.len();
                batch.clear();
                let waited = if index + 1 == band.len() { Rows::OfAllBatches } else { Rows::OfEarlierBatches };
                // Nobody listens where the run has ended.
                let hand_on = |event| run.clocks.network.blocked.time(|| send.send(Ok(event))).is_ok();
                // The card computes while its labels are waited for.
                let take = |stitcher: &mut dyn Stitch| run.clocks.network.busy.time(|| stitcher.take(waited));
                while let Some(rows) = take(stitcher).map_err(|source| failed(run, band.owned(), source))? {
                    if !hand_on(Event::Rows(rows)) {
                        return Ok(());
                    }
                }
                if !(0..tiles).all(|_| hand_on(Event::Tile)) {
                    return Ok(());
                }
            }
        }
        Ok(())
    })
}

/// Starts computing a batch.
fn submit(run: &Run<'_>, band: &TileGrid, stitcher: &mut dyn Stitch, batch: &[Stored]) -> Result<()> {
    let origin = band.tile(0).window.x;
    let tiles: Vec<StitchTile<'_>> = batch
        .iter()
        .map(|input| {
            let Tile { window, core, .. } = input.tile;
            StitchTile {
                pixels: &input.pixels,
                seen: &input.seen,
                valid: &input.valid,
                runs: input.runs(),
                at: [window.y, window.x - origin],
                core: [[core.y - window.y, core.x - window.x], [core.y + core.height - window.y, core.x + core.width - window.x]],
                ends: end_of_rows(band, run.plan.layout.blend, &input.tile),
            }
        })
        .collect();
    let window = batch.first().map_or(band.owned(), |input| input.tile.window);
    run.clocks.network.busy.time(|| stitcher.submit(&tiles)).map_err(|source| failed(run, window, source))
}

/// The rows that are finished with a tile: with the last one of a row of tiles, all that no later row touches.
fn end_of_rows(band: &TileGrid, blend: Blend, tile: &Tile) -> Option<EndOfRows> {
    let columns = band.len() / band.row_starts().len();
    let (row, column) = (tile.index / columns, tile.index % columns);
    if column + 1 < columns {
        return None;
    }
    let (y, end) = match blend {
        Blend::Crop => (tile.core.y, tile.core.y + tile.core.height),
        Blend::Taper(_) => {
            let next = band.row_starts().nth(row + 1);
            (tile.window.y, next.unwrap_or(tile.window.y + tile.window.height))
        }
    };
    let owned = band.owned();
    let part = owned.intersection(Window { y, height: end - y, ..owned });
    let origin = band.tile(0).window.x;
    let part = (part.area() > 0).then(|| RowsOf { y: part.y, x: part.x - origin, height: part.height, width: part.width });
    Some(EndOfRows { y, height: end - y, owned: part })
}

fn failed(run: &Run<'_>, window: Window, source: swath_models::Error) -> Error {
    Error::Network { path: run.source.profile().path.clone(), window, source }
}
