//! The threads on which requests are made.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake};
use std::thread::{self, Thread};

use tokio::runtime::{Builder, Handle, Runtime};

use super::RemoteError;

/// Threads that drive requests. What they do is wait, decrypt and copy.
const THREADS: usize = 2;

static RUNTIME: LazyLock<Result<Runtime, RemoteError>> = LazyLock::new(|| {
    // It fails only if the program chose another one before, which does as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = Builder::new_multi_thread().worker_threads(THREADS).thread_name("swath-remote").enable_all().build();
    runtime.map_err(|error| RemoteError::Other { reason: format!("cannot start the threads that make requests: {error}") })
});

/// What drives all requests, whichever thread waits for them.
pub(crate) fn runtime() -> Result<&'static Handle, RemoteError> {
    RUNTIME.as_ref().map(Runtime::handle).map_err(Clone::clone)
}

/// Parks the calling thread until the work, which is driven elsewhere, is done. Unlike tokio's and futures' own `block_on` it panics on no thread,
/// so that one which runs an executor already may open a raster, too.
pub(crate) fn wait<T>(work: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut context = Context::from_waker(&waker);
    let mut work = pin!(work);
    loop {
        if let Poll::Ready(answer) = work.as_mut().poll(&mut context) {
            return answer;
        }
        thread::park();
    }
}
