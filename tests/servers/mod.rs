//! Stores on loopback, in this process: an S3 server and a plain server that answers range requests, over the same folder. They count, wait, and
//! fail on demand.
#![allow(dead_code, reason = "each test uses some of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod faults;
mod plain;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::service::{Service, service_fn};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tokio::net::TcpListener;

#[allow(unused_imports, reason = "each test uses some of it")]
pub(crate) use faults::{Fault, Faults};

/// The credentials that the S3 server wants.
pub(crate) const KEY: &str = "the-access-key";
pub(crate) const SECRET: &str = "the-secret-of-the-access-key";

type Failure = Box<dyn std::error::Error + Send + Sync>;
type AnyBody = BoxBody<Bytes, Failure>;

/// A future on the heap.
type Answer = Pin<Box<dyn Future<Output = Response<AnyBody>> + Send>>;

/// What a server saw, and what it is to do.
#[derive(Default)]
pub(crate) struct Watch {
    pub(crate) requests: AtomicU64,
    /// Bytes of answers.
    pub(crate) bytes: AtomicU64,
    /// What every request takes, at least.
    pub(crate) latency_ms: AtomicU64,
    /// Which requests fail, and how.
    pub(crate) faults: Mutex<Faults>,
    /// From now on, no connection is answered.
    pub(crate) dead: AtomicBool,
    /// Method, path and range of every request.
    pub(crate) log: Mutex<Vec<String>>,
}

impl Watch {
    /// Forgets what was seen.
    pub(crate) fn reset(&self) {
        self.requests.store(0, Relaxed);
        self.bytes.store(0, Relaxed);
        self.log.lock().unwrap().clear();
    }
}

/// Both servers.
pub(crate) struct Servers {
    pub s3: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) watch: Arc<Watch>,
    root: PathBuf,
    _runtime: tokio::runtime::Runtime,
}

impl Servers {
    /// Serves `root/BUCKET/KEY` both ways.
    pub(crate) fn start(root: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let watch = Arc::new(Watch::default());
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root).unwrap());
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = builder.build();
        let s3 = runtime.block_on(serve(Arc::clone(&watch), move |request| {
            let answer = Service::call(&service, request);
            Box::pin(async move {
                match answer.await {
                    Ok(response) => response.map(|body| body.map_err(Failure::from).boxed()),
                    Err(_) => empty(StatusCode::INTERNAL_SERVER_ERROR),
                }
            })
        }));
        let folder = root.to_owned();
        let http = runtime.block_on(serve(Arc::clone(&watch), move |request| {
            let answer = plain::answer(&folder, &request);
            Box::pin(async move { answer })
        }));
        Self { s3, http, watch, root: root.to_owned(), _runtime: runtime }
    }

    /// The environment in which a program finds the S3 server.
    pub(crate) fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_ENDPOINT", format!("http://{}", self.s3)),
            ("AWS_ALLOW_HTTP", "true".into()),
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_ACCESS_KEY_ID", KEY.into()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.into()),
        ]
    }

    /// The URL of an object at the plain server.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.http)
    }

    /// What the S3 server keeps of uploads that nobody completed or aborted.
    pub(crate) fn unfinished_uploads(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(&self.root).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.is_file() && path.file_name().unwrap().to_string_lossy().starts_with(".upload")).collect()
    }
}

async fn serve(watch: Arc<Watch>, answer: impl Fn(Request<Incoming>) -> Answer + Clone + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            if watch.dead.load(Relaxed) {
                continue;
            }
            let _ = socket.set_nodelay(true);
            let (watch, answer) = (Arc::clone(&watch), answer.clone());
            let service = service_fn(move |request| one(Arc::clone(&watch), answer.clone(), request));
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service));
        }
    });
    address
}

/// Answers a request, or fails as it is told to. An error closes the connection without an answer.
async fn one(
    watch: Arc<Watch>,
    answer: impl Fn(Request<Incoming>) -> Answer,
    request: Request<Incoming>,
) -> Result<Response<AnyBody>, Failure> {
    let range = request.headers().get("range").and_then(|value| value.to_str().ok()).unwrap_or("-");
    let line = format!("{} {} {range}", request.method(), request.uri().path());
    let has_body = request.method() != Method::HEAD;
    watch.requests.fetch_add(1, Relaxed);
    watch.log.lock().unwrap().push(line);
    tokio::time::sleep(Duration::from_millis(watch.latency_ms.load(Relaxed))).await;
    if watch.dead.load(Relaxed) {
        return Err("the server is dead".into());
    }
    let fault = watch.faults.lock().unwrap().next();
    let response = match fault {
        Some(fault) => fault.answer(|| through(answer(request))).await?,
        None => through(answer(request)).await,
    };
    let length = response.headers().get("content-length").and_then(|value| value.to_str().ok()?.parse().ok());
    if has_body {
        watch.bytes.fetch_add(length.or(response.body().size_hint().exact()).unwrap_or(0), Relaxed);
    }
    Ok(response)
}

/// The answer, which is worked out to its end even if the client goes away, as in a store.
fn through(answer: Answer) -> Answer {
    let work = tokio::spawn(answer);
    Box::pin(async move { work.await.unwrap_or_else(|_| empty(StatusCode::INTERNAL_SERVER_ERROR)) })
}

fn empty(status: StatusCode) -> Response<AnyBody> {
    full(status, Bytes::new())
}

fn full(status: StatusCode, bytes: Bytes) -> Response<AnyBody> {
    let body = Full::new(bytes).map_err(|never: Infallible| match never {}).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}
