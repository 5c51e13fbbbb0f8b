//! The parameters of a simulated world.

use std::time::Duration;

use keyfold::config::Guarantee;

use crate::faults::{Faults, Sabotage};
use crate::group::Protocol;

/// The parameters of a simulated world.
#[derive(Debug, Clone)]
pub struct Plan {
    pub protocol: Protocol,
    pub guarantee: Guarantee,
    pub processes: usize,
    /// The number of partitions of the state topic and of the forwarded topic.
    pub partitions: i32,
    /// The number of partitions of each input.
    pub inputs: [i32; 3],
    pub batch: usize,
    pub session: Duration,
    pub transaction_timeout: Duration,
    /// Whether a process keeps its transactional id when it restarts, as with an `instance_id`.
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
            transaction_timeout: Duration::from_millis(800),
            named: false,
            faults: Faults::none(),
            sabotage: Sabotage::default(),
        }
    }
}
