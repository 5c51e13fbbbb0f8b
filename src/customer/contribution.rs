//! What one valid record says about one customer, normalised: the only thing that the fold takes.

use bytes::Bytes;

use super::fields::Fields;
use super::stamp::Stamp;
use crate::record::Source;
use crate::source::json::{write_instant, write_instant_text, write_name};
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
    /// What its canonical JSON text has between the id and the times: `,"line1":…`. It ends with a field that all
    /// have, so that none is the beginning of another.
    pub body: Fields,
}

impl Content {
    /// Whether it is the greater one of two of one element: by the stamp, and then by the canonical text.
    pub fn outweighs(&self, other: &Content) -> bool {
        let text = |content: &Content| content.created_at.canonical();
        let order = self.stamp.cmp(&other.stamp);
        order
            .then_with(|| self.body.cmp_texts(&other.body))
            .then_with(|| text(self).cmp(&text(other)))
            .is_gt()
    }

    /// Appends what stands behind the id in the canonical text of an element.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.body.write(out);
        write_times(out, self.created_at, self.stamp);
    }
}

/// Appends the end of a datum's canonical text.
fn write_times(out: &mut Vec<u8>, created_at: Instant, stamp: Stamp) {
    write_name(out, "createdAt");
    let text = out.len();
    write_instant_text(out, created_at);
    if stamp.at() == created_at {
        // as most actions have it
        let text = text..out.len();
        write_name(out, "updatedAt");
        out.extend_from_within(text);
    } else {
        write_instant(out, "updatedAt", stamp.at());
    }
    out.push(b'}');
}

/// A customer's action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    pub id: Bytes,
    pub stamp: Stamp,
    pub created_at: Instant,
    pub kind: ActionKind,
    /// What its canonical JSON text has between the type and the times: `,"subscriptionContractId":…`; may be empty.
    pub body: Fields,
}

impl Action {
    /// Whether it is the greater one of two of one id: by the stamp, and then by the canonical text. Where one body
    /// is the beginning of another, `"createdAt"` follows, which comes before all that the other can go on with.
    pub fn outweighs(&self, other: &Action) -> bool {
        let text = |action: &Action| action.created_at.canonical();
        let order = |action: &'_ Action| (action.stamp, action.kind.text());
        order(self)
            .cmp(&order(other))
            .then_with(|| self.body.cmp_texts(&other.body))
            .then_with(|| text(self).cmp(&text(other)))
            .is_gt()
    }

    /// Appends what stands behind the id in its canonical text.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"type\":\"");
        out.extend_from_slice(self.kind.text().as_bytes());
        out.push(b'"');
        self.body.write(out);
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
    use crate::customer::fields::{Name, put, put_utm};
    use crate::customer::stamp::Rank;
    use proptest::prelude::*;

    fn instant() -> impl Strategy<Value = Instant> {
        // with no, three and six digits of a second, whose texts are not in the order of time
        prop::sample::select(vec![0, 1, 1_000, 500_000, 1_000_000, 1_000_001])
            .prop_map(Instant::from_micros)
    }

    fn action() -> impl Strategy<Value = Action> {
        let bodies = [
            (None, None),
            (Some("a"), None),
            (Some("ab"), None),
            (Some("a"), Some(None)),
            (None, Some(None)),
            (None, Some(Some("a"))),
        ];
        let body = |(contract, utm): (Option<&str>, Option<Option<&str>>)| {
            let mut out = Vec::new();
            if let Some(contract) = contract {
                put(&mut out, Name::Contract, contract);
            }
            if let Some(source) = utm {
                put_utm(&mut out);
                if let Some(source) = source {
                    put(&mut out, Name::UtmSource, source);
                }
            }
            Fields::written(out.into())
        };
        let kinds = prop::sample::select(ActionKind::ALL.to_vec());
        let bodies = prop::sample::select(bodies.to_vec());
        (kinds, bodies, instant()).prop_map(move |(kind, parts, created_at)| Action {
            id: Bytes::new(),
            stamp: Stamp::new(Instant::from_micros(2_000_000), Rank::Created),
            created_at,
            kind,
            body: body(parts),
        })
    }

    fn content() -> impl Strategy<Value = Content> {
        let (country, code) = ((Name::Country, "NL"), (Name::CountryCode, "NLD"));
        let bodies = [
            vec![(Name::Line1, "a"), (Name::City, "b"), country],
            vec![
                (Name::Line1, "a"),
                (Name::Line2, ""),
                (Name::City, "b"),
                country,
            ],
            vec![(Name::Line1, "a\""), (Name::City, "b"), country],
            vec![(Name::Line1, "a"), (Name::City, "b"), code],
            // longer, and yet less
            vec![(Name::Line1, "a"), (Name::City, "aaa"), country],
        ];
        let body = |fields: Vec<(Name, &str)>| {
            let mut out = Vec::new();
            for (name, text) in fields {
                put(&mut out, name, text);
            }
            Fields::written(out.into())
        };
        let bodies = prop::sample::select(bodies.to_vec());
        (bodies, instant()).prop_map(move |(fields, created_at)| Content {
            stamp: Stamp::new(Instant::from_micros(2_000_000), Rank::Created),
            created_at,
            body: body(fields),
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
