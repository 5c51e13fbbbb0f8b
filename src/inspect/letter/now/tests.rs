//! Which letters are valid now, and what is sent of them.

use super::*;
use crate::inspect::letter::tests::{Written, schema_violation};
use crate::model::record::Code;
use crate::source::Verdict;
use crate::source::framing::NoSchemas;

fn rejection_of(received: &Received<'_>, config: &Config) -> Option<Rejection> {
    let payload = received.open(config, &NoSchemas).unwrap();
    match received.judge(&payload, config, usize::MAX).verdict {
        Verdict::Rejected(rejection) => Some(rejection),
        Verdict::Batch { rejection, .. } => rejection,
        Verdict::Valid(_) | Verdict::Nothing => None,
    }
}

struct ByConfig<'c>(&'c Config);

impl Judge for ByConfig<'_> {
    type Error = std::convert::Infallible;

    fn rejection(&mut self, record: &Received<'_>) -> Result<Option<Rejection>, Self::Error> {
        Ok(rejection_of(record, self.0))
    }

    fn open<'a>(&mut self, record: &Received<'a>) -> Result<Payload<'a>, Self::Error> {
        Ok(record.open(self.0, &NoSchemas).unwrap())
    }
}

fn now<'a>(letter: &Letter<'a>, config: &Config) -> Now<'a> {
    let Ok(now) = judge(letter, config, &mut ByConfig(config));
    now
}

fn customer(id: &str, postal_code: &str) -> String {
    format!(
        r#"{{"sourceCustomerId":"{id}","organizationId":"5","postalCode":{postal_code},"country":"US",
        "customerCreationDate":"2017-01-01T08:00:00Z","enrollmentStartDate":"2023-01-01T08:00:00Z",
        "enrollmentOptInStatus":"A","alertOptInStatus":[],"targetingIndicator":"T","accounts":[]}}"#
    )
}

fn batch(customers: &[String]) -> Vec<u8> {
    format!(r#"{{"customers":[{}]}}"#, customers.join(",")).into_bytes()
}

/// What is sent of a batch that was rejected for these pointers: the ids, or the pointers of today's violations.
fn sent(value: &[u8], rejection: &Rejection) -> Result<Vec<String>, Vec<String>> {
    let written = Written::of(Source::PublisherCustomers, Some(value), rejection);
    match now(&written.read().unwrap(), &Config::default()) {
        Now::Valid(sendable) => {
            let value = sendable.value.unwrap();
            let json: serde_json::Value = serde_json::from_slice(&value).unwrap();
            let customers = json["customers"].as_array().unwrap().iter();
            let ids = customers.map(|one| one["sourceCustomerId"].as_str().unwrap().to_owned());
            Ok(ids.collect())
        }
        Now::Rejected(rejection) => {
            let violations = rejection.violations.into_iter();
            Err(violations.map(|violation| violation.pointer).collect())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn of_a_batch_the_bad_elements_are_sent() {
    let good: Vec<String> = ["a", "b", "c"].map(|id| customer(id, "\"7\"")).into();
    let rejection = schema_violation(&["/customers/1/postalCode"]);
    assert_eq!(sent(&batch(&good), &rejection), Ok(vec!["b".to_owned()]));
    let all = schema_violation(&["/customers/0", "/customers/1", "/customers/2/x"]);
    assert_eq!(sent(&batch(&good), &all).unwrap().len(), 3);
    // rejected as a whole
    let whole = Rejection::new(Code::InvalidJson);
    assert_eq!(sent(&batch(&good), &whole).unwrap().len(), 3);
}

/// What is sent of a batch that somebody has edited: the ids and how many of how many, or none if it is not valid.
fn sent_edited(before: &[String], after: &[String], pointers: &[&str]) -> Option<Vec<String>> {
    let rejection = schema_violation(pointers);
    let written = Written::of(Source::PublisherCustomers, Some(&batch(before)), &rejection);
    let original = written.read().unwrap();
    let value = batch(after);
    let headers = written.headers();
    let edited = original
        .clone()
        .with_parts(original.key, Some(&value), &headers);
    let config = Config::default();
    let Ok(now) = judge_edited(&edited, Some(&original), &config, &mut ByConfig(&config));
    let Now::Valid(sendable) = now else {
        return None;
    };
    let json: serde_json::Value = serde_json::from_slice(&sendable.value.unwrap()).unwrap();
    let customers = json["customers"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    Some(
        customers
            .map(|one| text(&one["sourceCustomerId"]))
            .collect(),
    )
}

/// Elements have other places in an edited list: what counts is what they say.
#[test]
fn of_an_edited_batch_all_is_sent_that_was_not_good_before() {
    let good = |id: &str| customer(id, "\"7\"");
    let bad = |id: &str| customer(id, "7");
    let ids = |all: &[&str]| Some(all.iter().map(|id| (*id).to_owned()).collect());
    let before = [good("a"), bad("b"), good("c"), bad("d")];
    let pointers = ["/customers/1/postalCode", "/customers/3/postalCode"];
    let sent = |after: &[String]| sent_edited(&before, after, &pointers);
    assert_eq!(
        sent(&[good("a"), good("b"), good("c"), good("d")]),
        ids(&["b", "d"])
    );
    // the good ones are left out
    assert_eq!(sent(&[good("b"), good("d")]), ids(&["b", "d"]));
    // a good one that was edited too, another order, a new one, one twice
    let other = customer("a", "\"8\"");
    let after = [good("d"), other, good("c"), good("e"), good("b"), good("b")];
    assert_eq!(sent(&after), ids(&["d", "a", "e", "b", "b"]));
    // a bad one is left out, or is bad still
    assert_eq!(sent(&[good("a"), good("b"), good("c")]), ids(&["b"]));
    assert_eq!(sent(&[bad("d"), good("b")]), None);
    // nothing is left that is not known
    assert_eq!(sent(&[good("c")]), ids(&[]));
    // where the letter does not say which were bad, all is sent
    let all = sent_edited(&before, &[good("c"), good("b")], &["/customers"]);
    assert_eq!(all, ids(&["c", "b"]));
}

/// Of an element that cannot be decoded the letter lists nothing, so it looks like a good one.
#[test]
fn an_element_that_was_never_listed_is_not_left_out_of_an_edited_batch() {
    let broken = r#"{"sourceCustomerId":"c","sourceCustomerId":"c"}"#.to_owned();
    let (good, bad) = (customer("b", "\"7\""), customer("b", "7"));
    let before = [bad, broken.clone()];
    let pointers = ["/customers/0/postalCode"];
    assert_eq!(
        sent_edited(&before, &[good.clone(), broken], &pointers),
        None
    );
    let mended = customer("c", "\"7\"");
    let both = Some(vec!["b".to_owned(), "c".to_owned()]);
    assert_eq!(sent_edited(&before, &[good, mended], &pointers), both);
}

#[test]
fn a_batch_is_valid_now_when_all_its_bad_elements_are() {
    let mut some = [
        customer("a", "7"),
        customer("b", "\"7\""),
        customer("c", "7"),
    ];
    let both = schema_violation(&["/customers/0/postalCode", "/customers/1/postalCode"]);
    let pointers = sent(&batch(&some), &both).unwrap_err();
    assert_eq!(
        pointers,
        ["/customers/0/postalCode", "/customers/2/postalCode"]
    );
    // what was good when the letter was written was processed, whatever it is today
    some[0] = customer("a", "\"7\"");
    assert_eq!(sent(&batch(&some), &both).unwrap(), ["a", "b"]);
    // of an element that cannot be decoded nothing is listed
    some[2] = r#"{"sourceCustomerId":"c","sourceCustomerId":"c"}"#.to_owned();
    assert!(sent(&batch(&some), &both).is_err());
}

/// An element that repeats another one is not valid because it is sent without the other.
#[test]
fn an_element_is_judged_among_the_others() {
    let mut config = Config::default();
    let rules = &mut config.validation.rules;
    rules.set(Code::DuplicateElement, crate::config::RuleAction::Reject);
    let twice = batch(&[customer("a", "\"7\""), customer("a", "\"7\"")]);
    let violation = crate::model::record::Violation::semantic(
        "/customers/1/sourceCustomerId".to_owned(),
        Code::DuplicateElement,
    );
    let rejection = Rejection::with_violations(Code::DuplicateElement, vec![violation]);
    let written = Written::of(Source::PublisherCustomers, Some(&twice), &rejection);
    let letter = written.read().unwrap();
    assert!(matches!(now(&letter, &config), Now::Rejected(_)));
    let valid = now(&letter, &Config::default());
    let Now::Valid(sendable) = valid else {
        panic!("{valid:?}");
    };
    assert_eq!(sendable.what, What::Elements { bad: 1, of: 2 });
}

#[test]
fn a_letter_is_judged_as_what_would_be_sent() {
    let config = Config::default();
    let rejection = schema_violation(&["/version"]);
    let value = br#"{"customerId":"c-1","version":1}"#;
    let written = Written::of(Source::ConsoleCustomers, Some(value), &rejection);
    let letter = written.read().unwrap();
    let headers = sent_headers(&letter);
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["trace", "__keyfold.errors.attempts", REPLAYED]);
    assert_eq!(headers[1].1.as_deref(), Some(b"2".as_slice()));
    assert_eq!(headers[2].1.as_deref(), Some(b"3@118".as_slice()));
    assert!(now(&letter, &config).is_valid());
    // a second time the header is replaced
    let mut again = letter.clone();
    again.headers.push((REPLAYED, Some(b"3@7")));
    assert_eq!(sent_headers(&again), headers);
    // the headers that are added count too
    let mut config = Config::default();
    config.validation.max_metadata_bytes = "c-1trace__".len();
    let Now::Rejected(rejection) = now(&letter, &config) else {
        panic!("too large");
    };
    assert_eq!(rejection.code, Code::TooLarge);
}

#[test]
fn what_cannot_be_judged_says_so() {
    let config = Config::default();
    let rejection = schema_violation(&["/version"]);
    let value = vec![b'v'; 4_000];
    let written = Written::limited(Source::ConsoleCustomers, Some(&value), &rejection, 2_000);
    let letter = written.read().unwrap();
    assert_eq!(now(&letter, &config), Now::Incomplete);
    let mut gone = letter.clone();
    gone.topic = "an.older.topic";
    assert_eq!(now(&gone, &config), Now::NoSource);
    // null values are judged like others
    let written = Written::of(Source::ConsoleCustomers, None, &rejection);
    assert!(now(&written.read().unwrap(), &config).is_valid());
}
