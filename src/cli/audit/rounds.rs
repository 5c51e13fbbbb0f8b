//! The rounds of an audit, as `crate::inspect::audit` explains them: all customers once, and those that moved again.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::collection::{Collection, MEMORY};
use super::entry::Datum;
use super::logs::{Committed, Followed, Logs};
use super::records::Records;
use super::report::Report;
use crate::config::{Config, Guarantee};
use crate::customer::bounded::Limits;
use crate::exit::Failure;
use crate::inspect::audit::conclusion::{Basis, conclude};
use crate::inspect::audit::evidence::{At, Evidence};
use crate::inspect::audit::finding::{Conclusion, NotProvable};
use crate::inspect::audit::partials::Partials;
use crate::inspect::audit::{Cut, Moving};
use crate::kafka::range_reader::RangeRecord;
use crate::model::partition;

/// A round in which fewer customers moved than this is good enough to look at all of them.
const FEW: usize = 1_000;
/// So is one that took no longer.
const QUICK: Duration = Duration::from_secs(3);
/// How many rounds are made for that.
const MAX_ROUNDS: u32 = 8;
/// For how long moving customers are looked at again, and how often at least.
const PATIENCE: Duration = Duration::from_secs(30);
const MIN_LOOKS: u32 = 5;
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(500);
/// How many moving customers are looked at again.
const MAX_CANDIDATES: usize = 50_000;

/// Customers that differed while they moved, by their ids.
type Candidates = HashMap<Vec<u8>, Evidence>;

pub struct Rounds<'r, 'c> {
    pub config: &'c Config,
    pub logs: &'r Logs<'c>,
    pub records: Records<'c>,
    pub report: &'r mut Report,
    limits: Limits,
    letters: Followed,
    states: Followed,
    snapshots: Followed,
    /// What was read up to these offsets is folded, or waits in `pending`.
    read: Committed,
    /// What was read behind the offsets of the round.
    pending: Partials,
    /// Reasons for which the inputs are not complete.
    pub cuts: Vec<Cut>,
    pub rounds: u32,
}

impl<'r, 'c> Rounds<'r, 'c> {
    pub fn new(
        config: &'c Config,
        logs: &'r Logs<'c>,
        records: Records<'c>,
        report: &'r mut Report,
        cuts: Vec<Cut>,
    ) -> Rounds<'r, 'c> {
        Rounds {
            config,
            logs,
            records,
            report,
            limits: Limits::of(config),
            letters: Followed::new(&config.dead_letters.topic),
            states: Followed::new(&config.state_topic()),
            snapshots: Followed::new(&config.snapshot.topic),
            read: Committed::default(),
            pending: Partials::default(),
            cuts,
            rounds: 0,
        }
    }

    /// Reads and judges everything. `first` are the committed offsets at the beginning.
    pub fn run(&mut self, mut collection: Collection, first: &Committed) -> Result<(), Failure> {
        let moving = self.collect(&mut collection, first)?;
        let mut basis = Basis::new(self.config, self.cuts.is_empty());
        basis.read_snapshot = super::snapshot::reader_of(self.config);
        let mut candidates = self.judge_all(collection, &moving, &basis)?;
        let began = Instant::now();
        let mut looks = 0;
        while !candidates.is_empty() && (looks < MIN_LOOKS || began.elapsed() < PATIENCE) {
            self.logs.wait(PAUSE)?;
            self.look_again(&mut candidates, &basis)?;
            basis.is_complete = self.cuts.is_empty();
            looks += 1;
        }
        for _ in candidates {
            let moving = Conclusion::NotProvable(NotProvable::Moving);
            self.report.customers.count(&moving);
        }
        Ok(())
    }

    /// Reads everything, and then, again and again, what has come since, until few customers have moved during a round.
    /// Returns who has.
    fn collect(
        &mut self,
        collection: &mut Collection,
        first: &Committed,
    ) -> Result<Moving, Failure> {
        self.read_letters()?;
        self.read_inputs_into(collection, first)?;
        loop {
            let began = Instant::now();
            self.rounds += 1;
            put_away(&mut self.pending, collection)?;
            let now = self.logs.committed()?;
            self.read_written(|id, datum, at, value| collection.record(id, datum, at, value))?;
            let next = self.logs.committed()?;
            let took = began.elapsed();
            let mut moving = self.logs.in_flight(&now)?;
            self.read_letters()?;
            self.read_inputs_into(collection, &now)?;
            moving.extend(self.read_moving(&next)?);
            let is_good = !moving.is_open() && (moving.len() <= FEW || took <= QUICK);
            if is_good || self.rounds >= MAX_ROUNDS {
                return Ok(moving);
            }
        }
    }

    /// Reads the inputs up to `to` into the collection.
    fn read_inputs_into(
        &mut self,
        collection: &mut Collection,
        to: &Committed,
    ) -> Result<(), Failure> {
        let (records, limits) = (&mut self.records, &self.limits);
        let mut partials = Partials::default();
        let lost = self.logs.inputs(&self.read, to, |record| {
            records.take(record, |contribution, at, counts| {
                partials.add(contribution, at, counts, limits);
                match partials.bytes() > MEMORY {
                    true => put_away(&mut partials, collection),
                    false => Ok(()),
                }
            })
        })?;
        put_away(&mut partials, collection)?;
        self.lost(lost);
        self.read.clone_from(to);
        Ok(())
    }

    /// Retention has taken records of partitions while they were read.
    fn lost(&mut self, places: Vec<(String, i32)>) {
        let cuts = places.into_iter();
        let cuts = cuts.map(|(topic, partition)| Cut::Meanwhile { topic, partition });
        self.cuts.extend(cuts);
    }

    /// Reads the inputs between the offsets that are read and `next`. Whoever has a record there moves; the records are
    /// pending.
    fn read_moving(&mut self, next: &Committed) -> Result<Moving, Failure> {
        let (records, limits, pending) = (&mut self.records, &self.limits, &mut self.pending);
        let mut moving = Moving::default();
        let lost = self.logs.inputs(&self.read, next, |record| {
            records.take(record, |contribution, at, counts| {
                moving.add(contribution.customer.as_bytes());
                pending.add(contribution, at, counts, limits);
                Ok(())
            })
        })?;
        if !lost.is_empty() {
            moving.open();
        }
        if self.config.processing.guarantee == Guarantee::AtLeastOnce {
            // two batches may be under way, whose snapshots are visible before their offsets are committed
            let most = self.config.processing.max_batch_records.saturating_mul(2);
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            self.logs.inputs_behind(next, most, |record| {
                records.customers(record, |id| moving.add(id))
            })?;
        }
        self.lost(lost);
        self.read.clone_from(next);
        Ok(moving)
    }

    fn read_letters(&mut self) -> Result<(), Failure> {
        let (records, read) = (&mut self.records, &self.read);
        let is_read = |topic: &str, partition: i32, offset: i64| {
            let read = read.get(&(topic.to_owned(), partition));
            read.is_some_and(|read| offset < *read)
        };
        self.logs
            .follow("reading dead letters", [&mut self.letters], |letter| {
                records.letter(letter, is_read)
            })?;
        let begins = self.letters.begins.iter();
        records.letters.topic.set_begins(begins.copied());
        Ok(())
    }

    /// Reads on in states and snapshots.
    fn read_written(
        &mut self,
        mut each: impl FnMut(&[u8], Datum, At, Option<&[u8]>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let states = self.states.topic.clone();
        let partitions =
            [&self.states, &self.snapshots].map(|one| self.logs.partitions(&one.topic));
        let [of_states, of_snapshots] = partitions;
        let (of_states, of_snapshots) = (of_states?, of_snapshots?);
        let both = [&mut self.states, &mut self.snapshots];
        self.logs
            .follow("reading states and snapshots", both, |record| {
                let id = record.key().unwrap_or_default();
                let number = record.partition;
                let is_home = |partitions| partition::of_key(id, partitions) == number;
                let datum = match record.topic == states {
                    true if is_home(of_states) => Datum::State,
                    true => Datum::StrayState(number),
                    false if is_home(of_snapshots) => Datum::Snapshot,
                    false => Datum::StraySnapshot(number),
                };
                each(id, datum, at_of(record), record.value())
            })
    }

    /// Judges all customers. Returns those that differ and move.
    fn judge_all(
        &mut self,
        collection: Collection,
        moving: &Moving,
        basis: &Basis,
    ) -> Result<Candidates, Failure> {
        let (mut candidates, mut unread) = (Candidates::new(), Candidates::new());
        let (late, limits) = (&self.records.late, &self.limits);
        let unknown_late = self.records.has_unknown_late;
        let (report, logs) = (&mut *self.report, self.logs);
        let mut judged = 0_u32;
        collection.scan(|id, mut evidence| {
            judged = judged.wrapping_add(1);
            if judged.is_multiple_of(1_000) {
                logs.check_stop()?;
            }
            evidence.depends_on_order |= unknown_late || late.contains(id);
            let conclusion = judge(id, &mut evidence, basis, limits);
            let (set_aside, reason) = match conclusion {
                Conclusion::Differs(_) if moving.contains(id) => {
                    (&mut candidates, NotProvable::Moving)
                }
                Conclusion::Differs(_) if is_snapshot_alone(&evidence) => {
                    (&mut unread, NotProvable::Unread)
                }
                _ => return report.customer(id, &evidence, &conclusion),
            };
            match set_aside.len() < MAX_CANDIDATES {
                true => drop(set_aside.insert(id.to_vec(), evidence)),
                false => report.customers.count(&Conclusion::NotProvable(reason)),
            }
            Ok(())
        })?;
        self.judge_unread(unread, basis)?;
        Ok(candidates)
    }

    /// Judges customers of whom there is a snapshot, and neither a record that is processed nor a state. While keyfold
    /// rebuilds, that is as it should be for those who have records that are not processed yet.
    fn judge_unread(&mut self, unread: Candidates, basis: &Basis) -> Result<(), Failure> {
        if unread.is_empty() {
            return Ok(());
        }
        let mut waiting = HashSet::new();
        let records = &mut self.records;
        self.logs.inputs_behind(&self.read, i64::MAX, |record| {
            records.customers(record, |id| {
                if unread.contains_key(id) && !waiting.contains(id) {
                    waiting.insert(id.to_vec());
                }
            })
        })?;
        for (id, mut evidence) in unread {
            let conclusion = match waiting.contains(&id) {
                true => Conclusion::NotProvable(NotProvable::Unread),
                false => judge(&id, &mut evidence, basis, &self.limits),
            };
            self.report.customer(&id, &evidence, &conclusion)?;
        }
        Ok(())
    }

    /// Looks again at customers that differed while they moved.
    fn look_again(&mut self, candidates: &mut Candidates, basis: &Basis) -> Result<(), Failure> {
        self.rounds += 1;
        let now = self.logs.committed()?;
        self.read_written(|id, datum, at, value| {
            if let Some(evidence) = candidates.get_mut(id) {
                datum.set(evidence, at, value.map(Bytes::copy_from_slice));
            }
            Ok(())
        })?;
        let next = self.logs.committed()?;
        let mut moving = self.logs.in_flight(&now)?;
        self.read_letters()?;
        // what has come until `now` is part of what is looked at
        self.read_moving(&now)?;
        for (id, part) in self.pending.drain() {
            if let Some(evidence) = candidates.get_mut(id.as_bytes()) {
                evidence.join(&part, &self.limits);
            }
        }
        moving.extend(self.read_moving(&next)?);
        let mut still = Candidates::new();
        for (id, mut evidence) in candidates.drain() {
            let late = &self.records.late;
            evidence.depends_on_order |= self.records.has_unknown_late || late.contains(&id);
            let conclusion = judge(&id, &mut evidence, basis, &self.limits);
            match conclusion {
                Conclusion::Differs(_) if moving.contains(&id) => {
                    still.insert(id, evidence);
                }
                conclusion => self.report.customer(&id, &evidence, &conclusion)?,
            }
        }
        *candidates = still;
        Ok(())
    }
}

fn at_of(record: &RangeRecord<'_>) -> At {
    At {
        partition: record.partition,
        offset: record.offset,
    }
}

/// Whether there is nothing of a customer but a snapshot.
fn is_snapshot_alone(evidence: &Evidence) -> bool {
    evidence.record.is_none() && evidence.state.is_none() && evidence.snapshot.is_some()
}

fn put_away(partials: &mut Partials, collection: &mut Collection) -> Result<(), Failure> {
    for (id, part) in partials.drain() {
        collection.part(&id, part)?;
    }
    Ok(())
}

fn judge(id: &[u8], evidence: &mut Evidence, basis: &Basis, limits: &Limits) -> Conclusion {
    evidence.check_size(limits);
    conclude(&String::from_utf8_lossy(id), evidence, basis)
}
