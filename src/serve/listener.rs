//! Accepts connections within bounds: so many at once, and none that stays silent.
//!
//! Without this, idle sockets from one careless client could use up the process's file descriptors,
//! which the Kafka clients need too.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// Connections served at once; the others wait in the kernel's backlog.
const MAX_CONNECTIONS: usize = 128;
/// A connection without a byte in either direction for so long is closed. Longer than Prometheus'
/// default scrape interval of a minute, so that its connection is kept.
const IDLE_LIMIT: Duration = Duration::from_secs(90);
/// Pause after a failed accept: the usual cause, too many open files, passes only with time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// A TCP listener with a limit of connections.
pub(super) struct BoundedListener {
    inner: TcpListener,
    permits: Arc<Semaphore>,
    idle_limit: Duration,
}

impl BoundedListener {
    pub(super) fn new(inner: TcpListener) -> BoundedListener {
        BoundedListener::with_limits(inner, MAX_CONNECTIONS, IDLE_LIMIT)
    }

    fn with_limits(
        inner: TcpListener,
        connections: usize,
        idle_limit: Duration,
    ) -> BoundedListener {
        let permits = Arc::new(Semaphore::new(connections));
        BoundedListener {
            inner,
            permits,
            idle_limit,
        }
    }
}

impl Listener for BoundedListener {
    type Io = BoundedStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (BoundedStream, SocketAddr) {
        // The semaphore is never closed, so the permit is always there in the end.
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok();
        loop {
            match self.inner.accept().await {
                Ok((inner, address)) => {
                    let stream = BoundedStream {
                        inner,
                        idle_limit: self.idle_limit,
                        deadline: Box::pin(sleep(self.idle_limit)),
                        _permit: permit,
                    };
                    return (stream, address);
                }
                // The client gave up before it was accepted.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionAborted
                            | io::ErrorKind::ConnectionReset
                            | io::ErrorKind::ConnectionRefused
                    ) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept an HTTP connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

/// A connection that fails with `TimedOut` once it has been silent for the limit.
pub(super) struct BoundedStream {
    inner: TcpStream,
    idle_limit: Duration,
    deadline: Pin<Box<Sleep>>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl BoundedStream {
    /// Passes a result on and moves the deadline; while pending, checks the deadline.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            let deadline = Instant::now() + self.idle_limit;
            self.deadline.as_mut().reset(deadline);
            return result;
        }
        ready!(self.deadline.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for BoundedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_read(context, buffer);
        self.watch(context, result)
    }
}

impl AsyncWrite for BoundedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.watch(context, result)
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
        self.watch(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpStream as StdStream;

    use axum::Router;
    use axum::routing::get;

    use super::*;

    /// Serves "ok" until the runtime is dropped.
    fn serve(connections: usize, idle: Duration) -> (tokio::runtime::Runtime, SocketAddr) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let inner = runtime
            .block_on(TcpListener::bind(("127.0.0.1", 0)))
            .unwrap();
        let address = inner.local_addr().unwrap();
        let listener = BoundedListener::with_limits(inner, connections, idle);
        let router = Router::new().route("/", get(|| async { "ok" }));
        runtime.spawn(async move { axum::serve(listener, router).await });
        (runtime, address)
    }

    #[test]
    fn a_silent_connection_is_closed_and_makes_room_for_the_next() {
        let (runtime, address) = serve(1, Duration::from_millis(200));
        let mut silent = StdStream::connect(address).unwrap();
        let mut next = StdStream::connect(address).unwrap();
        let client = std::thread::spawn(move || {
            use std::io::Write;
            let limit = Some(Duration::from_secs(10));
            next.set_read_timeout(limit).unwrap();
            silent.set_read_timeout(limit).unwrap();
            next.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                .unwrap();
            let mut answer = String::new();
            next.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"));
            // End of stream, or a reset: either way it is gone.
            assert!(!matches!(silent.read(&mut [0; 1]), Ok(1)));
        });
        runtime.block_on(async {
            while !client.is_finished() {
                sleep(Duration::from_millis(10)).await;
            }
        });
        client.join().unwrap();
    }
}
