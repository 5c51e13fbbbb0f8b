//! The mistakes that producers make, one of each kind that keyfold distinguishes (docs/contract.md, section 2), and the
//! default result for each.

use self::Expected::{Rejected, Warned};
use super::moment::Micros;
use super::random::Random;
use super::source::Source::{
    self, ConsoleCustomers, LoyaltyActions, LoyaltyCustomers, PublisherCustomers,
};
use super::spoil::{self, Victim};

/// What happens to a faulty record under the default settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// A dead letter with this code (docs/contract.md, section 2).
    Rejected(&'static str),
    /// Accepted with a warning of this code.
    Warned(&'static str),
}

/// One way to get a record wrong.
#[derive(Debug)]
pub struct Fault {
    /// A short name, unique among [`FAULTS`]. `Kind::Invalid` carries it.
    pub name: &'static str,
    /// The sources whose records can have this fault.
    pub sources: &'static [Source],
    pub expected: Expected,
    spoil: fn(&mut Victim<'_>) -> Option<Vec<u8>>,
}

impl Fault {
    /// The value with this fault in it, or none if it lacks the part that would be wrong. `now` is the record's own
    /// time.
    pub(super) fn spoil(
        &self,
        random: &mut Random,
        source: Source,
        json: &[u8],
        now: Micros,
    ) -> Option<Vec<u8>> {
        (self.spoil)(&mut Victim {
            random,
            source,
            json,
            now,
        })
    }
}

const ALL: &[Source] = &Source::ALL;
const LOYALTY: &[Source] = &[LoyaltyCustomers, LoyaltyActions];
const WITH_DATES: &[Source] = &[LoyaltyCustomers, LoyaltyActions, PublisherCustomers];
const WITH_COUNTRY: &[Source] = &[ConsoleCustomers, PublisherCustomers];
const WITH_LISTS: &[Source] = &[LoyaltyCustomers, ConsoleCustomers, PublisherCustomers];

/// Every kind of fault that [`Generator`](super::Generator) makes. Not included: `too_large`, which a broker with
/// default settings would not accept; `null_value`, which the share of null records covers; and faults that need Avro
/// or a large state.
#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault { name: "invalid UTF-8", sources: ALL, expected: Rejected("invalid_utf8"), spoil: spoil::invalid_utf8 },
    Fault { name: "broken JSON", sources: ALL, expected: Rejected("invalid_json"), spoil: spoil::broken_json },
    Fault { name: "cut in half", sources: ALL, expected: Rejected("invalid_json"), spoil: spoil::cut_in_half },
    Fault { name: "empty value", sources: ALL, expected: Rejected("invalid_json"), spoil: spoil::empty },
    Fault { name: "byte order mark", sources: ALL, expected: Rejected("invalid_json"), spoil: spoil::byte_order_mark },
    Fault { name: "number too large", sources: ALL, expected: Rejected("invalid_json"), spoil: spoil::huge_number },
    Fault { name: "lone surrogate", sources: ALL, expected: Rejected("invalid_json"), spoil: spoil::lone_surrogate },
    Fault { name: "nested too deep", sources: ALL, expected: Rejected("invalid_json"), spoil: spoil::deep_nesting },
    Fault { name: "duplicate field", sources: ALL, expected: Rejected("duplicate_field"), spoil: spoil::duplicate_field },
    Fault { name: "not an event", sources: ALL, expected: Rejected("schema_violation"), spoil: spoil::other_value },
    Fault { name: "missing field", sources: ALL, expected: Rejected("schema_violation"), spoil: spoil::missing_field },
    Fault { name: "wrong enum value", sources: LOYALTY, expected: Rejected("schema_violation"), spoil: spoil::wrong_enum },
    Fault { name: "wrong type", sources: ALL, expected: Rejected("schema_violation"), spoil: spoil::wrong_type },
    Fault { name: "not a date-time", sources: WITH_DATES, expected: Rejected("schema_violation"), spoil: spoil::bad_date_time },
    Fault { name: "30 February", sources: WITH_DATES, expected: Rejected("schema_violation"), spoil: spoil::impossible_date },
    Fault { name: "null in an optional field", sources: LOYALTY, expected: Rejected("schema_violation"), spoil: spoil::null_field },
    Fault { name: "version is no whole number", sources: &[ConsoleCustomers], expected: Rejected("schema_violation"), spoil: spoil::bad_console_version },
    Fault { name: "bad element in a batch", sources: &[PublisherCustomers], expected: Rejected("schema_violation"), spoil: spoil::bad_element },
    Fault { name: "wrong event type", sources: LOYALTY, expected: Rejected("event_type"), spoil: spoil::wrong_event_type },
    Fault { name: "unsupported version", sources: LOYALTY, expected: Rejected("unsupported_version"), spoil: spoil::unsupported_version },
    Fault { name: "blank id", sources: ALL, expected: Rejected("blank_id"), spoil: spoil::blank_id },
    Fault { name: "unknown country code", sources: &[LoyaltyCustomers], expected: Rejected("country_code"), spoil: spoil::unknown_country_code },
    Fault { name: "unknown country", sources: WITH_COUNTRY, expected: Warned("country_code"), spoil: spoil::unknown_country },
    Fault { name: "updated in the far future", sources: LOYALTY, expected: Rejected("future_timestamp"), spoil: spoil::far_future },
    Fault { name: "created after updated", sources: LOYALTY, expected: Warned("created_after_updated"), spoil: spoil::created_after_updated },
    Fault { name: "duplicate element", sources: WITH_LISTS, expected: Warned("duplicate_element"), spoil: spoil::duplicate_element },
];
