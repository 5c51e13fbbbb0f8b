//! One connection: how long it may be silent, how long a request's head may take, and that it can be told to make room.

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

/// How long a connection may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Without a byte in either direction.
    pub idle: Duration,
    /// From the accept, or the first byte of a later request, to the end of its head, however many bytes come.
    pub head: Duration,
}

/// What the server knows of a connection's requests.
#[derive(Debug, Default)]
struct Requests {
    /// Those whose head was complete.
    heads: AtomicU64,
    /// Those that are being answered.
    answering: AtomicUsize,
}

/// A connection as its requests and the listener see it.
#[derive(Debug, Clone, Default)]
pub(super) struct Handle(Arc<Requests>);

impl Handle {
    /// Whether a request of it is being answered. One that only waits for its client can be closed to make room.
    pub(super) fn is_answering(&self) -> bool {
        self.0.answering.load(Ordering::Relaxed) > 0
    }
}

/// Notes that a request's head was complete, and how long it is being answered.
pub(super) async fn watch_request(
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

/// A connection that fails with `TimedOut` once it has taken too long, or is told to make room.
pub(super) struct BoundedStream {
    inner: TcpStream,
    limits: Limits,
    pub(super) handle: Handle,
    /// How many heads were complete when this was last looked at.
    heads: u64,
    /// Until when the head that is being read must be complete.
    head_until: Option<Instant>,
    idle_until: Instant,
    /// Wakes at the earlier of the two.
    deadline: Pin<Box<Sleep>>,
    /// None once it was told.
    make_room: Option<oneshot::Receiver<()>>,
}

impl BoundedStream {
    /// The stream, its handle, and what tells it to make room; that is closed when the stream is gone.
    pub(super) fn new(
        inner: TcpStream,
        limits: Limits,
    ) -> (BoundedStream, Handle, oneshot::Sender<()>) {
        let (tell, make_room) = oneshot::channel();
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
            make_room: Some(make_room),
        };
        (stream, handle, tell)
    }

    /// Passes a result on and moves the deadlines; while pending, checks them.
    fn watch<T>(
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
        // a head that comes byte by byte is always ready, and must come to an end all the same
        if self.head_until.is_some_and(|until| now >= until) || self.is_told(context) {
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

    /// Whether it was told to make room.
    fn is_told(&mut self, context: &mut Context<'_>) -> bool {
        let Some(make_room) = &mut self.make_room else {
            return true;
        };
        // the other end is kept as long as this one is
        let told = Pin::new(make_room).poll(context).is_ready();
        if told {
            self.make_room = None;
        }
        told
    }
}

impl AsyncRead for BoundedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_read(context, buffer);
        self.watch(context, result, true)
    }
}

impl AsyncWrite for BoundedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.watch(context, result, false)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A TCP flush does nothing, so it is no sign of life.
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
        self.watch(context, result, false)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
