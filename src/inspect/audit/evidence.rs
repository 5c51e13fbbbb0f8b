//! What is known of one customer: what the records say, and what keyfold has written.

use bytes::Bytes;

use crate::customer::Customer;

/// A place in one of the topics that were read; what the topic is, is known where it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At {
    pub partition: i32,
    pub offset: i64,
}

/// A place in an input, by its number among the inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InputAt {
    pub input: u16,
    pub at: At,
}

/// All that was found of a customer.
#[derive(Debug, Default)]
pub struct Evidence {
    /// What the records lead to that are valid today and have no dead letter.
    pub fold: Option<Customer>,
    /// What the records say that are valid today, and have a dead letter all the same.
    pub otherwise: Option<Customer>,
    /// What the records say that are rejected today, and have no dead letter, as far as they can be read.
    pub accepted: Option<Customer>,
    /// The order of its records decides: one of them was rejected for the size of the state, or would be; or a part of a
    /// batch was rejected of which it is not known which one.
    pub depends_on_order: bool,
    /// The last record that was found of the customer.
    pub record: Option<InputAt>,
    /// The newest record of the state topic that is no null.
    pub state: Option<(At, Bytes)>,
    /// The newest snapshot that is no null.
    pub snapshot: Option<(At, Bytes)>,
    /// Newest values of the customer that lie in partitions which are not its own, and which nobody would look into.
    pub stray_states: Vec<At>,
    pub stray_snapshots: Vec<At>,
}

impl Evidence {
    /// What the records lead to.
    pub fn of_records(&self) -> Customer {
        self.fold.clone().unwrap_or_default()
    }
}
