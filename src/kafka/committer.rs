//! Commits transactions, and waits for deliveries, from a thread of its own, so that the worker goes on meanwhile.
//!
//! That also bounds what librdkafka does not: sending offsets to a transaction takes a time-out and does not keep to it,
//! and may block for minutes where the coordinator went away in its midst. It is given up on time; its producer must
//! then be thrown away.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::errors::client_error;
use super::transaction::{Request, SLICE, Transactions};
use crate::engine::event::StepEnd;

enum Report {
    /// Another step of the commit has begun.
    Step,
    Ended(StepEnd),
}

/// The thread, and the way to it.
pub struct Committer {
    /// None only while this is dropped.
    requests: Option<Sender<Request>>,
    reports: Receiver<Report>,
    thread: Option<JoinHandle<()>>,
    /// When the current step of the commit is given up; none: no commit is in flight.
    give_up: Cell<Option<Instant>>,
    /// Bounds each step. The thread itself gives up sooner, where the client lets it.
    step_timeout: Duration,
}

impl Committer {
    pub fn start(client: Arc<Transactions>) -> Result<Committer, KafkaError> {
        let step_timeout = client.step_timeout + 2 * SLICE;
        let (requests, asked) = channel::<Request>();
        let (report, reports) = channel();
        let body = move || {
            while let Ok(request) = asked.recv() {
                // fails only if the receiver is gone
                let ended = client.end(&request, &mut || {
                    let _ = report.send(Report::Step);
                });
                if report.send(Report::Ended(ended)).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("committer".to_owned());
        let thread = thread.spawn(body).map_err(|error| {
            KafkaError::ClientCreation(format!("cannot start a thread: {error}"))
        })?;
        Ok(Committer {
            requests: Some(requests),
            reports,
            thread: Some(thread),
            give_up: Cell::new(None),
            step_timeout,
        })
    }

    /// Begins what the request asks for. Until it has ended, nobody may use the client.
    pub fn begin(&self, request: Request) {
        self.give_up.set(Some(Instant::now() + self.step_timeout));
        if let Some(requests) = &self.requests {
            // fails only if the thread has ended, and then `ended` fails too
            let _ = requests.send(request);
        }
    }

    /// How the request in flight ended; none where it has not ended within `wait`.
    pub fn ended(&self, wait: Duration) -> Option<StepEnd> {
        let until = Instant::now() + wait;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.reports.recv_timeout(left) {
                Ok(Report::Ended(ended)) => {
                    self.give_up.set(None);
                    return Some(ended);
                }
                Ok(Report::Step) => self.give_up.set(Some(Instant::now() + self.step_timeout)),
                Err(RecvTimeoutError::Timeout)
                    if self.give_up.get().is_some_and(|at| Instant::now() < at) =>
                {
                    return None;
                }
                Err(_) => {
                    let code = RDKafkaErrorCode::OperationTimedOut;
                    let text = "committing: the client does not come back";
                    return Some(StepEnd::Undecided(client_error(code, text)));
                }
            }
        }
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.requests = None;
        // a thread that is stuck keeps its client until the call returns
        if self.give_up.get().is_none()
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}
