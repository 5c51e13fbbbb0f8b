//! The timestamp of the null value that erases a customer: not before now, and not before any time that is known of the
//! customer, so that nothing of it comes back when records are read again, late, or from the dead letters.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::customer::contribution::{Data, Erasure};
use crate::customer::{Customer, Keep};
use crate::model::record::{Location, Source, usable_timestamp};
use crate::model::time::Instant;

/// Where something is known of the customer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Known {
    State,
    /// The records of an input, by its topic.
    Input(String),
    /// What is forwarded, and not in the inputs any more.
    Forwarded,
    DeadLetters,
}

/// What is known at one place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AtPlace {
    pub records: u64,
    /// The latest time that a datum claims, with the record that does; the state names none.
    pub latest: Option<(Instant, Option<Location>)>,
    /// Records whose times cannot be read.
    pub unreadable: u64,
    /// Rejected records that claim a time which the rule on times in the future does not let pass today.
    pub refused: u64,
}

/// What a record says about when its data are from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The latest time of its data; none if it has none, as a null value.
    Until(Option<Instant>),
    Unreadable,
}

/// A datum that claims a later time than the null value can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Later {
    pub at: Instant,
    pub known: Known,
    pub location: Option<Location>,
}

/// Why the timestamp is this one, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Because {
    /// Nothing is known of the customer.
    NothingKnown,
    /// An erasure is in place, as of this time, which covers all that can be covered.
    Covered(Instant, Option<Location>),
    /// It is now, and all that can be covered is older.
    Now,
    /// What a place claims is later than now.
    Claimed(Known, Option<Location>),
}

/// The timestamp of the null value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// In milliseconds since 1970; none: there is nothing to write.
    pub at: Option<i64>,
    pub because: Because,
    /// The latest of what stays, because the topic takes no timestamp that covers it.
    pub later: Option<Later>,
}

/// All that is known of a customer, as far as it matters for its erasure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Times {
    /// In milliseconds since 1970.
    now: i64,
    pub places: BTreeMap<Known, AtPlace>,
    /// The latest time that is not later than now.
    past: Option<Instant>,
    /// The latest erasure of all sources, with the null value; none where the state alone knows it.
    pub erased: Option<(Instant, Option<Location>)>,
}

impl Times {
    /// `now` is in milliseconds since 1970.
    pub fn new(now: i64) -> Times {
        Times {
            now,
            places: BTreeMap::new(),
            past: None,
            erased: None,
        }
    }

    /// Notes what is known of the customer at a place.
    pub fn note(&mut self, known: Known, claim: Claim, location: Option<&Location>) {
        let place = self.places.entry(known).or_default();
        place.records += 1;
        match claim {
            Claim::Unreadable => place.unreadable += 1,
            Claim::Until(None) => {}
            Claim::Until(Some(at)) => {
                let is_later = place.latest.as_ref().is_none_or(|(latest, _)| *latest < at);
                if is_later {
                    place.latest = Some((at, location.cloned()));
                }
                if at <= Instant::from_millis(self.now) {
                    self.past = self.past.max(Some(at));
                }
            }
        }
    }

    /// Notes a rejected record of a source. `limit` is the latest time that the rule on times in the future lets pass.
    pub fn note_rejected(
        &mut self,
        known: Known,
        claim: Claim,
        limit: Option<Instant>,
        location: Option<&Location>,
    ) {
        match (claim, limit) {
            (Claim::Until(Some(at)), Some(limit)) if at > limit => {
                let place = self.places.entry(known).or_default();
                place.records += 1;
                place.refused += 1;
            }
            _ => self.note(known, claim, location),
        }
    }

    /// Notes an erasure.
    pub fn note_erasure(&mut self, erasure: Erasure, location: Option<&Location>) {
        let is_later = self.erased.as_ref().is_none_or(|(at, _)| *at < erasure.at);
        if erasure.only.is_none() && is_later && !erasure.at.is_never() {
            self.erased = Some((erasure.at, location.cloned()));
        }
    }

    /// The latest time of all.
    fn latest(&self) -> Option<Later> {
        let latest = self.places.iter().filter_map(|(known, place)| {
            let (at, location) = place.latest.as_ref()?;
            Some((*at, known, location))
        });
        let (at, known, location) = latest.max_by_key(|(at, ..)| *at)?;
        Some(Later {
            at,
            known: known.clone(),
            location: location.clone(),
        })
    }

    /// Whether anything but null values is known.
    fn knows_something(&self) -> bool {
        let mut places = self.places.values();
        places.any(|place| place.latest.is_some() || place.unreadable > 0 || place.refused > 0)
    }

    /// Chooses the timestamp. The topic takes none that is later than now by more than `ahead` milliseconds.
    pub fn choose(&self, ahead: Option<i64>) -> Chosen {
        let chosen = |at, because, later| Chosen { at, because, later };
        let covered = |at: Option<Instant>| {
            let (erased, location) = self.erased.as_ref()?;
            let is_covered = at.is_none_or(|at| at <= *erased);
            is_covered.then(|| Because::Covered(*erased, location.clone()))
        };
        let Some(latest) = self.latest() else {
            return match (covered(None), self.knows_something()) {
                (Some(covered), _) => chosen(None, covered, None),
                (None, true) => chosen(Some(self.now), Because::Now, None),
                (None, false) => chosen(None, Because::NothingKnown, None),
            };
        };
        if let Some(covered) = covered(Some(latest.at)) {
            return chosen(None, covered, None);
        }
        let most = ahead.map_or(i64::MAX, |ahead| self.now.saturating_add(ahead));
        match covering(latest.at) {
            Some(at) if at <= self.now => chosen(Some(self.now), Because::Now, None),
            Some(at) if at <= most => {
                let claimed = Because::Claimed(latest.known, latest.location);
                chosen(Some(at), claimed, None)
            }
            _ => match covered(self.past) {
                Some(covered) => chosen(None, covered, Some(latest)),
                None => chosen(Some(self.now), Because::Now, Some(latest)),
            },
        }
    }
}

/// The first millisecond since 1970 that is not before an instant; none if no record can have it as its timestamp.
pub fn covering(at: Instant) -> Option<i64> {
    let micros = at.micros();
    let millis = micros.div_euclid(1000) + i64::from(micros.rem_euclid(1000) > 0);
    // Before 1970 any timestamp covers it.
    usable_timestamp(millis.max(0))
}

/// The latest time of data that are no erasure.
pub fn latest_of(data: &Data) -> Option<Instant> {
    let all = Keep {
        actions: usize::MAX,
        hidden: usize::MAX,
    };
    let mut alone = Customer::default();
    alone.join(data.clone(), all);
    alone.latest()
}

/// What a record claims that no rule lets pass: it may be mended and sent back.
pub fn claim_of_rejected(source: Source, timestamp: Option<i64>, value: Option<&[u8]>) -> Claim {
    let Some(value) = value else {
        return Claim::Until(None);
    };
    match source {
        // Their data are as old as the record.
        Source::ConsoleCustomers | Source::PublisherCustomers => {
            let at = timestamp.and_then(usable_timestamp);
            Claim::Until(at.map(Instant::from_millis))
        }
        Source::LoyaltyCustomers | Source::LoyaltyActions => {
            let Ok(value) = serde_json::from_slice::<Value>(value) else {
                return Claim::Unreadable;
            };
            match latest_updated_at(&value) {
                None => Claim::Unreadable,
                latest => Claim::Until(latest),
            }
        }
        Source::Declared(_) => Claim::Unreadable,
    }
}

/// The latest `updatedAt` anywhere in a value.
fn latest_updated_at(value: &Value) -> Option<Instant> {
    match value {
        Value::Array(all) => all.iter().filter_map(latest_updated_at).max(),
        Value::Object(members) => {
            let own = members.get("updatedAt").and_then(Value::as_str);
            let inner = members.values().filter_map(latest_updated_at);
            inner.chain(own.and_then(Instant::parse)).max()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    fn at(text: &str) -> Instant {
        Instant::parse(text).unwrap()
    }

    fn place() -> Location {
        Location {
            topic: "t".to_owned(),
            partition: 1,
            offset: 7,
        }
    }

    fn times(claims: &[&str]) -> Times {
        let mut times = Times::new(NOW);
        for claim in claims {
            let claim = Claim::Until(Some(at(claim)));
            times.note(Known::DeadLetters, claim, Some(&place()));
        }
        times
    }

    #[test]
    fn the_timestamp_is_not_before_any_time_that_is_known() {
        let of = |claims: &[&str]| {
            let chosen = times(claims).choose(None);
            (chosen.at, chosen.because, chosen.later.is_some())
        };
        assert_eq!(of(&[]), (None, Because::NothingKnown, false));
        let past = of(&["2024-01-01T00:00:00Z", "1950-01-01T00:00:00Z"]);
        assert_eq!(past, (Some(NOW), Because::Now, false));
        let claimed = Because::Claimed(Known::DeadLetters, Some(place()));
        // a microsecond after a millisecond is covered by the next one
        let future = of(&["2027-01-15T08:00:01.000001Z", "2024-01-01T00:00:00Z"]);
        assert_eq!(future, (Some(NOW + 1_001), claimed.clone(), false));
        let last = of(&["9999-12-31T23:59:59.999Z"]);
        assert_eq!(last, (Some(253_402_300_799_999), claimed, false));
        let beyond = of(&["9999-12-31T23:59:59.999001Z"]);
        assert_eq!(beyond, (Some(NOW), Because::Now, true));
    }

    #[test]
    fn what_the_topic_does_not_take_stays_and_is_told() {
        let mut times = times(&["2027-01-15T08:00:05Z", "2024-01-01T00:00:00Z"]);
        assert_eq!(times.choose(Some(5_000)).at, Some(NOW + 5_000));
        let partly = times.choose(Some(4_999));
        assert_eq!((partly.at, &partly.because), (Some(NOW), &Because::Now));
        assert_eq!(
            partly.later.map(|later| later.at),
            Some(at("2027-01-15T08:00:05Z"))
        );
        // and is not written again and again
        let erasure = Erasure {
            only: None,
            at: at("2025-01-01T00:00:00Z"),
        };
        times.note_erasure(erasure, None);
        let again = times.choose(Some(4_999));
        assert_eq!((again.at, again.later.is_some()), (None, true));
    }

    #[test]
    fn what_an_erasure_covers_is_not_erased_again() {
        let erasure = |text, only| Erasure { only, at: at(text) };
        let mut times = times(&["2024-01-01T00:00:00Z"]);
        let retraction = erasure("2025-01-01T00:00:00Z", Some(Source::ConsoleCustomers));
        times.note_erasure(retraction, None);
        assert_eq!(times.choose(None).at, Some(NOW));
        times.note_erasure(erasure("2024-01-01T00:00:00Z", None), Some(&place()));
        times.note_erasure(erasure("2023-01-01T00:00:00Z", None), None);
        let covered = Because::Covered(at("2024-01-01T00:00:00Z"), Some(place()));
        assert_eq!(times.choose(None).because, covered);
        let later = Claim::Until(Some(at("2024-01-01T00:00:00.000001Z")));
        times.note(Known::State, later, None);
        assert_eq!(times.choose(None).at, Some(NOW));
    }

    /// It does not come back by being sent again, and must not put the erasure off.
    #[test]
    fn a_rejected_claim_that_the_rule_does_not_let_pass_is_only_counted() {
        let mut times = times(&[]);
        let limit = Some(at("2027-01-16T00:00:00Z"));
        for claim in ["2099-01-01T00:00:00Z", "2027-01-15T09:00:00Z"] {
            let claim = Claim::Until(Some(at(claim)));
            times.note_rejected(Known::DeadLetters, claim, limit, None);
        }
        let place = &times.places[&Known::DeadLetters];
        assert_eq!((place.records, place.refused), (2, 1));
        assert_eq!(times.choose(None).at, Some(NOW + 3_600_000));
    }

    #[test]
    fn a_rejected_record_claims_what_it_would_say_when_it_is_mended() {
        let of = |source, value: &str| claim_of_rejected(source, Some(5), Some(value.as_bytes()));
        let event = r#"{"body":{"updatedAt":"2024-01-01T00:00:00Z","addresses":[{"updatedAt":"2031-01-01T00:00:00Z"}]}}"#;
        let latest = Claim::Until(Some(at("2031-01-01T00:00:00Z")));
        assert_eq!(of(Source::LoyaltyCustomers, event), latest);
        assert_eq!(of(Source::LoyaltyActions, "{"), Claim::Unreadable);
        assert_eq!(of(Source::LoyaltyActions, "{}"), Claim::Unreadable);
        let record = Claim::Until(Some(Instant::from_millis(5)));
        assert_eq!(of(Source::PublisherCustomers, "{"), record);
        let null = claim_of_rejected(Source::LoyaltyCustomers, Some(5), None);
        assert_eq!(null, Claim::Until(None));
    }
}
