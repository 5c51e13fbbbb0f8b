//! A second, naive implementation of the definition: from the whole set of
//! records to the snapshot of each customer (docs/contract.md, sections 2 to 4).
//!
//! It shares no code with keyfold and has no state that grows: it keeps every
//! datum in a list, leaves out what an erasure forgets, sorts, and takes the
//! last. It assumes that records are valid, but for two things that depend on
//! the settings and that it passes over: a null value on a source whose
//! tombstone is `reject`, and a loyalty event with an unrecognised country
//! where that is rejected.

mod actions;
mod lists;
mod read;
mod text;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use lists::{Carrier, Content};
use read::{Action, Console, Element, Fact, LoyaltyEvent, Publisher, Stamp};
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
#[derive(Default)]
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

/// What was said of one customer, by its kind.
#[derive(Default)]
struct Data<'a> {
    erasures: Erasures,
    events: Vec<&'a LoyaltyEvent>,
    actions: Vec<&'a Action>,
    consoles: Vec<&'a Console>,
    publishers: Vec<&'a Publisher>,
}

impl<'a> Data<'a> {
    fn of(facts: &[&'a Fact]) -> Data<'a> {
        let mut data = Data::default();
        for fact in facts {
            match fact {
                Fact::Tombstone { by, erase, at } => data.erasures.0.push((*by, *erase, *at)),
                Fact::Loyalty(event) => data.events.push(event),
                Fact::Action(action) => data.actions.push(action),
                Fact::Console(console) => data.consoles.push(console),
                Fact::Publisher(publisher) => data.publishers.push(publisher),
            }
        }
        data
    }

    /// The loyalty events that are not forgotten.
    fn events(&self) -> Vec<&'a LoyaltyEvent> {
        let alive = |e: &&LoyaltyEvent| self.erasures.spare(Src::LoyaltyCustomers, e.stamp.at);
        self.events.iter().copied().filter(alive).collect()
    }

    /// First the winner, then whether it is still to be seen.
    fn console(&self) -> Option<&'a Console> {
        let newest = self.consoles.iter().copied();
        newest
            .max_by_key(|c| (c.version, c.at, c.text()))
            .filter(|c| self.erasures.spare(Src::ConsoleCustomers, c.at))
    }

    fn publisher(&self) -> Option<&'a Publisher> {
        let alive = |p: &&Publisher| self.erasures.spare(Src::PublisherCustomers, p.at);
        let alive = self.publishers.iter().copied().filter(alive);
        alive.max_by_key(|p| (p.at, p.text()))
    }
}

/// The newest text of a scalar field.
fn scalar(events: &[&LoyaltyEvent], name: &str) -> Option<String> {
    let data = events
        .iter()
        .filter_map(|e| Some((e.stamp, e.scalars.get(name)?)));
    data.max().map(|(_, text)| text.clone())
}

fn snapshot(customer: &str, facts: &[&Fact], settings: &Settings) -> Option<String> {
    let data = Data::of(facts);
    // The elements of a forgotten event still count where their own time is later, so the lists get all events.
    let addresses = shown(&data.events, |e| &e.addresses, &data.erasures, settings);
    let dependents = shown(&data.events, |e| &e.dependents, &data.erasures, settings);
    let events = data.events();
    let (kept, truncated) = kept_actions(&data.actions, &data.erasures, settings.max_actions);
    let console = data.console();
    let publisher = data.publisher();
    let times = Times {
        loyalty: events.iter().map(|e| e.stamp.at).max(),
        actions: kept.iter().map(|a| a.stamp.at).max(),
        console: console.map(|c| c.at),
        publisher: publisher.map(|p| p.at),
    };
    let newest = times.newest()?;

    let scalar = |name: &str| scalar(&events, name);
    let status = scalar("status");
    if settings.deleted_tombstone && status.as_deref() == Some("\"DELETED\"") {
        return None;
    }

    let part = |name: &str| console.and_then(|c| c.parts.get(name).cloned());
    let of_console = console.iter().flat_map(|c| &c.addresses);
    let of_console = of_console.map(|(_, address)| with_source("console", address));
    let of_loyalty = addresses.iter().map(|one| with_source("loyalty", one));
    let all_addresses: Vec<String> = of_console.chain(of_loyalty).collect();
    let accounts = publisher.map_or("[]".to_owned(), |p| p.accounts.clone());
    let actions =
        (!kept.is_empty()).then(|| actions::text(&kept, truncated, settings.recent_actions));
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
        ("actions", actions),
        ("enrollment", publisher.map(|p| p.enrollment.clone())),
        ("accounts", Some(accounts)),
        ("sources", Some(times.sources(&events, console))),
        ("updatedAt", Some(time(newest))),
    ]))
}

/// The time of the newest datum of each source, in microseconds.
struct Times {
    loyalty: Option<i64>,
    actions: Option<i64>,
    console: Option<i64>,
    publisher: Option<i64>,
}

impl Times {
    fn newest(&self) -> Option<i64> {
        let all = [self.loyalty, self.actions, self.console, self.publisher];
        all.into_iter().flatten().max()
    }

    /// The snapshot's `sources`.
    fn sources(&self, events: &[&LoyaltyEvent], console: Option<&Console>) -> String {
        let updated = |at: i64| ("updatedAt", Some(time(at)));
        let loyalty = |at| object(&[("createdAt", scalar(events, "createdAt")), updated(at)]);
        let version = console.map(|c| c.version.to_string());
        object(&[
            ("loyalty", self.loyalty.map(loyalty)),
            ("actions", self.actions.map(|at| object(&[updated(at)]))),
            (
                "console",
                self.console
                    .map(|at| object(&[("version", version), updated(at)])),
            ),
            ("publisher", self.publisher.map(|at| object(&[updated(at)]))),
        ])
    }
}

fn time(at: i64) -> String {
    quote(&format_instant(at))
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
    // Which ids an event lists is a datum of its time, and what each of them holds one of the element's.
    let carriers = events.iter().filter_map(|event| {
        let elements = list(event).as_ref()?;
        let spared = elements.iter().filter(|element| spare(element.stamp.at));
        Some(Carrier {
            stamp: event.stamp,
            stands: spare(event.stamp.at),
            elements: spared.map(content).collect(),
            ids: elements.iter().map(|element| element.id.clone()).collect(),
        })
    });
    let carriers: Vec<Carrier<Stamp>> = carriers.collect();
    let standing = carriers.iter().filter(|carrier| carrier.stands);
    let newest = standing.clone().map(|carrier| carrier.stamp).max();
    let listed: BTreeSet<&String> = standing
        .filter(|carrier| settings.union || Some(carrier.stamp) == newest)
        .flat_map(|carrier| &carrier.ids)
        .collect();
    let max_hidden = (!settings.union).then_some(settings.max_hidden);
    let contents = lists::contents(&carriers, max_hidden).into_iter();
    let shown = contents.filter(|(id, _)| listed.contains(id));
    shown.map(|(_, content)| content.text).collect()
}

fn content(element: &Element) -> Content<Stamp> {
    Content {
        stamp: element.stamp,
        text: element.text.clone(),
        at: element.stamp.at,
        id: element.id.clone(),
    }
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
