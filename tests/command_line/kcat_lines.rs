//! `fold` and `validate` on what `kcat -C -J` prints.

use std::fs;

use serde_json::Value;

use crate::{APPENDED, CREATED, UNKNOWN, console, event, keyfold, line};

/// Records of every kind that kcat can print.
fn mixed() -> Vec<u8> {
    [
        line("loyalty.customers", 0, CREATED, b"\"b\"", &event("b", "gb")),
        line(
            "loyalty.customers",
            1,
            CREATED,
            b"null",
            &event("c", "Nowhere"),
        ),
        line(
            "loyalty.customers",
            2,
            APPENDED,
            b"\"k\xfe\"",
            b"\"{\\\"a\\\": \\\"\xff\xfe\\\"}\"",
        ),
        line("console.customers", 0, UNKNOWN, b"\"a\"", &console("a")),
        line("console.customers", 1, APPENDED, b"\"a\"", &console("a")),
        line("loyalty.customer-actions", 0, CREATED, b"\"b\"", b"null"),
        line("loyalty.customers", 3, CREATED, b"\"\\u00e9\"", b"null"),
        line("loyalty.customers", 4, CREATED, b"\"\xff\"", b"null"),
        line("loyalty.customers", 5, CREATED, b"\"\"", b"\"\""),
    ]
    .concat()
}

/// `source offset stage code` of a line of `fold --rejected`.
fn place_and_code(line: &str) -> String {
    let line: Value = serde_json::from_str(line).unwrap();
    let text = |name: &str| line[name].as_str().unwrap().to_owned();
    assert_eq!(line["partition"], 3);
    let (source, stage, code) = (text("source"), text("stage"), text("code"));
    format!("{source} {} {stage} {code}", line["offset"])
}

#[test]
fn fold_reads_what_kcat_prints() {
    let folder = tempfile::tempdir().unwrap();
    let rejected = folder.path().join("rejected");
    let rejected_text = rejected.to_str().unwrap();
    let run = keyfold(&["fold", "--rejected", rejected_text], &mixed(), &[]);
    assert_eq!(run.code, Some(0), "{}", run.err);

    let lines: Vec<&str> = run.out.lines().collect();
    assert_eq!(lines.len(), 3, "{}", run.out);
    let console = concat!(
        r#"{"key":"a","value":{"schemaVersion":1,"customerId":"a","phones":[],"#,
        r#""addresses":[{"source":"console","addressId":"k","country":"Atlantis"}],"dependents":[],"attributes":{},"#,
        r#""accounts":[],"sources":{"console":{"version":1,"updatedAt":"2024-02-06T11:46:40Z"}},"#,
        r#""updatedAt":"2024-02-06T11:46:40Z"}}"#
    );
    assert_eq!(lines[0], console);
    assert!(
        lines[1].starts_with(r#"{"key":"b","value":{"#),
        "{}",
        lines[1]
    );
    // a customer that only an erasure speaks of
    assert_eq!(lines[2], r#"{"key":"é","value":null}"#);

    let rejected = fs::read_to_string(rejected).unwrap();
    let codes: Vec<String> = rejected.lines().map(place_and_code).collect();
    assert_eq!(
        codes,
        [
            "loyalty-customers 1 semantic country_code",
            "loyalty-customers 2 decode invalid_utf8",
            "console-customers 0 semantic no_timestamp",
            "loyalty-actions 0 decode null_value",
            "loyalty-customers 4 semantic blank_id",
            "loyalty-customers 5 decode invalid_json",
        ]
    );
    let first = concat!(
        r#"{"topic":"loyalty.customers","partition":3,"offset":1,"key":null,"source":"loyalty-customers","#,
        r#""stage":"semantic","code":"country_code","message":"a country is not one of ISO 3166-1","violations":"#,
        r#"[{"pointer":"/body/addresses/0/countryCode","keyword":"country_code","#,
        r#""message":"a country is not one of ISO 3166-1"}]}"#
    );
    assert_eq!(rejected.lines().next(), Some(first));
    for text in ["Secret", "Nowhere"] {
        assert!(!rejected.contains(text) && !run.err.contains(text));
    }
}

#[test]
fn files_and_standard_input_are_one_input() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("records");
    let name = file.to_str().unwrap();
    let last = line("loyalty.customers", 9, CREATED, b"null", &event("z", "GB"));
    // the last line may lack its line feed, and blank lines say nothing
    fs::write(&file, [b"\n", last.trim_ascii_end()].concat()).unwrap();
    let all = keyfold(&["fold", name, "-"], &mixed(), &[]);
    assert_eq!(all.code, Some(0), "{}", all.err);
    let keys: Vec<&str> = all.out.lines().map(|line| &line[..10]).collect();
    assert_eq!(keys.len(), 4, "{}", all.out);
    assert_eq!(keys[2], r#"{"key":"z""#);

    let nothing = keyfold(&["fold"], b"", &[]);
    assert_eq!((nothing.code, nothing.out.as_str()), (Some(0), ""));
}

#[test]
fn validate_says_what_it_thinks_of_each_record() {
    let run = keyfold(&["validate"], &mixed(), &[]);
    assert_eq!(run.code, Some(1), "{}", run.err);
    let lines: Vec<&str> = run.out.lines().collect();
    assert_eq!(lines.len(), 9);
    let valid = concat!(
        r#"{"topic":"loyalty.customers","partition":3,"offset":0,"verdict":"valid","stage":null,"code":null,"#,
        r#""message":null,"violations":[],"warnings":[]}"#
    );
    assert_eq!(lines[0], valid);
    let rejected = concat!(
        r#"{"topic":"loyalty.customers","partition":3,"offset":2,"verdict":"rejected","stage":"decode","#,
        r#""code":"invalid_utf8","message":"the value is not UTF-8","violations":[],"warnings":[]}"#
    );
    assert_eq!(lines[2], rejected);
    let warned: Value = serde_json::from_str(lines[4]).unwrap();
    assert_eq!(warned["verdict"], "valid");
    assert_eq!(warned["warnings"][0]["pointer"], "/addresses/0/country");
    assert_eq!(warned["warnings"][0]["keyword"], "country_code");

    let good = line("loyalty.customers", 0, CREATED, b"null", &event("b", "GB"));
    let run = keyfold(&["validate", "-"], &good, &[]);
    assert_eq!(run.code, Some(0), "{}", run.err);
}

#[test]
fn a_wrong_line_is_named() {
    let good = line("loyalty.customers", 0, CREATED, b"null", &event("b", "GB"));
    let elsewhere = line("some.topic", 0, CREATED, b"null", &event("Secret", "GB"));
    let broken = b"{\"topic\":\"loyalty.customers\",\"payload\":\"Secret\n".to_vec();
    let no_record = b"[\"Secret\"]\n".to_vec();
    for command in ["fold", "validate"] {
        for wrong in [&elsewhere, &broken, &no_record] {
            let input = [&good[..], wrong].concat();
            let run = keyfold(&[command], &input, &[]);
            assert_eq!(run.code, Some(2), "{command}: {}", run.err);
            assert!(run.err.contains("standard input, line 2"), "{}", run.err);
            assert!(!run.err.contains("Secret"), "{}", run.err);
        }
    }
    let run = keyfold(&["fold"], &elsewhere, &[]);
    assert!(run.err.contains("topics"), "{}", run.err);
}

#[test]
fn key_and_headers_are_bounded_together() {
    let line = |key: usize, name: usize, value: usize| {
        let (key, name, value) = ("k".repeat(key), "n".repeat(name), "v".repeat(value));
        format!(
            r#"{{"topic":"console.customers","ts":1707220000000,"key":"{key}","headers":["{name}","{value}","null",null],"payload":"{{\"customerId\":\"c\",\"version\":1}}"}}"#
        ) + "\n"
    };
    let most = line(536, 5_000, 60_000 - 4);
    let run = keyfold(&["validate"], most.as_bytes(), &[]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    let null = r#"{"topic":"loyalty.customers","ts":1707220000000,"key":"HHH","headers":["h","x"],"payload":null}"#;
    let null = null.replace("HHH", &"k".repeat(65_535));
    for more in [
        line(537, 5_000, 60_000 - 4),
        line(536, 5_001, 60_000 - 4),
        line(536, 5_000, 60_000 - 3),
        null,
    ] {
        let run = keyfold(&["validate"], more.as_bytes(), &[]);
        assert_eq!(run.code, Some(1), "{}", run.err);
        let verdict: Value = serde_json::from_str(&run.out).unwrap();
        assert_eq!(verdict["stage"], "decode");
        assert_eq!(verdict["code"], "too_large");
        let run = keyfold(&["fold"], more.as_bytes(), &[]);
        assert_eq!((run.code, run.out.as_str()), (Some(0), ""));
    }
}
