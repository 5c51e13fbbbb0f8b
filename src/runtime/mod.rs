//! Runs the processor: worker threads that share nothing, each with its own consumer, producer and part of the state.
//! [`driver`] carries out what a [`crate::engine::Engine`] decides.

pub mod driver;
mod frontend;
mod group_lag;
pub mod lookup;
mod maintenance;
pub mod outputs;
pub mod processor;
pub mod registry;
mod rendezvous;
mod shared;
pub mod signals;
mod startup;
pub mod watch;

use std::thread::JoinHandle;

use crate::exit::Failure;

fn spawn(name: String, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Failure> {
    std::thread::Builder::new()
        .name(name)
        .spawn(body)
        .map_err(|error| Failure::Service(format!("cannot start a thread: {error}")))
}
