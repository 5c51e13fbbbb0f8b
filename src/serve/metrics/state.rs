//! The size of the state of this instance, over all its workers.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use prometheus::{Error, Registry};

use super::families::families;
use super::view::StateSizes;

families! {
    Families {
        customers: IntGauge = "keyfold_state_customers",
            "Customers in the state on this instance.";
        bytes: IntGauge = "keyfold_state_bytes",
            "Encoded size of the state on this instance.";
        largest: IntGauge = "keyfold_state_largest_customer_bytes",
            "Encoded size of the largest state of a customer on this instance.";
    }
}

/// A worker's share of the state.
#[derive(Debug, Clone, Copy, Default)]
pub struct StateShare {
    pub customers: i64,
    pub bytes: i64,
    /// The bytes of its largest customer.
    pub largest: i64,
}

pub(super) struct StateMetrics {
    families: Families,
    shares: Mutex<BTreeMap<usize, StateShare>>,
}

impl StateMetrics {
    pub(super) fn new(registry: &Registry) -> Result<StateMetrics, Error> {
        Ok(StateMetrics {
            families: Families::register(registry)?,
            shares: Mutex::default(),
        })
    }

    pub(super) fn sizes(&self) -> StateSizes {
        StateSizes {
            customers: self.families.customers.get(),
            bytes: self.families.bytes.get(),
            largest: self.families.largest.get(),
        }
    }

    /// Sets one worker's share.
    pub(super) fn set(&self, worker: usize, share: StateShare) {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        shares.insert(worker, share);
        // Set under the lock, so that the last writer has seen every share.
        let (all, families) = (shares.values(), &self.families);
        let customers = all.clone().map(|share| share.customers).sum();
        families.customers.set(customers);
        families
            .bytes
            .set(all.clone().map(|share| share.bytes).sum());
        let largest = all.map(|share| share.largest).max();
        families.largest.set(largest.unwrap_or(0));
    }
}
