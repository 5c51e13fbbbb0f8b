//! Hostile values: each gets its code, in little memory, and nothing panics.

mod declared;
mod schemas;

use std::fs;

use keyfold::config::Config;
use keyfold::fold::OfflineFold;
use keyfold::model::record::{Code, MAX_VIOLATIONS, RawRecord, Rejection, Source};
use keyfold::source::{self, Verdict};

/// The largest value that is taken, `validation.max_record_bytes`.
const LARGEST: usize = 1_048_576;

fn rejection(source: Source, value: &[u8]) -> Option<Rejection> {
    let record = RawRecord {
        source,
        timestamp: Some(1_800_000_000_000),
        key: None,
        value: Some(value),
    };
    match source::judge(&record, &Config::default()).verdict {
        Verdict::Valid(_) | Verdict::Nothing => None,
        Verdict::Batch { rejection, .. } => rejection,
        Verdict::Rejected(rejection) => Some(rejection),
    }
}

fn code(source: Source, value: &[u8]) -> Option<Code> {
    rejection(source, value).map(|rejection| rejection.code)
}

/// A console customer with more fields.
fn console(more: &str) -> Vec<u8> {
    format!(r#"{{"customerId":"c","version":1,{more}}}"#).into_bytes()
}

/// As many elements between two texts as the largest value has room for.
fn filled(before: &str, element: &str, after: &str) -> Vec<u8> {
    let room = LARGEST - before.len() - after.len();
    let elements = vec![element; room / (element.len() + 1)];
    let value = [before, &elements.join(","), after].concat().into_bytes();
    assert!(value.len() <= LARGEST);
    value
}

#[test]
fn deep_nesting() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}"), (r#"[{"a":"#, "}]")] {
        let inner = if open == "[" { "" } else { "1" };
        let nested = [&open.repeat(10_000), inner, &close.repeat(10_000)].concat();
        let unclosed = open.repeat(10_000);
        for text in [&nested, &unclosed] {
            for source in Source::BUILT_IN {
                assert_eq!(code(source, text.as_bytes()), Some(Code::InvalidJson));
                let field = |name: &str| format!(r#"{{"{name}":{text}}}"#).into_bytes();
                for name in [
                    "x",
                    "body",
                    "attributes",
                    "customers",
                    "version",
                    "customerId",
                ] {
                    assert_eq!(
                        code(source, &field(name)),
                        Some(Code::InvalidJson),
                        "{name}"
                    );
                }
            }
            let element = format!(r#"{{"customers":[1,{{"accounts":{text}}}]}}"#);
            let found = code(Source::PublisherCustomers, element.as_bytes());
            assert_eq!(found, Some(Code::InvalidJson));
        }
    }
    let deepest = "[".repeat(LARGEST);
    for source in Source::BUILT_IN {
        assert_eq!(code(source, deepest.as_bytes()), Some(Code::InvalidJson));
    }
}

#[test]
fn too_large() {
    for source in Source::BUILT_IN {
        // whatever it holds, it is not looked at
        for byte in [b' ', b'[', 0xff] {
            let found = code(source, &vec![byte; 2 * 1024 * 1024]);
            assert_eq!(found, Some(Code::TooLarge));
        }
        assert_eq!(code(source, &vec![b' '; LARGEST + 1]), Some(Code::TooLarge));
        assert_eq!(code(source, &vec![b' '; LARGEST]), Some(Code::InvalidJson));
    }
    let texts = filled(
        "{\"customerId\":\"c\",\"version\":1,\"firstName\":\"",
        "x",
        "\"}",
    );
    assert_eq!(code(Source::ConsoleCustomers, &texts), None);
}

#[test]
fn numbers_of_a_million_digits() {
    let digits = "9".repeat(1_000_000);
    for place in [
        "\"x\":",
        "\"attributes\":{\"n\":",
        "\"attributes\":{\"n\":[-",
    ] {
        let close = match place.matches(['{', '[']).count() {
            0 => "",
            1 => "}",
            _ => "]}",
        };
        let value = console(&format!("{place}{digits}{close}"));
        assert_eq!(
            code(Source::ConsoleCustomers, &value),
            Some(Code::InvalidJson)
        );
        let value = console(&format!("{place}0.{digits}{close}"));
        assert_eq!(code(Source::ConsoleCustomers, &value), None);
        let value = console(&format!("{place}1e-{digits}{close}"));
        assert_eq!(code(Source::ConsoleCustomers, &value), None);
        let value = console(&format!("{place}1e{digits}{close}"));
        assert_eq!(
            code(Source::ConsoleCustomers, &value),
            Some(Code::InvalidJson)
        );
    }
    let version = |text: &str| format!(r#"{{"customerId":"c","version":{text}}}"#).into_bytes();
    let zeros = "0".repeat(1_000_000);
    for (text, expected) in [
        (digits.clone(), Some(Code::InvalidJson)),
        (format!("\"{digits}\""), Some(Code::SchemaViolation)),
        (format!("\"{zeros}7\""), None),
        (format!("7.{zeros}"), None),
        (format!("7{zeros}e-1000000"), Some(Code::InvalidJson)),
    ] {
        let found = code(Source::ConsoleCustomers, &version(&text));
        // a double of a million digits is one by its exponent: a reader may take the last one
        if !text.contains('e') {
            assert_eq!(found, expected, "{}…", &text[..8]);
        }
    }
}

#[test]
fn bytes_that_are_no_text() {
    for source in Source::BUILT_IN {
        for bytes in [
            &b"\xff"[..],
            b"{\"x\":\"\xc3\"}",
            b"\xed\xa0\x80",
            b"{\"\xf5\":1}",
        ] {
            assert_eq!(code(source, bytes), Some(Code::InvalidUtf8));
        }
        for bytes in [
            &b""[..],
            b"\0",
            b"\xef\xbb\xbf{}",
            b"{",
            b"nul",
            b"{\"x\":\"\\ud800\"}",
        ] {
            assert_eq!(code(source, bytes), Some(Code::InvalidJson));
        }
    }
}

/// Names and ids chosen to fall together, or as many as there is room for.
#[test]
fn a_flood_of_fields() {
    for source in Source::BUILT_IN {
        let names: Vec<String> = (0..60_000).map(|at| format!("\"f{at}\":{at}")).collect();
        let value = format!("{{{}}}", names.join(","));
        assert_eq!(code(source, value.as_bytes()), Some(Code::SchemaViolation));
        let known = filled("{", "\"customerId\":1", "}");
        let found = code(source, &known);
        if source == Source::ConsoleCustomers {
            assert_eq!(found, Some(Code::DuplicateField));
        } else {
            assert_eq!(found, Some(Code::SchemaViolation));
        }
    }
    let names: Vec<String> = (0..60_000).map(|at| format!("\"f{at}\":{at}")).collect();
    let value = console(&format!("\"attributes\":{{{}}}", names.join(",")));
    assert_eq!(code(Source::ConsoleCustomers, &value), None);
}

/// The most memory that this process ever held, in bytes; none where the system does not tell.
fn peak() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: usize = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// An array as long as a value can hold of one element that violates the schema, and where the first violation is.
struct Violating {
    source: Source,
    before: &'static str,
    element: &'static str,
    after: &'static str,
    first: &'static str,
}

const fn violating(source: Source, array: [&'static str; 3], first: &'static str) -> Violating {
    let [before, element, after] = array;
    Violating {
        source,
        before,
        element,
        after,
        first,
    }
}

const EVENT: &str = r#"{"eventType":"CUSTOMER","eventAction":"CREATED","version":1,"body":{"customerId":"c",
    "createdAt":"2024-02-06T10:00:00Z","updatedAt":"2024-02-06T10:00:00Z","addresses":["#;
const PHONES: &str = r#"{"customerId":"c","version":1,"phones":["#;
const CUSTOMERS: &str = r#"{"customers":["#;
const OPT_INS: &str = r#"{"customers":[{"alertOptInStatus":["#;
const ACCOUNTS: &str = r#"{"customers":[{"accounts":[{"sourceAccountId":"a","sourceCustomerIds":["#;

const VIOLATING: [Violating; 8] = [
    violating(
        Source::LoyaltyCustomers,
        [EVENT, "1", "]}}"],
        "/body/addresses/0",
    ),
    violating(
        Source::LoyaltyCustomers,
        [EVENT, "{}", "]}}"],
        "/body/addresses/0",
    ),
    violating(Source::ConsoleCustomers, [PHONES, "{}", "]}"], "/phones/0"),
    violating(
        Source::ConsoleCustomers,
        [PHONES, r#"{"key":""}"#, "]}"],
        "/phones/0/key",
    ),
    violating(
        Source::PublisherCustomers,
        [CUSTOMERS, "1", "]}"],
        "/customers/0",
    ),
    violating(
        Source::PublisherCustomers,
        [CUSTOMERS, "{}", "]}"],
        "/customers/0",
    ),
    violating(
        Source::PublisherCustomers,
        [OPT_INS, "1", "]}]}"],
        "/customers/0",
    ),
    violating(
        Source::PublisherCustomers,
        [ACCOUNTS, "1", "]}]}]}"],
        "/customers/0",
    ),
];

#[test]
fn a_million_violations() {
    for case in VIOLATING {
        let value = filled(case.before, case.element, case.after);
        let rejection = rejection(case.source, &value).unwrap();
        assert_eq!(rejection.violations.len(), MAX_VIOLATIONS);
        assert_eq!(rejection.violations[0].pointer, case.first);
        assert!(rejection.violations.is_sorted());
    }
    // the elements in the order of their pointers: 0, 1, 10, 100, …
    let numbers = rejection(
        Source::PublisherCustomers,
        &filled("{\"customers\":[", "1", "]}"),
    )
    .unwrap();
    let pointers: Vec<&str> = numbers
        .violations
        .iter()
        .map(|one| one.pointer.as_str())
        .collect();
    assert_eq!(
        pointers[..4],
        [
            "/customers/0",
            "/customers/1",
            "/customers/10",
            "/customers/100"
        ]
    );

    if let Some(peak) = peak() {
        assert!(peak < 300 << 20, "{} MiB at the peak", peak >> 20);
    }
}

/// What a snapshot shows more than once, the state holds once; what is written of a customer must all the same fit
/// into topics that have room for `validation.max_state_bytes` and 64 KiB.
#[test]
fn a_customer_whose_snapshot_is_larger_than_its_state() {
    let config = Config::default();
    let most = config.validation.max_state_bytes + 64 * 1024;
    for (id_bytes, contract_bytes) in [(4, 8_500), (80_000, 8_000), (4, 80_000)] {
        // each takes six bytes in JSON
        let id = "\\u0001".repeat(id_bytes);
        let mut fold = OfflineFold::new(&config);
        let mut refused = 0;
        for n in 0..100 {
            let contract = "c".repeat(contract_bytes);
            let value = format!(
                r#"{{"eventType":"CUSTOMER_ACTION","eventAction":"CREATED","version":1.0,"body":{{
                "customerId":"{id}","interactionId":"i-{n}","interaction":{{"type":"SUBSCRIPTION_RESTARTED",
                "subscriptionContractId":"{n}-{contract}"}},"createdAt":"2024-03-05T00:00:00Z",
                "updatedAt":"2024-03-05T00:00:00Z"}}}}"#
            );
            let record = RawRecord {
                source: Source::LoyaltyActions,
                timestamp: Some(1_800_000_000_000),
                key: None,
                value: Some(value.as_bytes()),
            };
            for rejection in fold.record(&record) {
                assert_eq!(rejection.code, Code::StateTooLarge);
                refused += 1;
            }
        }
        assert!((1..100).contains(&refused), "{refused}");
        let (id, snapshot) = fold.snapshots().next().unwrap();
        let written = id.len() + snapshot.unwrap().len();
        assert!(written < most && written > most / 2, "{written}");
    }
}

#[test]
fn an_id_that_fits_into_no_topic() {
    let config = Config::default();
    let id = "i".repeat(1_000_000);
    let mut fold = OfflineFold::new(&config);
    let value = format!(r#"{{"customerId":"{id}","version":1}}"#);
    for value in [Some(value.as_bytes()), None] {
        let record = RawRecord {
            source: Source::ConsoleCustomers,
            timestamp: Some(1_800_000_000_000),
            key: Some(id.as_bytes()),
            value,
        };
        let rejections = fold.record(&record);
        assert_eq!(rejections.len(), 1);
        assert_eq!(rejections[0].code, Code::StateTooLarge);
    }
    assert_eq!(fold.snapshots().count(), 0);
}

/// A code is counted however many other warnings there are.
#[test]
fn warnings_of_every_code() {
    let addresses: Vec<String> = (0..40)
        .map(|n| format!(r#"{{"key":"a{n}","country":"zz"}}"#))
        .collect();
    let phones = r#"{"key":"p"},{"key":"p"}"#;
    let value = console(&format!(
        r#""addresses":[{}],"phones":[{phones}]"#,
        addresses.join(",")
    ));
    let record = RawRecord {
        source: Source::ConsoleCustomers,
        timestamp: Some(1_800_000_000_000),
        key: None,
        value: Some(&value),
    };
    let judged = source::judge(&record, &Config::default());
    assert!(matches!(judged.verdict, Verdict::Valid(_)));
    assert_eq!(judged.warnings.len(), MAX_VIOLATIONS + 1);
    let codes = |code: Code| {
        let named = |warning: &&keyfold::model::record::Violation| warning.keyword == code.name();
        judged.warnings.iter().filter(named).count()
    };
    assert_eq!(codes(Code::CountryCode), MAX_VIOLATIONS);
    assert_eq!(codes(Code::DuplicateElement), 1);
}
