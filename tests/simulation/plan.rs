//! What a world is made from.

use std::time::Duration;

use keyfold::config::Guarantee;

use crate::faults::{Faults, Sabotage};
use crate::group::Protocol;

/// What a world is made from.
#[derive(Debug, Clone)]
pub struct Plan {
    pub protocol: Protocol,
    pub guarantee: Guarantee,
    pub processes: usize,
    /// Partitions of the state and of the forwarded topic.
    pub partitions: i32,
    /// Partitions of each input.
    pub inputs: [i32; 3],
    pub batch: usize,
    pub session: Duration,
    pub transaction_time_out: Duration,
    /// Whether a process that starts anew has its old transactional id.
    pub named: bool,
    pub faults: Faults,
    pub sabotage: Sabotage,
}

impl Plan {
    pub fn quiet(protocol: Protocol) -> Plan {
        Plan {
            protocol,
            guarantee: Guarantee::ExactlyOnce,
            processes: 2,
            partitions: 2,
            inputs: [2, 2, 1],
            batch: 8,
            session: Duration::from_millis(1500),
            transaction_time_out: Duration::from_millis(800),
            named: false,
            faults: Faults::none(),
            sabotage: Sabotage::default(),
        }
    }
}
