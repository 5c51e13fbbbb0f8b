//! What one valid record says about one customer, normalised: the only thing that the fold takes.

use bytes::Bytes;

use super::stamp::Stamp;
use crate::record::Source;
use crate::source::json::write_instant;
use crate::source::wire::wire_enum;
use crate::time::{Date, Instant};

/// One record's share in the state of one customer.
#[derive(Debug, Clone)]
pub struct Contribution {
    pub customer: String,
    pub data: Data,
}

#[derive(Debug, Clone)]
pub enum Data {
    Customer(CustomerEvent),
    Action(Action),
    Console(Console),
    Publisher(Publisher),
    Erasure(Erasure),
}

impl Data {
    /// The time of the event, for the metric of lateness; an erasure has none of its own.
    pub fn at(&self) -> Option<Instant> {
        match self {
            Data::Customer(event) => Some(event.stamp.at()),
            Data::Action(action) => Some(action.stamp.at()),
            Data::Console(console) => Some(console.at),
            Data::Publisher(publisher) => Some(publisher.at),
            Data::Erasure(_) => None,
        }
    }
}

wire_enum! {
    /// The status of a loyalty customer.
    pub enum Status {
        Active = "ACTIVE",
        Deleted = "DELETED",
    }
}

wire_enum! {
    /// What a customer did.
    pub enum ActionKind {
        SignUp = "SIGN_UP",
        SubscriptionRestarted = "SUBSCRIPTION_RESTARTED",
        SubscriptionCancelled = "SUBSCRIPTION_CANCELLED",
        PromotionApplied = "PROMOTION_APPLIED",
    }
}

/// An event of the source `loyalty-customers`. What it leaves out is none.
#[derive(Debug, Clone)]
pub struct CustomerEvent {
    pub stamp: Stamp,
    pub created_at: Instant,
    pub date_of_birth: Option<Date>,
    pub status: Option<Status>,
    pub marketing_opt_in: Option<bool>,
    pub sms_opt_in: Option<bool>,
    pub addresses: Option<Vec<Element>>,
    pub dependents: Option<Vec<Element>>,
}

/// An address or a dependent as one event tells it.
#[derive(Debug, Clone)]
pub struct Element {
    pub id: Bytes,
    pub content: Content,
}

/// What is told of an address or a dependent. The times are in the canonical JSON text too, at its end, but are
/// not held twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Its time is `updatedAt`.
    pub stamp: Stamp,
    pub created_at: Instant,
    /// Its canonical JSON text between the id and the times: `,"line1":…`. It ends with a field that all have, so
    /// that none is the beginning of another.
    pub body: Bytes,
}

impl Content {
    /// Whether it is the greater one of two of one element: by the stamp, and then by the canonical text.
    pub fn outweighs(&self, other: &Content) -> bool {
        let text = |content: &Content| content.created_at.canonical();
        let order = (self.stamp, &self.body).cmp(&(other.stamp, &other.body));
        order.then_with(|| text(self).cmp(&text(other))).is_gt()
    }

    /// Appends what stands behind the id in the canonical text of an element.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.body);
        write_times(out, self.created_at, self.stamp);
    }
}

/// Appends the end of a datum's canonical text.
fn write_times(out: &mut Vec<u8>, created_at: Instant, stamp: Stamp) {
    write_instant(out, "createdAt", created_at);
    write_instant(out, "updatedAt", stamp.at());
    out.push(b'}');
}

/// A part of a text: from, to (exclusive).
pub type Span = (u32, u32);

/// A customer's action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    pub id: Bytes,
    pub stamp: Stamp,
    pub created_at: Instant,
    pub kind: ActionKind,
    /// Its canonical JSON text between the type and the times: `,"subscriptionContractId":…`; may be empty.
    pub body: Bytes,
    /// Where in `body` the JSON string of the subscription contract's id stands.
    pub contract: Option<Span>,
    /// Where in `body` the UTM parameters stand, if there are any.
    pub utm: Option<Span>,
}

impl Action {
    pub fn part(&self, (from, to): Span) -> &[u8] {
        self.body.get(from as usize..to as usize).unwrap_or(&[])
    }

    /// Whether it is the greater one of two of one id: by the stamp, and then by the canonical text. Where one body
    /// is the beginning of another, `"createdAt"` follows, which comes before all that the other can go on with.
    pub fn outweighs(&self, other: &Action) -> bool {
        let text = |action: &Action| action.created_at.canonical();
        let order = |action: &'_ Action| (action.stamp, action.kind.text());
        order(self)
            .cmp(&order(other))
            .then_with(|| self.body.cmp(&other.body))
            .then_with(|| text(self).cmp(&text(other)))
            .is_gt()
    }

    /// Appends what stands behind the id in its canonical text.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"type\":\"");
        out.extend_from_slice(self.kind.text().as_bytes());
        out.push(b'"');
        out.extend_from_slice(&self.body);
        write_times(out, self.created_at, self.stamp);
    }
}

/// A customer object of the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Console {
    pub version: u64,
    /// The record's timestamp.
    pub at: Instant,
    pub parts: ConsoleParts,
}

/// The parts of the snapshot that a console customer fills, as canonical JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleParts {
    /// `"firstName":…,` and the other names, each with the comma behind it; may be empty.
    pub names: Bytes,
    /// The array.
    pub phones: Bytes,
    /// The elements with commas between them, without the array's brackets.
    pub addresses: Bytes,
    /// The object.
    pub attributes: Bytes,
}

/// A customer of a publisher's batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publisher {
    /// The record's timestamp.
    pub at: Instant,
    /// The object.
    pub enrollment: Bytes,
    /// The array.
    pub accounts: Bytes,
}

/// A null record: data up to its timestamp are forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erasure {
    /// The one source whose data are retracted; none: the data of all are erased.
    pub only: Option<Source>,
    pub at: Instant,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::customer::stamp::Rank;
    use proptest::prelude::*;

    fn instant() -> impl Strategy<Value = Instant> {
        // with no, three and six digits of a second, whose texts are not in the order of time
        prop::sample::select(vec![0, 1, 1_000, 500_000, 1_000_000, 1_000_001])
            .prop_map(Instant::from_micros)
    }

    fn action() -> impl Strategy<Value = Action> {
        let bodies = [
            "",
            r#","subscriptionContractId":"a""#,
            r#","subscriptionContractId":"ab""#,
            r#","subscriptionContractId":"a","utmParameters":{}"#,
            r#","utmParameters":{}"#,
            r#","utmParameters":{"utmSource":"a"}"#,
        ];
        let kinds = prop::sample::select(ActionKind::ALL.to_vec());
        let bodies = prop::sample::select(bodies.to_vec());
        (kinds, bodies, instant()).prop_map(|(kind, body, created_at)| Action {
            id: Bytes::new(),
            stamp: Stamp::new(Instant::from_micros(2_000_000), Rank::Created),
            created_at,
            kind,
            body: Bytes::from_static(body.as_bytes()),
            contract: None,
            utm: None,
        })
    }

    fn content() -> impl Strategy<Value = Content> {
        let bodies = [
            r#","line1":"a","city":"b","country":"NL""#,
            r#","line1":"a","line2":"","city":"b","country":"NL""#,
            r#","line1":"a\"","city":"b","country":"NL""#,
            r#","line1":"a","city":"b","countryCode":"NLD""#,
        ];
        let bodies = prop::sample::select(bodies.to_vec());
        (bodies, instant()).prop_map(|(body, created_at)| Content {
            stamp: Stamp::new(Instant::from_micros(2_000_000), Rank::Created),
            created_at,
            body: Bytes::from_static(body.as_bytes()),
        })
    }

    fn text(write: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
        let mut text = Vec::new();
        write(&mut text);
        text
    }

    proptest! {
        #[test]
        fn of_two_actions_the_greater_text_wins_a_tie(one in action(), other in action()) {
            let texts = [&one, &other].map(|action| text(|out| action.write(out)));
            prop_assert_eq!(one.outweighs(&other), texts[0] > texts[1]);
        }

        #[test]
        fn of_two_elements_the_greater_text_wins_a_tie(one in content(), other in content()) {
            let texts = [&one, &other].map(|content| text(|out| content.write(out)));
            prop_assert_eq!(one.outweighs(&other), texts[0] > texts[1]);
        }
    }
}
