//! Commits transactions, and waits for deliveries, on a thread of its own, so that the worker continues meanwhile.
//!
//! The thread also limits what librdkafka does not: `send_offsets_to_transaction` takes a timeout but does not keep to
//! it, and may block for minutes if the coordinator goes away during the call. The worker gives the call up in time;
//! its producer must then be discarded.

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

/// The commit thread, and the channels to and from it.
pub struct Committer {
    /// `None` only during the drop.
    requests: Option<Sender<Request>>,
    reports: Receiver<Report>,
    thread: Option<JoinHandle<()>>,
    /// The deadline of the current step of the commit; `None` if no commit is in flight.
    deadline: Cell<Option<Instant>>,
    /// Limits each step. The thread itself times out earlier, unless librdkafka blocks.
    step_timeout: Duration,
}

impl Committer {
    pub fn start(client: Arc<Transactions>) -> Result<Committer, KafkaError> {
        let step_timeout = client.step_timeout + 2 * SLICE;
        let (requests, incoming) = channel::<Request>();
        let (report, reports) = channel();
        let body = move || {
            while let Ok(request) = incoming.recv() {
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
            deadline: Cell::new(None),
            step_timeout,
        })
    }

    /// Starts a request. Until it has ended, nothing else may use the client.
    pub fn begin(&self, request: Request) {
        self.deadline.set(Some(Instant::now() + self.step_timeout));
        if let Some(requests) = &self.requests {
            // fails only if the thread has ended, and then `ended` fails too
            let _ = requests.send(request);
        }
    }

    /// How the request in flight ended; `None` if it has not ended within `wait`.
    pub fn ended(&self, wait: Duration) -> Option<StepEnd> {
        let until = Instant::now() + wait;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.reports.recv_timeout(left) {
                Ok(Report::Ended(ended)) => {
                    self.deadline.set(None);
                    return Some(ended);
                }
                Ok(Report::Step) => self.deadline.set(Some(Instant::now() + self.step_timeout)),
                Err(RecvTimeoutError::Timeout)
                    if self.deadline.get().is_some_and(|at| Instant::now() < at) =>
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
        // A thread that is blocked in a call is not joined; it keeps its client until the call returns.
        if self.deadline.get().is_none()
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}
