//! The source `loyalty-customers`: events about customers of the loyalty programme.

use super::rules::{Country, RuleCheck};
use crate::customer::contribution::{
    Content, Contribution, CustomerEvent, Data, Fact, ListElement, Status,
};
use crate::customer::fields::{FieldName, put, put_trimmed};
use crate::customer::stamp::{Rank, Stamp};
use crate::customer::texts::{Span, Texts};
use crate::json::strict::{Number, Text, wire_enum, wire_object};
use crate::model::record::Code;
use crate::model::time::{Date, Instant};

wire_enum! {
    /// What an event reports.
    pub enum EventAction {
        Created = "CREATED",
        Updated = "UPDATED",
    }
}

impl EventAction {
    pub fn rank(self) -> Rank {
        match self {
            EventAction::Created => Rank::Created,
            EventAction::Updated => Rank::Updated,
        }
    }
}

wire_object! {
    pub struct EventWire<'a> at depth 1 {
        required event_type: Text<'a> = "eventType",
        required event_action: EventAction = "eventAction",
        required version: Number = "version",
        required body: CustomerWire<'a> = "body",
    }
}

wire_object! {
    pub struct CustomerWire<'a> at depth 2 {
        required customer_id: Text<'a> = "customerId",
        optional date_of_birth: Date = "dateOfBirth",
        optional status: Status = "status",
        optional marketing_opt_in: bool = "marketingOptIn",
        optional sms_opt_in: bool = "smsOptIn",
        optional dependents: Vec<DependentWire<'a>> = "dependents",
        required addresses: Vec<AddressWire<'a>> = "addresses",
        required created_at: Instant = "createdAt",
        required updated_at: Instant = "updatedAt",
    }
}

wire_object! {
    pub struct DependentWire<'a> at depth 4 {
        required dependent_id: Text<'a> = "dependentId",
        required date_of_birth: Date = "dateOfBirth",
        required kind: Text<'a> = "type",
        optional created_at: Instant = "createdAt",
        optional updated_at: Instant = "updatedAt",
    }
}

wire_object! {
    pub struct AddressWire<'a> at depth 4 {
        required address_id: Text<'a> = "addressId",
        required line1: Text<'a> = "line1",
        optional line2: Text<'a> = "line2",
        required city: Text<'a> = "city",
        optional province: Text<'a> = "province",
        required zip_code: Text<'a> = "zipCode",
        required country_code: Text<'a> = "countryCode",
        optional created_at: Instant = "createdAt",
        optional updated_at: Instant = "updatedAt",
    }
}

/// Checks the rules for a loyalty event except those for its ids and lists.
#[inline]
pub(super) fn check_event(
    check: &mut RuleCheck<'_>,
    expected_type: &str,
    (event_type, version): (&str, Number),
    (created_at, updated_at): (Instant, Instant),
) {
    if event_type != expected_type {
        check.broken(Code::EventType, || "/eventType".to_owned());
    }
    if !(1.0..2.0).contains(&version.0) {
        check.broken(Code::UnsupportedVersion, || "/version".to_owned());
    }
    check.updated_at(updated_at, || "/body/updatedAt".to_owned());
    if created_at > updated_at {
        check.broken(Code::CreatedAfterUpdated, || "/body/createdAt".to_owned());
    }
}

/// Checks the semantic rules for an event and normalises it.
pub fn normalize(wire: EventWire<'_>, check: &mut RuleCheck<'_>) -> Contribution {
    let body = wire.body;
    let envelope = (&*wire.event_type, wire.version);
    let times = (body.created_at, body.updated_at);
    check_event(check, "CUSTOMER", envelope, times);
    check.id(&body.customer_id, || "/body/customerId".to_owned());

    let event = Times {
        rank: wire.event_action.rank(),
        created_at: body.created_at,
        updated_at: body.updated_at,
    };
    let dependents = body.dependents.as_deref();
    let size = 64 * (1 + body.addresses.len() * 2 + dependents.map_or(0, <[_]>::len));
    let mut pool = Texts::with_capacity(size);
    let addresses = normalize_addresses(&body.addresses, &event, check, &mut pool);
    let dependents = dependents.map(|list| normalize_dependents(list, &event, check, &mut pool));
    let fact = Fact::Customer(CustomerEvent {
        stamp: Stamp::new(event.updated_at, event.rank),
        created_at: event.created_at,
        date_of_birth: body.date_of_birth,
        status: body.status,
        marketing_opt_in: body.marketing_opt_in,
        sms_opt_in: body.sms_opt_in,
        addresses: Some(addresses),
        dependents,
    });
    Contribution {
        customer: body.customer_id.0.into_owned(),
        data: Data { fact, texts: pool },
    }
}

/// The times of an event. An element without times of its own inherits them.
struct Times {
    rank: Rank,
    created_at: Instant,
    updated_at: Instant,
}

impl Times {
    /// The checked (`createdAt`, `updatedAt`) of an element; `list` is the pointer to its list.
    fn of_element(
        &self,
        (created_at, updated_at): (Option<Instant>, Option<Instant>),
        list: &str,
        at: usize,
        check: &mut RuleCheck<'_>,
    ) -> (Instant, Instant) {
        if let Some(updated_at) = updated_at {
            check.updated_at(updated_at, || format!("{list}/{at}/updatedAt"));
        }
        let created = created_at.unwrap_or(self.created_at);
        let updated = updated_at.unwrap_or(self.updated_at);
        // An element without times of its own has those of its event, which are checked already.
        if created > updated && (created_at.is_some() || updated_at.is_some()) {
            let field = if created_at.is_some() {
                "createdAt"
            } else {
                "updatedAt"
            };
            check.broken(Code::CreatedAfterUpdated, || format!("{list}/{at}/{field}"));
        }
        (created, updated)
    }
}

const ADDRESSES: &str = "/body/addresses";
const DEPENDENTS: &str = "/body/dependents";

fn normalize_addresses(
    list: &[AddressWire<'_>],
    event: &Times,
    check: &mut RuleCheck<'_>,
    pool: &mut Texts,
) -> Vec<ListElement<Span>> {
    check.element_ids(
        list,
        |address| &address.address_id,
        |at| format!("{ADDRESSES}/{at}/addressId"),
    );
    let element = |(at, address): (usize, &AddressWire<'_>)| {
        let country = check.country(&address.country_code, || {
            format!("{ADDRESSES}/{at}/countryCode")
        });
        let (name, country) = match country {
            Country::Known(code) => (FieldName::CountryCode, code),
            Country::Unknown(text) => (FieldName::Country, text),
        };
        let times = (address.created_at, address.updated_at);
        let (created_at, updated_at) = event.of_element(times, ADDRESSES, at, check);
        ListElement {
            id: pool.add(address.address_id.as_bytes()),
            content: Content {
                stamp: Stamp::new(updated_at, event.rank),
                created_at,
                body: pool.write(|out| {
                    put_trimmed(out, FieldName::Line1, Some(&address.line1));
                    put_trimmed(out, FieldName::Line2, address.line2.as_deref());
                    put_trimmed(out, FieldName::City, Some(&address.city));
                    put_trimmed(out, FieldName::Province, address.province.as_deref());
                    put_trimmed(out, FieldName::ZipCode, Some(&address.zip_code));
                    put(out, name, country);
                }),
            },
        }
    };
    list.iter().enumerate().map(element).collect()
}

fn normalize_dependents(
    list: &[DependentWire<'_>],
    event: &Times,
    check: &mut RuleCheck<'_>,
    pool: &mut Texts,
) -> Vec<ListElement<Span>> {
    check.element_ids(
        list,
        |dependent| &dependent.dependent_id,
        |at| format!("{DEPENDENTS}/{at}/dependentId"),
    );
    let element = |(at, dependent): (usize, &DependentWire<'_>)| {
        let times = (dependent.created_at, dependent.updated_at);
        let (created_at, updated_at) = event.of_element(times, DEPENDENTS, at, check);
        ListElement {
            id: pool.add(dependent.dependent_id.as_bytes()),
            content: Content {
                stamp: Stamp::new(updated_at, event.rank),
                created_at,
                body: pool.write(|out| {
                    put(out, FieldName::DateOfBirth, dependent.date_of_birth.bytes());
                    put_trimmed(out, FieldName::Kind, Some(&dependent.kind));
                }),
            },
        }
    };
    list.iter().enumerate().map(element).collect()
}
