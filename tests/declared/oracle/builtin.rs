//! What the oracle of `tests/laws` knows: what the records of the built-in sources say, and what lists let go.

#[path = "../../laws/oracle/lists.rs"]
pub mod lists;
#[path = "../../laws/oracle/read.rs"]
pub mod read;
#[path = "../../laws/oracle/text.rs"]
pub mod text;

/// The four sources (docs/contract.md, section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Src {
    LoyaltyCustomers,
    LoyaltyActions,
    ConsoleCustomers,
    PublisherCustomers,
}

impl Src {
    pub fn name(self) -> &'static str {
        match self {
            Src::LoyaltyCustomers => "loyalty-customers",
            Src::LoyaltyActions => "loyalty-actions",
            Src::ConsoleCustomers => "console-customers",
            Src::PublisherCustomers => "publisher-customers",
        }
    }
}

/// What a record with a null value does to its customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tomb {
    Erase,
    Retract,
    Reject,
}

/// A record of a built-in source.
#[derive(Clone, Debug)]
pub struct Input {
    pub source: Src,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    /// Kafka's timestamp, in milliseconds since 1970.
    pub timestamp: Option<i64>,
}

/// What the reading of these records depends on: everything is at its default.
pub struct Settings {
    pub tombstone: [Tomb; 4],
    pub country_warn: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            tombstone: [Tomb::Erase, Tomb::Reject, Tomb::Retract, Tomb::Reject],
            country_warn: false,
        }
    }
}
