//! The start's look at the cluster. A cluster that is away is waited for, as it is later; what no waiting can mend ends
//! the start, with all findings at once.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::signals::Stop;
use crate::config::{Config, Store};
use crate::exit::Failure;
use crate::kafka::description::Trouble;
use crate::kafka::survey::Survey;
use crate::kafka::topics::{Cluster, Found, LOOK_AT, TopicsError};
use crate::serve::Health;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(300);
/// So often the same is found before it ends the start, a while apart: a broker that comes up half-way does not know of
/// all topics and permissions yet.
const CERTAIN: u32 = 3;
const APART: Duration = Duration::from_secs(1);
/// The longest wait for one answer about a group or a transactional id.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same reason is said again after this time.
const QUIET: Duration = Duration::from_secs(60);
/// How long a stop waits for the one who asks the cluster.
const LET_GO: Duration = Duration::from_secs(1);

/// What the start knows of the cluster.
pub struct Start {
    pub found: Found,
    /// What the cluster calls the state topic, where a store on disk wants to know.
    pub topic_id: Option<String>,
    /// For the housekeeper and the watch. None: the cluster needs neither.
    pub cluster: Option<Arc<Cluster>>,
}

/// What the one who asks the cluster tells.
enum Told {
    /// It waits, for this reason.
    Waits(String),
    Ended(Result<Start, Failure>),
}

/// Looks at the cluster until it is as it must be. `instance` is the part of the transactional ids between application
/// and worker. None: it was told to stop meanwhile.
pub fn look(
    config: &Config,
    instance: &str,
    health: &Health,
    stop: &Stop,
) -> Result<Option<Start>, Failure> {
    let (tell, told) = channel();
    let asking = Asking {
        config: config.clone(),
        own: format!("{}-{instance}-0", config.application_id),
        tell,
        stop: stop.clone(),
    };
    std::thread::Builder::new()
        .name("start".to_owned())
        .spawn(move || asking.run())
        .map_err(|error| Failure::Service(format!("can't start a thread: {error}")))?;
    let began = Instant::now();
    let mut said: Option<(String, Instant)> = None;
    while !stop.is_set() {
        match told.recv_timeout(Duration::from_millis(50)) {
            Ok(Told::Waits(reason)) => {
                health.starting(&reason);
                let is_new = said.as_ref().is_none_or(|(known, when)| {
                    when.elapsed() > QUIET || kind(known) != kind(&reason)
                });
                if is_new {
                    tracing::warn!("{reason}; keyfold waits");
                    said = Some((reason, Instant::now()));
                }
            }
            Ok(Told::Ended(result)) => {
                if said.is_some() && result.is_ok() {
                    let seconds = began.elapsed().as_secs();
                    tracing::info!("the cluster answers, after {seconds} s");
                }
                return result.map(Some);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Failure::Service(
                    "a thread panicked; see the log".to_owned(),
                ));
            }
        }
    }
    let_go(&told);
    Ok(None)
}

/// What a reason is about, without its details.
fn kind(reason: &str) -> &str {
    reason.split(':').next().unwrap_or(reason)
}

/// A client that is gone before the process ends can't be in its way.
fn let_go(told: &Receiver<Told>) {
    let deadline = Instant::now() + LET_GO;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match told.recv_timeout(left) {
            Ok(Told::Waits(_)) => {}
            Ok(Told::Ended(_)) | Err(_) => return,
        }
    }
}

/// The one who asks the cluster, on a thread of its own: a call to the client can't be left.
struct Asking {
    config: Config,
    own: String,
    tell: Sender<Told>,
    stop: Stop,
}

impl Asking {
    fn run(self) {
        let ended = self.ask();
        // nobody listens any more after a stop
        let _ = self.tell.send(Told::Ended(ended));
    }

    fn ask(&self) -> Result<Start, Failure> {
        let service = |error: TopicsError| Failure::Service(error.to_string());
        let cluster = Cluster::open(&self.config).map_err(service)?;
        let mut findings: (Vec<String>, u32) = (Vec::new(), 0);
        while !self.stop.is_set() {
            match self.survey(&cluster) {
                Err(Trouble::Refused(reason)) => return Err(Failure::Service(reason)),
                Err(Trouble::Away(reason)) => {
                    findings.1 = 0;
                    self.waits(reason);
                    self.pause(PAUSE);
                }
                Ok(survey) => {
                    let refusals = survey.refusals(&self.config);
                    if refusals.is_empty()
                        && let Some(found) = &survey.found
                    {
                        return self.start(cluster, &survey, found.clone());
                    }
                    let seen = if findings.0 == refusals {
                        findings.1
                    } else {
                        0
                    };
                    findings = (refusals, seen + 1);
                    if findings.1 >= CERTAIN {
                        return Err(Failure::Service(findings.0.join("\n")));
                    }
                    let first = findings.0.first().cloned();
                    self.waits(first.unwrap_or_else(|| "the topics are not told of".to_owned()));
                    self.pause(APART);
                }
            }
        }
        Err(Failure::Service("it was told to stop".to_owned()))
    }

    fn survey(&self, cluster: &Cluster) -> Result<Survey, Trouble> {
        cluster.reach().map_err(|trouble| match trouble {
            Trouble::Away(reason) => {
                let servers = &self.config.kafka.bootstrap_servers;
                Trouble::Away(format!(
                    "no broker can be reached at {servers}: {reason}; {LOOK_AT}"
                ))
            }
            refused => refused,
        })?;
        cluster.survey(&self.own, PATIENCE)
    }

    fn start(&self, cluster: Cluster, survey: &Survey, found: Found) -> Result<Start, Failure> {
        for warning in survey.warnings(&self.config) {
            tracing::warn!("{warning}");
        }
        let topic_id = match self.config.state.store {
            Store::Memory => None,
            Store::Disk => cluster
                .state_topic_id()
                .map_err(|error| Failure::Service(error.to_string()))?,
        };
        Ok(Start {
            found,
            topic_id,
            cluster: Some(Arc::new(cluster)),
        })
    }

    fn waits(&self, reason: String) {
        let _ = self.tell.send(Told::Waits(reason));
    }

    fn pause(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while Instant::now() < until && !self.stop.is_set() {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
