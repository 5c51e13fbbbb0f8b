//! A second, naive implementation of the definition: from the whole set of
//! records to the snapshot of each customer (docs/contract.md, sections 2 to 4).
//!
//! It shares no code with keyfold and has no state that grows: it keeps every
//! datum in a list, leaves out what an erasure forgets, sorts, and takes the
//! last. It assumes that records are valid, but for two things that depend on
//! the settings and that it passes over: a null value on a source whose
//! tombstone is `reject`, and a loyalty event with an unrecognised country
//! where that is rejected.

mod read;
mod text;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use read::{Action, Element, Fact, LoyaltyEvent, Stamp};
use text::{array, format_instant, object, quote};

/// The four sources (docs/contract.md, section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Src {
    LoyaltyCustomers,
    LoyaltyActions,
    ConsoleCustomers,
    PublisherCustomers,
}

impl Src {
    /// All sources, in the order of `Settings::tombstone`.
    pub const ALL: [Src; 4] = [
        Src::LoyaltyCustomers,
        Src::LoyaltyActions,
        Src::ConsoleCustomers,
        Src::PublisherCustomers,
    ];
}

/// What a record with a null value does to its customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tomb {
    Erase,
    Retract,
    Reject,
}

/// One input record.
#[derive(Clone)]
pub struct Input {
    pub source: Src,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    /// Kafka's timestamp, in milliseconds since 1970.
    pub timestamp: Option<i64>,
}

/// Readable where a property fails: key and value as text.
impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input")
            .field("source", &self.source)
            .field("key", &self.key.as_deref().map(Raw))
            .field("value", &self.value.as_deref().map(Raw))
            .field("timestamp", &self.timestamp)
            .finish()
    }
}

/// Text that is shown as it is, so that it can be pasted into a test.
struct Raw<'a>(&'a [u8]);

impl fmt::Debug for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r#\"{}\"#", String::from_utf8_lossy(self.0))
    }
}

/// The settings that a snapshot depends on.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `merge.lists = "union"` instead of `"replace"`.
    pub union: bool,
    /// `merge.max_actions`.
    pub max_actions: usize,
    /// `merge.max_hidden`.
    pub max_hidden: usize,
    /// `snapshot.recent_actions`.
    pub recent_actions: usize,
    /// `snapshot.deleted = "tombstone"` instead of `"keep"`.
    pub deleted_tombstone: bool,
    /// `sources.<name>.tombstone`, in the order of [`Src::ALL`].
    pub tombstone: [Tomb; 4],
    /// An unrecognised country of a loyalty address is let through.
    pub country_warn: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            union: false,
            max_actions: 100,
            max_hidden: 100,
            recent_actions: 20,
            deleted_tombstone: false,
            tombstone: [Tomb::Erase, Tomb::Reject, Tomb::Retract, Tomb::Reject],
            country_warn: false,
        }
    }
}

/// The snapshot of each customer that a valid record speaks of: its JSON text,
/// or `None` for a null value.
pub fn fold(records: &[Input], settings: &Settings) -> BTreeMap<String, Option<String>> {
    let facts: Vec<(String, Fact)> = records
        .iter()
        .flat_map(|record| read::facts(record, settings))
        .collect();
    let customers: BTreeSet<&String> = facts.iter().map(|(customer, _)| customer).collect();
    customers
        .into_iter()
        .map(|customer| {
            let own: Vec<&Fact> = facts
                .iter()
                .filter(|(of, _)| of == customer)
                .map(|(_, fact)| fact)
                .collect();
            (customer.clone(), snapshot(customer, &own, settings))
        })
        .collect()
}

/// The end of what is forgotten, for each source, in microseconds.
struct Erasures(Vec<(Src, bool, i64)>);

impl Erasures {
    /// Whether a datum of that source and time is not forgotten.
    fn spare(&self, source: Src, at: i64) -> bool {
        self.0
            .iter()
            .filter(|(by, everything, _)| *everything || *by == source)
            .all(|(_, _, end)| at > *end)
    }
}

fn snapshot(customer: &str, facts: &[&Fact], settings: &Settings) -> Option<String> {
    let mut erasures = Erasures(Vec::new());
    let mut events: Vec<&LoyaltyEvent> = Vec::new();
    let mut actions: Vec<&Action> = Vec::new();
    let mut consoles = Vec::new();
    let mut publishers = Vec::new();
    for fact in facts {
        match fact {
            Fact::Tombstone { by, erase, at } => erasures.0.push((*by, *erase, *at)),
            Fact::Loyalty(event) => events.push(event),
            Fact::Action(action) => actions.push(action),
            Fact::Console(console) => consoles.push(console),
            Fact::Publisher(publisher) => publishers.push(publisher),
        }
    }

    // Loyalty customer. The elements of a forgotten event still count where
    // their own time is later, so the lists get all events.
    let addresses = shown(&events, |e| &e.addresses, &erasures, settings);
    let dependents = shown(&events, |e| &e.dependents, &erasures, settings);
    events.retain(|e| erasures.spare(Src::LoyaltyCustomers, e.stamp.at));
    let scalar = |name: &str| {
        let mut data: Vec<(Stamp, &String)> = events
            .iter()
            .filter_map(|e| Some((e.stamp, e.scalars.get(name)?)))
            .collect();
        data.sort();
        data.pop().map(|(_, text)| text.clone())
    };
    let loyalty_at = events.iter().map(|e| e.stamp.at).max();

    // Actions.
    let (kept, truncated) = kept_actions(&actions, &erasures, settings.max_actions);
    let actions_at = kept.iter().map(|a| a.stamp.at).max();

    // Console customer: first the winner, then whether it is still to be seen.
    consoles.sort_by_key(|c| (c.version, c.at, c.text()));
    let console = consoles
        .pop()
        .filter(|c| erasures.spare(Src::ConsoleCustomers, c.at));

    // Publisher customer.
    publishers.retain(|p| erasures.spare(Src::PublisherCustomers, p.at));
    publishers.sort_by_key(|p| (p.at, p.text()));
    let publisher = publishers.pop();

    let newest = [
        loyalty_at,
        actions_at,
        console.map(|c| c.at),
        publisher.map(|p| p.at),
    ]
    .into_iter()
    .flatten()
    .max()?;

    let status = scalar("status");
    if settings.deleted_tombstone && status.as_deref() == Some("\"DELETED\"") {
        return None;
    }

    let part = |name: &str| console.and_then(|c| c.parts.get(name).cloned());
    let mut all_addresses: Vec<String> = Vec::new();
    for (_, address) in console.map(|c| c.addresses.clone()).unwrap_or_default() {
        all_addresses.push(with_source("console", &address));
    }
    for address in addresses {
        all_addresses.push(with_source("loyalty", &address));
    }
    let time = |at: i64| quote(&format_instant(at));
    let updated = |at: i64| object(&[("updatedAt", Some(time(at)))]);
    let sources = object(&[
        (
            "loyalty",
            loyalty_at.map(|at| {
                object(&[
                    ("createdAt", scalar("createdAt")),
                    ("updatedAt", Some(time(at))),
                ])
            }),
        ),
        ("actions", actions_at.map(updated)),
        (
            "console",
            console.map(|c| {
                object(&[
                    ("version", Some(c.version.to_string())),
                    ("updatedAt", Some(time(c.at))),
                ])
            }),
        ),
        ("publisher", publisher.map(|p| updated(p.at))),
    ]);

    Some(object(&[
        ("schemaVersion", Some("1".to_owned())),
        ("customerId", Some(quote(customer))),
        ("status", status),
        ("firstName", part("firstName")),
        ("lastName", part("lastName")),
        ("displayName", part("displayName")),
        ("emailAddress", part("emailAddress")),
        ("dateOfBirth", scalar("dateOfBirth")),
        ("marketingOptIn", scalar("marketingOptIn")),
        ("smsOptIn", scalar("smsOptIn")),
        ("phones", part("phones").or(Some("[]".to_owned()))),
        ("addresses", Some(array(&all_addresses))),
        ("dependents", Some(array(&dependents))),
        ("attributes", part("attributes").or(Some("{}".to_owned()))),
        (
            "actions",
            (!kept.is_empty()).then(|| actions_text(&kept, truncated, settings.recent_actions)),
        ),
        ("enrollment", publisher.map(|p| p.enrollment.clone())),
        (
            "accounts",
            Some(publisher.map_or("[]".to_owned(), |p| p.accounts.clone())),
        ),
        ("sources", Some(sources)),
        ("updatedAt", Some(time(newest))),
    ]))
}

/// An address gets its source as the first field.
fn with_source(source: &str, address: &str) -> String {
    format!("{{\"source\":\"{source}\",{}", &address[1..])
}

/// The elements of a loyalty list that the snapshot shows, ordered by id.
fn shown(
    events: &[&LoyaltyEvent],
    list: impl Fn(&LoyaltyEvent) -> &Option<Vec<Element>>,
    erasures: &Erasures,
    settings: &Settings,
) -> Vec<String> {
    let spare = |at| erasures.spare(Src::LoyaltyCustomers, at);

    // Which ids are listed: a datum of the event's time.
    let carriers: Vec<(Stamp, &Vec<Element>)> = events
        .iter()
        .filter(|event| spare(event.stamp.at))
        .filter_map(|event| Some((event.stamp, list(event).as_ref()?)))
        .collect();
    let newest = carriers.iter().map(|(stamp, _)| *stamp).max();
    let listed: BTreeSet<&String> = carriers
        .iter()
        .filter(|(stamp, _)| settings.union || Some(*stamp) == newest)
        .flat_map(|(_, elements)| elements.iter().map(|element| &element.id))
        .collect();

    let floor = (!settings.union)
        .then(|| floor(&carriers, settings.max_hidden))
        .flatten();
    // What each of them holds: a datum of the element's time, from any event.
    listed
        .into_iter()
        .filter_map(|id| {
            let mut contents: Vec<(Stamp, &String)> = events
                .iter()
                .filter_map(|event| Some((event.stamp, list(event).as_ref()?)))
                .flat_map(|(stamp, elements)| elements.iter().map(move |element| (stamp, element)))
                .filter(|(_, element)| element.id == *id && spare(element.stamp.at))
                .filter(|(stamp, _)| {
                    floor
                        .as_ref()
                        .is_none_or(|floor| (*stamp, (*id).clone()) >= *floor)
                })
                .map(|(_, element)| (element.stamp, &element.text))
                .collect();
            contents.sort();
            contents.pop().map(|(_, text)| text.clone())
        })
        .collect()
}

/// What was listed below it is let go: for each list, what more than `max_hidden` ids besides as many as it has itself
/// were listed after, and what is older than the list. The highest of those.
fn floor(carriers: &[(Stamp, &Vec<Element>)], max_hidden: usize) -> Option<(Stamp, String)> {
    let mut last: BTreeMap<&String, Stamp> = BTreeMap::new();
    for (stamp, elements) in carriers {
        for element in *elements {
            let held = last.entry(&element.id).or_insert(*stamp);
            *held = (*held).max(*stamp);
        }
    }
    let mut keys: Vec<(Stamp, &String)> = last.into_iter().map(|(id, at)| (at, id)).collect();
    keys.sort();
    keys.reverse();
    let floors = carriers.iter().filter_map(|(stamp, elements)| {
        let ids: BTreeSet<&String> = elements.iter().map(|element| &element.id).collect();
        let kept = max_hidden + ids.len();
        let below = (*stamp, String::new());
        let (at, id) = keys.get(kept)?;
        Some(below.min((*at, (*id).clone())))
    });
    floors.max()
}

/// The kept actions, newest first, and whether older ones were let go.
fn kept_actions<'a>(
    actions: &[&'a Action],
    erasures: &Erasures,
    max_actions: usize,
) -> (Vec<&'a Action>, bool) {
    let mut alive: Vec<&Action> = actions
        .iter()
        .copied()
        .filter(|action| erasures.spare(Src::LoyaltyActions, action.stamp.at))
        .collect();
    alive.sort_by_key(|action| (action.stamp, action.text.clone()));
    // The last one of an id is its greatest.
    let by_id: BTreeMap<&String, &Action> = alive.iter().map(|a| (&a.id, *a)).collect();
    let mut kept: Vec<&Action> = by_id.into_values().collect();
    kept.sort_by_key(|action| (action.stamp, action.id.clone()));
    kept.reverse();
    let truncated = kept.len() > max_actions;
    kept.truncate(max_actions);
    (kept, truncated)
}

/// The snapshot's `actions`, from the kept ones, newest first.
fn actions_text(kept: &[&Action], truncated: bool, recent_actions: usize) -> String {
    let recent: Vec<String> = kept
        .iter()
        .take(recent_actions)
        .map(|action| action.text.clone())
        .collect();

    let kinds: BTreeSet<&String> = kept.iter().map(|action| &action.kind).collect();
    let by_type: Vec<(&str, Option<String>)> = kinds
        .into_iter()
        .map(|kind| {
            let count = kept.iter().filter(|action| action.kind == *kind).count();
            (kind.as_str(), Some(count.to_string()))
        })
        .collect();

    let signed_up = kept
        .iter()
        .filter(|action| action.kind == "SIGN_UP")
        .map(|action| action.created)
        .min();

    let contracts: BTreeSet<&String> = kept
        .iter()
        .filter_map(|action| action.contract.as_ref())
        .collect();
    let subscriptions: Vec<String> = contracts
        .into_iter()
        .filter_map(|contract| {
            let newest = kept.iter().find(|action| {
                action.contract.as_ref() == Some(contract) && action.kind != "PROMOTION_APPLIED"
            })?;
            let status = if newest.kind == "SUBSCRIPTION_CANCELLED" {
                "\"CANCELLED\""
            } else {
                "\"ACTIVE\""
            };
            Some(object(&[
                ("subscriptionContractId", Some(quote(contract))),
                ("status", Some(status.to_owned())),
                ("since", Some(quote(&format_instant(newest.stamp.at)))),
            ]))
        })
        .collect();

    let mut touches: Vec<(i64, &String, &String)> = kept
        .iter()
        .filter_map(|action| Some((action.created, &action.id, action.utm.as_ref()?)))
        .filter(|(_, _, utm)| *utm != "{}")
        .collect();
    touches.sort();
    let touch = |touch: Option<&(i64, &String, &String)>| {
        touch.map(|(at, id, utm)| {
            object(&[
                ("interactionId", Some(quote(id))),
                ("at", Some(quote(&format_instant(*at)))),
                ("utmParameters", Some((*utm).clone())),
            ])
        })
    };

    object(&[
        ("recent", Some(array(&recent))),
        ("total", Some(kept.len().to_string())),
        ("truncated", Some(truncated.to_string())),
        ("byType", Some(object(&by_type))),
        ("signedUpAt", signed_up.map(|at| quote(&format_instant(at)))),
        ("subscriptions", Some(array(&subscriptions))),
        ("firstTouch", touch(touches.first())),
        ("lastTouch", touch(touches.last())),
    ])
}
