//! One connection. It closes itself when it is idle for too long, when the head of a request takes too long, or when
//! the listener needs its place for a newer one.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::Request;
use axum::extract::connect_info::ConnectInfo;
use axum::middleware::Next;
use axum::response::Response;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep};

/// The time limits of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The longest time without a byte in either direction.
    pub idle: Duration,
    /// The longest time from the accept, or from the first byte of a later request, to the end of its head, however
    /// many bytes come.
    pub head: Duration,
}

/// Counts of a connection's requests.
#[derive(Debug, Default)]
struct Requests {
    /// How many requests have had a complete head so far.
    heads: AtomicU64,
    /// How many requests are being answered.
    answering: AtomicUsize,
}

/// The state of a connection that its requests and the listener share.
#[derive(Debug, Clone, Default)]
pub(super) struct Handle(Arc<Requests>);

impl Handle {
    /// Whether one of its requests is being answered. A connection that only waits for its client can be closed for a
    /// newer one.
    pub(super) fn is_answering(&self) -> bool {
        self.0.answering.load(Ordering::Relaxed) > 0
    }
}

/// Counts a request whose head is complete, and tracks it while it is being answered.
pub(super) async fn track_request(
    ConnectInfo(Handle(requests)): ConnectInfo<Handle>,
    request: Request,
    next: Next,
) -> Response {
    struct Answering(Arc<Requests>);
    impl Drop for Answering {
        fn drop(&mut self) {
            self.0.answering.fetch_sub(1, Ordering::Relaxed);
        }
    }
    requests.heads.fetch_add(1, Ordering::Relaxed);
    requests.answering.fetch_add(1, Ordering::Relaxed);
    let _answering = Answering(requests);
    next.run(request).await
}

/// A connection that fails with `TimedOut` once it has exceeded a limit, or must be closed for a newer one.
pub(super) struct BoundedStream {
    inner: TcpStream,
    limits: Limits,
    pub(super) handle: Handle,
    /// How many heads were complete at the last check.
    heads: u64,
    /// When the head that is being read must be complete.
    head_until: Option<Instant>,
    idle_until: Instant,
    /// Wakes the task at the earlier of the two.
    deadline: Pin<Box<Sleep>>,
    /// Receives the order to close; `None` once it was received.
    close: Option<oneshot::Receiver<()>>,
}

impl BoundedStream {
    /// Returns the stream, its handle, and the sender of the order to close, which is closed itself once the stream is
    /// dropped.
    pub(super) fn new(
        inner: TcpStream,
        limits: Limits,
    ) -> (BoundedStream, Handle, oneshot::Sender<()>) {
        let (order, close) = oneshot::channel();
        let handle = Handle::default();
        let now = Instant::now();
        let stream = BoundedStream {
            inner,
            limits,
            handle: handle.clone(),
            heads: 0,
            head_until: Some(now + limits.head),
            idle_until: now + limits.idle,
            deadline: Box::pin(sleep(limits.head.min(limits.idle))),
            close: Some(close),
        };
        (stream, handle, order)
    }

    /// Returns a result and moves the deadlines; while it is pending, checks them.
    fn check<T>(
        &mut self,
        context: &mut Context<'_>,
        result: Poll<io::Result<T>>,
        reads: bool,
    ) -> Poll<io::Result<T>> {
        let now = Instant::now();
        let heads = self.handle.0.heads.load(Ordering::Relaxed);
        if heads != self.heads {
            (self.heads, self.head_until) = (heads, None);
        }
        if result.is_ready() {
            self.idle_until = now + self.limits.idle;
            if reads && !self.handle.is_answering() {
                self.head_until.get_or_insert(now + self.limits.head);
            }
        }
        // a head that arrives byte by byte is always ready, but its deadline applies all the same
        if self.head_until.is_some_and(|until| now >= until) || self.is_to_close(context) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if result.is_ready() {
            return result;
        }
        let until = self.head_until.unwrap_or(self.idle_until);
        self.deadline.as_mut().reset(until.min(self.idle_until));
        match self.deadline.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_to_close(&mut self, context: &mut Context<'_>) -> bool {
        let Some(close) = &mut self.close else {
            return true;
        };
        // the listener keeps the sender for as long as this stream exists
        let ordered = Pin::new(close).poll(context).is_ready();
        if ordered {
            self.close = None;
        }
        ordered
    }
}

impl AsyncRead for BoundedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_read(context, buffer);
        self.check(context, result, true)
    }
}

impl AsyncWrite for BoundedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.check(context, result, false)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A TCP flush does nothing, so it does not count as activity.
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write_vectored(context, buffers);
        self.check(context, result, false)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
