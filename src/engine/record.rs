//! The path of a record, from the poll to what is made of it:
//!
//! ```text
//! judge ──┬─ rejected ─────────────── dead letter
//!         ├─ a batch ──────────────── one forwarded record for each good element
//!         ├─ of another partition ─── forwarded record
//!         └─ of a partition here ──── joined into its customer, in the open batch
//! ```

use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use crate::customer::contribution::Contribution;
use crate::model::partition;
use crate::model::record::{Label, Location, Outcome, Rejection, Source, usable_timestamp};
use crate::source::framing::Payload;
use crate::source::{self, BatchElement, JudgeSettings, Judged, Verdict};

use super::arrived::{Arrived, Context, Delivered, place_of};
use super::assignment::Consumption;
use super::batch::Batch;
use super::dead_letter::record_bytes;
use super::fatal::Fatal;
use super::origin::NotForwarded;
use super::outbox::{Outbox, Outgoing, Output};
use super::received::too_large_to_forward;
use super::split::Share;
use super::{Effect, Engine, Place, Settings};

impl Engine {
    /// Takes a polled record. A record of a place that is not being consumed is ignored: it will be polled again, here
    /// or by the partition's new owner. Returns false if the record was not taken because the commit in flight must end
    /// first; then the caller must give the record again.
    #[must_use]
    pub fn record(
        &mut self,
        record: &impl Delivered,
        out: &mut impl Outbox,
        now: Duration,
    ) -> bool {
        if self.in_flight.is_some() && may_produce_too_much(record) {
            self.awaits_commit = true;
            return false;
        }
        self.take(record, out, now);
        true
    }

    fn take(&mut self, record: &impl Delivered, out: &mut impl Outbox, now: Duration) {
        let (place, offset) = (record.place(), record.offset());
        let Some(Consumption::Consuming { position }) = self.assignment.places.get(&place) else {
            return;
        };
        let began_at = *position;
        if offset < began_at || self.fatal.is_some() || self.schedule.is_closing() {
            return;
        }
        let settings = Arc::clone(&self.settings);
        let arrived = match Arrived::new(record, &settings) {
            Ok(arrived) => arrived,
            Err(not_forwarded) => {
                return self.stop(self.not_forwarded(place, offset, not_forwarded));
            }
        };
        let Some(opened) = arrived.open(&settings) else {
            return self.wait_for_schema(place, offset);
        };
        let consumption = Consumption::Consuming {
            position: offset + 1,
        };
        self.assignment.places.insert(place, consumption);

        if self.batch.is_none() {
            self.open_batch(out, now);
        }
        let Some(batch) = &mut self.batch else {
            return;
        };
        let timestamp = record.timestamp().and_then(usable_timestamp);
        if let Entry::Vacant(first) = batch.began_at.entry(place) {
            first.insert(began_at);
            batch
                .oldest
                .extend(timestamp.map(|timestamp| (place, timestamp)));
        }
        batch.records += 1;
        if let Some(timestamp) = timestamp {
            batch.ledger.timestamps.push(timestamp);
        }

        let source = arrived.raw.source;
        match self.process(arrived, &opened, &settings, out) {
            Ok((label, outcome)) => self.count_outcome(source, label, outcome),
            Err(fatal) => self.stop(fatal),
        }
    }

    /// Opens a batch, and a transaction with it. While another batch is in flight, the new batch's transaction begins
    /// only after that commit.
    pub(super) fn open_batch(&mut self, out: &mut impl Outbox, now: Duration) {
        let generation = out.begin();
        self.batch = Some(Batch::begin(
            std::mem::take(&mut self.empty_map),
            generation,
        ));
        self.schedule.batch_opened();
        if self.in_flight.is_none() {
            self.transaction_began = now;
        }
    }

    /// Counts the outcome of a record. The circuit breaker counted a forwarded record where it was read first, so here
    /// it counts it only if it is rejected after all.
    fn count_outcome(&mut self, source: Source, label: Label, outcome: Outcome) {
        let Some(batch) = &mut self.batch else {
            return;
        };
        batch.ledger.count(label, outcome);
        if (label != Label::Forwarded || outcome == Outcome::Rejected)
            && let Some(opened) = self.breaker.count(source)
        {
            // the batch is committed before the worker stops, because its dead letters show what is wrong
            batch.breaker_opened.get_or_insert(opened);
        }
    }

    /// While its writer schema is unknown, a record can be neither accepted nor rejected. So it is not taken, and the
    /// place is paused.
    fn wait_for_schema(&mut self, place: Place, position: i64) {
        let waiting = Consumption::WaitingForSchema { position };
        self.assignment.places.insert(place, waiting);
        self.effects.push_back(Effect::Pause(vec![place]));
    }

    /// Judges a record, and does what follows from the verdict. Returns what is counted.
    fn process<D: Delivered>(
        &mut self,
        arrived: Arrived<'_, D>,
        opened: &Payload<'_>,
        settings: &Settings,
        out: &mut impl Outbox,
    ) -> Result<(Label, Outcome), Fatal> {
        let (label, raw) = (arrived.label, arrived.raw);
        let (place, offset) = (arrived.delivered.place(), arrived.delivered.offset());
        let judging = JudgeSettings {
            is_forwarded: label == Label::Forwarded,
            ..JudgeSettings::from(&settings.policy)
        };
        // Headers that outlived the verdict would have the contribution copied twice more.
        let Judged { verdict, warnings } =
            source::judge_payload(&raw, opened, &arrived.judged_headers(settings), judging);
        if label != Label::Forwarded
            && let Some(batch) = &mut self.batch
        {
            batch.ledger.warn(&warnings, raw.source, place, offset);
        }
        let contribution = match verdict {
            Verdict::Valid(contribution) => contribution,
            Verdict::Nothing => return Ok((label, Outcome::Unchanged)),
            Verdict::Rejected(rejection) => {
                let context = arrived.context(opened, settings);
                return self.reject(&context, &rejection, out);
            }
            Verdict::Batch {
                elements,
                rejection,
            } => {
                let context = arrived.context(opened, settings);
                return self.split(elements, rejection, &context, out);
            }
        };
        self.fold_or_forward(contribution, arrived, opened, settings, out)
    }

    /// Joins a valid contribution into its customer if the customer's state partition is ready here; otherwise forwards
    /// the record to that partition.
    fn fold_or_forward<D: Delivered>(
        &mut self,
        contribution: Contribution,
        arrived: Arrived<'_, D>,
        opened: &Payload<'_>,
        settings: &Settings,
        out: &mut impl Outbox,
    ) -> Result<(Label, Outcome), Fatal> {
        let (label, raw) = (arrived.label, arrived.raw);
        if !arrived.fits(&contribution.customer, settings) {
            let context = arrived.context(opened, settings);
            return self.reject(&context, &too_large_to_forward(), out);
        }
        let home = partition::of_key(contribution.customer.as_bytes(), settings.partitions);
        if !self.assignment.is_ready(home) {
            let context = arrived.context(opened, settings);
            return self.forward(home, &contribution.customer, raw.value, &context, out);
        }
        let at = || arrived.place(settings);
        let joined = self.join_and_warn(home, contribution, (label, raw.source), at)?;
        match joined.outcome() {
            Some(outcome) => Ok((label, outcome)),
            None => {
                let context = arrived.context(opened, settings);
                self.reject(&context, &Rejection::state_too_large(), out)
            }
        }
    }

    /// Splits a batch: each valid element is forwarded as a batch with one element. When such a batch arrives
    /// from the forwarded topic, its element is joined.
    fn split(
        &mut self,
        elements: Vec<BatchElement<'_>>,
        mut rejection: Option<Rejection>,
        context: &Context<'_>,
        out: &mut impl Outbox,
    ) -> Result<(Label, Outcome), Fatal> {
        if let Some(home) = context.forwarded_to {
            if let Some(rejection) = rejection {
                return self.reject(context, &rejection, out);
            }
            let mut elements = elements.into_iter();
            let (Some(element), None) = (elements.next(), elements.next()) else {
                let place = self.settings.forwarded(home);
                return Err(self.foreign(place, context.origin.offset));
            };
            let settings = Arc::clone(&self.settings);
            let (label, origin) = (context.label, &context.origin);
            let here = (settings.forwarded(home), origin.offset);
            let at = || place_of(origin, &settings).unwrap_or(here);
            let joined =
                self.join_and_warn(home, element.contribution, (label, origin.source), at)?;
            return match joined.outcome() {
                Some(outcome) => Ok((label, outcome)),
                None => self.reject(context, &Rejection::state_too_large(), out),
            };
        }
        let plan = self.settings.policy.sources.plan(context.origin.source);
        let definition = plan.map(|plan| &plan.definition);
        let mut share = match Share::of(&context.origin, &context.headers, &elements, definition) {
            Ok(share) => share,
            Err(too_large) => return self.reject(context, &too_large, out),
        };
        for element in elements {
            let customer = &element.contribution.customer;
            let home = partition::of_key(customer.as_bytes(), self.settings.partitions);
            let batch_of_one = share.take(&element, context.frame);
            let headers = share.origin.wrap(&share.headers);
            if !self.produce_forwarded(home, customer, Some(&batch_of_one), &headers, out) {
                rejection.get_or_insert_with(too_large_to_forward);
            }
        }
        match rejection {
            Some(rejection) => self.reject(context, &rejection, out),
            None => Ok((context.label, Outcome::Split)),
        }
    }

    fn forward(
        &mut self,
        home: i32,
        customer: &str,
        value: Option<&[u8]>,
        context: &Context<'_>,
        out: &mut impl Outbox,
    ) -> Result<(Label, Outcome), Fatal> {
        if let Some(here) = context.forwarded_to {
            // a forwarded partition is consumed only when its state partition is ready, so this record does not belong
            // here: the number of partitions has changed, or another writer produced it
            return Err(self.foreign(self.settings.forwarded(here), context.origin.offset));
        }
        let headers = context.origin.wrap(&context.headers);
        if self.produce_forwarded(home, customer, value, &headers, out) {
            Ok((context.label, Outcome::Forwarded))
        } else {
            self.reject(context, &too_large_to_forward(), out)
        }
    }

    /// Produces a record to the forwarded topic. Returns false if the record is too large for it.
    fn produce_forwarded(
        &mut self,
        home: i32,
        customer: &str,
        value: Option<&[u8]>,
        headers: &[(String, Option<Vec<u8>>)],
        out: &mut impl Outbox,
    ) -> bool {
        let key = Some(customer.as_bytes());
        let bytes = record_bytes(key, value, headers);
        if bytes > self.settings.max_forwarded_bytes {
            return false;
        }
        self.count_produced(bytes);
        out.produce(Outgoing {
            output: Output::Forwarded { partition: home },
            key,
            value,
            headers,
        });
        true
    }

    /// Produces the dead letter of a rejected record, and counts the rejection.
    fn reject(
        &mut self,
        context: &Context<'_>,
        rejection: &Rejection,
        out: &mut impl Outbox,
    ) -> Result<(Label, Outcome), Fatal> {
        let origin = &context.origin;
        let dead_letter_template = &self.settings.dead_letter_template;
        let letter = dead_letter_template
            .write(origin, context.value, &context.headers, rejection)
            .map_err(|_| Fatal::DeadLetterDoesNotFit {
                topic: origin.topic.clone(),
                partition: origin.partition,
                offset: origin.offset,
            })?;
        out.produce(Outgoing {
            output: Output::DeadLetter,
            key: letter.key,
            value: letter.value,
            headers: &letter.headers,
        });
        self.count_produced(record_bytes(letter.key, letter.value, &letter.headers));
        if let Some(batch) = &mut self.batch {
            let at = Location {
                topic: origin.topic.clone(),
                partition: origin.partition,
                offset: origin.offset,
            };
            batch
                .ledger
                .reject(context.label, origin.source, rejection, &at);
            self.breaker.rejected(origin.source, rejection.code, at);
        }
        Ok((context.label, Outcome::Rejected))
    }

    /// Counts produced bytes towards the size of the batch: a record may lead to far more bytes than it has itself.
    fn count_produced(&mut self, bytes: usize) {
        if let Some(batch) = &mut self.batch {
            batch.produced_bytes += bytes;
        }
    }

    fn not_forwarded(&self, place: Place, offset: i64, why: NotForwarded) -> Fatal {
        match why {
            NotForwarded::Foreign => self.foreign(place, offset),
            NotForwarded::UnknownSource(source_name) => Fatal::UnknownSource {
                topic: self.settings.topic_name(place).to_owned(),
                partition: place.partition,
                offset,
                source_name,
            },
        }
    }

    fn foreign(&self, place: Place, offset: i64) -> Fatal {
        Fatal::ForeignRecord {
            topic: self.settings.topic_name(place).to_owned(),
            partition: place.partition,
            offset,
        }
    }
}

/// Whether a record may be a publisher batch whose forwarded elements, each with all headers, could be more bytes than
/// may be buffered while a commit is in flight.
fn may_produce_too_much(record: &impl Delivered) -> bool {
    const SMALL: usize = 4096;
    const SMALLEST_ELEMENT: usize = 16;
    const MAX_PRODUCED: usize = 8 * 1024 * 1024;
    let value = record.value().map_or(0, <[u8]>::len);
    if value < SMALL {
        return false;
    }
    let metadata = record.metadata().bytes;
    (value / SMALLEST_ELEMENT).saturating_mul(metadata + 256) > MAX_PRODUCED
}
