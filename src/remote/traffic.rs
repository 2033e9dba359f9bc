//! Counting what goes over the network.

use std::ops::Sub;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use async_trait::async_trait;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpResponseBody, HttpService, ReqwestConnector,
};

/// What went over the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Requests, with those that failed and were tried again.
    pub requests: u64,
    /// Requests that failed in a way that passes: no connection, no answer, a broken one, or status 408, 429 or 5xx.
    pub failures: u64,
    /// Bytes of answers.
    pub bytes_read: u64,
    /// Bytes of requests.
    pub bytes_written: u64,
}

impl Sub for Traffic {
    type Output = Self;

    /// What went over the network since `earlier`.
    fn sub(self, earlier: Self) -> Self {
        Self {
            requests: self.requests - earlier.requests,
            failures: self.failures - earlier.failures,
            bytes_read: self.bytes_read - earlier.bytes_read,
            bytes_written: self.bytes_written - earlier.bytes_written,
        }
    }
}

static REQUESTS: AtomicU64 = AtomicU64::new(0);
static FAILURES: AtomicU64 = AtomicU64::new(0);
static BYTES_READ: AtomicU64 = AtomicU64::new(0);
static BYTES_WRITTEN: AtomicU64 = AtomicU64::new(0);

/// What the process sent and received so far.
#[must_use]
pub fn traffic() -> Traffic {
    let now = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    Traffic {
        requests: now(&REQUESTS),
        failures: now(&FAILURES),
        bytes_read: now(&BYTES_READ),
        bytes_written: now(&BYTES_WRITTEN),
    }
}

fn add(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Ordering::Relaxed);
}

/// Makes clients that count.
#[derive(Debug)]
pub(super) struct Counting;

impl HttpConnector for Counting {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(CountingService(Arc::new(client))))
    }
}

#[derive(Debug)]
struct CountingService(Arc<HttpClient>);

#[async_trait]
impl HttpService for CountingService {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        add(&REQUESTS, 1);
        add(&BYTES_WRITTEN, request.body().content_length() as u64);
        let response = self.0.execute(request).await.inspect_err(|_| add(&FAILURES, 1))?;
        let status = response.status();
        if status.is_server_error() || matches!(status.as_u16(), 408 | 429) {
            add(&FAILURES, 1);
        }
        Ok(response.map(|body| HttpResponseBody::new(CountingBody(body))))
    }
}

/// An answer whose bytes are counted as they come.
#[derive(Debug)]
struct CountingBody(HttpResponseBody);

impl Body for CountingBody {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let polled = Pin::new(&mut self.0).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => add(&BYTES_READ, frame.data_ref().map_or(0, |bytes| bytes.len() as u64)),
            Poll::Ready(Some(Err(_))) => add(&FAILURES, 1),
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
