//! What is visible of a process from outside, from its first moment on: the HTTP server, health and metrics.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use super::lookup::{self, Lookup, LookupRequest};
use crate::config::Config;
use crate::customer::bounded::Limits;
use crate::exit::Failure;
use crate::model::record::Label;
use crate::serve::metrics::WorkerState;
use crate::serve::{Board, Health, Metrics, ProcessInfo, Server, ServerSetup};

/// The version of keyfold.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// A worker without a heartbeat for this long counts as dead.
const HEARTBEAT_LIMIT: Duration = Duration::from_secs(90);

pub struct Frontend {
    /// When the process began.
    pub began: Instant,
    pub metrics: Arc<Metrics>,
    pub health: Arc<Health>,
    pub board: Arc<Board>,
    pub server: Server,
    /// For each worker, the receiver of the look-ups that it must answer.
    pub lookups: Vec<Receiver<LookupRequest>>,
}

impl Frontend {
    /// Starts the server first, so that it shows everything that follows.
    pub fn open(info: ProcessInfo, config: &Config, workers: usize) -> Result<Frontend, Failure> {
        let began = Instant::now();
        let metrics = Metrics::new(&info)
            .map(Arc::new)
            .map_err(|error| Failure::Service(format!("metrics: {error}")))?;
        let http = &config.http;
        let sources = config.sources.iter().map(|(source, _)| source);
        for label in sources.map(Label::Source).chain([Label::Forwarded]) {
            metrics.announce(label);
        }
        for worker in 0..workers {
            metrics.worker_state(worker, WorkerState::Starting);
        }
        let health = Arc::new(Health::new(workers, HEARTBEAT_LIMIT, began));
        health.starting("starting");
        let (requests, lookups) = (0..workers).map(|_| lookup::channel()).unzip();
        let board = Arc::new(Board::default());
        let application_id = info.application_id.clone();
        let listen = http.listen.parse();
        let server = Server::start(ServerSetup {
            listen: listen
                .map_err(|_| Failure::Usage("http.listen is no address with a port".to_owned()))?,
            shows_customers: http.serves_customers(),
            info,
            metrics: Arc::clone(&metrics),
            health: Arc::clone(&health),
            board: Arc::clone(&board),
            lookup: Arc::new(Lookup {
                workers: requests,
                limits: Limits::of(config),
            }),
        })
        .map_err(|error| Failure::Service(error.to_string()))?;
        let address = server.address();
        board.reached_at((!address.ip().is_loopback()).then_some(address.port()));
        tracing::info!(
            version = VERSION,
            application_id,
            workers,
            http = %server.address(),
            "keyfold is starting"
        );
        Ok(Frontend {
            began,
            metrics,
            health,
            board,
            server,
            lookups,
        })
    }
}
