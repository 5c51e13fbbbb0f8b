//! A customer whose encoded state keeps to a bound: the code `state_too_large` (docs/contract.md, section 2).

use bytes::Bytes;

use super::codec::CodecError;
use super::contribution::{Data, Fact};
use super::snapshot::{self, View};
use super::{Customer, Keep};
use crate::model::record::TOPIC_HEADROOM;

/// The bounds of a customer's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How much of a customer is kept.
    pub keep: Keep,
    /// `validation.max_state_bytes`.
    pub max_state_bytes: usize,
    /// What snapshots are measured by.
    pub view: View,
}

impl Limits {
    /// Kafka's own part of a record and its batch, generously.
    const RECORD: usize = 4 * 1024;

    /// The most bytes of a record of the state or of a snapshot, its key included.
    fn max_written(&self) -> usize {
        self.max_state_bytes + TOPIC_HEADROOM - Self::RECORD
    }
}

/// The state would grow beyond [`Limits::max_state_bytes`], or what is written of it beyond what topics take; it
/// stays as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateTooLarge;

/// A snapshot shows no more of an element or an action than this many times its part of the state: it adds the names
/// of fields, its times as text, and repeats the ids of contracts and touches.
const SHOWN: usize = 16;

/// A customer and an upper bound of its encoded size, so that the size is only measured where it matters.
#[derive(Debug, Clone, Default)]
pub struct Bounded {
    customer: Customer,
    at_most: usize,
}

impl Bounded {
    pub fn decode(bytes: &Bytes) -> Result<Bounded, CodecError> {
        Ok(Bounded {
            customer: Customer::decode(bytes)?,
            at_most: bytes.len(),
        })
    }

    pub fn customer(&self) -> &Customer {
        &self.customer
    }

    /// Takes in what a record says of the customer `id`; whether that changed the state. An erasure is never too
    /// large, but for an id that fits into no topic: it must not fail for want of room.
    pub fn join(&mut self, id: &str, data: Data, limits: &Limits) -> Result<bool, StateTooLarge> {
        if id.len() > limits.max_written() {
            return Err(StateTooLarge);
        }
        let at_most = self.at_most + weight(&data);
        let fits = at_most <= limits.max_state_bytes
            && (id.len() + at_most) * SHOWN <= limits.max_written();
        if fits || matches!(data.fact, Fact::Erasure(_)) {
            let changed = self.customer.join(data, limits.keep);
            if changed {
                self.at_most = at_most;
            }
            return Ok(changed);
        }
        // What is far too large is not built first: a megabyte may list a hundred thousand elements. A state that had
        // grown beyond the bound before that was lowered may stay as it is.
        let most = limits.max_state_bytes.max(self.at_most);
        if self.customer.at_least(&data, most) > most {
            return Err(StateTooLarge);
        }
        let mut grown = self.customer.clone();
        if !grown.join(data, limits.keep) {
            return Ok(false);
        }
        let mut bytes = Vec::with_capacity(at_most);
        grown.encode(&mut bytes);
        let encoded = bytes.len();
        bytes.clear();
        snapshot::write(&grown, id, &limits.view, &mut bytes);
        let written = id.len() + encoded.max(bytes.len());
        if encoded > limits.max_state_bytes || written > limits.max_written() {
            return Err(StateTooLarge);
        }
        self.customer = grown;
        self.at_most = encoded;
        Ok(true)
    }
}

/// More bytes than a datum can add to the encoded state: its texts, and generously its stamps and lengths.
fn weight(data: &Data) -> usize {
    const FRAME: usize = 128;
    let elements = match &data.fact {
        Fact::Customer(event) => [&event.addresses, &event.dependents]
            .into_iter()
            .flatten()
            .map(Vec::len)
            .sum(),
        _ => 0,
    };
    FRAME * (1 + elements) + data.texts.bytes()
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
        // hardly a byte of text, and as much around it as there can be
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
        };
        let (mut state, mut shown) = (Vec::new(), Vec::new());
        customer.encode(&mut state);
        snapshot::write(&customer, "c", &view, &mut shown);
        let bound = (1 + state.len()) * SHOWN;
        assert!(shown.len() <= bound, "{} of {bound}", shown.len());
        assert!(shown.len() * 2 > bound, "{} of {bound}", shown.len());
    }
}
