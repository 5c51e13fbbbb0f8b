//! Finding a customer: each worker answers for its own state.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use bytes::Bytes;

use crate::customer::Customer;
use crate::customer::snapshot::{self, View};
use crate::engine::Worker;
use crate::model::partition;
use crate::serve::{CustomerLookup, LookupReply};

/// A question to a worker, with the way back.
pub struct Question {
    id: String,
    answer: SyncSender<LookupReply>,
}

/// Questions that wait at a worker.
const WAITING: usize = 64;
/// A worker that commits may take a moment.
const PATIENCE: Duration = Duration::from_secs(5);

/// The way to one worker, and its end.
pub fn channel() -> (SyncSender<Question>, Receiver<Question>) {
    sync_channel(WAITING)
}

/// Asks every worker; the one that owns the customer's partition knows.
pub struct Lookup {
    pub workers: Vec<SyncSender<Question>>,
}

impl CustomerLookup for Lookup {
    fn lookup(&self, id: &str) -> LookupReply {
        let mut reply = LookupReply::NotHere;
        for worker in &self.workers {
            let (answer, answered) = sync_channel(1);
            let question = Question {
                id: id.to_owned(),
                answer,
            };
            match worker.try_send(question) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => {
                    return LookupReply::Unavailable("too many questions at once");
                }
                Err(TrySendError::Disconnected(_)) => continue,
            }
            match answered.recv_timeout(PATIENCE) {
                Ok(LookupReply::NotHere) => {}
                Ok(LookupReply::Unavailable(reason)) => reply = LookupReply::Unavailable(reason),
                Ok(found) => return found,
                Err(_) => {
                    reply = LookupReply::Unavailable("a worker did not answer in time");
                }
            }
        }
        reply
    }
}

/// Answers what was asked of a worker.
pub fn answer(questions: &Receiver<Question>, worker: &Worker, partitions: i32, view: &View) {
    for question in questions.try_iter() {
        let reply = reply(&question.id, worker, partitions, view);
        // who asked may have given up
        let _ = question.answer.try_send(reply);
    }
}

fn reply(id: &str, worker: &Worker, partitions: i32, view: &View) -> LookupReply {
    let partition = partition::of_key(id.as_bytes(), partitions);
    if !worker.owns_state(partition) {
        return LookupReply::NotHere;
    }
    let Some(state) = worker.state_of(id) else {
        return LookupReply::Unavailable("the customer's partition is being restored");
    };
    let state = match state {
        Ok(Some(state)) => state,
        Ok(None) => return LookupReply::NotFound,
        Err(_) => {
            return LookupReply::Unavailable("the customer's state cannot be read");
        }
    };
    let mut text = Vec::new();
    match Customer::decode(&state) {
        Ok(customer) if snapshot::write(&customer, id, view, &mut text) => {
            LookupReply::Snapshot(Bytes::from(text))
        }
        Ok(_) => LookupReply::NotFound,
        Err(_) => LookupReply::Unavailable("the customer's state cannot be read"),
    }
}
