//! What holds of every verdict, whatever it was made of.

use keyfold::avro::{Plan, snapshot as avro_snapshot};
use keyfold::config::Config;
use keyfold::customer::contribution::Contribution;
use keyfold::customer::snapshot::{self, View};
use keyfold::customer::{Customer, Keep};
use keyfold::json::strict::{self, Plain};
use keyfold::model::record::{Code, MAX_VIOLATIONS, RawRecord, Rejection, Source, Stage};
use keyfold::source::{self, BatchElement, Judged, Value, Verdict};

/// The timestamp of all records here, in milliseconds.
const TIMESTAMP: i64 = 1_800_000_000_000;

pub fn record(source: Source, value: &[u8]) -> RawRecord<'_> {
    RawRecord {
        source,
        timestamp: Some(TIMESTAMP),
        key: None,
        value: Some(value),
    }
}

/// What a verdict comes to, in a form that can be compared.
#[derive(Debug)]
pub struct Checked {
    pub contributions: Vec<Contribution>,
    pub rejection: Option<Rejection>,
    pub warnings: String,
}

/// Checks a verdict on a value of the source; `plan` is that of an Avro value.
pub fn checked(judged: Judged<'_>, source: Source, plan: Option<&Plan>) -> Checked {
    checked_by(judged, source, plan, &Config::default())
}

/// The same for a source that the configuration declares.
pub fn checked_by(
    judged: Judged<'_>,
    source: Source,
    plan: Option<&Plan>,
    config: &Config,
) -> Checked {
    assert!(judged.warnings.len() <= MAX_VIOLATIONS && judged.warnings.is_sorted());
    let warnings = format!("{:?}", judged.warnings);
    let (contributions, rejection) = match judged.verdict {
        Verdict::Valid(contribution) => (vec![contribution], None),
        Verdict::Nothing => (Vec::new(), None),
        Verdict::Rejected(rejection) => (Vec::new(), Some(rejection)),
        Verdict::Batch {
            elements,
            rejection,
        } => {
            elements
                .iter()
                .for_each(|one| alone(one, source, plan, config));
            let contributions = elements.into_iter().map(|one| one.contribution);
            (contributions.collect(), rejection)
        }
    };
    if let Some(rejection) = &rejection {
        reason(rejection, source);
    }
    contributions.iter().for_each(fold);
    Checked {
        contributions,
        rejection,
        warnings,
    }
}

/// Both readings of one value came to the same.
pub fn same(one: &Checked, other: &Checked) {
    assert_eq!(one.rejection, other.rejection);
    assert_eq!(one.warnings, other.warnings);
    // contributions have no equality; all that they hold is in their debug form
    assert_eq!(
        format!("{:?}", one.contributions),
        format!("{:?}", other.contributions)
    );
}

/// What a rejection lists (docs/contract.md, section 2). A batch has the code of its first bad element, and lists the
/// violations of all: so it may list some where its code is one of decoding.
fn reason(rejection: &Rejection, source: Source) {
    let Rejection {
        code,
        message,
        violations,
    } = rejection;
    let decoding = code.stage() == Stage::Decode;
    assert!(
        violations.is_empty() == decoding || (decoding && source == Source::PublisherCustomers)
    );
    assert!(violations.len() <= MAX_VIOLATIONS && violations.is_sorted());
    assert!(
        !message.contains("please report"),
        "the typed reading and the schema differ"
    );
    // the two rules that depend on more than the value
    assert!(!matches!(code, Code::StateTooLarge | Code::NoTimestamp));
}

/// A good element of a batch says the same as a batch of its own.
fn alone(element: &BatchElement<'_>, source: Source, plan: Option<&Plan>, config: &Config) {
    let value = element.batch_of_one();
    let form = match plan {
        Some(plan) => Value::Avro(plan, &value),
        None => Value::Json(&value),
    };
    let judged = source::judge_value(&record(source, &value), form, &[], config);
    let Verdict::Batch {
        elements,
        rejection: None,
    } = judged.verdict
    else {
        panic!("an element alone is no good batch");
    };
    let again: Vec<_> = elements.iter().map(|one| &one.contribution).collect();
    assert_eq!(
        format!("{again:?}"),
        format!("{:?}", [&element.contribution])
    );
}

/// A valid record can be folded, twice is like once, and the state and its snapshot can be written.
fn fold(contribution: &Contribution) {
    let config = Config::default();
    let id = &contribution.customer;
    assert!(!id.trim().is_empty());
    let mut customer = Customer::default();
    customer.join(contribution.data.clone(), Keep::of(&config));
    let once = customer.clone();
    assert!(!customer.join(contribution.data.clone(), Keep::of(&config)));
    assert_eq!(customer, once);
    let mut state = Vec::new();
    customer.encode(&mut state);
    assert_eq!(Customer::decode(state), Ok(customer.clone()));
    let mut text = Vec::new();
    if snapshot::write(&customer, id, &View::of(&config), &mut text) {
        let text = std::str::from_utf8(&text).expect("a snapshot is UTF-8");
        let read = strict::read(text, Plain::<serde_json::Value>);
        assert_eq!(read.expect("a snapshot is JSON")["customerId"], id.as_str());
        let encoded = avro_snapshot::encode(text.as_bytes(), &mut Vec::new());
        assert!(encoded.is_ok(), "a snapshot follows its Avro schema");
    }
}
