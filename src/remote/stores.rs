//! Which store an object is in.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use lru::LruCache;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::http::HttpBuilder;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{BackoffConfig, ClientConfigKey, ObjectStore, RetryConfig};
use url::Position;

use super::RemoteError;
use super::runtime::runtime;
use super::traffic::Counting;
use crate::location::{RemoteUri, Scheme};

/// A store that cannot be connected to in this time is not there.
const CONNECT: Duration = Duration::from_secs(5);

/// A store that answers nothing for so long has stalled, where something is read. `object_store`'s own 30 s for a whole request would give up slow lines,
/// and waits long on dead ones.
const SILENCE: Duration = Duration::from_secs(5);

/// The longest that one request may take. An answer begins only when all of what is written was sent, so that silence says nothing there: 8 MiB take
/// two minutes at 0.6 Mbit/s.
const REQUEST: Duration = Duration::from_mins(2);

/// How often a request that failed is tried again, and for how long. A night's work rather loses one scene than three minutes for each of its blocks,
/// as `object_store`'s defaults (10 times, 3 minutes) would have it; one request in ten may fail, and in a million all six attempts do.
const RETRIES: usize = 5;
const BUDGET: Duration = Duration::from_secs(45);

/// The same for what is written: a part that took long may be sent again.
const WRITING_BUDGET: Duration = Duration::from_mins(5);

/// Most stores that are kept: a signed URL has one of its own.
const KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(63);

/// Whether requests are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// With the credentials that the environment has.
    #[default]
    Signed,
    /// Not at all: for public buckets.
    Anonymous,
}

static ACCESS: OnceLock<Access> = OnceLock::new();

/// Decides for the process how stores are accessed, unless one was accessed already.
pub fn set_access(access: Access) {
    // Whoever comes second comes too late.
    let _ = ACCESS.set(access);
}

/// A store, once for reading and once for writing.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) objects: Arc<dyn ObjectStore>,
    /// None where objects cannot be written.
    pub(super) writing: Option<Writing>,
}

/// A store that takes objects, small ones and those in parts.
#[derive(Clone)]
pub(super) struct Writing {
    pub(super) objects: Arc<dyn ObjectStore>,
    pub(super) parts: Arc<dyn MultipartStore>,
}

/// An object's store and its name there.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) store: Store,
    pub(crate) path: Path,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Their own text may hold credentials.
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    fn new<S: ObjectStore + MultipartStore>(reading: S, writing: S) -> Self {
        let writing = Arc::new(writing);
        let parts = Arc::clone(&writing) as Arc<dyn MultipartStore>;
        Self { objects: Arc::new(reading), writing: Some(Writing { objects: writing, parts }) }
    }

    /// The store for writing.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn writing(&self) -> Result<&Writing, RemoteError> {
        let reason = || RemoteError::Other { reason: "a plain web server takes no objects".to_owned() };
        self.writing.as_ref().ok_or_else(reason)
    }
}

/// The store of an object, with credentials and endpoints from the environment; one for all objects of a bucket or host.
///
/// # Errors
/// If the environment lacks what the store needs.
pub(crate) fn resolve(uri: &RemoteUri) -> Result<Place, RemoteError> {
    static STORES: LazyLock<Mutex<LruCache<String, Store>>> = LazyLock::new(|| Mutex::new(LruCache::new(KEPT)));
    let url = uri.url();
    let path = Path::from_url_path(url.path()).map_err(|error| RemoteError::Other { reason: error.to_string() })?;
    // A signature is for one object: each has a store of its own.
    let key = url[..if url.query().is_some() { Position::AfterQuery } else { Position::BeforePath }].to_owned();
    let path = if url.query().is_some() { Path::default() } else { path };
    let known = || STORES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(store) = known().get(&key) {
        return Ok(Place { store: store.clone(), path });
    }
    // Outside the lock, as it takes a while; of two at once, the second one stays.
    // It also chooses what encrypts.
    runtime()?;
    let store = build(uri)?;
    known().put(key, store.clone());
    Ok(Place { store, path })
}

/// What requests of one kind have in common.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    Reading,
    Writing,
}

impl Purpose {
    fn retry(self) -> RetryConfig {
        let retry_timeout = match self {
            Self::Reading => BUDGET,
            Self::Writing => WRITING_BUDGET,
        };
        let backoff = BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(5), base: 2.0 };
        RetryConfig { backoff, max_retries: RETRIES, retry_timeout }
    }

    /// Limits of a client, as options: what the environment says of proxies and certificates stays.
    fn limits(self) -> Vec<(ClientConfigKey, String)> {
        let seconds = |time: Duration| format!("{} seconds", time.as_secs());
        let mut limits = vec![(ClientConfigKey::ConnectTimeout, seconds(CONNECT)), (ClientConfigKey::Timeout, seconds(REQUEST))];
        if let Self::Reading = self {
            limits.push((ClientConfigKey::ReadTimeout, seconds(SILENCE)));
        }
        limits
    }
}

fn build(uri: &RemoteUri) -> Result<Store, RemoteError> {
    let url = uri.url();
    let base = &url[..Position::BeforePath];
    let anonymous = *ACCESS.get_or_init(Access::default) == Access::Anonymous;
    Ok(match uri.scheme() {
        Scheme::S3 => {
            let store = |purpose: Purpose| {
                let builder =
                    AmazonS3Builder::from_env().with_url(base).with_retry(purpose.retry()).with_http_connector(Counting);
                let builder = purpose
                    .limits()
                    .into_iter()
                    .fold(builder, |builder, (key, value)| builder.with_config(AmazonS3ConfigKey::Client(key), value));
                if anonymous { builder.with_skip_signature(true) } else { builder }.build()
            };
            Store::new(store(Purpose::Reading)?, store(Purpose::Writing)?)
        }
        Scheme::Gcs => {
            let store = |purpose: Purpose| {
                let builder = GoogleCloudStorageBuilder::from_env()
                    .with_url(base)
                    .with_retry(purpose.retry())
                    .with_http_connector(Counting);
                let builder = purpose
                    .limits()
                    .into_iter()
                    .fold(builder, |builder, (key, value)| builder.with_config(GoogleConfigKey::Client(key), value));
                if anonymous { builder.with_skip_signature(true) } else { builder }.build()
            };
            Store::new(store(Purpose::Reading)?, store(Purpose::Writing)?)
        }
        Scheme::Azure => {
            let store = |purpose: Purpose| {
                let builder =
                    MicrosoftAzureBuilder::from_env().with_url(base).with_retry(purpose.retry()).with_http_connector(Counting);
                let builder = purpose
                    .limits()
                    .into_iter()
                    .fold(builder, |builder, (key, value)| builder.with_config(AzureConfigKey::Client(key), value));
                if anonymous { builder.with_skip_signature(true) } else { builder }.build()
            };
            Store::new(store(Purpose::Reading)?, store(Purpose::Writing)?)
        }
        Scheme::Http => {
            let whole = if url.query().is_some() { url.as_str() } else { base };
            let builder = HttpBuilder::new().with_url(whole).with_retry(Purpose::Reading.retry()).with_http_connector(Counting);
            let builder =
                Purpose::Reading.limits().into_iter().fold(builder, |builder, (key, value)| builder.with_config(key, value));
            // The user wrote `http://`.
            let builder = builder.with_config(ClientConfigKey::AllowHttp, (url.scheme() == "http").to_string());
            Store { objects: Arc::new(builder.build()?), writing: None }
        }
    })
}
