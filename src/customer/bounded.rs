//! A customer with a limit on the size of its encoded state: the code `state_too_large` (docs/contract.md, section 2).

use super::codec::CodecError;
use super::contribution::{Data, Fact};
use super::declared::{DeclaredRecord, DeclaredStamp, Tells};
use super::list::List;
use super::snapshot::{self, View};
use super::texts::Texts;
use super::{Customer, EncodedState, Keep};
use crate::model::record::{Source, TOPIC_HEADROOM};

/// The limits of a customer's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How many data of a customer are kept.
    pub keep: Keep,
    /// `validation.max_state_bytes`, in bytes of the encoded state.
    pub max_state_bytes: usize,
    /// How snapshots are written, because their size is limited too.
    pub view: View,
}

impl Limits {
    /// A generous upper bound for what Kafka adds to a record and its batch, in bytes.
    const RECORD_OVERHEAD: usize = 4 * 1024;

    /// The most bytes that a record of the state or a snapshot may have, its key included.
    fn max_record_bytes(&self) -> usize {
        self.max_state_bytes + TOPIC_HEADROOM - Self::RECORD_OVERHEAD
    }
}

/// The state would exceed [`Limits::max_state_bytes`], or the record of the state or the snapshot would exceed what the
/// topics accept. The state is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateTooLarge;

/// A snapshot has at most this many times the bytes of its state: it adds field names, writes times as text, and
/// repeats the ids of contracts and of the first and last touch.
const MAX_GROWTH: usize = 16;

/// The same if there are declared sources: each of their elements names its source, whose name the state has once, and
/// shares the stamps of others.
pub(super) const MAX_GROWTH_DECLARED: usize = 32;

/// A customer with an upper bound of its encoded size, so that the exact size is measured only when it may be too
/// large.
#[derive(Debug, Clone, Default)]
pub struct Bounded {
    customer: Customer,
    max_encoded: usize,
}

impl Bounded {
    /// Decodes a state. The error says why this version cannot read it.
    pub fn decode(state: impl Into<EncodedState>) -> Result<Bounded, CodecError> {
        let state = state.into();
        let size = state.len();
        let customer = Customer::decode(state)?;
        let max_encoded = customer.max_encoded_size(size);
        Ok(Bounded {
            customer,
            max_encoded,
        })
    }

    pub fn customer(&self) -> &Customer {
        &self.customer
    }

    /// Asks for the memory of what the customer refers to, because it is read soon.
    pub fn prefetch_parts(&self) {
        self.customer.prefetch_parts();
    }

    /// An upper bound of the encoded size, in bytes.
    pub fn max_encoded(&self) -> usize {
        self.max_encoded
    }

    /// Joins what a record says about the customer `id`; returns whether that changed the state. An erasure must not
    /// fail because the state is full: it is too large only if the id itself does not fit into any topic.
    pub fn join(&mut self, id: &str, data: Data, limits: &Limits) -> Result<bool, StateTooLarge> {
        if id.len() > limits.max_record_bytes() {
            return Err(StateTooLarge);
        }
        let max_encoded = self.max_encoded + max_encoded_size(&data);
        let has_declared =
            self.customer.declared.is_some() || matches!(data.fact, Fact::Declared(_));
        let max_growth = match has_declared {
            true => MAX_GROWTH_DECLARED,
            false => MAX_GROWTH,
        };
        let fits = max_encoded <= limits.max_state_bytes
            && (id.len() + max_encoded) * max_growth <= limits.max_record_bytes();
        if !fits && data.as_erasure().is_none() {
            return self.join_measured(id, data, limits);
        }
        let changed = self.customer.join(data, limits.keep);
        if changed {
            self.max_encoded = max_encoded;
        }
        Ok(changed)
    }

    /// Joins into a copy, and keeps the copy only if it is not too large.
    fn join_measured(
        &mut self,
        id: &str,
        data: Data,
        limits: &Limits,
    ) -> Result<bool, StateTooLarge> {
        // Refuse what is far too large before it is built: a megabyte may list a hundred thousand elements. A state
        // that exceeds a limit which was lowered later may stay as it is.
        let most = limits.max_state_bytes.max(self.max_encoded);
        if self.customer.min_encoded_size(&data, most) > most {
            return Err(StateTooLarge);
        }
        let mut grown = self.customer.clone();
        if !grown.join(data, limits.keep) {
            return Ok(false);
        }
        let mut bytes = grown.encoded();
        let encoded = bytes.len();
        bytes.clear();
        snapshot::write(&grown, id, &limits.view, &mut bytes);
        let record = id.len() + encoded.max(bytes.len());
        if encoded > limits.max_state_bytes || record > limits.max_record_bytes() {
            return Err(StateTooLarge);
        }
        self.max_encoded = grown.max_encoded_size(encoded);
        self.customer = grown;
        Ok(true)
    }
}

/// An upper bound of the bytes that the data can add to the encoded state: their texts, and a generous estimate of
/// their stamps and lengths.
fn max_encoded_size(data: &Data) -> usize {
    const FRAME: usize = 128;
    let elements = match &data.fact {
        Fact::Customer(event) => [&event.addresses, &event.dependents]
            .into_iter()
            .flatten()
            .map(Vec::len)
            .sum(),
        Fact::Declared(record) => return max_encoded_size_of_declared(record, &data.texts),
        _ => 0,
    };
    FRAME * (1 + elements) + data.texts.bytes()
}

fn max_encoded_size_of_declared(record: &DeclaredRecord, texts: &Texts) -> usize {
    // The name of the source; its tables and parts; of a datum a stamp, a time and lengths.
    const SOURCE: usize = 64;
    const RECORD: usize = 256;
    const DATUM: usize = 64;
    let data = match &record.tells {
        Tells::Action(_) => 1,
        Tells::Customer(customer) => {
            let elements = customer.lists().into_iter().flatten().map(Vec::len);
            elements.sum::<usize>() + customer.scalars.len() + customer.attributes.len()
        }
    };
    SOURCE + RECORD + DATUM * data + texts.bytes()
}

impl Customer {
    /// A lower bound of the encoded size, in bytes, that the state will have after joining `data`. Stops counting at
    /// `enough`.
    pub fn min_encoded_size(&self, data: &Data, enough: usize) -> usize {
        let event = match &data.fact {
            Fact::Customer(event) => event,
            Fact::Declared(record) => {
                return self.min_encoded_size_of_declared(record, &data.texts, enough);
            }
            _ => return 0,
        };
        let erased = self.erasures.of(Source::LoyaltyCustomers);
        let mut bytes = 0;
        for (list, elements) in [
            (&self.addresses, &event.addresses),
            (&self.dependents, &event.dependents),
        ] {
            let elements = elements.iter().flatten();
            let elements = elements.map(|element| element.view(&data.texts));
            let left = enough.saturating_sub(bytes);
            bytes += list.min_encoded_size(&self.texts, event.stamp, elements, erased, left);
        }
        bytes
    }

    fn min_encoded_size_of_declared(
        &self,
        record: &DeclaredRecord,
        its: &Texts,
        enough: usize,
    ) -> usize {
        let Tells::Customer(customer) = &record.tells else {
            return 0;
        };
        let name = record.source.name().as_bytes();
        let mut sources = self.declared_sources().iter();
        let source = sources.find(|source| self.texts.get(source.name) == name);
        if source.is_some_and(|source| source.order != record.order) {
            return 0;
        }
        let stamp = DeclaredStamp::new(record.order, record.updated_at, record.rank);
        let erased = source.map_or(self.erasures.all, |source| source.erased);
        let none = List::default();
        let known = source.map_or([&none; 3], |source| source.lists());
        let mut bytes = 0;
        for (list, elements) in known.into_iter().zip(customer.lists()) {
            let elements = elements.into_iter().flatten();
            let elements = elements.map(|element| element.view(record, its));
            let left = enough.saturating_sub(bytes);
            bytes += list.min_encoded_size(&self.texts, stamp, elements, erased, left);
        }
        bytes
    }

    /// An upper bound of the encoded size, which is `encoded` now, after some more stamps are in the tables of the
    /// declared sources: a datum then needs more bytes for the number of its stamp.
    fn max_encoded_size(&self, encoded: usize) -> usize {
        match self.declared {
            None => encoded,
            Some(_) => 2 * encoded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::customer::contribution::{Action, ActionKind};
    use crate::customer::fields::{FieldName, put};
    use crate::customer::stamp::{Rank, Stamp};
    use crate::customer::texts::Texts;
    use crate::model::time::Instant;

    #[test]
    fn a_snapshot_is_no_larger_than_its_bound() {
        // Hardly any text, and as much overhead as possible.
        let mut customer = Customer::default();
        let keep = Keep {
            actions: 1_000,
            hidden: 100,
        };
        for number in 0..1_000_u16 {
            let id = number.to_be_bytes().map(|byte| b'0' + byte % 64);
            let mut texts = Texts::default();
            let action = Action {
                stamp: Stamp::new(
                    Instant::from_micros(1_234_567 + i64::from(number)),
                    Rank::Updated,
                ),
                created_at: Instant::from_micros(i64::from(number) + 1),
                kind: ActionKind::SubscriptionRestarted,
                body: texts.write(|out| put(out, FieldName::Contract, id)),
                id: texts.add(&id),
            };
            let fact = Fact::Action(action);
            customer.join(Data { fact, texts }, keep);
        }
        let view = View {
            union: false,
            recent_actions: 1_000,
            deleted_is_null: false,
            priority: Default::default(),
        };
        let (mut state, mut shown) = (Vec::new(), Vec::new());
        customer.encode(&mut state);
        snapshot::write(&customer, "c", &view, &mut shown);
        let bound = (1 + state.len()) * MAX_GROWTH;
        assert!(shown.len() <= bound, "{} of {bound}", shown.len());
        assert!(shown.len() * 2 > bound, "{} of {bound}", shown.len());
    }
}
