//! The loyalty programme's customers: profiles that change, and the events that report the changes.

use serde::Serialize;

use super::moment::{DAY, Micros, Style, YEAR, date, happened, happened_after};
use super::people::{Home, Person};
use super::random::Random;
use super::wire::{Event, country_code, event_version, json, typed};

/// A customer of the loyalty programme, as the programme knows them now.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) created: Micros,
    pub(super) updated: Micros,
    /// Whether the first event was not sent yet.
    unannounced: bool,
    deleted: bool,
    marketing: Option<bool>,
    sms: Option<bool>,
    addresses: Vec<Address>,
    dependents: Vec<Dependent>,
}

/// The ids of addresses and dependents come from a few slots, so that a customer's state stays bounded however long the
/// stream is.
#[derive(Clone, Copy)]
struct Address {
    slot: u8,
    home: Home,
    created: Micros,
    updated: Micros,
}

#[derive(Clone, Copy)]
struct Dependent {
    slot: u8,
    kind: &'static str,
    born: Micros,
    created: Micros,
    updated: Micros,
}

const ADDRESS_SLOTS: u8 = 12;
const DEPENDENT_SLOTS: u8 = 8;
const KINDS: [&str; 7] = [
    "child",
    "cat",
    "dog",
    "child",
    "parrot",
    "guinea pig",
    "Großmutter",
];

impl Member {
    /// Most members are older than the stream: the first event about them is then an update.
    pub(super) fn join(random: &mut Random, person: &Person, now: Micros) -> Member {
        let at = happened(random, now);
        let new = random.chance(0.4);
        let created = if new {
            at
        } else {
            at - random.between(DAY, 3 * YEAR)
        };
        let mut member = Member {
            created,
            updated: created,
            unannounced: new,
            deleted: false,
            marketing: random.chance(0.8).then(|| random.chance(0.5)),
            sms: random.chance(0.7).then(|| random.chance(0.3)),
            addresses: vec![Address {
                slot: 0,
                home: person.home,
                created,
                updated: created,
            }],
            dependents: Vec::new(),
        };
        for _ in 0..random.below(3) {
            member.add_dependent(random, created);
        }
        member
    }

    /// Makes one to three changes at the instant; mostly only one.
    pub(super) fn change(&mut self, random: &mut Random, at: Micros) {
        for _ in 0..=random.below(10).saturating_sub(7) {
            self.change_one(random, at);
        }
    }

    fn change_one(&mut self, random: &mut Random, at: Micros) {
        match random.below(100) {
            0..30 => {
                let index = random.index(self.addresses.len());
                if let Some(address) = self.addresses.get_mut(index) {
                    address.home = address.home.near(random);
                    address.updated = at;
                }
            }
            30..45 => self.add_address(random, at),
            45..57 => {
                // A loyalty event always carries the list, but the list may be empty.
                if self.addresses.len() > 1 || random.chance(0.1) {
                    remove_one(&mut self.addresses, random);
                }
            }
            57..65 => self.add_dependent(random, at),
            65..70 => remove_one(&mut self.dependents, random),
            70..74 => {
                let index = random.index(self.dependents.len());
                if let Some(dependent) = self.dependents.get_mut(index) {
                    dependent.kind = random.pick(&KINDS);
                    dependent.updated = at;
                }
            }
            74..86 => self.marketing = Some(random.chance(0.5)),
            86..96 => self.sms = Some(random.chance(0.5)),
            _ => self.deleted = !self.deleted && random.chance(0.4),
        }
    }

    fn add_address(&mut self, random: &mut Random, at: Micros) {
        let slot = random.below(u64::from(ADDRESS_SLOTS)) as u8;
        let near = self.addresses.first().map(|address| address.home);
        if let Some(near) = near
            && self.addresses.len() < 5
            && self.addresses.iter().all(|address| address.slot != slot)
        {
            self.addresses.push(Address {
                slot,
                home: near.near(random),
                created: at,
                updated: at,
            });
        }
    }

    fn add_dependent(&mut self, random: &mut Random, at: Micros) {
        let slot = random.below(u64::from(DEPENDENT_SLOTS)) as u8;
        if self.dependents.len() < 4 && self.dependents.iter().all(|each| each.slot != slot) {
            self.dependents.push(Dependent {
                slot,
                kind: random.pick(&KINDS),
                born: Person::dependent_born(random, at),
                created: at,
                updated: at,
            });
        }
    }

    /// Gives a member a new address after the last one was removed.
    fn add_new_address(&mut self, random: &mut Random, person: &Person, at: Micros) {
        if self.addresses.is_empty() && random.chance(0.8) {
            self.addresses.push(Address {
                slot: 0,
                home: person.home.near(random),
                created: at,
                updated: at,
            });
        }
    }

    /// The next event about this member, recorded now.
    pub(super) fn next_event(
        &mut self,
        random: &mut Random,
        id: &str,
        person: &Person,
        now: Micros,
    ) -> Vec<u8> {
        if self.unannounced {
            self.unannounced = false;
            return self.event(random, id, person, "CREATED", self.created);
        }
        let at = happened_after(random, now, self.updated);
        self.updated = at;
        self.add_new_address(random, person, at);
        self.change(random, at);
        self.event(random, id, person, "UPDATED", at)
    }

    /// An event that reports how the member was at an instant in the past. The member itself does not change.
    pub(super) fn past_event(
        &self,
        random: &mut Random,
        id: &str,
        person: &Person,
        at: Micros,
    ) -> Vec<u8> {
        let mut past = self.clone();
        past.change(random, at);
        past.event(random, id, person, "UPDATED", at)
    }

    fn event(
        &self,
        random: &mut Random,
        id: &str,
        person: &Person,
        action: &'static str,
        at: Micros,
    ) -> Vec<u8> {
        let style = Style::draw(random);
        let full = action == "CREATED";
        let event = Event {
            event_type: "CUSTOMER",
            event_action: action,
            version: event_version(random),
            body: Body {
                customer_id: id,
                date_of_birth: (full || random.chance(0.6)).then(|| date(person.born)),
                status: (full || random.chance(0.8)).then_some(if self.deleted {
                    "DELETED"
                } else {
                    "ACTIVE"
                }),
                marketing_opt_in: self.marketing.filter(|_| full || random.chance(0.7)),
                sms_opt_in: self.sms.filter(|_| full || random.chance(0.7)),
                dependents: (full || random.chance(0.5)).then(|| {
                    let wire = |each: &Dependent| {
                        each.wire(
                            id,
                            Times::draw(random, style, each.created, each.updated, at),
                        )
                    };
                    self.dependents.iter().map(wire).collect()
                }),
                addresses: self
                    .addresses
                    .iter()
                    .map(|each| {
                        let times = Times::draw(random, style, each.created, each.updated, at);
                        each.wire(random, id, times)
                    })
                    .collect(),
                created_at: style.write(self.created),
                updated_at: style.write(at),
            },
        };
        json(&event)
    }
}

impl Address {
    fn wire(self, random: &mut Random, id: &str, times: Times) -> WireAddress {
        let place = self.home.place();
        WireAddress {
            address_id: format!("{id}-a{}", self.slot),
            line1: typed(random, self.home.line1()),
            line2: self.home.line2(),
            city: typed(random, place.city),
            province: place.province,
            zip_code: self.home.zip_code(),
            country_code: country_code(random, place.country.0),
            created_at: times.created,
            updated_at: times.updated,
        }
    }
}

impl Dependent {
    fn wire(self, id: &str, times: Times) -> WireDependent {
        WireDependent {
            dependent_id: format!("{id}-d{}", self.slot),
            date_of_birth: date(self.born),
            kind: self.kind,
            created_at: times.created,
            updated_at: times.updated,
        }
    }
}

fn remove_one<T>(list: &mut Vec<T>, random: &mut Random) {
    if !list.is_empty() {
        list.remove(random.index(list.len()));
    }
}

/// An element's own instants, each of which may be missing; then that of the event applies.
struct Times {
    created: Option<String>,
    updated: Option<String>,
}

impl Times {
    /// No time in an event is later than the event itself, so that an event about the past stays plausible.
    fn draw(
        random: &mut Random,
        style: Style,
        created: Micros,
        updated: Micros,
        event: Micros,
    ) -> Times {
        let (with_created, with_updated) = match random.below(100) {
            0..60 => (true, true),
            60..75 => (false, true),
            75..80 => (true, false),
            _ => (false, false),
        };
        Times {
            created: with_created.then(|| style.write(created.min(event))),
            updated: with_updated.then(|| style.write(updated.min(event))),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    customer_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    date_of_birth: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    marketing_opt_in: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sms_opt_in: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dependents: Option<Vec<WireDependent>>,
    addresses: Vec<WireAddress>,
    created_at: String,
    updated_at: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireDependent {
    dependent_id: String,
    date_of_birth: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireAddress {
    address_id: String,
    line1: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    line2: Option<String>,
    city: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    province: Option<&'static str>,
    zip_code: String,
    country_code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<String>,
}
