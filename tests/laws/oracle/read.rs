//! From a record to what it says of each customer, normalised (docs/contract.md, section 2).

use std::collections::BTreeMap;

use super::text::{Object, array, country, format_instant, object, parse_instant, quote, sorted};
use super::{Input, Settings, Src, Tomb};

/// The order of a loyalty datum: time in microseconds, then 0 for `CREATED`
/// and 1 for `UPDATED`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    pub at: i64,
    pub rank: u8,
}

/// What one record says of one customer.
pub enum Fact {
    Loyalty(LoyaltyEvent),
    Action(Action),
    Console(Console),
    Publisher(Publisher),
    Tombstone { by: Src, erase: bool, at: i64 },
}

pub struct LoyaltyEvent {
    pub stamp: Stamp,
    /// JSON text by field.
    pub scalars: BTreeMap<&'static str, String>,
    pub addresses: Option<Vec<Element>>,
    pub dependents: Option<Vec<Element>>,
}

pub struct Element {
    pub id: String,
    pub stamp: Stamp,
    /// As the snapshot shows it, without `source`.
    pub text: String,
}

pub struct Action {
    pub stamp: Stamp,
    pub id: String,
    pub kind: String,
    pub contract: Option<String>,
    pub created: i64,
    /// JSON text of the UTM parameters.
    pub utm: Option<String>,
    pub text: String,
}

#[derive(Debug)]
pub struct Console {
    pub version: u64,
    pub at: i64,
    /// JSON text by field, of all but the addresses.
    pub parts: BTreeMap<&'static str, String>,
    /// Id and text, without `source`, in the snapshot's order.
    pub addresses: Vec<(String, String)>,
}

impl Console {
    /// The text that breaks a tie.
    pub fn text(&self) -> String {
        let part = |name: &'static str| (name, self.parts.get(name).cloned());
        let addresses: Vec<String> = self.addresses.iter().map(|a| a.1.clone()).collect();
        object(&[
            part("firstName"),
            part("lastName"),
            part("displayName"),
            part("emailAddress"),
            part("phones"),
            ("addresses", Some(array(&addresses))),
            part("attributes"),
        ])
    }
}

#[derive(Debug)]
pub struct Publisher {
    pub at: i64,
    pub enrollment: String,
    pub accounts: String,
}

impl Publisher {
    /// The text that breaks a tie.
    pub fn text(&self) -> String {
        object(&[
            ("enrollment", Some(self.enrollment.clone())),
            ("accounts", Some(self.accounts.clone())),
        ])
    }
}

/// What a record says, by customer; a batch may speak of several.
pub fn facts(record: &Input, settings: &Settings) -> Vec<(String, Fact)> {
    let at = record.timestamp.map(|millis| millis * 1000);
    let Some(value) = &record.value else {
        let erase = match settings.tombstone[record.source as usize] {
            Tomb::Erase => true,
            Tomb::Retract => false,
            Tomb::Reject => return Vec::new(),
        };
        let customer = String::from_utf8(record.key.clone().unwrap()).unwrap();
        let by = record.source;
        let at = at.unwrap();
        return vec![(customer, Fact::Tombstone { by, erase, at })];
    };
    let value: Object = serde_json::from_slice(value).unwrap();
    match record.source {
        Src::LoyaltyCustomers => loyalty(&value, settings).into_iter().collect(),
        Src::LoyaltyActions => vec![action(&value)],
        Src::ConsoleCustomers => vec![console(&value, at.unwrap())],
        Src::PublisherCustomers => objects(&value, "customers")
            .unwrap()
            .iter()
            .map(|customer| publisher(customer, at.unwrap()))
            .collect(),
    }
}

/// The JSON text of a field. A null means absent: only the console and the
/// publisher may have one.
fn raw<'a>(of: &'a Object, name: &str) -> Option<&'a str> {
    of.get(name)
        .map(|value| value.get())
        .filter(|value| *value != "null")
}

/// A text as it came.
fn string(of: &Object, name: &str) -> Option<String> {
    raw(of, name).map(|value| serde_json::from_str(value).unwrap())
}

/// A text as it came, as JSON.
fn kept(of: &Object, name: &str) -> Option<String> {
    string(of, name).map(|text| quote(&text))
}

/// A text without the white space around it, as JSON.
fn trimmed(of: &Object, name: &str) -> Option<String> {
    string(of, name).map(|text| quote(text.trim()))
}

fn instant(of: &Object, name: &str) -> Option<i64> {
    string(of, name).map(|text| parse_instant(&text))
}

/// A normalised date-time, as JSON.
fn time(of: &Object, name: &str) -> Option<String> {
    instant(of, name).map(time_text)
}

fn time_text(micros: i64) -> String {
    quote(&format_instant(micros))
}

fn inner(of: &Object, name: &str) -> Option<Object> {
    raw(of, name).map(|value| serde_json::from_str(value).unwrap())
}

fn objects(of: &Object, name: &str) -> Option<Vec<Object>> {
    raw(of, name).map(|value| serde_json::from_str(value).unwrap())
}

/// An array of texts as they came, as JSON.
fn strings(of: &Object, name: &str) -> Option<String> {
    raw(of, name).map(|value| {
        let texts: Vec<String> = serde_json::from_str(value).unwrap();
        let texts: Vec<String> = texts.iter().map(|text| quote(text)).collect();
        array(&texts)
    })
}

/// The fields `countryCode` and `country`, of which at most one is there.
fn country_fields(of: &Object, name: &str, by_name: bool) -> [(&'static str, Option<String>); 2] {
    match string(of, name).map(|text| country(&text, by_name)) {
        None => [("countryCode", None), ("country", None)],
        Some(Ok(code)) => [("countryCode", Some(quote(&code))), ("country", None)],
        Some(Err(text)) => [("countryCode", None), ("country", Some(quote(&text)))],
    }
}

fn stamp(event: &Object, body: &Object) -> Stamp {
    Stamp {
        at: instant(body, "updatedAt").unwrap(),
        rank: match string(event, "eventAction").as_deref() {
            Some("CREATED") => 0,
            Some("UPDATED") => 1,
            other => panic!("not an action: {other:?}"),
        },
    }
}

/// An element of a list, with the times of its event where it has none of its own.
fn element(
    of: &Object,
    id: &str,
    fields: Vec<(&str, Option<String>)>,
    stamp: Stamp,
    created: i64,
) -> Element {
    let own = instant(of, "updatedAt").unwrap_or(stamp.at);
    let own_created = instant(of, "createdAt").unwrap_or(created);
    let mut all = vec![(id, kept(of, id))];
    all.extend(fields);
    all.push(("createdAt", Some(time_text(own_created))));
    all.push(("updatedAt", Some(time_text(own))));
    Element {
        id: string(of, id).unwrap(),
        stamp: Stamp { at: own, ..stamp },
        text: object(&all),
    }
}

fn loyalty(event: &Object, settings: &Settings) -> Option<(String, Fact)> {
    let body = inner(event, "body").unwrap();
    let stamp = stamp(event, &body);
    let created = instant(&body, "createdAt").unwrap();

    let addresses = objects(&body, "addresses");
    let unknown = |address: &Object| {
        let text = string(address, "countryCode").unwrap();
        country(&text, false).is_err()
    };
    if !settings.country_warn && addresses.iter().flatten().any(unknown) {
        return None;
    }

    let address = |of: &Object| {
        let [code, other] = country_fields(of, "countryCode", false);
        let fields = vec![
            ("line1", trimmed(of, "line1")),
            ("line2", trimmed(of, "line2")),
            ("city", trimmed(of, "city")),
            ("province", trimmed(of, "province")),
            ("zipCode", trimmed(of, "zipCode")),
            code,
            other,
        ];
        element(of, "addressId", fields, stamp, created)
    };
    let dependent = |of: &Object| {
        let fields = vec![
            ("dateOfBirth", kept(of, "dateOfBirth")),
            ("type", trimmed(of, "type")),
        ];
        element(of, "dependentId", fields, stamp, created)
    };

    let scalars = [
        ("dateOfBirth", kept(&body, "dateOfBirth")),
        ("status", kept(&body, "status")),
        (
            "marketingOptIn",
            raw(&body, "marketingOptIn").map(str::to_owned),
        ),
        ("smsOptIn", raw(&body, "smsOptIn").map(str::to_owned)),
        ("createdAt", Some(time_text(created))),
    ];
    let event = LoyaltyEvent {
        stamp,
        scalars: scalars
            .into_iter()
            .filter_map(|(name, text)| Some((name, text?)))
            .collect(),
        addresses: addresses.map(|list| list.iter().map(address).collect()),
        dependents: objects(&body, "dependents").map(|list| list.iter().map(dependent).collect()),
    };
    Some((string(&body, "customerId").unwrap(), Fact::Loyalty(event)))
}

fn action(event: &Object) -> (String, Fact) {
    let body = inner(event, "body").unwrap();
    let interaction = inner(&body, "interaction").unwrap();
    let utm = inner(&body, "utmParameters").map(|utm| {
        object(&[
            ("utmSource", trimmed(&utm, "utmSource")),
            ("utmMedium", trimmed(&utm, "utmMedium")),
            ("utmCampaign", trimmed(&utm, "utmCampaign")),
            ("utmContent", trimmed(&utm, "utmContent")),
            ("utmTerms", trimmed(&utm, "utmTerms")),
        ])
    });
    let contract = "subscriptionContractId";
    let text = object(&[
        ("interactionId", kept(&body, "interactionId")),
        ("type", kept(&interaction, "type")),
        (contract, kept(&interaction, contract)),
        ("utmParameters", utm.clone()),
        ("createdAt", time(&body, "createdAt")),
        ("updatedAt", time(&body, "updatedAt")),
    ]);
    let action = Action {
        stamp: stamp(event, &body),
        id: string(&body, "interactionId").unwrap(),
        kind: string(&interaction, "type").unwrap(),
        contract: string(&interaction, contract),
        created: instant(&body, "createdAt").unwrap(),
        utm,
        text,
    };
    (string(&body, "customerId").unwrap(), Fact::Action(action))
}

fn console(of: &Object, at: i64) -> (String, Fact) {
    let by_key = |name: &str, text: fn(&Object) -> String| {
        let list = objects(of, name).unwrap_or_default();
        let mut list: Vec<(String, String)> = list
            .iter()
            .map(|element| (string(element, "key").unwrap(), text(element)))
            .collect();
        list.sort_by_key(|(key, _)| key.clone());
        list
    };
    let phones = by_key("phones", |phone| {
        object(&[
            ("key", kept(phone, "key")),
            ("type", kept(phone, "type")),
            ("country", trimmed(phone, "country")),
            ("numberLocal", trimmed(phone, "numberLocal")),
            ("numberInternational", trimmed(phone, "numberInternational")),
        ])
    });
    let addresses = by_key("addresses", |address| {
        let [code, other] = country_fields(address, "country", true);
        object(&[
            ("addressId", kept(address, "key")),
            ("line1", trimmed(address, "address1")),
            ("line2", trimmed(address, "address2")),
            ("city", trimmed(address, "suburb")),
            ("province", trimmed(address, "state")),
            ("zipCode", trimmed(address, "postcode")),
            code,
            other,
        ])
    });
    let phones: Vec<String> = phones.into_iter().map(|(_, text)| text).collect();
    let attributes = raw(of, "attributes").map_or("{}".to_owned(), sorted);

    let parts = [
        ("firstName", trimmed(of, "firstName")),
        ("lastName", trimmed(of, "lastName")),
        ("displayName", trimmed(of, "displayName")),
        ("emailAddress", trimmed(of, "emailAddress")),
        ("phones", Some(array(&phones))),
        ("attributes", Some(attributes)),
    ];
    let version = raw(of, "version").unwrap();
    let version = match version.starts_with('"') {
        true => string(of, "version").unwrap(),
        false => version.to_owned(),
    };
    let console = Console {
        version: version.parse().unwrap(),
        at,
        parts: parts
            .into_iter()
            .filter_map(|(name, text)| Some((name, text?)))
            .collect(),
        addresses,
    };
    (string(of, "customerId").unwrap(), Fact::Console(console))
}

fn publisher(of: &Object, at: i64) -> (String, Fact) {
    let [code, other] = country_fields(of, "country", true);
    let enrollment = object(&[
        ("organizationId", kept(of, "organizationId")),
        ("parentCustomerId", kept(of, "sourceParentCustomerId")),
        ("postalCode", trimmed(of, "postalCode")),
        code,
        other,
        ("customerCreationDate", time(of, "customerCreationDate")),
        ("startDate", time(of, "enrollmentStartDate")),
        ("endDate", time(of, "enrollmentEndDate")),
        ("optInStatus", kept(of, "enrollmentOptInStatus")),
        ("alertOptInStatus", strings(of, "alertOptInStatus")),
        ("targetingIndicator", kept(of, "targetingIndicator")),
    ]);
    let card = |of: &Object| {
        object(&[
            ("sourceAccountId", kept(of, "sourceAccountId")),
            ("sourceCustomerId", kept(of, "sourceCustomerId")),
            ("last4", kept(of, "last4")),
            ("iin", kept(of, "iin")),
            ("cardType", kept(of, "cardType")),
            ("status", kept(of, "status")),
            ("networkIdentifier", kept(of, "networkIdentifier")),
            ("openDate", time(of, "openDate")),
            ("closeDate", time(of, "closeDate")),
        ])
    };
    let account = |of: &Object| {
        let cards = objects(of, "cards")
            .map(|cards| array(&cards.iter().map(card).collect::<Vec<String>>()));
        object(&[
            ("sourceAccountId", kept(of, "sourceAccountId")),
            ("sourceCustomerIds", strings(of, "sourceCustomerIds")),
            (
                "primarySourceCustomerId",
                kept(of, "primarySourceCustomerId"),
            ),
            ("status", kept(of, "status")),
            ("type", kept(of, "type")),
            ("sourcePortfolioId", kept(of, "sourcePortfolioId")),
            ("accountOpenDate", time(of, "accountOpenDate")),
            ("accountCloseDate", time(of, "accountCloseDate")),
            ("cards", cards),
        ])
    };
    let accounts: Vec<String> = objects(of, "accounts")
        .unwrap()
        .iter()
        .map(account)
        .collect();
    let publisher = Publisher {
        at,
        enrollment,
        accounts: array(&accounts),
    };
    let customer = string(of, "sourceCustomerId").unwrap();
    (customer, Fact::Publisher(publisher))
}
