//! An S3 server and a plain HTTP server on loopback: they count requests, add latency, and fail on demand.
#![allow(dead_code, reason = "every test binary uses its own part of it")]
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

use std::convert::Infallible;
use std::error::Error;
use std::fs::{self, File};
use std::future::Future;
use std::net::SocketAddr;
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderValue, IF_MATCH, RANGE};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use url::Url;

type AnyBody = BoxBody<Bytes, Box<dyn Error + Send + Sync>>;

const KEY: &str = "key";
const SECRET: &str = "secret";

/// Both servers. They end with it.
pub(crate) struct Servers {
    pub(crate) s3: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) watch: Arc<Watch>,
    _runtime: Runtime,
}

/// What the servers were asked, and how they are to answer.
#[derive(Default)]
pub(crate) struct Watch {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    requests: Vec<Asked>,
    behaviour: Behaviour,
}

/// A request, and its answer.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Method and path.
    pub(crate) what: String,
    pub(crate) status: u16,
    /// Bytes of the answer's body.
    pub(crate) bytes: u64,
}

/// How the servers answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Behaviour {
    pub(crate) latency: Duration,
    /// The status of the next answers to requests for paths that end so.
    pub(crate) fail: Option<Fail>,
    /// Whether the HTTP server sends everything, whatever part is asked for.
    pub(crate) ignores_ranges: bool,
}

/// Answers that are failures.
#[derive(Clone, Debug)]
pub(crate) struct Fail {
    pub(crate) ending: &'static str,
    pub(crate) status: u16,
    pub(crate) times: usize,
}

impl Watch {
    /// What was asked since the last call.
    pub(crate) fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }

    /// How the servers answer from now on.
    pub(crate) fn behave(&self, behaviour: Behaviour) {
        self.state.lock().unwrap().behaviour = behaviour;
    }

    /// The next `times` answers to requests for paths with this ending have this status.
    pub(crate) fn fail(&self, ending: &'static str, status: u16, times: usize) {
        self.behave(Behaviour { fail: Some(Fail { ending, status, times }), ..Behaviour::default() });
    }

    fn failure(&self, path: &str) -> Option<StatusCode> {
        let mut state = self.state.lock().unwrap();
        let fail = state.behaviour.fail.as_mut().filter(|fail| fail.times > 0 && path.ends_with(fail.ending))?;
        fail.times -= 1;
        Some(StatusCode::from_u16(fail.status).unwrap())
    }
}

impl Servers {
    /// Serves the files in the folders of `root`: a folder is a bucket of the one server, and the first part of the other's paths.
    pub(crate) fn start(root: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let watch = Arc::new(Watch::default());
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root).unwrap());
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = builder.build();
        let s3 = runtime.block_on(serve(Arc::clone(&watch), move |request| {
            let answer = Service::call(&service, request);
            async move {
                let Ok(response) = answer.await else { return empty(StatusCode::INTERNAL_SERVER_ERROR) };
                response.map(|body| body.map_err(|error| -> Box<dyn Error + Send + Sync> { error }).boxed())
            }
        }));
        let (root, state) = (root.to_owned(), Arc::clone(&watch));
        let http = runtime.block_on(serve(Arc::clone(&watch), move |request| {
            let ignores_ranges = state.state.lock().unwrap().behaviour.ignores_ranges;
            let response = plain(&root, &request, ignores_ranges);
            async move { response }
        }));
        Self { s3, http, watch, _runtime: runtime }
    }

    /// The URL of a file.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.http)
    }

    /// Tells a program how to reach the S3 server.
    pub(crate) fn introduce<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.env("AWS_ENDPOINT", format!("http://{}", self.s3)).env("AWS_ALLOW_HTTP", "true").env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", KEY).env("AWS_SECRET_ACCESS_KEY", SECRET)
    }
}

async fn serve<F, R>(watch: Arc<Watch>, answer: F) -> SocketAddr
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response<AnyBody>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (watch, answer) = (Arc::clone(&watch), answer.clone());
            let service = service_fn(move |request| respond(Arc::clone(&watch), answer.clone(), request));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
        }
    });
    address
}

async fn respond<F, R>(watch: Arc<Watch>, answer: F, request: Request<Incoming>) -> Result<Response<AnyBody>, Infallible>
where
    F: Fn(Request<Incoming>) -> R,
    R: Future<Output = Response<AnyBody>>,
{
    let what = format!("{} {}", request.method(), request.uri().path());
    let latency = watch.state.lock().unwrap().behaviour.latency;
    tokio::time::sleep(latency).await;
    let response = match watch.failure(&what) {
        Some(status) => empty(status),
        None => answer(request).await,
    };
    let length = response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let bytes = length.or(response.body().size_hint().exact()).unwrap_or(0);
    watch.state.lock().unwrap().requests.push(Asked { what, status: response.status().as_u16(), bytes });
    Ok(response)
}

fn empty(status: StatusCode) -> Response<AnyBody> {
    let body = Full::new(Bytes::new()).map_err(|never| match never {}).boxed();
    Response::builder().status(status).body(body).unwrap()
}

/// A file, or the part of it that is asked for.
fn plain(root: &Path, request: &Request<Incoming>, ignores_ranges: bool) -> Response<AnyBody> {
    let header = |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let decoded = Url::parse(&format!("file://{}", request.uri().path())).unwrap().to_file_path().unwrap();
    let path = root.join(decoded.strip_prefix("/").unwrap());
    let Ok(metadata) = fs::metadata(&path) else { return empty(StatusCode::NOT_FOUND) };
    let size = metadata.len();
    let etag = format!("\"{size}-{}-{}\"", metadata.mtime(), metadata.mtime_nsec());
    if header(IF_MATCH).is_some_and(|wanted| wanted != etag) {
        return empty(StatusCode::PRECONDITION_FAILED);
    }
    let asked = header(RANGE).filter(|_| !ignores_ranges).map(|range| range_of(range, size));
    let range = asked.clone().unwrap_or(0..size);
    if asked.is_some() && range.is_empty() {
        return empty(StatusCode::RANGE_NOT_SATISFIABLE);
    }
    let mut bytes = vec![0; if request.method() == Method::HEAD { 0 } else { (range.end - range.start) as usize }];
    File::open(path).unwrap().read_exact_at(&mut bytes, range.start).unwrap();
    let mut response = Response::new(Full::new(bytes.into()).map_err(|never| match never {}).boxed());
    let headers = response.headers_mut();
    headers.insert(ETAG, etag.parse().unwrap());
    headers.insert(CONTENT_LENGTH, (range.end - range.start).into());
    if asked.is_some() {
        let part = format!("bytes {}-{}/{size}", range.start, range.end - 1);
        headers.insert(CONTENT_RANGE, part.parse().unwrap());
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    response
}

/// The bytes that a header asks for.
fn range_of(header: &str, size: u64) -> Range<u64> {
    let (from, to) = header.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
    let to = to.parse::<u64>().map_or(size, |to| (to + 1).min(size));
    from.parse::<u64>().unwrap().min(to)..to
}
