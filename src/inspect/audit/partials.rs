//! The fold of the records, in parts: what was folded since the last part was put away. Parts of one customer are joined
//! later; that states can be, is what makes it right (`customer::merge`).

use std::collections::HashMap;

use bytes::Bytes;

use crate::customer::Customer;
use crate::customer::bounded::{Bounded, Limits};
use crate::customer::contribution::Contribution;

use super::evidence::{Evidence, InputAt};

/// What becomes of a valid record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// It is part of the fold.
    Yes,
    /// It is part of the fold, unless it is the element of its batch that was rejected for its size.
    Unordered,
    /// It has a dead letter, and was not processed.
    Otherwise,
    /// It is rejected today, and has no dead letter.
    Accepted,
    /// It is not known whether it was processed.
    Perhaps,
    /// It was rejected for its size, or that of the state.
    No,
}

/// A part of what the records say of a customer.
#[derive(Debug, Default)]
struct Part {
    fold: Option<Bounded>,
    otherwise: Option<Bounded>,
    accepted: Option<Bounded>,
    depends_on_order: bool,
    record: Option<InputAt>,
}

/// The same encoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EncodedPart {
    pub fold: Option<Bytes>,
    pub otherwise: Option<Bytes>,
    pub accepted: Option<Bytes>,
    pub depends_on_order: bool,
    pub record: Option<InputAt>,
}

impl EncodedPart {
    /// Both parts in one.
    #[must_use]
    pub fn joined(&self, other: &EncodedPart, limits: &Limits) -> EncodedPart {
        let mut evidence = Evidence::default();
        evidence.join(self, limits);
        evidence.join(other, limits);
        EncodedPart {
            fold: evidence.fold.as_ref().map(encoded),
            otherwise: evidence.otherwise.as_ref().map(encoded),
            accepted: evidence.accepted.as_ref().map(encoded),
            depends_on_order: evidence.depends_on_order,
            record: evidence.record,
        }
    }
}

fn encoded(customer: &Customer) -> Bytes {
    let mut bytes = Vec::new();
    customer.encode(&mut bytes);
    bytes.into()
}

/// Parts of many customers.
#[derive(Debug, Default)]
pub struct Partials {
    parts: HashMap<String, Part>,
    bytes: usize,
}

impl Partials {
    /// Joins what a record says.
    pub fn add(
        &mut self,
        contribution: Contribution,
        at: InputAt,
        counts: Counts,
        limits: &Limits,
    ) {
        // about what a part needs in memory besides its texts
        const PART: usize = 512;
        const DATUM: usize = 96;
        let Contribution { customer, data } = contribution;
        self.bytes += DATUM + data.texts.bytes();
        if !self.parts.contains_key(&customer) {
            self.bytes += PART + 2 * customer.len();
            self.parts.insert(customer.clone(), Part::default());
        }
        let Some(part) = self.parts.get_mut(&customer) else {
            return;
        };
        part.record = Some(at);
        let into = match counts {
            Counts::Yes => &mut part.fold,
            Counts::Unordered => {
                part.depends_on_order = true;
                &mut part.fold
            }
            Counts::Otherwise => &mut part.otherwise,
            Counts::Accepted => &mut part.accepted,
            Counts::Perhaps => {
                part.depends_on_order = true;
                &mut part.otherwise
            }
            Counts::No => return,
        };
        let joined = into.get_or_insert_default().join(&customer, data, limits);
        part.depends_on_order |= joined.is_err();
    }

    /// The order of the customer's records decides.
    pub fn depends_on_order(&mut self, id: &str) {
        self.parts
            .entry(id.to_owned())
            .or_default()
            .depends_on_order = true;
    }

    /// About how many bytes of memory the parts need.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Takes all parts out.
    pub fn drain(&mut self) -> impl Iterator<Item = (String, EncodedPart)> + use<> {
        self.bytes = 0;
        let parts = std::mem::take(&mut self.parts);
        parts.into_iter().map(|(id, part)| (id, part.encoded()))
    }
}

impl Part {
    fn encoded(self) -> EncodedPart {
        let encoded = |bounded: Bounded| encoded(bounded.customer());
        EncodedPart {
            fold: self.fold.map(encoded),
            otherwise: self.otherwise.map(encoded),
            accepted: self.accepted.map(encoded),
            depends_on_order: self.depends_on_order,
            record: self.record,
        }
    }
}

impl Evidence {
    /// Joins a part of the fold.
    pub fn join(&mut self, part: &EncodedPart, limits: &Limits) {
        self.depends_on_order |= part.depends_on_order;
        self.record = self.record.max(part.record);
        for (known, part) in [
            (&mut self.fold, &part.fold),
            (&mut self.otherwise, &part.otherwise),
            (&mut self.accepted, &part.accepted),
        ] {
            let Some(part) = part
                .as_ref()
                .and_then(|part| Customer::decode(&**part).ok())
            else {
                continue;
            };
            match known {
                None => *known = Some(part),
                Some(known) => {
                    known.merge(part, limits.keep);
                }
            }
        }
    }

    /// The state that the records lead to is larger than a state may be: which record was rejected for it, depends on
    /// the order.
    pub fn check_size(&mut self, limits: &Limits) {
        let mut bytes = Vec::new();
        if let Some(fold) = &self.fold {
            fold.encode(&mut bytes);
        }
        self.depends_on_order |= bytes.len() > limits.max_state_bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::super::evidence::At;
    use super::*;
    use crate::config::Config;
    use crate::model::record::{RawRecord, Source};
    use crate::source::{self, Verdict};

    fn contribution(id: &str, status: &str, minute: u32) -> Contribution {
        let value = format!(
            r#"{{"eventType":"CUSTOMER","eventAction":"UPDATED","version":1.0,"body":{{"customerId":"{id}","addresses":[],
            "status":"{status}","createdAt":"2024-01-01T00:00:00Z","updatedAt":"2024-01-01T00:{minute:02}:00Z"}}}}"#
        );
        let record = RawRecord {
            source: Source::LoyaltyCustomers,
            timestamp: Some(1_800_000_000_000),
            key: None,
            value: Some(value.as_bytes()),
        };
        match source::judge(&record, &Config::default()).verdict {
            Verdict::Valid(contribution) => contribution,
            other => panic!("{other:?}"),
        }
    }

    fn at(offset: i64) -> InputAt {
        let at = At {
            partition: 0,
            offset,
        };
        InputAt { input: 0, at }
    }

    #[test]
    fn parts_joined_are_the_fold_of_all() {
        let limits = Limits::of(&Config::default());
        let add = |partials: &mut Partials, offset, minute| {
            let contribution = contribution("c", "ACTIVE", minute);
            partials.add(contribution, at(offset), Counts::Yes, &limits);
        };
        let mut whole = Partials::default();
        let mut evidence = Evidence::default();
        for (offset, minute) in [(0, 3), (1, 1), (2, 2)] {
            add(&mut whole, offset, minute);
            let mut part = Partials::default();
            add(&mut part, offset, minute);
            for (_, part) in part.drain() {
                evidence.join(&part, &limits);
            }
        }
        assert!(whole.bytes() > 0);
        let mut of_whole = Evidence::default();
        for (_, part) in whole.drain() {
            of_whole.join(&part, &limits);
        }
        assert!(whole.is_empty() && whole.bytes() == 0);
        assert_eq!(evidence.fold, of_whole.fold);
        assert_eq!(evidence.record, Some(at(2)));
        evidence.check_size(&limits);
        assert!(!evidence.depends_on_order);
    }

    #[test]
    fn what_was_not_processed_is_kept_apart() {
        let limits = Limits::of(&Config::default());
        let mut partials = Partials::default();
        let add = |partials: &mut Partials, counts| {
            partials.add(contribution("c", "ACTIVE", 1), at(0), counts, &limits);
        };
        add(&mut partials, Counts::No);
        add(&mut partials, Counts::Otherwise);
        let (_, part) = partials.drain().next().unwrap();
        assert!(part.fold.is_none() && part.otherwise.is_some() && !part.depends_on_order);
        add(&mut partials, Counts::Perhaps);
        let (_, part) = partials.drain().next().unwrap();
        assert!(part.otherwise.is_some() && part.depends_on_order);
    }

    #[test]
    fn a_state_that_would_be_too_large_depends_on_the_order() {
        let mut limits = Limits::of(&Config::default());
        limits.max_state_bytes = 20;
        let mut partials = Partials::default();
        partials.add(contribution("c", "ACTIVE", 1), at(0), Counts::Yes, &limits);
        let (_, part) = partials.drain().next().unwrap();
        assert!(part.depends_on_order);
    }
}
