//! The client and the cache against a registry that the tests answer for.

mod cache;
mod client;
pub(super) mod server;
mod subjects;
mod tls;

use std::time::{Duration, Instant};

use server::Server;

use super::Registry;
use crate::config;

/// How long a condition may take to come true, and a request that is to be answered.
const PATIENCE: Duration = Duration::from_secs(20);

fn config(urls: &[&str]) -> config::Registry {
    config::Registry {
        url: urls.join(","),
        timeout: PATIENCE,
        ..config::Registry::default()
    }
}

pub(super) fn registry(server: &Server) -> Registry {
    Registry::new(&config(&[&server.url()])).unwrap()
}

/// Waits for something that is to come true.
pub(super) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not so in time: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
