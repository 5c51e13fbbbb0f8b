//! One customer's story within the demo: a late event fills a gap, but does not change anything newer.

use keyfold_generate::{GeneratedRecord, Source};

use crate::model::time::Instant;

/// The customer whose snapshot the demo follows.
pub const CUSTOMER: &str = "demo-ada";

/// Ada has moved now.
pub fn moved(now_ms: i64) -> GeneratedRecord {
    event(
        now_ms,
        now_ms,
        "UPDATED",
        r#""status":"ACTIVE","marketingOptIn":true,"#,
        "12 New Street",
    )
}

/// An event that arrives after that, but was written an hour earlier: it has her date of birth, and her old address.
pub fn late(now_ms: i64) -> GeneratedRecord {
    event(
        now_ms,
        now_ms - 3_600_000,
        "CREATED",
        r#""dateOfBirth":"1998-02-01","marketingOptIn":false,"#,
        "42B Baker Street",
    )
}

fn event(now_ms: i64, written_ms: i64, action: &str, fields: &str, line1: &str) -> GeneratedRecord {
    let created = Instant::from_millis(now_ms - 7_200_000);
    let written = Instant::from_millis(written_ms);
    let value = format!(
        r#"{{"eventType":"CUSTOMER","eventAction":"{action}","version":1.0,"body":{{"customerId":"{CUSTOMER}",{fields}"addresses":[{{"addressId":"home","line1":"{line1}","city":"London","zipCode":"NW1 6XE","countryCode":"gb"}}],"createdAt":"{created}","updatedAt":"{written}"}}}}"#
    );
    GeneratedRecord {
        source: Source::LoyaltyCustomers,
        timestamp: now_ms,
        key: Some(CUSTOMER.as_bytes().to_vec()),
        value: Some(value.into_bytes()),
        headers: Vec::new(),
    }
}
