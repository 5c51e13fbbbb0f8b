//! The HTTP server (docs/contract.md, section 8), on a thread of its own.
//!
//! Everything is read-only. Requests are not logged, because their paths contain customer ids.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{from_fn, map_response};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, watch};

use super::ProcessInfo;
use super::board::Board;
use super::connection::{Handle, track_request};
use super::health::Health;
use super::listener::BoundedListener;
use super::metrics::Metrics;
use super::page::Page;
use super::status::Status;

/// How many look-ups may run or wait for a thread at once; more get 503.
const MAX_LOOKUPS: usize = 32;
/// How many threads run look-ups.
const LOOKUP_THREADS: usize = 4;
/// A look-up that takes longer than this gets 503. The implementation should give up earlier.
const LOOKUP_LIMIT: Duration = Duration::from_secs(10);
/// How long open requests may take after [`Server::stop`].
const STOP_GRACE: Duration = Duration::from_secs(2);

const JSON: &str = "application/json";
const METRICS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What is asked for of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The snapshot.
    Snapshot,
    /// The parts of the snapshot, each with the source and the time that it is from.
    Parts,
}

/// The result of a look-up of one customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupReply {
    /// What was asked for, as JSON.
    Found(Bytes),
    /// The customer is unknown, or there is nothing to show for it.
    NotFound,
    /// The customer's partition is not on this instance.
    NotHere,
    /// No answer is possible now, for this reason. The text is public: no ids, no payload.
    Unavailable(&'static str),
}

/// Finds what is known of one customer in the state of this instance.
pub trait CustomerLookup: Send + Sync {
    /// This may block, but not for longer than a few seconds; it runs on a thread for blocking work.
    fn lookup(&self, id: &str, wanted: Wanted) -> LookupReply;
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error(
        "cannot listen for HTTP on {address}: {source}; choose another address with the key `http.listen`"
    )]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The thread or the event loop could not be created.
    #[error("cannot start the HTTP server: {0}")]
    Runtime(#[from] io::Error),
}

/// What the server needs.
pub struct ServerSetup {
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether `/customers/` answers.
    pub shows_customers: bool,
    pub info: ProcessInfo,
    pub metrics: Arc<Metrics>,
    pub health: Arc<Health>,
    pub board: Arc<Board>,
    pub lookup: Arc<dyn CustomerLookup>,
}

/// A running HTTP server. Dropping it stops it too, without waiting.
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl Server {
    /// Binds the address and serves until [`stop`](Self::stop).
    ///
    /// On a loopback address `/customers/` answers only requests whose `Host` is an address or
    /// `localhost`, so that a web page elsewhere cannot reach it by rebinding its own name.
    ///
    /// # Errors
    /// The address cannot be bound, or the thread cannot be created.
    pub fn start(setup: ServerSetup) -> Result<Server, ServeError> {
        let bind = |source| ServeError::Bind {
            address: setup.listen,
            source,
        };
        let socket = std::net::TcpListener::bind(setup.listen).map_err(bind)?;
        socket.set_nonblocking(true).map_err(bind)?;
        let address = socket.local_addr().map_err(bind)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(LOOKUP_THREADS)
            .thread_name("http-lookup")
            .build()?;
        let listener = {
            let _context = runtime.enter();
            BoundedListener::new(TcpListener::from_std(socket)?)
        };
        let router = router(App {
            page: Page::new(&setup.info),
            setup,
            check_host: address.ip().to_canonical().is_loopback(),
            lookups: Arc::new(Semaphore::new(MAX_LOOKUPS)),
        });
        let (stop, stopped) = watch::channel(false);
        let thread = std::thread::Builder::new()
            .name("http".to_owned())
            .spawn(move || serve(runtime, listener, router, stopped))?;
        Ok(Server {
            address,
            stop,
            thread,
        })
    }

    /// The address it listens on, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts no new connections, gives open requests two seconds to end, and returns.
    pub fn stop(self) {
        // If the receiver is gone, the thread has ended already.
        let _ = self.stop.send(true);
        if self.thread.join().is_err() {
            tracing::error!("the HTTP server's thread panicked");
        }
    }
}

fn serve(
    runtime: Runtime,
    listener: BoundedListener,
    router: Router,
    stopped: watch::Receiver<bool>,
) {
    runtime.block_on(async {
        let serving = axum::serve(
            listener,
            router.into_make_service_with_connect_info::<Handle>(),
        )
        .with_graceful_shutdown(wait_for_stop(stopped.clone()));
        tokio::select! {
            result = async { serving.await } => {
                if let Err(error) = result {
                    tracing::error!(%error, "the HTTP server ended");
                }
            }
            () = async { wait_for_stop(stopped).await; tokio::time::sleep(STOP_GRACE).await } => {}
        }
    });
    // A look-up that still blocks must not delay the end of the process.
    runtime.shutdown_background();
}

async fn wait_for_stop(mut stopped: watch::Receiver<bool>) {
    // An error means that the server was dropped: stop as well.
    let _ = stopped.wait_for(|stop| *stop).await;
}

struct App {
    setup: ServerSetup,
    page: Page,
    /// Whether `/customers/` answers only requests whose `Host` names this machine.
    check_host: bool,
    lookups: Arc<Semaphore>,
}

fn router(app: App) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/status", get(status))
        .route("/customers/{id}", get(customer))
        .route("/customers/{id}/parts", get(parts_of_customer))
        .fallback(|| async { (StatusCode::NOT_FOUND, "not found\n") })
        .method_not_allowed_fallback(|| async {
            (StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n")
        })
        .layer(map_response(strict_headers))
        .layer(from_fn(track_request))
        .with_state(Arc::new(app))
}

async fn strict_headers(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, &str); 4] = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
    ];
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}

async fn page(State(app): State<Arc<App>>) -> Response {
    let (html, policy) = app.page.render();
    ([(CONTENT_SECURITY_POLICY, policy)], Html(html)).into_response()
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    match app.setup.metrics.render() {
        Ok(text) => ([(CONTENT_TYPE, METRICS_TEXT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot render the metrics");
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            (status, "cannot render the metrics\n").into_response()
        }
    }
}

async fn status(State(app): State<Arc<App>>) -> Response {
    let setup = &app.setup;
    let (metrics, health, board) = (&setup.metrics, &setup.health, &setup.board);
    let status = Status::of(&setup.info, setup.shows_customers, metrics, health, board);
    match serde_json::to_vec(&status) {
        Ok(text) => ([(CONTENT_TYPE, JSON)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot write the status");
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            (status, "cannot write the status\n").into_response()
        }
    }
}

async fn healthz(State(app): State<Arc<App>>) -> Response {
    report("ok\n", app.setup.health.live(Instant::now()))
}

async fn readyz(State(app): State<Arc<App>>) -> Response {
    report("ready\n", app.setup.health.ready(Instant::now()))
}

fn report(good: &'static str, result: Result<(), Vec<String>>) -> Response {
    match result {
        Ok(()) => good.into_response(),
        Err(lines) => {
            let mut text = lines.join("\n");
            text.push('\n');
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}

async fn customer(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    look_up(&app, &headers, id, Wanted::Snapshot).await
}

async fn parts_of_customer(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    look_up(&app, &headers, id, Wanted::Parts).await
}

async fn look_up(
    app: &App,
    headers: &HeaderMap,
    id: Result<Path<String>, PathRejection>,
    wanted: Wanted,
) -> Result<Response, Refusal> {
    check_access(app, headers)?;
    let Ok(Path(id)) = id else {
        let error = "the id must be percent-encoded UTF-8";
        return Err(Refusal(StatusCode::BAD_REQUEST, error));
    };
    let found = find(app, id, wanted).await?;
    Ok(([(CONTENT_TYPE, JSON)], found).into_response())
}

fn check_access(app: &App, headers: &HeaderMap) -> Result<(), Refusal> {
    let error = if !app.setup.shows_customers {
        "customers are not shown here; set http.customers = \"on\" to show them on an address other than the loopback"
    } else if app.check_host && !headers.get(HOST).is_none_or(names_this_machine) {
        "customers are shown only when asked for by an IP address or as localhost"
    } else {
        return Ok(());
    };
    Err(Refusal(StatusCode::FORBIDDEN, error))
}

/// Looks a customer up on a thread for blocking work.
async fn find(app: &App, id: String, wanted: Wanted) -> Result<Bytes, Refusal> {
    let unavailable = |error| Refusal(StatusCode::SERVICE_UNAVAILABLE, error);
    let Ok(permit) = Arc::clone(&app.lookups).try_acquire_owned() else {
        return Err(unavailable("too many look-ups at once; try again"));
    };
    let lookup = Arc::clone(&app.setup.lookup);
    let task = tokio::task::spawn_blocking(move || {
        let reply = lookup.lookup(&id, wanted);
        // The permit is held here and not in the request, which may be dropped before the look-up ends.
        drop(permit);
        reply
    });
    let Ok(finished) = tokio::time::timeout(LOOKUP_LIMIT, task).await else {
        return Err(unavailable("the look-up took too long"));
    };
    let (status, error) = match finished {
        Ok(LookupReply::Found(found)) => return Ok(found),
        Ok(LookupReply::NotFound) => (
            StatusCode::NOT_FOUND,
            "no such customer, or nothing to show",
        ),
        Ok(LookupReply::NotHere) => (
            StatusCode::MISDIRECTED_REQUEST,
            "the customer's partition is not on this instance",
        ),
        Ok(LookupReply::Unavailable(reason)) => (StatusCode::SERVICE_UNAVAILABLE, reason),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the look-up failed"),
    };
    Err(Refusal(status, error))
}

/// An error answer: its status and its reason.
struct Refusal(StatusCode, &'static str);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Refusal(status, error) = self;
        let body = serde_json::json!({ "error": error }).to_string();
        (status, [(CONTENT_TYPE, JSON)], body).into_response()
    }
}

/// Whether a `Host` cannot be pointed to this machine by somebody else's DNS: an address, or `localhost` and names
/// under it.
fn names_this_machine(host: &HeaderValue) -> bool {
    let Ok(host) = host.to_str() else {
        return false;
    };
    if host.parse::<SocketAddr>().is_ok() {
        return true;
    }
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    if bare.unwrap_or(host).parse::<IpAddr>().is_ok() {
        return true;
    }
    let name = host.split_once(':').map_or(host, |(name, _port)| name);
    let name = name.to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests;
