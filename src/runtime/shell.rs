//! What the outside sees of a processor: the HTTP server, health and metrics, from the first moment on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use super::lookup::{self, Lookup, Question};
use crate::config::Config;
use crate::exit::Failure;
use crate::model::record::Label;
use crate::serve::metrics::WorkerState;
use crate::serve::{Health, Metrics, ProcessInfo, Server, ServerSetup};

/// The version of keyfold.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// A worker that was silent for this long is not alive.
const SILENCE: Duration = Duration::from_secs(90);

/// What the outside sees of a processor, from its first moment: the server, health and metrics.
pub struct Shell {
    pub began: Instant,
    /// How this instance is named, or a random name.
    pub instance: String,
    pub workers: usize,
    pub metrics: Arc<Metrics>,
    pub health: Arc<Health>,
    pub server: Server,
    /// For each worker.
    pub questions: Vec<Receiver<Question>>,
}

impl Shell {
    /// Opens the server; whatever comes after is told over it.
    pub fn open(config: &Config) -> Result<Shell, Failure> {
        let workers = match config.processing.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            count => count,
        };
        let began = Instant::now();
        let info = ProcessInfo {
            version: VERSION,
            commit: env!("BUILD_COMMIT"),
            application_id: config.application_id.clone(),
        };
        let metrics = Metrics::new(&info)
            .map(Arc::new)
            .map_err(|error| Failure::Service(format!("metrics: {error}")))?;
        for (source, _) in config.sources.iter() {
            metrics.announce(Label::Source(source));
        }
        metrics.announce(Label::Forwarded);
        for worker in 0..workers {
            metrics.worker_state(worker, WorkerState::Starting);
        }
        let health = Arc::new(Health::new(workers, SILENCE, began));
        health.starting("starting");
        let (asked, questions) = (0..workers).map(|_| lookup::channel()).unzip();
        let server = Server::start(ServerSetup {
            listen: listen(&config.http.listen)?,
            shows_customers: config.http.serves_customers(),
            info,
            metrics: Arc::clone(&metrics),
            health: Arc::clone(&health),
            lookup: Arc::new(Lookup { workers: asked }),
        })
        .map_err(|error| Failure::Service(error.to_string()))?;
        tracing::info!(
            version = VERSION,
            application_id = config.application_id,
            workers,
            http = %server.address(),
            "keyfold is starting"
        );
        Ok(Shell {
            began,
            instance: match config.instance_id.as_str() {
                "" => format!("{:016x}", rand::random::<u64>()),
                named => named.to_owned(),
            },
            workers,
            metrics,
            health,
            server,
            questions,
        })
    }
}

fn listen(address: &str) -> Result<SocketAddr, Failure> {
    address
        .parse()
        .map_err(|_| Failure::Usage("http.listen is no address with a port".to_owned()))
}
