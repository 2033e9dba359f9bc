//! Finding the tiles that fit.

use swath_models::{Arithmetic, Convolutions, Executor, Extent, Geometry, Padding, Reach};
use swath_tiling::{Blend, TileGrid, Window};

use super::layout::{self, Layout};
use super::memory::{Computing, MemoryPlan, REMOTE_LEAST, REMOTE_MOST, Reading, Writing};
use super::{BlendChoice, Layers, PlanRequest, Tiles};
use crate::source::RasterSource;
use crate::source::{RasterProfile, Scene, visible};
use crate::{Error, Result};

/// Sides of tiles that are tried where neither user nor network say, largest first: large tiles lose less to overlap.
const SIDES: [usize; 12] = [1024, 896, 768, 640, 512, 384, 320, 256, 192, 128, 64, 32];

/// Most pixels that tiles may share: no raster that GDAL reads is wider or higher. A scene of one tile needs none, however much is asked for.
const MOST_OVERLAP: usize = i32::MAX as usize;

/// Most threads that read: more wait for the network.
const MOST_READERS: usize = 4;

/// Threads that read a remote scene, however few compute: they wait for its store.
const REMOTE_READERS: usize = 4;

/// Everything that is decided before the first read. No usage error can come after it.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// How the scene is cut.
    pub layout: Layout,
    /// The same tiles in swaths of columns, run one after the other; one if the mosaic fits in memory at the scene's width.
    pub swaths: Vec<TileGrid>,
    /// How overlapping tiles become one.
    pub blend: BlendChoice,
    /// How the network is computed.
    pub arithmetic: Arithmetic,
    /// What the network sees around a pixel.
    pub geometry: Geometry,
    /// Peak memory, by part.
    pub memory: MemoryPlan,
    /// The bound on it.
    pub max_memory: usize,
    /// Operations of the network over all tiles.
    pub flops: u64,
    /// Bytes of decoded pixels that are read, with those that neighbouring tiles share.
    pub bytes_to_read: u64,
    /// Threads that read.
    pub readers: usize,
    /// Tiles that the network runs on at once.
    pub workers: usize,
    /// Threads that the network runs on: those of all workers. Fewer than asked for if memory is too short for them.
    pub threads: usize,
    /// What is written beside the labels.
    pub layers: Layers,
    /// Threads that compress the finished files: fewer than compute if memory asks for it.
    pub finish_threads: usize,
}

impl Plan {
    /// Plans how `scene` is labelled by `executor`'s network.
    ///
    /// # Errors
    /// If the request does not fit the network, or no tiling fits in memory; the error says what would do.
    pub fn new(scene: &Scene, executor: &dyn Executor, request: &PlanRequest) -> Result<Self> {
        let profile = scene.profile();
        let bytes = scene.bands().numbers().iter().map(|number| profile.bands[number - 1].bytes).sum();
        let storage = if scene.input().is_remote() { Storage::Remote } else { Storage::Local };
        Self::with_profile(profile, storage, bytes, executor, request)
    }

    /// As [`Plan::new`], for any source of this profile; `bytes` are those of a pixel in all bands read.
    pub(crate) fn with_profile(
        profile: &RasterProfile,
        storage: Storage,
        bytes: usize,
        executor: &dyn Executor,
        request: &PlanRequest,
    ) -> Result<Self> {
        let geometry = executor.graph().geometry()?;
        let fixed = executor.graph().fixed_extent();
        if request.blend.blend() == Blend::Crop
            && let Reach::WholeTile { node } = &geometry.reach
        {
            return Err(Error::CropWholeTile { node: node.clone() });
        }
        let convolutions = executor.arithmetic().convolutions;
        if request.blend.blend() == Blend::Crop && convolutions != Convolutions::Direct {
            return Err(Error::CropWinograd);
        }
        let all = Window::all(profile.size);
        let window = request.window.unwrap_or(all);
        if window.area() == 0 || !all.contains(window) {
            return Err(Error::WindowOutside { path: profile.path.clone(), window, size: profile.size });
        }
        let search = Search { profile, window, geometry: &geometry, executor, request, fixed, bytes, storage };
        if let Some(workers) = request.workers.filter(|workers| !(1..=request.threads).contains(workers)) {
            return Err(Error::Workers { workers, threads: request.threads });
        }
        if let Some(overlap) = request.overlap.filter(|overlap| *overlap > MOST_OVERLAP) {
            return Err(Error::Overlap { overlap, most: MOST_OVERLAP });
        }
        if let (Some(tile), Some(fixed)) = (request.tile, fixed)
            && [fixed.x, fixed.y] != [tile; 2]
        {
            return Err(Error::TileFixed { tile, width: fixed.x, height: fixed.y });
        }
        let found = search.best()?;
        let tiles: usize = found.swaths.iter().map(TileGrid::len).sum();
        let flops = executor.graph().cost(found.layout.input)?.flops.saturating_mul(tiles as u64);
        let bytes_to_read = (tiles * found.layout.input.product() * bytes) as u64;
        Ok(Self {
            blend: request.blend,
            arithmetic: executor.arithmetic(),
            layout: found.layout,
            swaths: found.swaths,
            memory: found.memory,
            max_memory: request.max_memory,
            flops,
            bytes_to_read,
            readers: found.effort.readers,
            workers: found.effort.computing.workers,
            threads: found.effort.computing.threads,
            layers: request.layers,
            finish_threads: found.effort.finish_threads,
            geometry,
        })
    }

    /// How many threads each worker has: as many as the others, or one less.
    pub fn worker_threads(&self) -> impl Iterator<Item = usize> {
        (0..self.workers).map(|worker| (self.threads + worker) / self.workers)
    }

    /// Number of tiles that are run, those on cuts between swaths twice.
    #[must_use]
    pub fn tiles(&self) -> usize {
        self.swaths.iter().map(TileGrid::len).sum()
    }

    /// How many of the tiles have pixels of the scene's area in what the network sees of them: the others are neither read nor run.
    ///
    /// # Errors
    /// If the area cannot be read.
    pub fn tiles_within(&self, scene: &Scene) -> Result<usize> {
        let windows =
            self.swaths.iter().flat_map(TileGrid::tiles).map(|tile| visible(self.layout.raster, self.layout.reach(&tile)));
        Ok(scene.touched(windows)?.into_iter().filter(|touched| *touched).count())
    }

    /// The node that sees all of a tile, if there are several: scores depend on where tiles were cut, and seams may show.
    #[must_use]
    pub fn seams(&self) -> Option<&str> {
        match &self.geometry.reach {
            Reach::WholeTile { node } if self.tiles() > 1 => Some(node),
            _ => None,
        }
    }

    /// Whether the labels are what the network would give for the whole scene at once.
    #[must_use]
    pub fn equals_whole(&self) -> bool {
        let single = self.layout.grid.tile_size() == self.layout.canvas;
        let halo = self.geometry.halo().is_some_and(|halo| {
            let needs = |halo: usize, margin: Padding| 2 * halo.saturating_sub(margin.before.min(margin.after));
            let margin = self.geometry.margin;
            let overlap = self.layout.overlap;
            let covers = |axis: usize, full: usize, overlap: usize, need: usize| axis >= full || overlap >= need;
            covers(self.layout.grid.tile_size().height, self.layout.canvas.height, overlap.height, needs(halo.y, margin.y))
                && covers(self.layout.grid.tile_size().width, self.layout.canvas.width, overlap.width, needs(halo.x, margin.x))
        });
        single || (self.layout.blend == Blend::Crop && halo)
    }
}

/// Where a scene's pixels come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    /// The machine itself.
    Local,
    /// A store.
    Remote,
}

/// A tiling, and what it holds in memory.
struct Found {
    layout: Layout,
    swaths: Vec<TileGrid>,
    memory: MemoryPlan,
    effort: Effort,
    /// The limit on memory that would do for it.
    needed: usize,
}

/// What is done at once: more is faster and takes more memory, and changes no label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Effort {
    readers: usize,
    /// Bytes that are kept of a remote scene's files.
    remote: usize,
    computing: Computing,
    /// Threads that compress the finished files.
    finish_threads: usize,
}

struct Search<'a> {
    profile: &'a RasterProfile,
    window: Window,
    geometry: &'a Geometry,
    executor: &'a dyn Executor,
    request: &'a PlanRequest,
    fixed: Option<Extent>,
    /// Bytes of a pixel in all bands read.
    bytes: usize,
    storage: Storage,
}

impl Search<'_> {
    /// The first of the sides, largest first, whose tiling fits in memory, however slowly: labels must not depend on the number of threads.
    fn best(&self) -> Result<Found> {
        let mut smallest: Option<Found> = None;
        for side in self.sides() {
            let layout = match self.layout(side) {
                Ok(layout) => layout,
                // A smaller side cannot hold the overlap either: the last one that could decides.
                Err(Error::TileTooSmall { .. }) if smallest.is_some() => break,
                Err(error) => return Err(error),
            };
            let found = self.fit(&layout, self.request.workers)?;
            if self.fits(&found) {
                return Ok(found);
            }
            // Nor may they depend on the number of workers: where one would do, memory is too short for those asked for, and not for the tiles.
            let too_many = self.request.workers.is_some() && self.fits(&self.fit(&layout, None)?);
            smallest = Some(found);
            if too_many || self.request.tiles == Tiles::Keep {
                break;
            }
        }
        let needed = smallest.map_or(usize::MAX, |found| found.needed);
        Err(Error::Memory { path: self.profile.path.clone(), needed, limit: self.request.max_memory })
    }

    fn fits(&self, found: &Found) -> bool {
        found.memory.total() <= self.request.max_memory
    }

    /// Sides to try, largest first: just the user's or the network's own if there is one.
    fn sides(&self) -> Vec<usize> {
        if let Some(side) = self.fixed.map(|fixed| fixed.x).or(self.request.tile) {
            return vec![side];
        }
        let stride = self.geometry.stride.x.max(self.geometry.stride.y);
        let lost = self.geometry.margin.x.total().max(self.geometry.margin.y.total());
        // A crop loses twice its halo of every tile: sides count what is left.
        let halo = self.geometry.halo().map_or(0, |halo| halo.x.max(halo.y));
        let around = if self.request.blend.blend() == Blend::Crop { lost.max(2 * halo) } else { lost };
        let overlap = self.request.overlap.unwrap_or(0);
        let mut sides: Vec<usize> = SIDES.iter().map(|side| (side.max(&overlap) + around).next_multiple_of(stride)).collect();
        sides.push((around.max(overlap + lost) + stride).next_multiple_of(stride));
        sides.dedup();
        sides
    }

    fn layout(&self, side: usize) -> Result<Layout> {
        let tiles = layout::Tiles { side, overlap: self.request.overlap, blend: self.request.blend.blend() };
        Layout::new(self.profile.size, self.window, self.geometry, self.fixed, tiles)
    }

    /// The widest swaths that fit, and the most effort that fits with them; or what the narrowest take, computed as slowly as can be.
    fn fit(&self, layout: &Layout, workers: Option<usize>) -> Result<Found> {
        let mut columns = self.window.width;
        let slowest = loop {
            let slowest = self.found(layout, columns, Effort::least(self.storage, workers))?;
            let narrowest = layout.blend == Blend::Crop || columns <= 2 * layout.grid.tile_size().width;
            if self.fits(&slowest) || narrowest {
                break slowest;
            }
            columns = columns.div_ceil(2);
        };
        if !self.fits(&slowest) {
            return Ok(slowest);
        }
        let tiles = slowest.swaths.iter().map(TileGrid::len).max().unwrap_or(1);
        let mut effort = Effort::most(self.storage, self.request.threads.max(1), workers, tiles);
        loop {
            let found = self.found(layout, columns, effort)?;
            if self.fits(&found) {
                return Ok(found);
            }
            match effort.less(&found.memory, workers) {
                Some(less) => effort = less,
                None => return Ok(slowest),
            }
        }
    }

    fn found(&self, layout: &Layout, columns: usize, effort: Effort) -> Result<Found> {
        let reading =
            Reading::new(effort.readers, effort.remote, self.profile, self.bytes, layout.input.y, self.request.max_memory);
        let classes = self.executor.graph().output_channels().max(2);
        let writing = Writing { layers: self.request.layers, classes, threads: effort.finish_threads };
        let swaths = layout.grid.swaths(columns);
        let memory = MemoryPlan::new(layout, &swaths, self.executor, reading, effort.computing, writing)?;
        Ok(Found { layout: layout.clone(), swaths, memory, effort, needed: reading.needed(&memory) })
    }
}

impl Effort {
    /// All threads. One tile per thread, since threads of different tiles do not wait for each other; but a worker that has no tile left when
    /// the others compute their last ones idles, so there are no more workers than keep idle time below a tenth.
    fn most(storage: Storage, threads: usize, workers: Option<usize>, tiles: usize) -> Self {
        let busy = |workers: &usize| 10 * workers * tiles.div_ceil(*workers) <= 11 * tiles;
        let workers = workers.or_else(|| (1..=threads).rev().find(busy)).unwrap_or(1);
        let (readers, remote) = match storage {
            Storage::Local => (threads.min(MOST_READERS), 0),
            Storage::Remote => (REMOTE_READERS, REMOTE_MOST),
        };
        Self { readers, remote, computing: Computing { workers, threads }, finish_threads: threads }
    }

    /// One of each; `workers`, if so many are asked for.
    fn least(storage: Storage, workers: Option<usize>) -> Self {
        let workers = workers.unwrap_or(1);
        let remote = match storage {
            Storage::Local => 0,
            Storage::Remote => REMOTE_LEAST,
        };
        Self { readers: 1, remote, computing: Computing { workers, threads: workers }, finish_threads: 1 }
    }

    /// A little less of what costs the least time; none if there is nothing left to give up. `workers` stay if so many are asked for.
    fn less(mut self, memory: &MemoryPlan, workers: Option<usize>) -> Option<Self> {
        let Self { readers, remote, computing, finish_threads } = &mut self;
        if *remote > REMOTE_LEAST {
            *remote /= 2;
            return Some(self);
        }
        let finishing = memory.finish > memory.waiting + memory.mosaic;
        let given = if finishing && *finish_threads > 1 {
            finish_threads
        } else if *readers > 1 {
            readers
        } else if workers.is_none() && computing.workers > 1 {
            &mut computing.workers
        } else if computing.threads > computing.workers {
            &mut computing.threads
        } else {
            return None;
        };
        *given -= 1;
        Some(self)
    }
}
