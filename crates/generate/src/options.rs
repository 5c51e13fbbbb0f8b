//! The options of the generator.

use super::source::Source;

/// Which stream to make. Numbers out of their bounds are replaced by the nearest bound, and NaN by 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    pub seed: u64,
    /// How many customers there can be, at least 1. They appear one by one.
    pub customers: u32,
    /// The record time of the first record, in milliseconds since 1970, up to the year 9000. Kafka
    /// deletes records whose time lies further back than the topic's retention.
    pub start_ms: i64,
    /// The mean record time from one record to the next, in milliseconds, up to a day.
    pub step_ms: f64,
    /// The share of records that are late, 0 to 1: about something hours or days old, or overtaken by the customer's
    /// next record.
    pub late: f64,
    /// The share of records that are exact repeats of an earlier one, 0 to 0.95.
    pub repeated: f64,
    /// The share of records with one of the [`FAULTS`](super::FAULTS), 0 to 1.
    pub invalid: f64,
    /// The share of records whose key is missing or not that of their customer, 0 to 1.
    pub wrongly_keyed: f64,
    /// The share of records without a value, 0 to 1: most erase or retract a customer.
    pub null: f64,
    pub shares: Shares,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            seed: 1,
            customers: 10_000,
            // 1 January 2026
            start_ms: 1_767_225_600_000,
            step_ms: 1.0,
            late: 0.05,
            repeated: 0.02,
            invalid: 0.01,
            wrongly_keyed: 0.02,
            null: 0.005,
            shares: Shares::default(),
        }
    }
}

/// How the records are distributed over the sources: weights of any scale. A source with weight 0 gets none; if all
/// weights are 0, the defaults apply.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shares {
    pub loyalty_customers: f64,
    pub loyalty_actions: f64,
    pub console_customers: f64,
    /// Counts batches, not the customers in them; a batch has eight customers on average.
    pub publisher_customers: f64,
}

impl Default for Shares {
    fn default() -> Shares {
        Shares {
            loyalty_customers: 0.40,
            loyalty_actions: 0.35,
            console_customers: 0.17,
            publisher_customers: 0.08,
        }
    }
}

impl Shares {
    /// The weights by `Source::index`.
    pub(super) fn weights(self) -> [f64; 4] {
        Source::ALL.map(|source| {
            let weight = match source {
                Source::LoyaltyCustomers => self.loyalty_customers,
                Source::LoyaltyActions => self.loyalty_actions,
                Source::ConsoleCustomers => self.console_customers,
                Source::PublisherCustomers => self.publisher_customers,
            };
            if weight > 0.0 { weight.min(1e9) } else { 0.0 }
        })
    }
}
