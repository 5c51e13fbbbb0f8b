//! The source `loyalty-customers`: events about customers of the loyalty programme.

use super::judge::{Country, Judge, is_supported, texts};
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
    /// What an event did.
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

/// The rules of an event's envelope.
pub fn judge_envelope(judge: &mut Judge<'_>, event_type: &str, expected: &str, version: Number) {
    if event_type != expected {
        judge.find(Code::EventType, || "/eventType".to_owned());
    }
    if !is_supported(version.0) {
        judge.find(Code::UnsupportedVersion, || "/version".to_owned());
    }
}

/// Judges and normalises an event.
pub fn normalize(wire: EventWire<'_>, judge: &mut Judge<'_>) -> Contribution {
    judge_envelope(judge, &wire.event_type, "CUSTOMER", wire.version);
    let body = wire.body;
    judge.id(&body.customer_id, || "/body/customerId".to_owned());
    judge.updated_at(body.updated_at, || "/body/updatedAt".to_owned());
    if body.created_at > body.updated_at {
        judge.find(Code::CreatedAfterUpdated, || "/body/createdAt".to_owned());
    }

    let event = Times {
        rank: wire.event_action.rank(),
        created_at: body.created_at,
        updated_at: body.updated_at,
    };
    let dependents = body.dependents.as_deref();
    let size = 64 * (1 + body.addresses.len() * 2 + dependents.map_or(0, <[_]>::len));
    let mut pool = Texts::with_capacity(size);
    let addresses = mature_addresses(&body.addresses, &event, judge, &mut pool);
    let dependents = dependents.map(|list| mature_dependents(list, &event, judge, &mut pool));
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

/// The times of an event, which its elements take where they have none of their own.
struct Times {
    rank: Rank,
    created_at: Instant,
    updated_at: Instant,
}

impl Times {
    /// Judges an element's times, `list` being the pointer to its list: its (`createdAt`, `updatedAt`).
    fn of_element(
        &self,
        (created_at, updated_at): (Option<Instant>, Option<Instant>),
        list: &str,
        at: usize,
        judge: &mut Judge<'_>,
    ) -> (Instant, Instant) {
        if let Some(updated_at) = updated_at {
            judge.updated_at(updated_at, || format!("{list}/{at}/updatedAt"));
        }
        let created = created_at.unwrap_or(self.created_at);
        let updated = updated_at.unwrap_or(self.updated_at);
        // an element without times of its own says no more than its event, which is judged already
        if created > updated && (created_at.is_some() || updated_at.is_some()) {
            let field = if created_at.is_some() {
                "createdAt"
            } else {
                "updatedAt"
            };
            judge.find(Code::CreatedAfterUpdated, || format!("{list}/{at}/{field}"));
        }
        (created, updated)
    }
}

const ADDRESSES: &str = "/body/addresses";
const DEPENDENTS: &str = "/body/dependents";

fn mature_addresses(
    list: &[AddressWire<'_>],
    event: &Times,
    judge: &mut Judge<'_>,
    pool: &mut Texts,
) -> Vec<ListElement<Span>> {
    judge.distinct(texts(list, |address| &address.address_id), |at| {
        format!("{ADDRESSES}/{at}/addressId")
    });
    let element = |(at, address): (usize, &AddressWire<'_>)| {
        judge.id(&address.address_id, || {
            format!("{ADDRESSES}/{at}/addressId")
        });
        let country = judge.country(&address.country_code, || {
            format!("{ADDRESSES}/{at}/countryCode")
        });
        let (name, country) = match country {
            Country::Known(code) => (FieldName::CountryCode, code),
            Country::Unknown(text) => (FieldName::Country, text),
        };
        let times = (address.created_at, address.updated_at);
        let (created_at, updated_at) = event.of_element(times, ADDRESSES, at, judge);
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

fn mature_dependents(
    list: &[DependentWire<'_>],
    event: &Times,
    judge: &mut Judge<'_>,
    pool: &mut Texts,
) -> Vec<ListElement<Span>> {
    judge.distinct(texts(list, |dependent| &dependent.dependent_id), |at| {
        format!("{DEPENDENTS}/{at}/dependentId")
    });
    let element = |(at, dependent): (usize, &DependentWire<'_>)| {
        judge.id(&dependent.dependent_id, || {
            format!("{DEPENDENTS}/{at}/dependentId")
        });
        let times = (dependent.created_at, dependent.updated_at);
        let (created_at, updated_at) = event.of_element(times, DEPENDENTS, at, judge);
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
