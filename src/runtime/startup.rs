//! The check of the cluster at the start. It waits for a cluster that cannot be reached, as keyfold does later. A
//! problem that waiting cannot fix ends the start, and all such problems are reported at once.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::signals::Stop;
use crate::checks::{self, Outcome};
use crate::config::{Config, Store};
use crate::exit::Failure;
use crate::kafka::cluster::{CONNECTION_ADVICE, CheckError, Cluster, ClusterError};
use crate::kafka::survey::{FoundTopics, Survey};
use crate::serve::Health;
use crate::telemetry::throttle::Throttle;

/// Time between two attempts to reach a cluster that does not answer.
const RETRY_INTERVAL: Duration = Duration::from_millis(300);
/// How many times in a row the same problems must be found before they end the start: a broker that is just starting
/// does not know all topics and permissions yet.
const CONFIRMATIONS: u32 = 3;
/// Time between two such checks.
const CONFIRMATION_INTERVAL: Duration = Duration::from_secs(1);
/// The timeout of one request about a group or a transactional id.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Minimum time between repeats of the same warning.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);
/// How long a stop waits for the thread that checks the cluster.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// A cluster that has passed the check.
pub struct CheckedCluster {
    pub found: FoundTopics,
    /// The id of the state topic, if the stores are on disk.
    pub state_topic_id: Option<String>,
    /// For maintenance and the watch. `None`: the cluster needs neither.
    pub cluster: Option<Arc<Cluster>>,
}

/// A report of the thread that checks the cluster.
enum Event {
    /// It waits, for this reason.
    Waiting(String),
    Ended(Result<CheckedCluster, Failure>),
}

/// Checks the cluster until it passes. `instance` is the part of the transactional ids between application and worker.
/// `None`: the stop was set meanwhile.
pub fn check_cluster(
    config: &Config,
    instance: &str,
    health: &Health,
    stop: &Stop,
) -> Result<Option<CheckedCluster>, Failure> {
    let (events, reported) = channel();
    let check = Check {
        config: config.clone(),
        transactional_id: format!("{}-{instance}-0", config.application_id),
        events,
        stop: stop.clone(),
    };
    super::spawn("start".to_owned(), move || check.run())?;
    let began = Instant::now();
    let mut has_waited = false;
    let mut warnings = Throttle::new(WARNING_INTERVAL);
    while !stop.is_set() {
        match reported.recv_timeout(Duration::from_millis(50)) {
            Ok(Event::Waiting(reason)) => {
                health.starting(&reason);
                has_waited = true;
                if warnings.allows(subject(&reason).to_owned(), Instant::now()) {
                    tracing::warn!("{reason}; keyfold waits");
                }
            }
            Ok(Event::Ended(result)) => {
                if has_waited && result.is_ok() {
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
    wait_for_end(&reported);
    Ok(None)
}

/// Makes the checks of `keyfold doctor` that keep nobody from starting, on a thread of its own that nothing waits for, and
/// warns of what is bad.
pub fn check_the_rest(config: &Config) -> Result<(), Failure> {
    let config = config.clone();
    super::spawn("checks".to_owned(), move || {
        for check in checks::beside_the_start(&config) {
            if check.result == Outcome::Bad {
                let subject = check.subject.as_deref();
                let remedy = check.remedy.as_deref().unwrap_or_default();
                tracing::warn!(check = check.check, subject, "{}; {remedy}", check.detail);
            }
        }
    })
    .map(drop)
}

/// A reason without its details, which may differ from attempt to attempt.
fn subject(reason: &str) -> &str {
    reason.split(':').next().unwrap_or(reason)
}

/// Waits for the thread to drop its client, which could otherwise delay the end of the process.
fn wait_for_end(reported: &Receiver<Event>) {
    let deadline = Instant::now() + STOP_TIMEOUT;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match reported.recv_timeout(left) {
            Ok(Event::Waiting(_)) => {}
            Ok(Event::Ended(_)) | Err(_) => return,
        }
    }
}

/// Checks the cluster on a thread of its own, because a call to the client cannot be interrupted.
struct Check {
    config: Config,
    /// One of the transactional ids that this instance will use.
    transactional_id: String,
    events: Sender<Event>,
    stop: Stop,
}

impl Check {
    fn run(self) {
        let result = self.check();
        // the receiver is gone after a stop
        let _ = self.events.send(Event::Ended(result));
    }

    fn check(&self) -> Result<CheckedCluster, Failure> {
        let service = |error: ClusterError| Failure::Service(error.to_string());
        let cluster = Cluster::open((&self.config).into()).map_err(service)?;
        let mut last_refusals = Vec::new();
        let mut confirmations = 0;
        while !self.stop.is_set() {
            let survey = match self.survey(&cluster) {
                Ok(survey) => survey,
                Err(CheckError::Refused(reason)) => return Err(Failure::Service(reason)),
                Err(CheckError::Temporary(reason)) => {
                    confirmations = 0;
                    self.wait(reason, RETRY_INTERVAL);
                    continue;
                }
            };
            let refusals = survey.refusals(&self.config.kafka);
            if refusals.is_empty()
                && let Some(found) = &survey.found
            {
                return self.checked(cluster, &survey, found.clone());
            }
            confirmations = match refusals == last_refusals {
                true => confirmations + 1,
                false => 1,
            };
            if confirmations >= CONFIRMATIONS {
                return Err(Failure::Service(refusals.join("\n")));
            }
            let first = refusals.first().cloned();
            let reason =
                first.unwrap_or_else(|| "the cluster does not describe the topics".to_owned());
            self.wait(reason, CONFIRMATION_INTERVAL);
            last_refusals = refusals;
        }
        Err(Failure::Service("it was told to stop".to_owned()))
    }

    fn survey(&self, cluster: &Cluster) -> Result<Survey, CheckError> {
        cluster.reach().map_err(|error| match error {
            CheckError::Temporary(reason) => {
                let servers = &self.config.kafka.bootstrap_servers;
                CheckError::Temporary(format!(
                    "no broker can be reached at {servers}: {reason}; {CONNECTION_ADVICE}"
                ))
            }
            refused => refused,
        })?;
        cluster.survey(&self.transactional_id, ANSWER_TIMEOUT)
    }

    fn checked(
        &self,
        cluster: Cluster,
        survey: &Survey,
        found: FoundTopics,
    ) -> Result<CheckedCluster, Failure> {
        for warning in survey.warnings(&self.config.kafka) {
            tracing::warn!("{warning}");
        }
        let state_topic_id = match self.config.state.store {
            Store::Memory => None,
            Store::Disk => cluster
                .state_topic_id()
                .map_err(|error| Failure::Service(error.to_string()))?,
        };
        Ok(CheckedCluster {
            found,
            state_topic_id,
            cluster: Some(Arc::new(cluster)),
        })
    }

    fn wait(&self, reason: String, pause: Duration) {
        let _ = self.events.send(Event::Waiting(reason));
        self.stop.wait(pause);
    }
}
