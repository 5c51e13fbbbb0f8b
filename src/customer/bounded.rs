//! A customer whose encoded state keeps to a bound (the contract, section 2, `state_too_large`).

use bytes::Bytes;

use super::Customer;
use super::codec::CodecError;
use super::contribution::{Data, Element};

/// The bounds of a customer's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `merge.max_actions`.
    pub max_actions: usize,
    /// `validation.max_state_bytes`.
    pub max_state_bytes: usize,
}

/// The state would grow beyond [`Limits::max_state_bytes`]; it stays as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateTooLarge;

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

    /// Takes in what a record says; whether that changed the state. An erasure is never too large: it must
    /// not fail for want of room.
    pub fn join(&mut self, data: Data, limits: &Limits) -> Result<bool, StateTooLarge> {
        let at_most = self.at_most + weight(&data);
        if at_most <= limits.max_state_bytes || matches!(data, Data::Erasure(_)) {
            let changed = self.customer.join(data, limits.max_actions);
            if changed {
                self.at_most = at_most;
            }
            return Ok(changed);
        }
        let mut grown = self.customer.clone();
        if !grown.join(data, limits.max_actions) {
            return Ok(false);
        }
        let mut bytes = Vec::with_capacity(at_most);
        grown.encode(&mut bytes);
        if bytes.len() > limits.max_state_bytes {
            return Err(StateTooLarge);
        }
        self.customer = grown;
        self.at_most = bytes.len();
        Ok(true)
    }
}

/// More bytes than a datum can add to the encoded state: its texts, and generously its stamps and lengths.
fn weight(data: &Data) -> usize {
    const FRAME: usize = 128;
    let elements = |list: &Option<Vec<Element>>| {
        list.iter()
            .flatten()
            .map(|element| FRAME + element.id.len() + element.tail.len())
            .sum::<usize>()
    };
    FRAME
        + match data {
            Data::Customer(event) => elements(&event.addresses) + elements(&event.dependents),
            Data::Action(action) => action.id.len() + action.tail.len(),
            Data::Console(console) => {
                let parts = &console.parts;
                parts.names.len()
                    + parts.phones.len()
                    + parts.addresses.len()
                    + parts.attributes.len()
            }
            Data::Publisher(publisher) => publisher.enrollment.len() + publisher.accounts.len(),
            Data::Erasure(_) => 0,
        }
}
