//! Requests that fail.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use hyper::{Response, StatusCode};

use super::{Answer, AnyBody, Failure, empty};

/// Longer than any client waits.
const STALL: Duration = Duration::from_secs(8);

/// Which requests fail.
#[derive(Default)]
pub(crate) struct Faults {
    /// The share of requests that fail, 0 to 1.
    pub(crate) share: f64,
    /// How they fail, one after the other.
    pub(crate) kinds: Vec<Fault>,
    /// Requests that failed.
    pub(crate) made: u64,
    state: u64,
}

/// How a request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Answered with this status, and not done.
    Status(u16),
    /// The connection is closed without an answer.
    Reset,
    /// The same, after the request was carried out.
    Lost,
    /// No answer for longer than anyone waits.
    Stall,
    /// The answer's body ends early.
    Short,
}

impl Faults {
    /// All kinds that pass, in turn, for that share of the requests.
    pub(crate) fn passing(share: f64) -> Self {
        let kinds = vec![Fault::Status(500), Fault::Lost, Fault::Status(503), Fault::Reset, Fault::Short, Fault::Stall];
        Self { share, kinds, made: 0, state: 1 }
    }

    /// Every request is answered by this status.
    pub(crate) fn always(status: u16) -> Self {
        Self { share: 1.0, kinds: vec![Fault::Status(status)], made: 0, state: 1 }
    }

    /// How the next request fails, if it does.
    pub(super) fn next(&mut self) -> Option<Fault> {
        // Numbers of Knuth's generator: the same ones each time.
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if ((self.state >> 33) as f64) >= self.share * f64::from(1_u32 << 31) || self.kinds.is_empty() {
            return None;
        }
        self.made += 1;
        Some(self.kinds[self.made as usize % self.kinds.len()])
    }
}

impl Fault {
    /// What the client gets in the place of `answer`. An error closes the connection.
    pub(super) async fn answer(self, answer: impl FnOnce() -> Answer) -> Result<Response<AnyBody>, Failure> {
        match self {
            Self::Status(status) => Ok(empty(StatusCode::from_u16(status)?)),
            Self::Reset => Err("reset".into()),
            Self::Lost => {
                answer().await;
                Err("lost".into())
            }
            Self::Stall => {
                tokio::time::sleep(STALL).await;
                Err("stalled".into())
            }
            Self::Short => Ok(answer().await.map(|body| ShortBody { body, left: 1000 }.boxed())),
        }
    }
}

/// A body that breaks off after some bytes, though more were promised.
struct ShortBody {
    body: AnyBody,
    left: usize,
}

impl Body for ShortBody {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        if self.left == 0 {
            return Poll::Ready(Some(Err("broken off".into())));
        }
        let polled = Pin::new(&mut self.body).poll_frame(context);
        let Poll::Ready(Some(Ok(frame))) = polled else { return polled };
        let Ok(bytes) = frame.into_data() else { return Poll::Ready(None) };
        let taken = bytes.slice(..bytes.len().min(self.left));
        self.left -= taken.len();
        Poll::Ready(Some(Ok(Frame::data(taken))))
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
