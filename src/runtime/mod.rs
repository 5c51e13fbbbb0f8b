//! The processor at work: worker threads that share nothing, each with its consumer, its producer and its part of
//! the state. [`driver`] carries out what a [`crate::engine::Worker`] decides.

pub mod driver;
mod housekeeper;
mod lags;
pub mod lookup;
pub mod outputs;
pub mod processor;
pub mod registry;
mod rendezvous;
mod shell;
pub mod signals;
mod start;
pub mod watch;
