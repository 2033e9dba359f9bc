//! Stitching on the card: pixels go up as they were read, and finished rows come back as labels.
#![expect(unsafe_code, reason = "launches and copies read and write addresses")]

use std::collections::VecDeque;
use std::sync::Arc;

use super::arguments::{self, ACCUMULATE, FORGET, LABEL};
use super::device::{Device, Mark, Memory, Pinned, Stream};
use super::engine::Engine;
use super::program::Program;
use super::turn::Turn;
use crate::{
    EndOfRows, Error, Extent, FinishedRows, PixelType, Result, Rows, RowsOf, Stitch, StitchBytes, StitchRequest, StitchTile,
    WantedRows, WrongScore,
};

/// Batches whose pixels are on their way at once, and parts of the scene whose labels are.
const SLOTS: usize = 2;

/// Makes labels of tiles on a card.
#[derive(Debug)]
pub(super) struct Resident<'a> {
    // Before the memory that it uses: dropped first, once nothing runs any more.
    _quiet: Quiet,
    device: Arc<dyn Device>,
    program: Program,
    request: StitchRequest,
    sizes: Sizes,
    tables: Tables,
    rows: arguments::Rows,
    _sums: Memory,
    _valid: Memory,
    up: [Upload; SLOTS],
    down: [Download; SLOTS],
    /// Batches that were submitted.
    batches: usize,
    /// Parts that were labelled.
    parts: usize,
    /// Parts whose labels are on their way, the first one first.
    coming: VecDeque<Coming>,
    /// Parts that made room for others.
    ready: VecDeque<FinishedRows>,
    // After the memory: only then has the next one room.
    _turn: Turn<'a>,
}

/// Waits for all that a card still does when it is dropped.
#[derive(Debug)]
struct Quiet(Arc<dyn Device>);

impl Drop for Quiet {
    fn drop(&mut self) {
        for stream in [Stream::Upload, Stream::Compute, Stream::Download] {
            // Whether it failed is said by who asks for results.
            let _ = self.0.mark(stream).and_then(|mark| self.0.wait(&mark));
        }
    }
}

/// What never changes.
#[derive(Debug)]
struct Tables {
    scaling: Memory,
    weights: Option<Memory>,
    values: Memory,
    kept: Memory,
}

/// Pixels of a batch on their way: of all tiles, then whether they are seen, then whether they are labelled.
#[derive(Debug)]
struct Upload {
    pinned: Pinned,
    memory: Memory,
    /// When they have got there.
    sent: Option<Mark>,
    /// When nothing needs them any more.
    used: Option<Mark>,
}

/// Labels of a part on their way.
#[derive(Debug)]
struct Download {
    pinned: Pinned,
    memory: Memory,
}

struct Coming {
    rows: RowsOf,
    slot: usize,
    batch: usize,
    arrived: Mark,
}

impl std::fmt::Debug for Coming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.rows)
    }
}

/// Bytes of what a request moves and keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sizes {
    /// A tile's pixels.
    pixels: usize,
    /// A tile's validity.
    mask: usize,
    /// The sums of all rows.
    sums: usize,
    /// The validity of all rows.
    valid: usize,
    /// The largest part: scores, labels, confidence, validity, and what is wrong.
    part: usize,
}

/// Where the parts of a download lie.
struct Parts {
    wrong: usize,
    scores: usize,
    labels: usize,
    confidence: usize,
    valid: usize,
    end: usize,
}

impl Sizes {
    fn new(request: &StitchRequest, bands: usize, channels: usize) -> Self {
        let positions = request.input.product();
        let most = request.scores[0] * request.width;
        Self {
            pixels: (bands * positions * request.pixels.bytes()).next_multiple_of(16),
            mask: positions.next_multiple_of(16),
            sums: (channels + 1) * most * size_of::<f32>(),
            valid: most,
            part: Parts::new(request.wanted, channels, most).end,
        }
    }

    fn upload(&self, batch: usize) -> usize {
        batch * (self.pixels + 2 * self.mask)
    }
}

impl Parts {
    /// Of a part of so many pixels.
    fn new(wanted: WantedRows, channels: usize, pixels: usize) -> Self {
        let (scores, labels, confidence) = match wanted {
            WantedRows::Labels => (0, 1, 0),
            WantedRows::LabelsWithConfidence => (0, 1, 1),
            WantedRows::Scores => (channels * size_of::<f32>(), 0, 0),
        };
        let first = size_of::<u64>();
        let labels_at = first + scores * pixels;
        let confidence_at = labels_at + labels * pixels;
        let valid = confidence_at + confidence * pixels;
        Self { wrong: 0, scores: first, labels: labels_at, confidence: confidence_at, valid, end: valid + pixels }
    }
}

impl<'a> Resident<'a> {
    /// Bytes that a request takes, with the network's.
    pub(super) fn bytes(engine: &Engine, request: &StitchRequest) -> Result<StitchBytes> {
        let graph = engine.graph();
        let sizes = Sizes::new(request, graph.input_channels(), graph.output_channels());
        let moved = SLOTS * (sizes.upload(request.batch) + sizes.part);
        let weights = request.weights.as_ref().map_or(0, |weights| size_of_val(weights.as_slice()));
        let network = engine.resident_bytes() + engine.buffer_bytes(request.input, request.batch)?;
        Ok(StitchBytes { card: network + weights + sizes.sums + sizes.valid + moved, host: moved })
    }

    pub(super) fn new(engine: &'a Engine, request: StitchRequest) -> Result<Self> {
        let turn = engine.turn();
        let device = Arc::clone(engine.device());
        let graph = engine.graph();
        let (bands, channels) = (graph.input_channels(), graph.output_channels());
        let wrong = |expected: String, got: String| Error::Node { node: graph.nodes()[0].name.clone(), expected, got };
        if request.scaling.len() != bands || request.input.z != 1 || request.batch == 0 {
            let got = format!("{} of depth {} in batches of {}", request.scaling.len(), request.input.z, request.batch);
            return Err(wrong(format!("{bands} scaled bands of depth 1"), got));
        }
        let program = engine.program(request.input, request.batch)?;
        let scores = program.scores(graph).extent;
        if scores != Extent::planar(request.scores[0], request.scores[1]) {
            return Err(wrong(
                format!("scores of {} x {}", request.scores[1], request.scores[0]),
                format!("{} x {}", scores.x, scores.y),
            ));
        }
        let sizes = Sizes::new(&request, bands, channels);
        let flags: Vec<u8> = request.labels.kept.iter().map(|kept| u8::from(*kept)).collect();
        let tables = Tables {
            scaling: engine.scaling(&request.scaling)?,
            weights: request.weights.as_deref().map(|weights| Memory::of(&device, weights)).transpose()?,
            values: Memory::of(&device, &request.labels.values)?,
            kept: Memory::of(&device, &flags)?,
        };
        let (sums, valid) = (Memory::new(&device, sizes.sums)?, Memory::new(&device, sizes.valid)?);
        let rows = arguments::Rows {
            sums: sums.address(),
            valid: valid.address(),
            channels: channels as i32,
            height: request.scores[0] as i32,
            width: request.width as i32,
        };
        let upload = || -> Result<Upload> {
            let bytes = sizes.upload(request.batch);
            Ok(Upload { pinned: Pinned::new(&device, bytes)?, memory: Memory::new(&device, bytes)?, sent: None, used: None })
        };
        let download = || -> Result<Download> {
            Ok(Download { pinned: Pinned::new(&device, sizes.part)?, memory: Memory::new(&device, sizes.part)? })
        };
        let (up, down) = ([upload()?, upload()?], [download()?, download()?]);
        let quiet = Quiet(Arc::clone(&device));
        Ok(Self {
            _quiet: quiet,
            device,
            program,
            request,
            sizes,
            tables,
            rows,
            _sums: sums,
            _valid: valid,
            up,
            down,
            batches: 0,
            parts: 0,
            coming: VecDeque::new(),
            ready: VecDeque::new(),
            _turn: turn,
        })
    }

    /// An error if a tile is not as large as the request says.
    fn check(&self, tile: &StitchTile<'_>) -> Result<()> {
        let positions = self.request.input.product();
        let expected = self.request.scaling.len() * positions * self.request.pixels.bytes();
        let lengths = [(tile.pixels.len(), expected), (tile.seen.len(), positions), (tile.valid.len(), positions)];
        if let Some((got, expected)) = lengths.into_iter().find(|(got, expected)| got != expected) {
            let shape = crate::Shape { channels: self.request.scaling.len(), extent: self.request.input };
            return Err(Error::Length { shape, expected, got });
        }
        Ok(())
    }

    /// Copies a batch into its slot and starts sending it.
    fn send(&mut self, slot: usize, tiles: &[StitchTile<'_>]) -> Result<Mark> {
        let Sizes { pixels, mask, .. } = self.sizes;
        let batch = self.request.batch;
        let up = &mut self.up[slot];
        if let Some(sent) = &up.sent {
            self.device.wait(sent)?;
        }
        let (all_pixels, masks) = up.pinned.bytes_mut().split_at_mut(batch * pixels);
        let (seen, valid) = masks.split_at_mut(batch * mask);
        for (index, tile) in tiles.iter().enumerate() {
            all_pixels[index * pixels..][..tile.pixels.len()].copy_from_slice(tile.pixels);
            // The kernels read tile after tile without gaps.
            let positions = tile.seen.len();
            seen[index * positions..][..positions].copy_from_slice(tile.seen);
            valid[index * positions..][..positions].copy_from_slice(tile.valid);
        }
        if let Some(used) = &up.used {
            self.device.follow(Stream::Upload, used)?;
        }
        // SAFETY: the memory is as large as the pinned bytes, and these are not written before `sent` is reached.
        unsafe { self.device.write(Stream::Upload, up.memory.address(), up.pinned.bytes()) }?;
        let sent = self.device.mark(Stream::Upload)?;
        up.sent = Some(Arc::clone(&sent));
        Ok(sent)
    }

    fn normalise(&self, slot: usize) -> Result<()> {
        let memory = self.up[slot].memory.address();
        let normalise = arguments::Normalise {
            pixels: memory,
            valid: memory + (self.request.batch * self.sizes.pixels) as u64,
            scaling: self.tables.scaling.address(),
            output: self.program.input,
        };
        let kernel = match self.request.pixels {
            PixelType::U8 => arguments::NORMALISE_U8,
            PixelType::U16 => arguments::NORMALISE_U16,
            PixelType::I16 => arguments::NORMALISE_I16,
            PixelType::F32 => arguments::NORMALISE_F32,
        };
        // SAFETY: pixels, masks and input are as large as the request and the program say.
        unsafe { self.device.launch(&kernel.launch(normalise, self.program.input.groups())) }
    }

    /// Adds a tile of the batch to the sums.
    fn accumulate(&self, slot: usize, index: usize, tile: &StitchTile<'_>) -> Result<()> {
        let [height, width] = self.request.scores;
        let [valid_y, valid_x] = self.request.offset.map(|n| n as i32);
        let [y, x] = tile.at.map(|n| n as i32);
        let [[first_y, first_x], [end_y, end_x]] = tile.core.map(|corner| corner.map(|n| n as i32));
        let (batch, positions) = (self.request.batch, self.request.input.product());
        let masks = batch * (self.sizes.pixels + self.sizes.mask) + index * positions;
        let accumulate = arguments::Accumulate {
            head: self.program.head,
            rows: self.rows,
            weights: self.tables.weights.as_ref().map_or(0, Memory::address),
            valid: self.up[slot].memory.address() + masks as u64,
            valid_width: self.request.input.x as i32,
            valid_y,
            valid_x,
            batch: index as i32,
            runs: i32::from(tile.runs),
            height: height as i32,
            width: width as i32,
            y,
            x,
            first_y,
            first_x,
            end_y,
            end_x,
        };
        // SAFETY: maps, sums and masks are as large as the request and the program say.
        unsafe { self.device.launch(&ACCUMULATE.launch(accumulate, height * width)) }
    }

    /// Labels a part, and starts sending it back.
    fn label(&mut self, rows: RowsOf) -> Result<()> {
        let slot = self.parts % SLOTS;
        // Its slot is taken until its labels have arrived.
        while self.coming.len() >= SLOTS {
            self.arrive()?;
        }
        self.parts += 1;
        let channels = self.rows.channels as usize;
        let parts = Parts::new(self.request.wanted, channels, rows.height * rows.width);
        let memory = self.down[slot].memory.address();
        let at = |offset: usize| memory + offset as u64;
        let labels = self.request.wanted != WantedRows::Scores;
        let label = arguments::Label {
            rows: self.rows,
            y: rows.y as i32,
            x: rows.x as i32,
            height: rows.height as i32,
            width: rows.width as i32,
            values: self.tables.values.address(),
            kept: self.tables.kept.address(),
            classes: self.request.labels.values.len() as i32,
            nodata: self.request.labels.nodata,
            labels: if labels { at(parts.labels) } else { 0 },
            confidence: if self.request.wanted == WantedRows::LabelsWithConfidence { at(parts.confidence) } else { 0 },
            scores: if labels { 0 } else { at(parts.scores) },
            valid: at(parts.valid),
            wrong: at(parts.wrong),
        };
        // SAFETY: a slot has room for the largest part.
        unsafe {
            self.device.clear(at(parts.wrong), size_of::<u64>())?;
            self.device.launch(&LABEL.launch(label, rows.height * rows.width))?;
        }
        self.device.follow(Stream::Download, &self.device.mark(Stream::Compute)?)?;
        let pinned = &mut self.down[slot].pinned.bytes_mut()[..parts.end];
        // SAFETY: the memory has as many bytes, and the pinned ones are not read before the mark is reached.
        unsafe { self.device.read(Stream::Download, memory, pinned) }?;
        let arrived = self.device.mark(Stream::Download)?;
        // The slot is written again only when this has arrived.
        self.coming.push_back(Coming { rows, slot, batch: self.batches, arrived });
        Ok(())
    }

    /// Makes room for the rows below those that are finished.
    fn forget(&self, end: EndOfRows) -> Result<()> {
        let forget = arguments::Forget { rows: self.rows, y: end.y as i32, height: end.height as i32 };
        // SAFETY: the sums have as many rows and columns as `rows` says.
        unsafe { self.device.launch(&FORGET.launch(forget, end.height * self.request.width)) }
    }

    /// Waits for the first part that is on its way.
    fn arrive(&mut self) -> Result<()> {
        let Some(Coming { rows, slot, arrived, .. }) = self.coming.pop_front() else { return Ok(()) };
        self.device.wait(&arrived)?;
        let (channels, pixels) = (self.rows.channels as usize, rows.height * rows.width);
        let parts = Parts::new(self.request.wanted, channels, pixels);
        let bytes = self.down[slot].pinned.bytes();
        let of = |start: usize, end: usize| &bytes[start..end];
        let mut wrong = [0; size_of::<u64>()];
        wrong.copy_from_slice(of(parts.wrong, parts.scores));
        let floats = of(parts.scores, parts.labels).chunks_exact(4).map(|b| f32::from_ne_bytes([b[0], b[1], b[2], b[3]]));
        let valid = of(parts.valid, parts.end).iter().map(|valid| *valid != 0);
        let scores = self.request.wanted == WantedRows::Scores;
        self.ready.push_back(FinishedRows {
            rows,
            labels: of(parts.labels, parts.confidence).to_vec(),
            confidence: of(parts.confidence, parts.valid).to_vec(),
            scores: floats.collect(),
            valid: if scores { valid.collect() } else { Vec::new() },
            wrong: wrong_score(u64::from_ne_bytes(wrong), channels, rows.width),
        });
        Ok(())
    }
}

/// What the kernel says of the first wrong score; 0 is none.
fn wrong_score(said: u64, channels: usize, width: usize) -> Option<WrongScore> {
    let key = !said;
    let score = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY].get((key % 4) as usize).copied();
    let place = (key / 4) as usize;
    let (pixel, channel) = (place / channels, place % channels);
    (said != 0).then(|| WrongScore { y: pixel / width, x: pixel % width, channel, score: score.unwrap_or(f32::NAN) })
}

impl Stitch for Resident<'_> {
    fn batch(&self) -> usize {
        self.request.batch
    }

    fn submit(&mut self, tiles: &[StitchTile<'_>]) -> Result<()> {
        tiles.iter().try_for_each(|tile| self.check(tile))?;
        if tiles.len() > self.request.batch {
            let (expected, got) = (self.request.batch, tiles.len());
            let shape = crate::Shape { channels: self.request.scaling.len(), extent: self.request.input };
            return Err(Error::Length { shape, expected, got });
        }
        let slot = self.batches % SLOTS;
        self.batches += 1;
        let sent = self.send(slot, tiles)?;
        self.device.follow(Stream::Compute, &sent)?;
        if tiles.iter().any(|tile| tile.runs) {
            self.normalise(slot)?;
            self.program.run()?;
        }
        for (index, tile) in tiles.iter().enumerate() {
            self.accumulate(slot, index, tile)?;
            if let Some(end) = tile.ends {
                end.owned.map_or(Ok(()), |rows| self.label(rows))?;
                self.forget(end)?;
            }
        }
        self.up[slot].used = Some(self.device.mark(Stream::Compute)?);
        Ok(())
    }

    fn take(&mut self, rows: Rows) -> Result<Option<FinishedRows>> {
        if self.ready.is_empty() {
            let waits = |coming: &Coming| rows == Rows::OfAllBatches || coming.batch < self.batches;
            if self.coming.front().is_some_and(waits) {
                self.arrive()?;
            }
        }
        Ok(self.ready.pop_front())
    }
}
