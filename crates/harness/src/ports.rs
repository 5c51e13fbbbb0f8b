//! Ports for the programs that tests start.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::TcpStream;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::wait::wait_until;

/// A port of the loopback at which nobody listens, outside the range from which the system takes the ports of outgoing
/// connections: a client that reconnects to a broker that is down must not get its port. Each is given once, for it is
/// free until its program has started.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    wait_until(Duration::from_secs(5), "a free port", || {
        let random = RandomState::new().build_hasher().finish();
        let port = 15_000 + (random % 15_000) as u16;
        let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
        if !given.insert(port) {
            return None;
        }
        // It is not tried by listening there: a program that another test starts at that moment would have the listener
        // for as long as it takes to become that program, and whoever is given the port would find it in use.
        let found = TcpStream::connect(("127.0.0.1", port));
        found.is_err().then_some(port)
    })
}
