//! Tests of the client and the cache against a registry whose answers the tests choose.

mod cache;
mod client;
pub(super) mod server;
mod subjects;
mod tls;

use std::time::{Duration, Instant};

use server::Server;

use super::Registry;
use crate::config;

/// The timeout of a condition that must become true, and of a request that must be answered.
const TIMEOUT: Duration = Duration::from_secs(20);

fn config(urls: &[&str]) -> config::Registry {
    config::Registry {
        url: urls.join(","),
        timeout: TIMEOUT,
        ..config::Registry::default()
    }
}

pub(super) fn registry(server: &Server) -> Registry {
    Registry::new(&config(&[&server.url()])).unwrap()
}

/// Waits until a condition becomes true.
pub(super) fn eventually(what: &str, mut is_true: impl FnMut() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !is_true() {
        assert!(Instant::now() < deadline, "not so in time: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
