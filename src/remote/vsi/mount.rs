//! The objects that GDAL sees.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use futures::FutureExt as _;
use lru::LruCache;

use super::names::{Names, folder, leaf, plain};
use super::siblings::{Siblings, list, sidecars};
use crate::RemoteUri;
use crate::remote::cache::{BlockCache, Reply};
use crate::remote::object::Object;
use crate::remote::runtime::{runtime, wait};
use crate::remote::{RemoteError, resolve};

/// What the first request of an object asks for: headers and tables of blocks of most rasters.
const HEADER: u64 = 64 << 10;

/// Bytes that the cache holds unless a plan says otherwise.
const CAPACITY: u64 = 64 << 20;

/// Names of which something is known.
const KNOWN: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);

/// The objects that GDAL sees, and what is known of them.
pub(in crate::remote) struct Mount {
    pub(in crate::remote) cache: Arc<BlockCache>,
    known: Mutex<Known>,
}

struct Known {
    names: Names,
    objects: LruCache<String, Reply<Arc<Object>>>,
    /// What stands beside a raster.
    siblings: LruCache<String, Vec<String>>,
}

impl Mount {
    /// The only one.
    pub(in crate::remote) fn get() -> Result<&'static Self, RemoteError> {
        static MOUNT: OnceLock<Mount> = OnceLock::new();
        let runtime = runtime()?;
        Ok(MOUNT.get_or_init(|| {
            let known = Known { names: Names::default(), objects: LruCache::new(KNOWN), siblings: LruCache::new(KNOWN) };
            Self { cache: Arc::new(BlockCache::new(runtime, CAPACITY)), known: Mutex::new(known) }
        }))
    }

    /// A name for an object.
    pub(in crate::remote) fn name(&self, uri: &RemoteUri) -> Result<String, RemoteError> {
        self.known().names.give(uri, sidecars)
    }

    /// Looks an object up, unless it was before. Of failures only those are remembered that another try would not mend.
    pub(in crate::remote) fn object(&self, name: &str) -> Result<Arc<Object>, RemoteError> {
        let reply = self.send(name);
        let answer = wait(reply.clone());
        if !matches!(answer, Ok(_) | Err(RemoteError::NotFound | RemoteError::Denied { .. })) {
            let mut known = self.known();
            if known.objects.peek(name).is_some_and(|now| now.ptr_eq(&reply)) {
                known.objects.pop(name);
            }
        }
        answer
    }

    /// The files beside a raster. They and the raster itself are asked for at once, unless they were before.
    pub(in crate::remote) fn siblings(&self, name: &str) -> Result<Vec<String>, RemoteError> {
        let name = &plain(name);
        if let Some(siblings) = self.known().siblings.get(name) {
            return Ok(siblings.clone());
        }
        let uri = self.known().names.uri(name).ok_or(RemoteError::NotFound)?;
        drop(self.send(name));
        let siblings = match Siblings::of(&uri) {
            Siblings::Listed => match wait(self.cache.send(list(uri, name.clone()))) {
                // Who may read need not be let list.
                Err(RemoteError::Denied { .. }) => self.probe(name),
                listed => listed,
            },
            Siblings::Probed => self.probe(name),
        }?;
        self.known().siblings.put(name.clone(), siblings.clone());
        Ok(siblings)
    }

    /// Forgets what is known of an object and of the files beside it: they may have changed.
    pub(in crate::remote) fn forget(&self, name: &str) {
        let mut known = self.known();
        let beside = known.siblings.pop(name).unwrap_or_default();
        let beside = beside.iter().map(|leaf| format!("{}/{leaf}", folder(name))).chain(sidecars(name));
        for object in beside.chain([name.to_owned()]) {
            known.objects.pop(&object);
        }
    }

    /// The files in a folder, as far as they are known.
    pub(super) fn entries(&self, name: &str) -> Vec<String> {
        let known = self.known();
        let found = known.objects.iter().filter(|(_, reply)| matches!(reply.peek(), Some(Ok(_))));
        let objects = found.map(|(name, _)| name.as_str()).filter(|object| folder(object) == name).map(leaf);
        let listed = known.siblings.iter().filter(|(raster, _)| folder(raster) == name).flat_map(|(_, names)| names);
        let mut entries: Vec<String> = objects.chain(listed.map(String::as_str)).map(str::to_owned).collect();
        entries.sort_unstable();
        entries.dedup();
        entries
    }

    pub(super) fn is_folder(&self, name: &str) -> bool {
        self.known().names.has_folder(&plain(name))
    }

    /// Those of the usual files that exist. A server that does not tell who may list what exists denies what does not.
    fn probe(&self, name: &str) -> Result<Vec<String>, RemoteError> {
        let sidecars = sidecars(name);
        for sidecar in &sidecars {
            drop(self.send(sidecar));
        }
        let mut found = Vec::new();
        for sidecar in sidecars {
            match self.object(&sidecar) {
                Ok(_) => found.push(leaf(&sidecar).to_owned()),
                Err(RemoteError::NotFound | RemoteError::Denied { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Sends for an object's first bytes, unless they were sent for before.
    fn send(&self, name: &str) -> Reply<Arc<Object>> {
        let name = plain(name);
        let mut known = self.known();
        if let Some(reply) = known.objects.get(&name) {
            return reply.clone();
        }
        let Some(uri) = known.names.uri(&name) else {
            return std::future::ready(Err(RemoteError::NotFound)).boxed().shared();
        };
        let cache = Arc::clone(&self.cache);
        let reply = self.cache.send(async move {
            let found = Object::look_up(resolve(&uri)?, HEADER, cache.capacity() / 2).await?;
            cache.keep_head(&found.object, found.head);
            Ok(Arc::new(found.object))
        });
        known.objects.put(name, reply.clone());
        reply
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
