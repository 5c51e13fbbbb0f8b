//! Accepts a limited number of connections. When one more comes, the oldest one that only waits for its client is
//! closed, so that silent or slow clients cannot keep a probe out, however many they are.
//!
//! Without the limit, idle sockets of one careless client could use up the process's file descriptors, which the Kafka
//! clients need too.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::sleep;

use super::connection::{BoundedStream, Handle, Limits};

/// Connections served at once.
const MAX_CONNECTIONS: usize = 128;
const LIMITS: Limits = Limits {
    // longer than Prometheus' default scrape interval of a minute, so that its connection stays open
    idle: Duration::from_secs(90),
    head: Duration::from_secs(10),
};
/// Pause after a failed accept: the usual cause, too many open files, passes only with time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// A TCP listener with a limit of connections.
pub(super) struct BoundedListener {
    inner: TcpListener,
    connections: usize,
    limits: Limits,
    /// The oldest first.
    open: Vec<Open>,
}

/// An open connection.
struct Open {
    handle: Handle,
    close: oneshot::Sender<()>,
}

impl BoundedListener {
    pub(super) fn new(inner: TcpListener) -> BoundedListener {
        BoundedListener::with_limits(inner, MAX_CONNECTIONS, LIMITS)
    }

    fn with_limits(inner: TcpListener, connections: usize, limits: Limits) -> BoundedListener {
        BoundedListener {
            inner,
            connections,
            limits,
            open: Vec::new(),
        }
    }

    /// Closes a connection if there are as many as allowed: the oldest one that is not being answered. A request that
    /// is being answered ends within moments, or fails within seconds.
    fn make_room(&mut self) {
        self.open.retain(|open| !open.close.is_closed());
        if self.open.len() < self.connections {
            return;
        }
        let waiting = self
            .open
            .iter()
            .position(|open| !open.handle.is_answering());
        let oldest = self.open.remove(waiting.unwrap_or(0));
        // an error means that it has just closed by itself
        let _ = oldest.close.send(());
    }
}

impl Listener for BoundedListener {
    type Io = BoundedStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (BoundedStream, SocketAddr) {
        loop {
            match self.inner.accept().await {
                Ok((inner, address)) => {
                    self.make_room();
                    let (stream, handle, close) = BoundedStream::new(inner, self.limits);
                    self.open.push(Open { handle, close });
                    // if many connections arrive at once, those that were accepted before are read first
                    yield_now().await;
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

impl Connected<IncomingStream<'_, BoundedListener>> for Handle {
    fn connect_info(stream: IncomingStream<'_, BoundedListener>) -> Handle {
        stream.io().handle.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream as StdStream;
    use std::sync::mpsc::{Receiver, channel};
    use std::thread;

    use axum::Router;
    use axum::middleware::from_fn;
    use axum::routing::get;

    use super::super::connection::track_request;
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(30);
    const LONG: Duration = Duration::from_secs(600);
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

    /// Serves "ok" until the test ends; `/slow` does not answer within that time.
    fn serve(connections: usize, limits: Limits) -> SocketAddr {
        serve_and_report(connections, limits).0
    }

    /// Like [`serve`], and also returns a receiver that reports each request to `/slow`.
    fn serve_and_report(connections: usize, limits: Limits) -> (SocketAddr, Receiver<()>) {
        let (send_address, address) = channel();
        let (report_slow, slow_requests) = channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let inner = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
                send_address.send(inner.local_addr().unwrap()).unwrap();
                let listener = BoundedListener::with_limits(inner, connections, limits);
                let router = Router::new()
                    .route("/", get(|| async { "ok" }))
                    .route(
                        "/slow",
                        get(move || {
                            report_slow.send(()).unwrap();
                            sleep(LONG)
                        }),
                    )
                    .layer(from_fn(track_request));
                let service = router.into_make_service_with_connect_info::<Handle>();
                axum::serve(listener, service).await.unwrap();
            });
        });
        (address.recv().unwrap(), slow_requests)
    }

    fn limits(idle: Duration, head: Duration) -> Limits {
        Limits { idle, head }
    }

    fn connect(address: SocketAddr) -> StdStream {
        let stream = StdStream::connect(address).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        stream
    }

    /// The status of the answer; `None` if the connection is closed instead.
    fn answer(stream: &mut StdStream) -> Option<String> {
        let mut answer = Vec::new();
        while !answer.ends_with(b"ok") {
            let mut some = [0; 512];
            match stream.read(&mut some) {
                Ok(0) => return None,
                Ok(count) => answer.extend_from_slice(&some[..count]),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("{error}"),
            }
        }
        String::from_utf8(answer)
            .unwrap()
            .get(9..12)
            .map(str::to_owned)
    }

    fn is_closed(stream: &mut StdStream) -> bool {
        match stream.read(&mut [0; 1]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }

    #[test]
    fn a_silent_connection_is_closed() {
        let address = serve(8, limits(Duration::from_millis(100), LONG));
        assert!(is_closed(&mut connect(address)));
        let address = serve(8, limits(LONG, Duration::from_millis(100)));
        assert!(is_closed(&mut connect(address)));
    }

    #[test]
    fn a_head_that_arrives_byte_by_byte_is_closed_and_a_kept_connection_is_not() {
        let address = serve(8, limits(LONG, Duration::from_millis(300)));
        let mut kept = connect(address);
        kept.write_all(REQUEST).unwrap();
        assert_eq!(answer(&mut kept).as_deref(), Some("200"));
        let mut dripping = connect(address);
        let closed = (0..10_000).any(|_| {
            thread::sleep(Duration::from_millis(10));
            dripping.write_all(b"G").is_err()
        });
        assert!(closed);
        // since its answer, more time has passed than a head may take
        kept.write_all(REQUEST).unwrap();
        assert_eq!(answer(&mut kept).as_deref(), Some("200"));
        // its next head arrives byte by byte
        let closed = (0..10_000).any(|_| {
            thread::sleep(Duration::from_millis(10));
            kept.write_all(b"G").is_err()
        });
        assert!(closed);
    }

    #[test]
    fn the_oldest_that_waits_for_its_client_is_closed_for_a_newer_one() {
        let (address, slow_requests) = serve_and_report(3, limits(LONG, LONG));
        let mut answered = connect(address);
        answered
            .write_all(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        slow_requests.recv_timeout(TIMEOUT).unwrap();
        let mut silent = connect(address);
        let mut dripping = connect(address);
        dripping.write_all(b"GET / HT").unwrap();
        let mut probe = connect(address);
        probe.write_all(REQUEST).unwrap();
        assert_eq!(answer(&mut probe).as_deref(), Some("200"));
        assert!(is_closed(&mut silent));
        let mut probe = connect(address);
        probe.write_all(REQUEST).unwrap();
        assert_eq!(answer(&mut probe).as_deref(), Some("200"));
        assert!(is_closed(&mut dripping));
        let mut probe = connect(address);
        probe.write_all(REQUEST).unwrap();
        assert_eq!(answer(&mut probe).as_deref(), Some("200"));
        // the one that is being answered was never closed
        answered
            .set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        let error = answered.read(&mut [0; 1]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
