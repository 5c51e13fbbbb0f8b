//! Gathers what speaks of one customer: records, forwarded ones, and dead letters.

use std::collections::HashSet;

use super::letter::{LetterRef, PlaceKey};
use crate::cli::about::About;
use crate::cli::record_judge::RecordJudge;
use crate::config::Config;
use crate::customer::bounded::Limits;
use crate::engine::received::Received;
use crate::exit::Failure;
use crate::inspect::explain::{Explainer, RecordRef, Said};
use crate::inspect::letter::Letter;
use crate::model::record::{Code, Location, Rejection};

/// How many places of records that are not known are named.
const MAX_PLACES: usize = 8;

/// Records that may speak of the customer, and could not be read because the schema registry is away.
#[derive(Debug, Default)]
pub struct NotKnown {
    pub records: u64,
    /// The first of them.
    pub places: Vec<PlaceKey>,
    /// Why the registry gave no answer.
    pub reason: String,
}

pub struct Gathering<'c> {
    config: &'c Config,
    about: About<'c>,
    pub explainer: Explainer,
    /// Where records of the customer were read first.
    places: HashSet<PlaceKey>,
    /// Those that speak of the customer, and those that lack the record's value.
    letters: Vec<LetterRef>,
    /// The records that made the state too large when they were read.
    too_large: HashSet<PlaceKey>,
    pub not_known: NotKnown,
}

impl<'c> Gathering<'c> {
    pub fn new(
        config: &'c Config,
        id: &'c str,
        judge: RecordJudge<'c>,
        keeps_values: bool,
    ) -> Gathering<'c> {
        Gathering {
            config,
            about: About::new(config, id, judge),
            explainer: Explainer::new(id, Limits::of(config), keeps_values),
            places: HashSet::new(),
            letters: Vec::new(),
            too_large: HashSet::new(),
            not_known: NotKnown::default(),
        }
    }

    /// Takes a record of an input, or a forwarded one, which counts only if it was not read where it was first: those come last.
    pub fn record(&mut self, received: &Received<'_>) -> Result<(), Failure> {
        let place = place_of(received);
        if received.forwarded.is_some() && self.places.contains(&place) {
            return Ok(());
        }
        let found = match self.about.look(received) {
            Err(Failure::RegistryAway(reason)) => {
                self.not_known.add(place, reason);
                return Ok(());
            }
            looked => looked?,
        };
        if !found.is_empty() {
            self.places.insert(place.clone());
        }
        let is_too_large = self.too_large.contains(&place);
        let (topic, partition, offset) = place;
        for (pointer, said) in found {
            let record = RecordRef {
                location: Location {
                    topic: topic.clone(),
                    partition,
                    offset,
                },
                pointer,
                source: received.raw.source,
                timestamp: received.raw.timestamp,
                is_pending: false,
            };
            let said = match said {
                Said::Data(_) if is_too_large => Said::Rejected(Rejection::state_too_large()),
                said => said,
            };
            self.explainer.add(record, said);
        }
        Ok(())
    }

    /// Takes a letter of the dead-letter topic. Letters come before records, because one may say that the record made the
    /// state too large.
    pub fn letter(&mut self, topic: &str, letter: &Letter<'_>) {
        if letter.application != self.config.application_id {
            return;
        }
        let mention = &self.about.mention;
        let is_in = letter.value.is_some_and(|value| mention.is_in(value));
        let speaks = is_in || mention.is_key(letter.key);
        if !speaks && letter.value.is_some() {
            return;
        }
        let letter_ref = LetterRef::of(topic, letter, speaks);
        if speaks && letter.code == Code::StateTooLarge.name() {
            self.too_large.insert(letter_ref.record.clone());
        }
        self.letters.push(letter_ref);
    }

    /// The dead letters of the customer.
    pub fn letters(&self) -> Vec<&LetterRef> {
        let own = |letter: &&LetterRef| letter.speaks || self.places.contains(&letter.record);
        self.letters.iter().filter(own).collect()
    }
}

impl NotKnown {
    fn add(&mut self, place: PlaceKey, reason: String) {
        self.records += 1;
        self.reason = reason;
        if self.places.len() < MAX_PLACES {
            self.places.push(place);
        }
    }

    /// After all else is shown.
    ///
    /// # Errors
    /// If there are any: a service has failed.
    pub fn check(&self) -> Result<(), Failure> {
        match self.records {
            0 => Ok(()),
            count => Err(Failure::RegistryAway(format!(
                "{count} records that may speak of this customer are not known, because the schema registry is away; all else is shown. {}",
                self.reason
            ))),
        }
    }
}

fn place_of(received: &Received<'_>) -> PlaceKey {
    let Received {
        topic,
        partition,
        offset,
        ..
    } = *received;
    (topic.to_owned(), partition, offset)
}
