//! Asking for windows before they are read.

use std::collections::VecDeque;
use std::ops::Range;
use std::path::PathBuf;

use gdal::Dataset;
use gdal::Metadata as _;
use swath_tiling::Window;

use super::files::files;
use crate::remote;

/// Most windows that are announced at once: blocks that were never written have no bytes that would bound them.
const MOST: usize = 256;

/// What was asked for of the windows that a reader is to read. Only for TIFFs: other formats do not tell where their blocks are.
#[derive(Debug)]
pub(super) struct Ahead {
    raster: PathBuf,
    /// The file of the masks, if they have one of their own.
    mask: Option<PathBuf>,
    /// Whether all bands are stored together.
    together: bool,
    /// Windows that were announced, in the order in which they are read.
    announced: VecDeque<Announced>,
}

/// A window, and the bytes of its blocks.
#[derive(Clone, Copy, Debug)]
struct Announced {
    window: Window,
    bytes: u64,
}

/// Values of a raster that have blocks of their own.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stored {
    /// Those of the band with this number.
    Band(usize),
    /// Those of this band's mask.
    MaskOf(usize),
}

impl Ahead {
    /// For a raster whose blocks are known.
    pub(super) fn new(dataset: &Dataset) -> Option<Self> {
        if dataset.driver().short_name() != "GTiff" {
            return None;
        }
        let files = files(dataset);
        let together = dataset.metadata_item("INTERLEAVE", "IMAGE_STRUCTURE").is_some_and(|kind| kind == "PIXEL");
        Some(Self {
            raster: files.first()?.clone(),
            mask: files.into_iter().find(|name| name.extension().is_some_and(|extension| extension == "msk")),
            together,
            announced: VecDeque::new(),
        })
    }

    /// Asks for the first of the windows that come next, as many as hold `most` bytes, unless it was done before.
    pub(super) fn announce(&mut self, dataset: &Dataset, stored: &[Stored], coming: &mut dyn Iterator<Item = Window>, most: u64) {
        let mut coming = coming.peekable();
        let Some(first) = coming.peek() else { return };
        while self.announced.front().is_some_and(|announced| announced.window != *first) {
            self.announced.pop_front();
        }
        let mut bytes: u64 = self.announced.iter().map(|announced| announced.bytes).sum();
        for window in coming.skip(self.announced.len()).take(MOST - self.announced.len().min(MOST)) {
            if bytes > most {
                break;
            }
            let asked = self.ask(dataset, stored, window);
            bytes += asked;
            self.announced.push_back(Announced { window, bytes: asked });
        }
    }

    /// Asks for the blocks of a window, and says how many bytes they have.
    fn ask(&self, dataset: &Dataset, stored: &[Stored], window: Window) -> u64 {
        let (mut raster, mut mask): (Vec<Range<u64>>, Vec<Range<u64>>) = Default::default();
        let bands = stored.iter().filter(|stored| matches!(stored, Stored::Band(_)));
        let bands = bands.take(if self.together { 1 } else { usize::MAX });
        for stored in bands.chain(stored.iter().filter(|stored| matches!(stored, Stored::MaskOf(_)))) {
            // Whatever is wrong with it shows when it is read.
            match stored {
                Stored::Band(number) => {
                    raster.extend(dataset.rasterband(*number).iter().flat_map(|band| remote::block_ranges(band, window)));
                }
                Stored::MaskOf(number) => {
                    let ranges =
                        dataset.rasterband(*number).and_then(|band| Ok(remote::block_ranges(&band.open_mask_band()?, window)));
                    if self.mask.is_some() { &mut mask } else { &mut raster }.extend(ranges.unwrap_or_default());
                }
            }
        }
        let bytes = raster.iter().chain(&mask).map(|range| range.end - range.start).sum();
        remote::warm(&self.raster, &raster);
        if let Some(file) = &self.mask {
            remote::warm(file, &mask);
        }
        bytes
    }
}
