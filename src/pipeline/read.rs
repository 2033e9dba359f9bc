//! Reading ahead.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Scope;

use swath_tiling::{Tile, TileGrid};

use super::run::Run;
use crate::Result;
use crate::plan::Layout;
use crate::source::{Patch, WindowReader, read_extended, visible};

/// Patches that each reading thread has ready for the network.
pub(crate) const PATCHES_AHEAD: usize = 1;

/// A tile as it was read, scaled for the network.
pub(super) struct Input {
    pub(super) tile: Tile,
    pub(super) pixels: Vec<f32>,
    pub(super) valid: Vec<bool>,
}

/// What makes of a tile what the next stage takes.
pub(super) type ReadTile<T> = fn(&Run<'_>, &mut dyn WindowReader, Tile) -> Result<T>;

/// Starts so many readers. Reader k reads tiles k, k + readers, ... into a channel of its own: taking from the channels in turn gives grid order. A
/// reader ends when it has read its last tile, sent an error, or nobody listens.
///
/// Readers come on top of the workers' threads and do not crowd them out: each is at most one patch in its channel and one in its hands ahead of
/// the network, then it waits. So they compute for no longer than decoding takes; only where that is slower than the network do they take more of
/// the cores, and there they are what the run waits for.
pub(super) fn start<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    run: &'scope Run<'_>,
    swath: &'scope TileGrid,
    readers: usize,
    read_tile: ReadTile<T>,
) -> Vec<Receiver<Result<T>>> {
    let readers = readers.min(swath.len());
    let start = |first: usize| {
        let (send, receive) = sync_channel(PATCHES_AHEAD);
        let tiles = (first..swath.len()).step_by(readers);
        scope.spawn(move || read(run, swath, tiles, read_tile, &send));
        receive
    };
    (0..readers).map(start).collect()
}

fn read<T>(
    run: &Run<'_>,
    swath: &TileGrid,
    tiles: impl Iterator<Item = usize>,
    read_tile: ReadTile<T>,
    send: &SyncSender<Result<T>>,
) {
    let mut reader = match run.clocks.reading.busy.time(|| run.source.reader()) {
        Ok(reader) => reader,
        Err(error) => return drop(send.send(Err(error))),
    };
    let Layout { raster, .. } = run.plan.layout;
    for index in tiles {
        if run.plan.memory.remote > 0 {
            let mut coming = (index..swath.len()).map(|index| visible(raster, run.plan.layout.reach(&swath.tile(index))));
            // The other half holds what is being read.
            reader.prefetch(&mut coming, run.plan.memory.remote / 2);
        }
        let input = read_tile(run, reader.as_mut(), swath.tile(index));
        let failed = input.is_err();
        let sent = run.clocks.reading.blocked.time(|| send.send(input));
        if sent.is_err() || failed {
            return;
        }
    }
}

/// Reads a tile and scales it for the network.
pub(super) fn scaled(run: &Run<'_>, reader: &mut dyn WindowReader, tile: Tile) -> Result<Input> {
    let Layout { raster, .. } = run.plan.layout;
    let patch = run.clocks.reading.busy.time(|| read_extended(reader, raster, run.plan.layout.reach(&tile)))?;
    let Patch { mut pixels, mut valid, wanted, .. } = patch;
    run.clocks.scaling.busy.time(|| {
        for (band, scaling) in pixels.chunks_exact_mut(valid.len()).zip(run.scaling) {
            scaling.apply(band);
            // Values without meaning must not reach their neighbours through the network: it sees zeros instead, as it does beyond its own padding.
            band.iter_mut().zip(&valid).filter(|(_, valid)| !**valid).for_each(|(x, _)| *x = 0.0);
        }
        // What is not wanted is seen by the network, but has no label.
        if let Some(wanted) = wanted {
            valid.iter_mut().zip(wanted).for_each(|(valid, wanted)| *valid &= wanted);
        }
    });
    Ok(Input { tile, pixels, valid })
}
