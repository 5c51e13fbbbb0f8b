//! The customers of all four sources as they are now, and the next record of each.

use std::collections::HashMap;

use super::actions::History;
use super::console::Contact;
use super::loyalty::Member;
use super::moment::{Micros, long_ago};
use super::people::{Person, customer_id};
use super::publisher::{self, Enrolment, MAX_BATCH, organisation, organisation_id};
use super::random::{Random, mix};
use super::source::Source;

/// The key and the value of a record.
pub(super) struct Draft {
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
}

/// Everyone about whom there was a record so far. Customers are created with their first record, so memory grows with
/// the number of customers seen, not with the possible number.
pub(super) struct World {
    seed: u64,
    customers: u32,
    // Only looked up by key, because the order of iteration would depend on the hasher.
    lives: HashMap<u32, Box<Life>>,
    /// The customers in `lives`, in the order of their first records.
    seen: Vec<u32>,
}

struct Life {
    person: Person,
    member: Option<Member>,
    history: History,
    contact: Option<Contact>,
    /// It is kept after an erasure, because keyfold would never show a lower version again (docs/contract.md, section
    /// 3).
    console_version: u64,
    enrolment: Option<Enrolment>,
}

impl World {
    /// `customers` is at least 1.
    pub(super) fn new(seed: u64, customers: u32) -> World {
        World {
            seed,
            customers: customers.max(1),
            lives: HashMap::new(),
            seen: Vec::new(),
        }
    }

    pub(super) fn id(&self, customer: u32) -> String {
        customer_id(self.seed, customer)
    }

    /// A random customer of the source: a few are very active, most hardly ever.
    pub(super) fn pick(&self, random: &mut Random, source: Source) -> u32 {
        let mut customer = random.skewed(self.customers);
        for _ in 0..16 {
            if takes_part(customer, source) {
                break;
            }
            customer = random.skewed(self.customers);
        }
        customer
    }

    /// A random customer about whom there was a record, all equally likely.
    pub(super) fn pick_seen(&self, random: &mut Random) -> u32 {
        match self.seen.get(random.index(self.seen.len())) {
            Some(&customer) => customer,
            None => random.skewed(self.customers),
        }
    }

    /// A customer other than this one; if there is only one, an id without any records.
    pub(super) fn other_than(&self, random: &mut Random, customer: u32) -> u32 {
        let other = random.skewed(self.customers);
        if other == customer {
            customer.wrapping_add(1)
        } else {
            other
        }
    }

    /// The customer's next record from the source, written at `now`.
    pub(super) fn record(
        &mut self,
        random: &mut Random,
        source: Source,
        customer: u32,
        now: Micros,
    ) -> Draft {
        if source == Source::PublisherCustomers {
            return self.batch(random, customer, now);
        }
        let id = self.id(customer);
        let life = self.life(random, customer);
        let person = life.person;
        let value = match source {
            Source::LoyaltyCustomers => life
                .member
                .get_or_insert_with(|| Member::join(random, &person, now))
                .next_event(random, &id, &person, now),
            Source::LoyaltyActions => life.history.next_event(random, &id, now),
            Source::ConsoleCustomers | Source::PublisherCustomers => {
                life.console_version += if random.chance(0.1) {
                    random.below(3) + 2
                } else {
                    1
                };
                let contact = match &mut life.contact {
                    Some(contact) => {
                        contact.change(random, &person);
                        contact
                    }
                    none => none.insert(Contact::enter(random, &person)),
                };
                contact.object(random, &id, &person, life.console_version)
            }
        };
        Draft {
            key: id.into_bytes(),
            value,
        }
    }

    /// A record written at `now` about something long past: an `updatedAt` of hours or days ago, or an older version.
    /// None if the customer has no such past; always none for the publisher, whose data have only the record's time.
    pub(super) fn late_record(
        &mut self,
        random: &mut Random,
        source: Source,
        customer: u32,
        now: Micros,
    ) -> Option<Draft> {
        let id = self.id(customer);
        let life = self.lives.get_mut(&customer)?;
        let person = life.person;
        let value = match source {
            Source::LoyaltyCustomers => {
                let member = life.member.as_ref()?;
                let at = long_ago(random, now, member.created)?;
                member.past_event(random, &id, &person, at)
            }
            Source::LoyaltyActions => {
                let at = long_ago(random, now, life.history.signed_up()?)?;
                life.history.past_event(random, &id, at)
            }
            Source::ConsoleCustomers => {
                let mut past = life.contact.clone()?;
                let back = 1 + random.below(3);
                let version = life.console_version.checked_sub(back)?;
                past.change(random, &person);
                past.object(random, &id, &person, version)
            }
            Source::PublisherCustomers => return None,
        };
        Some(Draft {
            key: id.into_bytes(),
            value,
        })
    }

    /// Erases a customer who has asked to be forgotten. Later, somebody new may appear with the same id.
    pub(super) fn erase(&mut self, random: &mut Random, customer: u32) {
        if let Some(life) = self.lives.get_mut(&customer) {
            **life = Life {
                console_version: life.console_version,
                ..Life::begin(random)
            };
        }
    }

    /// Removes a customer whom the console has deleted.
    pub(super) fn delete_contact(&mut self, customer: u32) {
        if let Some(life) = self.lives.get_mut(&customer) {
            life.contact = None;
        }
    }

    fn batch(&mut self, random: &mut Random, first: u32, now: Micros) -> Draft {
        let small = random.unit();
        let size = 1 + (small * small * small * MAX_BATCH as f64) as u64;
        let mut customers = vec![first];
        for _ in 1..size {
            let drawn = random.skewed(self.customers);
            // The nearest customer of the batch's organisation.
            let customer = (drawn - organisation(drawn)).saturating_add(organisation(first));
            if customer < self.customers && !customers.contains(&customer) {
                customers.push(customer);
            }
        }
        let elements = customers
            .into_iter()
            .map(|customer| {
                let id = self.id(customer);
                let life = self.life(random, customer);
                let enrolment = match &mut life.enrolment {
                    Some(enrolment) => {
                        enrolment.change(random, now);
                        enrolment
                    }
                    none => none.insert(Enrolment::enrol(random, now)),
                };
                enrolment.element(random, id, customer, &life.person, now)
            })
            .collect();
        Draft {
            key: organisation_id(first).into_bytes(),
            value: publisher::batch(elements),
        }
    }

    fn life(&mut self, random: &mut Random, customer: u32) -> &mut Life {
        let seen = &mut self.seen;
        self.lives.entry(customer).or_insert_with(|| {
            seen.push(customer);
            Box::new(Life::begin(random))
        })
    }
}

impl Life {
    fn begin(random: &mut Random) -> Life {
        Life {
            person: Person::draw(random),
            member: None,
            history: History::default(),
            contact: None,
            console_version: 0,
            enrolment: None,
        }
    }
}

/// Whether the customer is known to the source: nearly everyone is in the loyalty programme, some are in the console,
/// fewer with the publisher.
fn takes_part(customer: u32, source: Source) -> bool {
    let percent = mix(u64::from(customer) << 3 | source.index() as u64) % 100;
    percent
        < match source {
            Source::LoyaltyCustomers => 95,
            Source::LoyaltyActions => 85,
            Source::ConsoleCustomers => 60,
            Source::PublisherCustomers => 40,
        }
}
