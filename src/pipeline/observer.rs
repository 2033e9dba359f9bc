//! Who watches a run.

/// What a run is told while it runs.
pub trait Observer: Sync {
    /// A tile has been stitched; `pixels` of the output are finished with it.
    fn tile_done(&self, pixels: usize);

    /// An earlier process had done this much already: so many pixels, and at least so many tiles.
    fn resumed(&self, _tiles: usize, _pixels: usize) {}

    /// Whether the run should stop.
    fn is_cancelled(&self) -> bool;
}

/// Nobody watches.
#[derive(Clone, Copy, Debug)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn tile_done(&self, _pixels: usize) {}

    fn is_cancelled(&self) -> bool {
        false
    }
}
