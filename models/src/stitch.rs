//! Tiles that become labels where the network runs.

use crate::{Extent, Result, Scaling};

/// What makes labels of tiles where the network runs: pixels go there as they were read, sums of overlapping tiles stay there, and labels come back.
///
/// Tiles are submitted in grid order, and the result is that of adding them one after the other.
pub trait Stitch {
    /// Most tiles of one [`Stitch::submit`].
    fn batch(&self) -> usize;

    /// Starts computing tiles, which follow those before in grid order. It returns before they are computed; the tiles may be dropped then.
    ///
    /// # Errors
    /// If the tiles are more than a batch or not as large as they should be, or the card fails.
    fn submit(&mut self, tiles: &[StitchTile<'_>]) -> Result<()>;

    /// The next rows that are finished, in order; `None` if there are none. With [`Rows::OfEarlierBatches`], rows that the last batch finishes are
    /// not waited for.
    ///
    /// # Errors
    /// If the card fails.
    fn take(&mut self, rows: Rows) -> Result<Option<FinishedRows>>;
}

/// Which rows are waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Those that the batches before the last one finish.
    OfEarlierBatches,
    /// All.
    OfAllBatches,
}

/// How the tiles of a scene are cut, and what is wanted of them.
#[derive(Clone, Debug, PartialEq)]
pub struct StitchRequest {
    /// What the network sees of a tile; one position deep.
    pub input: Extent,
    /// The scores of a tile: `(height, width)`.
    pub scores: [usize; 2],
    /// The place of the first of them among the input's pixels: `(y, x)`.
    pub offset: [usize; 2],
    /// Columns of all tiles together.
    pub width: usize,
    /// The weight of every score of a tile, `(height, width)`; `None` where each pixel has the score of one tile.
    pub weights: Option<Vec<f32>>,
    /// What the pixels are.
    pub pixels: PixelType,
    /// How one band after the other becomes the network's input.
    pub scaling: Vec<Scaling>,
    /// Which label each class has.
    pub labels: LabelTable,
    /// What comes back of each pixel.
    pub wanted: WantedRows,
    /// Tiles that are computed at once.
    pub batch: usize,
}

/// The type in which pixels were stored, and go to the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PixelType {
    /// 8 bits without a sign.
    U8,
    /// 16 bits without a sign.
    U16,
    /// 16 bits with a sign.
    I16,
    /// 32-bit floating point: all else.
    F32,
}

impl PixelType {
    /// Bytes of a value.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::F32 => 4,
        }
    }
}

/// Which label each class has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelTable {
    /// Of every class.
    pub values: Vec<u8>,
    /// Whether each may be given.
    pub kept: Vec<bool>,
    /// Of pixels without one.
    pub nodata: u8,
}

/// What comes back of each pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WantedRows {
    /// One byte: its label.
    Labels,
    /// Two bytes: its label, and how probable it is.
    LabelsWithConfidence,
    /// Its scores.
    Scores,
}

/// A tile as it was read.
#[derive(Clone, Copy, Debug)]
pub struct StitchTile<'a> {
    /// Values of the request's type, `(bands, height, width)` of its input, in the machine's byte order.
    pub pixels: &'a [u8],
    /// Whether each pixel is valid, `(height, width)`; 0 is not. Those are zeros to the network.
    pub seen: &'a [u8],
    /// Whether each pixel is labelled, `(height, width)`.
    pub valid: &'a [u8],
    /// Whether the network runs: a tile without a valid pixel is passed over.
    pub runs: bool,
    /// Where its scores begin: row of the scene, and column from the first one of all tiles on.
    pub at: [usize; 2],
    /// The scores that count where each pixel has those of one tile: first row and column of the tile, and the ends.
    pub core: [[usize; 2]; 2],
    /// The rows that no later tile touches; `None` if there are such for all of its rows.
    pub ends: Option<EndOfRows>,
}

/// Rows that no later tile touches, over the columns of all tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndOfRows {
    /// First row of the scene.
    pub y: usize,
    /// Rows.
    pub height: usize,
    /// The part of them that comes back, if any does.
    pub owned: Option<RowsOf>,
}

/// A part of the scene that is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowsOf {
    /// First row of the scene.
    pub y: usize,
    /// First column, counted from the first one of all tiles.
    pub x: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

/// Rows that no later tile touches, in the form that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct FinishedRows {
    /// Which.
    pub rows: RowsOf,
    /// `(height, width)`; empty where scores are wanted.
    pub labels: Vec<u8>,
    /// In steps of 1/254, 255 for no label: `(height, width)`; empty if it is not wanted.
    pub confidence: Vec<u8>,
    /// `(channels, height, width)`; empty if they are not wanted.
    pub scores: Vec<f32>,
    /// Whether each pixel is valid, `(height, width)`; empty unless scores are wanted.
    pub valid: Vec<bool>,
    /// The first valid pixel with a score that is no number or infinite.
    pub wrong: Option<WrongScore>,
}

/// A score that is no number or infinite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WrongScore {
    /// Row within the finished ones.
    pub y: usize,
    /// Column within the finished ones.
    pub x: usize,
    /// Whose score.
    pub channel: usize,
    /// The score.
    pub score: f32,
}

/// Bytes that stitching takes where the network runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StitchBytes {
    /// On the card: weights, values between the layers, pixels, sums, labels.
    pub card: usize,
    /// On the machine: pixels on their way there and labels on their way back.
    pub host: usize,
}
