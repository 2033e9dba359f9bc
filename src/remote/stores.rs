//! Which store an object is in.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use url::{Position, Url};

use super::RemoteError;
use super::traffic::Counting;
use crate::location::{RemoteUri, Scheme};

/// A store that cannot be connected to in this time is not there.
const CONNECT: Duration = Duration::from_secs(5);

/// A store that sends nothing for so long has stalled. `object_store`'s own 30 s for a whole request would give up slow lines, and waits long on dead ones.
const SILENCE: Duration = Duration::from_secs(5);

/// The longest that one request may take: 16 MiB at 2 Mbit/s.
const REQUEST: Duration = Duration::from_mins(1);

/// How often a request that failed is tried again, and for how long. A night's work rather loses one scene than three minutes for each of its blocks,
/// as `object_store`'s defaults (10 times, 3 minutes) would have it; one request in ten may fail, and in a million all six attempts do.
const RETRIES: usize = 5;
const BUDGET: Duration = Duration::from_secs(45);

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

/// A store as a folder of objects, and as a place for large ones in parts.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) objects: Arc<dyn ObjectStore>,
    /// None where objects cannot be written.
    pub(super) parts: Option<Arc<dyn MultipartStore>>,
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
    fn new<S: ObjectStore + MultipartStore>(store: S) -> Self {
        let store = Arc::new(store);
        Self { objects: Arc::clone(&store) as Arc<dyn ObjectStore>, parts: Some(store) }
    }
}

/// The store of an object, with credentials and endpoints from the environment; one for all objects of a bucket or host.
///
/// # Errors
/// If the environment lacks what the store needs.
pub(crate) fn resolve(uri: &RemoteUri) -> Result<Place, RemoteError> {
    static STORES: Mutex<Option<HashMap<String, Store>>> = Mutex::new(None);
    let url = uri.url();
    let path = Path::from_url_path(url.path()).map_err(|error| RemoteError::Other { reason: error.to_string() })?;
    // A signature is for one object: each has a store of its own.
    let key = url[..if url.query().is_some() { Position::AfterQuery } else { Position::BeforePath }].to_owned();
    let mut stores = STORES.lock().unwrap_or_else(PoisonError::into_inner);
    let stores = stores.get_or_insert_default();
    if let Some(store) = stores.get(&key) {
        return Ok(Place { store: store.clone(), path: in_store(url, path) });
    }
    let store = build(uri)?;
    stores.insert(key, store.clone());
    Ok(Place { store, path: in_store(url, path) })
}

/// A signed URL is the whole of its store: what is asked for there is the object with the empty name.
fn in_store(url: &Url, path: Path) -> Path {
    if url.query().is_some() { Path::default() } else { path }
}

fn build(uri: &RemoteUri) -> Result<Store, RemoteError> {
    // rustls has a provider once for all; another crate's choice is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = uri.url();
    let anonymous = *ACCESS.get_or_init(Access::default) == Access::Anonymous;
    let retry = RetryConfig {
        backoff: BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(5), base: 2.0 },
        max_retries: RETRIES,
        retry_timeout: BUDGET,
    };
    let options = |http: bool| {
        ClientOptions::new().with_connect_timeout(CONNECT).with_read_timeout(SILENCE).with_timeout(REQUEST).with_allow_http(http)
    };
    let base = &url[..Position::BeforePath];
    Ok(match uri.scheme() {
        Scheme::S3 => {
            let allow_http = flag("AWS_ALLOW_HTTP");
            let mut builder = AmazonS3Builder::from_env()
                .with_url(base)
                .with_retry(retry)
                .with_client_options(options(allow_http))
                .with_http_connector(Counting);
            if anonymous {
                builder = builder.with_skip_signature(true);
            }
            Store::new(builder.build()?)
        }
        Scheme::Gcs => {
            let mut builder = GoogleCloudStorageBuilder::from_env()
                .with_url(base)
                .with_retry(retry)
                .with_client_options(options(false))
                .with_http_connector(Counting);
            if anonymous {
                builder = builder.with_skip_signature(true);
            }
            Store::new(builder.build()?)
        }
        Scheme::Azure => {
            let mut builder = MicrosoftAzureBuilder::from_env()
                .with_url(base)
                .with_retry(retry)
                .with_client_options(options(flag("AZURE_ALLOW_HTTP")))
                .with_http_connector(Counting);
            if flag("AZURE_STORAGE_USE_EMULATOR") {
                builder = builder.with_client_options(options(true));
            }
            if anonymous {
                builder = builder.with_skip_signature(true);
            }
            Store::new(builder.build()?)
        }
        Scheme::Http => {
            let whole = if url.query().is_some() { url.as_str() } else { base };
            let builder = HttpBuilder::new()
                .with_url(whole)
                .with_retry(retry)
                .with_client_options(options(url.scheme() == "http"))
                .with_http_connector(Counting);
            Store { objects: Arc::new(builder.build()?), parts: None }
        }
    })
}

/// Whether an environment variable says yes, as `object_store` reads it.
fn flag(name: &str) -> bool {
    std::env::var(name).is_ok_and(|value| matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "on" | "yes" | "y"))
}
