//! Looks a customer up: each worker answers from its own state.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use bytes::Bytes;

use crate::customer::Customer;
use crate::customer::snapshot::{self, View};
use crate::engine::{CommittedState, Engine};
use crate::model::partition;
use crate::serve::{CustomerLookup, LookupReply};

/// The most requests that may wait at a worker.
const MAX_WAITING: usize = 64;
/// The timeout of a worker's answer. A worker that is committing may take a moment.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// A request to a worker, with the channel for its reply.
pub struct LookupRequest {
    id: String,
    reply: SyncSender<LookupReply>,
}

/// The channel to one worker.
pub fn channel() -> (SyncSender<LookupRequest>, Receiver<LookupRequest>) {
    sync_channel(MAX_WAITING)
}

/// Asks every worker; the one that owns the customer's partition has the answer.
pub struct Lookup {
    pub workers: Vec<SyncSender<LookupRequest>>,
}

impl CustomerLookup for Lookup {
    fn lookup(&self, id: &str) -> LookupReply {
        let mut unavailable = None;
        for worker in &self.workers {
            match ask(worker, id) {
                LookupReply::NotHere => {}
                LookupReply::Unavailable(reason) => unavailable = Some(reason),
                found => return found,
            }
        }
        unavailable.map_or(LookupReply::NotHere, LookupReply::Unavailable)
    }
}

fn ask(worker: &SyncSender<LookupRequest>, id: &str) -> LookupReply {
    let (reply, replied) = sync_channel(1);
    let id = id.to_owned();
    match worker.try_send(LookupRequest { id, reply }) {
        Ok(()) => replied
            .recv_timeout(ANSWER_TIMEOUT)
            .unwrap_or(LookupReply::Unavailable("a worker did not answer in time")),
        Err(TrySendError::Full(_)) => LookupReply::Unavailable("too many look-ups at once"),
        // the worker has ended, and owns nothing
        Err(TrySendError::Disconnected(_)) => LookupReply::NotHere,
    }
}

/// Answers the requests that wait at a worker.
pub fn answer(requests: &Receiver<LookupRequest>, worker: &Engine, partitions: i32, view: &View) {
    for request in requests.try_iter() {
        let reply = reply(&request.id, worker, partitions, view);
        // the receiver is gone if the answer took too long
        let _ = request.reply.try_send(reply);
    }
}

fn reply(id: &str, worker: &Engine, partitions: i32, view: &View) -> LookupReply {
    const UNREADABLE: LookupReply = LookupReply::Unavailable("the customer's state cannot be read");
    let partition = partition::of_key(id.as_bytes(), partitions);
    if !worker.owns_state(partition) {
        return LookupReply::NotHere;
    }
    let state = match worker.state_of(id) {
        CommittedState::NotReady => {
            return LookupReply::Unavailable("the customer's partition is being restored");
        }
        CommittedState::Known(state) => state,
        CommittedState::Unknown => return LookupReply::NotFound,
        CommittedState::Unreadable(_) => return UNREADABLE,
    };
    let mut text = Vec::new();
    match Customer::decode(&state) {
        Ok(customer) if snapshot::write(&customer, id, view, &mut text) => {
            LookupReply::Snapshot(Bytes::from(text))
        }
        Ok(_) => LookupReply::NotFound,
        Err(_) => UNREADABLE,
    }
}
