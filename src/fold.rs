//! The fold of records without Kafka: what the published snapshots must come to.

use std::collections::BTreeMap;

use crate::config::{Config, Deleted, Lists};
use crate::customer::Keep;
use crate::customer::bounded::{Bounded, Limits};
use crate::customer::contribution::Contribution;
use crate::customer::snapshot::{self, View};
use crate::model::record::{RawRecord, Rejection};
use crate::source::framing::Payload;
use crate::source::{self, Verdict};

impl View {
    pub fn of(config: &Config) -> View {
        View {
            union: config.merge.lists == Lists::Union,
            recent_actions: config.snapshot.recent_actions,
            deleted_is_null: config.snapshot.deleted == Deleted::Tombstone,
        }
    }
}

impl Keep {
    pub fn of(config: &Config) -> Keep {
        Keep {
            actions: config.merge.max_actions,
            hidden: match config.merge.lists {
                Lists::Replace => config.merge.max_hidden,
                Lists::Union => usize::MAX,
            },
        }
    }
}

impl Limits {
    pub fn of(config: &Config) -> Limits {
        Limits {
            keep: Keep::of(config),
            max_state_bytes: config.validation.max_state_bytes,
            view: View::of(config),
        }
    }
}

/// Folds records one after the other, all customers in memory.
pub struct OfflineFold<'c> {
    config: &'c Config,
    limits: Limits,
    customers: BTreeMap<String, Bounded>,
    /// The last record was an erasure that left data of its sources to show.
    outlived: bool,
}

impl<'c> OfflineFold<'c> {
    pub fn new(config: &'c Config) -> OfflineFold<'c> {
        OfflineFold {
            config,
            limits: Limits::of(config),
            customers: BTreeMap::new(),
            outlived: false,
        }
    }

    /// Judges a record of JSON and folds what is valid; the rejections that it leads to. A batch may lead to
    /// several, for each good element is folded by itself.
    pub fn record(&mut self, record: &RawRecord<'_>) -> Vec<Rejection> {
        let judged = source::judge(record, self.config);
        self.fold(judged.verdict)
    }

    /// [`OfflineFold::record`] for a record whose value was taken out of its frame.
    pub fn opened(&mut self, record: &RawRecord<'_>, opened: &Payload<'_>) -> Vec<Rejection> {
        let judged = source::judge_payload(record, opened, self.config);
        self.fold(judged.verdict)
    }

    /// Whether the last record was an erasure that left data of its sources to show, for they claim a later time.
    pub fn outlived(&self) -> bool {
        self.outlived
    }

    fn fold(&mut self, verdict: Verdict<'_>) -> Vec<Rejection> {
        self.outlived = false;
        match verdict {
            Verdict::Valid(contribution) => self.join(contribution).into_iter().collect(),
            Verdict::Rejected(rejection) => vec![rejection],
            Verdict::Batch {
                elements,
                rejection,
            } => {
                let mut rejections: Vec<_> = rejection.into_iter().collect();
                for element in elements {
                    rejections.extend(self.join(element.contribution));
                }
                rejections
            }
        }
    }

    fn join(&mut self, contribution: Contribution) -> Option<Rejection> {
        let Contribution { customer, data } = contribution;
        let erasure = data.as_erasure();
        match self.customers.get_mut(&customer) {
            Some(held) => {
                let joined = held.join(&customer, data, &self.limits);
                self.outlived = erasure.is_some_and(|erasure| held.customer().outlives(erasure));
                joined.err()
            }
            None => {
                let mut new = Bounded::default();
                let joined = new.join(&customer, data, &self.limits);
                if joined.is_ok() {
                    self.customers.insert(customer, new);
                }
                joined.err()
            }
        }
        .map(|_| Rejection::state_too_large())
    }

    /// Each customer that a valid record speaks of, sorted by id (bytes), with the snapshot; none where nothing
    /// is left to show.
    pub fn snapshots(&self) -> impl Iterator<Item = (&str, Option<Vec<u8>>)> {
        let view = View::of(self.config);
        self.customers.iter().map(move |(id, held)| {
            let mut text = Vec::new();
            let shown = snapshot::write(held.customer(), id, &view, &mut text);
            (id.as_str(), shown.then_some(text))
        })
    }
}
