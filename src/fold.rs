//! The fold of records without Kafka. It gives the same snapshots that keyfold publishes for the same records.

pub mod examples;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::{Config, Deleted, Lists};
use crate::customer::Keep;
use crate::customer::bounded::{Bounded, Limits};
use crate::customer::contribution::Contribution;
use crate::customer::snapshot::{self, Priority, View};
use crate::model::record::{RawRecord, Rejection};
use crate::source::framing::Payload;
use crate::source::{self, Headers, Verdict};

impl View {
    pub fn of(config: &Config) -> View {
        View {
            union: config.merge.lists == Lists::Union,
            recent_actions: config.snapshot.recent_actions,
            deleted_is_null: config.snapshot.deleted == Deleted::Tombstone,
            priority: Arc::new(Priority::new(config.merge.priority.fields().clone())),
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

/// Folds records one after the other. All customers are kept in memory.
pub struct OfflineFold<'c> {
    config: &'c Config,
    limits: Limits,
    customers: BTreeMap<String, Bounded>,
    /// Whether the last record was an erasure after which the snapshot still shows data of the erased sources.
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

    /// Judges a record with a JSON value, and folds what is valid. Returns the rejections. A publisher batch may have
    /// several, because each valid element is folded separately.
    pub fn record(&mut self, record: &RawRecord<'_>) -> Vec<Rejection> {
        let judged = source::judge(record, self.config);
        self.fold(judged.verdict)
    }

    /// Like [`OfflineFold::record`], for a record whose value was already taken out of its frame, and with its headers,
    /// which declared sources may need.
    pub fn opened(
        &mut self,
        record: &RawRecord<'_>,
        opened: &Payload<'_>,
        headers: Headers<'_>,
    ) -> Vec<Rejection> {
        let judged = source::judge_payload(record, opened, headers, self.config);
        self.fold(judged.verdict)
    }

    /// Whether the last record was an erasure after which the snapshot still shows data of the erased sources, because
    /// that data has a later time than the erasure.
    pub fn outlived(&self) -> bool {
        self.outlived
    }

    fn fold(&mut self, verdict: Verdict<'_>) -> Vec<Rejection> {
        self.outlived = false;
        match verdict {
            Verdict::Valid(contribution) => self.join(contribution).into_iter().collect(),
            Verdict::Nothing => Vec::new(),
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
            Some(known) => {
                let joined = known.join(&customer, data, &self.limits);
                self.outlived = erasure.is_some_and(|erasure| known.customer().outlives(erasure));
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

    /// Each customer that had a valid record, sorted by id (bytes), with its snapshot; none if nothing is left to show.
    pub fn snapshots(&self) -> impl Iterator<Item = (&str, Option<Vec<u8>>)> {
        let view = View::of(self.config);
        self.customers.iter().map(move |(id, known)| {
            let mut text = Vec::new();
            let shown = snapshot::write(known.customer(), id, &view, &mut text);
            (id.as_str(), shown.then_some(text))
        })
    }
}
