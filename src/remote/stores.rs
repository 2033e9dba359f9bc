//! Which store an object is in.

use std::sync::Arc;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore};
use url::Url;

use crate::location::{RemoteUri, Scheme};

/// An object's store and its name there.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) path: Path,
}

/// The store of an object, with credentials and endpoints from the environment.
pub(crate) fn resolve(uri: &RemoteUri) -> object_store::Result<Place> {
    let url = uri.url();
    let store: Arc<dyn ObjectStore> = match uri.scheme() {
        Scheme::S3 => Arc::new(AmazonS3Builder::from_env().with_url(url.as_str()).build()?),
        Scheme::Gcs => Arc::new(GoogleCloudStorageBuilder::from_env().with_url(url.as_str()).build()?),
        Scheme::Azure => Arc::new(MicrosoftAzureBuilder::from_env().with_url(url.as_str()).build()?),
        Scheme::Http => {
            let options = ClientOptions::new().with_allow_http(url.scheme() == "http");
            Arc::new(HttpBuilder::new().with_url(&url[..url::Position::BeforePath]).with_client_options(options).build()?)
        }
    };
    Ok(Place { store, path: key(url)? })
}

/// The object's name in its store.
fn key(url: &Url) -> object_store::Result<Path> {
    Ok(Path::from_url_path(url.path())?)
}
