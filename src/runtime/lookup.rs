//! Looks a customer up: each worker answers with the state that it has committed, and the thread that asks makes of it
//! what is shown.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use crate::customer::bounded::Limits;
use crate::customer::{Customer, EncodedState, snapshot};
use crate::engine::{CommittedState, Engine};
use crate::inspect::explain::{Explainer, Part};
use crate::model::partition;
use crate::serve::{CustomerLookup, LookupReply, Wanted};

/// The most requests that may wait at a worker.
const MAX_WAITING: usize = 64;
/// The timeout of a worker's answer. A worker that is committing may take a moment.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
const UNREADABLE: LookupReply = LookupReply::Unavailable("the customer's state cannot be read");

/// What a worker knows of a customer.
enum Found {
    /// The encoded state.
    State(EncodedState),
    Unknown,
    /// The customer's partition is not this worker's.
    NotHere,
    Unavailable(&'static str),
}

/// A request to a worker, with the channel for its reply.
pub struct LookupRequest {
    id: String,
    reply: SyncSender<Found>,
}

/// The channel to one worker.
pub fn channel() -> (SyncSender<LookupRequest>, Receiver<LookupRequest>) {
    sync_channel(MAX_WAITING)
}

/// Asks every worker; the one that owns the customer's partition has the answer.
pub struct Lookup {
    pub workers: Vec<SyncSender<LookupRequest>>,
    pub limits: Limits,
}

impl CustomerLookup for Lookup {
    fn lookup(&self, id: &str, wanted: Wanted) -> LookupReply {
        let mut unavailable = None;
        for worker in &self.workers {
            match ask(worker, id) {
                Found::NotHere => {}
                Found::Unavailable(reason) => unavailable = Some(reason),
                Found::Unknown => return LookupReply::NotFound,
                Found::State(state) => return self.show(id, state, wanted),
            }
        }
        unavailable.map_or(LookupReply::NotHere, LookupReply::Unavailable)
    }
}

impl Lookup {
    fn show(&self, id: &str, state: EncodedState, wanted: Wanted) -> LookupReply {
        let Ok(customer) = Customer::decode(state) else {
            return UNREADABLE;
        };
        match wanted {
            Wanted::Snapshot => {
                let mut text = Vec::new();
                match snapshot::write(&customer, id, &self.limits.view, &mut text) {
                    true => LookupReply::Found(Bytes::from(text)),
                    false => LookupReply::NotFound,
                }
            }
            Wanted::Parts => {
                let mut explainer = Explainer::new(id, self.limits.clone(), false);
                explainer.know(customer);
                let explanation = explainer.explain();
                if explanation.snapshot.is_none() {
                    return LookupReply::NotFound;
                }
                let shown = explanation.parts.iter().filter(|part| part.is_shown);
                let parts: Vec<ShownPart<'_>> = shown.map(ShownPart::of).collect();
                serde_json::to_vec(&parts)
                    .map_or(UNREADABLE, |text| LookupReply::Found(Bytes::from(text)))
            }
        }
    }
}

/// A part of the snapshot, with what the state knows of its origin.
#[derive(Debug, Serialize)]
struct ShownPart<'p> {
    pointer: &'p str,
    source: Option<&'p str>,
    /// The time by which it was decided.
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rank: Option<u64>,
    /// The rules that decided it, by their names in `keyfold explain`.
    rules: Vec<&'static str>,
}

impl ShownPart<'_> {
    fn of(part: &Part) -> ShownPart<'_> {
        let first = part.decisions.first();
        ShownPart {
            pointer: &part.pointer,
            source: first.and_then(|first| first.source.as_deref()),
            time: first
                .and_then(|first| first.time)
                .map(|time| time.to_string()),
            rank: first.and_then(|first| first.rank),
            rules: part.decisions.iter().map(|one| one.rule.name()).collect(),
        }
    }
}

fn ask(worker: &SyncSender<LookupRequest>, id: &str) -> Found {
    let (reply, replied) = sync_channel(1);
    let id = id.to_owned();
    match worker.try_send(LookupRequest { id, reply }) {
        Ok(()) => replied
            .recv_timeout(ANSWER_TIMEOUT)
            .unwrap_or(Found::Unavailable("a worker did not answer in time")),
        Err(TrySendError::Full(_)) => Found::Unavailable("too many look-ups at once"),
        // the worker has ended, and owns nothing
        Err(TrySendError::Disconnected(_)) => Found::NotHere,
    }
}

/// Answers the requests that wait at a worker.
pub fn answer(requests: &Receiver<LookupRequest>, worker: &Engine, partitions: i32) {
    for request in requests.try_iter() {
        let found = find(&request.id, worker, partitions);
        // the receiver is gone if the answer took too long
        let _ = request.reply.try_send(found);
    }
}

fn find(id: &str, worker: &Engine, partitions: i32) -> Found {
    let partition = partition::of_key(id.as_bytes(), partitions);
    if !worker.owns_state(partition) {
        return Found::NotHere;
    }
    match worker.state_of(id) {
        CommittedState::NotReady => {
            Found::Unavailable("the customer's partition is being restored")
        }
        CommittedState::Known(state) => Found::State(state),
        CommittedState::Unknown => Found::Unknown,
        CommittedState::Unreadable(_) => Found::Unavailable("the customer's state cannot be read"),
    }
}
