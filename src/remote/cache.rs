//! One cache of blocks for all objects, handles and threads.
//!
//! A block is a view on the request that brings it, and that request is a shared future: a block can be waited for while it is on its way, so that
//! no byte is asked for twice, and reading ahead is reading that nobody waits for.

use std::collections::{BTreeSet, HashMap};
use std::future::{Future, ready};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use lru::LruCache;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::RemoteError;
use super::object::{Object, Ranges};
use super::runtime::wait;

/// Unit of the cache, in bytes.
pub(super) const BLOCK: u64 = 16 << 10;

/// Missing blocks share a request if fewer bytes lie between them.
const GAP: u64 = 64 << 10;

/// What is longer is asked for in parts, at once.
const LONGEST: u64 = 2 << 20;

/// Requests on their way at once.
const REQUESTS: usize = 32;

/// For so long a failure is the answer: GDAL asks again at once, when all retries were just in vain.
const FAILURE: Duration = Duration::from_secs(3);

/// The answer to a request, for all who wait for it.
pub(super) type Reply<T> = Shared<BoxFuture<'static, Result<T, RemoteError>>>;

/// Blocks of objects that were read lately or will be, see the [module](self).
pub(super) struct BlockCache {
    runtime: &'static Handle,
    gate: Arc<Semaphore>,
    blocks: Mutex<LruCache<Block, Arc<Run>>>,
    capacity: AtomicU64,
    held: Arc<AtomicU64>,
}

/// Which block of which object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Block {
    object: u64,
    index: u64,
}

/// Blocks that one request brings. Its bytes are held as long as one of them is.
struct Run {
    /// Where its bytes lie in the object.
    range: Range<u64>,
    reply: Reply<Bytes>,
    /// When its request failed for good.
    failed: Arc<OnceLock<Instant>>,
    held: Arc<AtomicU64>,
}

impl Run {
    fn is_stale(&self) -> bool {
        self.failed.get().is_some_and(|failed| failed.elapsed() > FAILURE)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.held.fetch_sub(self.range.end - self.range.start, Ordering::Relaxed);
    }
}

/// Bytes to be filled from an object.
pub(super) struct Wanted<'b> {
    pub(super) offset: u64,
    pub(super) bytes: &'b mut [u8],
}

impl Wanted<'_> {
    pub(super) fn range(&self) -> Range<u64> {
        self.offset..self.offset + self.bytes.len() as u64
    }
}

impl BlockCache {
    pub(super) fn new(runtime: &'static Handle, capacity: u64) -> Self {
        Self {
            runtime,
            gate: Arc::new(Semaphore::new(REQUESTS)),
            blocks: Mutex::new(LruCache::unbounded()),
            capacity: AtomicU64::new(capacity),
            held: Arc::default(),
        }
    }

    /// Most bytes that it holds.
    pub(super) fn capacity(&self) -> u64 {
        self.capacity.load(Ordering::Relaxed)
    }

    /// Bounds the bytes that it holds.
    pub(super) fn set_capacity(&self, bytes: u64) {
        self.capacity.store(bytes, Ordering::Relaxed);
        self.evict(&mut self.blocks());
    }

    /// Sends work on its way, when it is its turn.
    pub(super) fn send<T: Clone + Send + Sync + 'static>(
        &self,
        work: impl Future<Output = Result<T, RemoteError>> + Send + 'static,
    ) -> Reply<T> {
        let gate = Arc::clone(&self.gate);
        let task = self.runtime.spawn(async move {
            let _permit = gate.acquire().await;
            work.await
        });
        let reply = async move { task.await.unwrap_or_else(|error| Err(RemoteError::Other { reason: error.to_string() })) };
        reply.boxed().shared()
    }

    /// Keeps what an object begins with.
    pub(super) fn keep_head(&self, object: &Object, head: Bytes) {
        let (bytes, size) = (head.len() as u64, object.version.size);
        let blocks = if bytes == size { bytes.div_ceil(BLOCK) } else { bytes / BLOCK };
        let run = self.run(0..bytes, ready(Ok(head)).boxed().shared(), Arc::default());
        let mut cached = self.blocks();
        for index in 0..blocks {
            cached.put(Block { object: object.id, index }, Arc::clone(&run));
        }
        self.evict(&mut cached);
    }

    /// Fills buffers, which lie within the object.
    pub(super) fn read(&self, object: &Arc<Object>, wanted: &mut [Wanted<'_>]) -> Result<(), RemoteError> {
        let ranges: Vec<_> = wanted.iter().map(Wanted::range).collect();
        let runs = self.request(object, &ranges);
        for Wanted { offset, bytes } in wanted {
            let mut done = 0;
            while done < bytes.len() {
                let position = *offset + done as u64;
                let Some(run) = runs.get(&(position / BLOCK)) else {
                    return Err(RemoteError::Other { reason: format!("byte {position} lies behind the object's end") });
                };
                let got = wait(run.reply.clone())?;
                let from = (position - run.range.start) as usize;
                let count = (got.len() - from).min(bytes.len() - done).min((BLOCK - position % BLOCK) as usize);
                bytes[done..done + count].copy_from_slice(&got[from..from + count]);
                done += count;
            }
        }
        Ok(())
    }

    /// Asks for what is missing of the ranges and does not wait for it.
    pub(super) fn warm(&self, object: &Arc<Object>, ranges: &[Range<u64>]) {
        self.request(object, ranges);
    }

    /// Whether a range is here or on its way.
    pub(super) fn holds(&self, object: &Object, range: &Range<u64>) -> bool {
        let blocks = self.blocks();
        indices(range).all(|index| blocks.contains(&Block { object: object.id, index }))
    }

    /// The runs of all blocks that the ranges touch, by block; those that are missing are sent for, near ones together.
    fn request(&self, object: &Arc<Object>, ranges: &[Range<u64>]) -> HashMap<u64, Arc<Run>> {
        let size = object.version.size;
        let inside = ranges.iter().map(|range| range.start..range.end.min(size)).filter(|range| !range.is_empty());
        let wanted: BTreeSet<u64> = inside.flat_map(|range| indices(&range)).collect();
        let mut cached = self.blocks();
        let mut runs = HashMap::with_capacity(wanted.len());
        let mut missing: Vec<Range<u64>> = Vec::new();
        for index in wanted {
            if let Some(run) = cached.get(&Block { object: object.id, index }).filter(|run| !run.is_stale()) {
                runs.insert(index, Arc::clone(run));
                continue;
            }
            match missing.last_mut() {
                Some(run) if (index - run.end) * BLOCK <= GAP && (index + 1 - run.start) * BLOCK <= LONGEST => {
                    run.end = index + 1;
                }
                _ => missing.push(index..index + 1),
            }
        }
        if object.ranges == Ranges::Ignored && !missing.is_empty() {
            missing.clear();
            missing.push(0..size.div_ceil(BLOCK));
        }
        for blocks in missing {
            let range = blocks.start * BLOCK..(blocks.end * BLOCK).min(size);
            let (fetched, bytes, failed) = (Arc::clone(object), range.clone(), Arc::new(OnceLock::new()));
            let noted = Arc::clone(&failed);
            let reply = self.send(async move {
                fetched.fetch(bytes).await.inspect_err(|_| {
                    noted.get_or_init(Instant::now);
                })
            });
            let run = self.run(range, reply, failed);
            for index in blocks {
                cached.put(Block { object: object.id, index }, Arc::clone(&run));
                runs.insert(index, Arc::clone(&run));
            }
        }
        self.evict(&mut cached);
        runs
    }

    fn run(&self, range: Range<u64>, reply: Reply<Bytes>, failed: Arc<OnceLock<Instant>>) -> Arc<Run> {
        self.held.fetch_add(range.end - range.start, Ordering::Relaxed);
        Arc::new(Run { range, reply, failed, held: Arc::clone(&self.held) })
    }

    fn evict(&self, cached: &mut LruCache<Block, Arc<Run>>) {
        while self.held.load(Ordering::Relaxed) > self.capacity() && cached.pop_lru().is_some() {}
    }

    fn blocks(&self) -> MutexGuard<'_, LruCache<Block, Arc<Run>>> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The blocks that a range touches.
fn indices(range: &Range<u64>) -> Range<u64> {
    range.start / BLOCK..range.end.div_ceil(BLOCK)
}
