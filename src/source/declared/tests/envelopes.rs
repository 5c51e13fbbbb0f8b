//! Debezium and CloudEvents.

use serde_json::{Value as Json, json};

use super::*;

fn debezium() -> Definition {
    let mut definition =
        with_scalars(&[(Scalar::FirstName, "/first"), (Scalar::LastName, "/last")]);
    definition.envelope = Envelope::Debezium;
    definition
}

/// The same change in each of its forms.
fn forms(op: &str, before: &str, after: &str, source: &str) -> [String; 2] {
    let bare =
        format!(r#"{{"before":{before},"after":{after},"source":{source},"op":"{op}","ts_ms":1}}"#);
    let wrapped = format!(r#"{{"schema":{{"type":"struct"}},"payload":{bare}}}"#);
    [bare, wrapped]
}

const SOURCE: &str = r#"{"ts_ms":1683353289123,"lsn":7}"#;

#[test]
fn a_change_tells_the_row() {
    let row = r#"{"id":7,"first":"A","last":"__debezium_unavailable_value"}"#;
    for op in ["c", "u", "r"] {
        for form in forms(op, "null", row, SOURCE) {
            let rank = if op == "r" { 0 } else { 7 };
            let expected = json!({"id": "7", "at": "2023-05-06T06:08:09.123Z", "rank": rank, "FirstName": "A"});
            assert_eq!(said(&debezium(), &form), Ok(expected), "{form}");
        }
    }
    for form in forms("u", "null", r#"{"first":1.5}"#, SOURCE) {
        let expected = "schema_violation /first:type /id:required";
        assert_eq!(said(&debezium(), &form), Err(expected.to_owned()));
    }
    for other in ["t", "m", "x"] {
        for form in forms(other, "null", "null", SOURCE) {
            assert_eq!(said(&debezium(), &form), Ok(json!("nothing")), "{form}");
        }
    }
}

#[test]
fn a_flattened_row_tells_itself() {
    let row = r#"{"id":"c","first":"A","__op":"u","__source_ts_ms":1683353289123,"__source_ts_us":1683353289123456,
        "__source_lsn":9,"__deleted":"false"}"#;
    let expected =
        json!({"id": "c", "at": "2023-05-06T06:08:09.123456Z", "rank": 9, "FirstName": "A"});
    assert_eq!(said(&debezium(), row), Ok(expected.clone()));
    let wrapped = format!(r#"{{"payload":{row},"schema":null}}"#);
    assert_eq!(said(&debezium(), &wrapped), Ok(expected));
    // `add.fields` may name the fields of the source without their struct.
    let rank = |position: &str| {
        let row = format!(r#"{{"id":"c",{position},"__ts_ms":1683353289123}}"#);
        let said = said(&debezium(), &row).unwrap();
        assert_eq!(said["at"], json!("2023-05-06T06:08:09.123Z"));
        said["rank"].as_u64().unwrap()
    };
    assert_eq!(rank(r#""__lsn":9"#), 9);
    assert_eq!(rank(r#""__lsn":9,"__source_lsn":8"#), 8);
    assert_eq!(rank(r#""__lsn":9,"__source_lsn":null"#), 9);
    assert_eq!(rank(r#""__lsn":9,"__op":"r""#), 0);
    for names in [
        ["__file", "__pos"],
        ["__source_file", "__source_pos"],
        ["__file", "__source_pos"],
    ] {
        let [file, pos] = names;
        let place = format!(r#""{file}":"bin.000003","{pos}":154"#);
        assert_eq!(rank(&place), (3 << 32) + 154);
    }
    // A column may be called `op`.
    let column = said(&debezium(), r#"{"id":"c","op":"d"}"#).unwrap();
    assert_eq!(column["at"], json!("2024-01-01T00:00:00Z"));
    for deleted in [
        r#""__deleted":"true""#,
        r#""__deleted":true"#,
        r#""__op":"d""#,
    ] {
        let gone = said(&debezium(), &format!(r#"{{"id":"c",{deleted}}}"#));
        assert_eq!(
            gone.unwrap()["erased"],
            json!(["test", "2024-01-01T00:00:00Z"])
        );
    }
}

#[test]
fn a_deletion_names_its_row_before_or_in_the_key() {
    let of = |before: &str, key: Option<&str>| {
        let all = forms("d", before, "null", SOURCE).map(|form| {
            let record = Record {
                key,
                ..record(&form)
            };
            said_of(&debezium(), record).map(|said| said["id"].clone())
        });
        assert_eq!(all[0], all[1]);
        all[0].clone()
    };
    assert_eq!(of(r#"{"id":7}"#, None), Ok(json!("7")));
    for key in [
        "7",
        "\"7\"",
        r#"{"id":7}"#,
        r#"{"schema":{},"payload":{"id":"7"}}"#,
    ] {
        assert_eq!(of("null", Some(key)), Ok(json!("7")), "{key}");
    }
    assert_eq!(of("null", Some("c:7")), Ok(json!("c:7")));
    for no_id in [Some(r#"{"other":7}"#), Some("null"), Some("true"), None] {
        assert_eq!(
            of("null", no_id),
            Err("schema_violation /id:required".to_owned()),
            "{no_id:?}"
        );
    }
    assert_eq!(of("null", Some(" ")), Err("blank_id :blank_id".to_owned()));
}

#[test]
fn the_position_in_a_log_of_mysql_is_the_rank() {
    let rank = |source: &str| {
        let [bare, _] = forms("u", "null", r#"{"id":"c"}"#, source);
        said(&debezium(), &bare).unwrap()["rank"].as_u64().unwrap()
    };
    assert_eq!(rank(r#"{"file":"bin.000003","pos":154}"#), (3 << 32) + 154);
    assert_eq!(
        rank(r#"{"file":"bin.99999999999","pos":1}"#),
        i64::MAX as u64
    );
    assert_eq!(rank(r#"{"pos":154}"#), 154);
    assert_eq!(rank("{}"), 0);
}

#[test]
fn a_null_value_changes_nothing_more() {
    let source = DeclaredSource::new("test");
    let mut config = Config::default();
    let plan = Arc::new(Plan::new(debezium()).unwrap());
    config
        .sources
        .declare(source, SourceConfig::default(), plan);
    let raw = RawRecord {
        source: Source::Declared(source),
        timestamp: Some(AT),
        key: Some(b"c"),
        value: None,
    };
    let judged = judge_payload(&raw, &Payload::Null, &[], &config);
    assert!(matches!(judged.verdict, Verdict::Nothing));
}

fn events() -> Definition {
    let mut definition = with_scalars(&[
        (Scalar::FirstName, "/first"),
        (Scalar::LastName, "root:/subject"),
    ]);
    definition.envelope = Envelope::CloudEvents;
    definition
}

const TIME: &str = "2023-05-06T06:08:09Z";

#[test]
fn a_structured_event_has_its_data_inside() {
    assert!(Plan::new(events()).unwrap().needs_headers());
    let event = format!(
        r#"{{"data":{{"id":"c","first":"A"}},"specversion":"1.0","time":"{TIME}","subject":"S"}}"#
    );
    let expected = json!({"id": "c", "at": TIME, "rank": 0, "FirstName": "A", "LastName": "S"});
    assert_eq!(said(&events(), &event), Ok(expected.clone()));
    let bad = r#"{"data":{"first":1.5},"specversion":"1.0","time":"now"}"#;
    let found = said(&events(), bad);
    assert_eq!(
        found,
        Err("schema_violation /data/first:type /data/id:required /time:format".to_owned())
    );
    let no_event = said(&events(), r#"{"data":{"id":"c"}}"#);
    assert_eq!(
        no_event,
        Err("schema_violation /specversion:required".to_owned())
    );

    let list = format!(" [{event},{bad},{event}]");
    let found = said(&events(), &list).unwrap();
    assert_eq!(found[0], json!([expected, expected]));
    let bad = "schema_violation /1/data/first:type /1/data/id:required /1/time:format";
    assert_eq!(found[1], json!(bad));
    with_judged(&events(), record(&list), |judged| match judged.verdict {
        Verdict::Batch { elements, .. } => {
            let one = String::from_utf8(elements[0].batch_of_one()).unwrap();
            assert_eq!(one, format!("[{event}]"));
        }
        other => panic!("{other:?}"),
    });
    assert_eq!(said(&events(), "[]"), Ok(json!([[], null])));
}

#[test]
fn a_binary_event_has_its_attributes_in_headers() {
    let headers = [("ce_specversion", "1.0"), ("ce_time", TIME)];
    let of = |value: &str, headers: &[(&str, &str)]| -> Result<Json, String> {
        said_of(
            &events(),
            Record {
                headers,
                ..record(value)
            },
        )
    };
    let said = of(r#"{"id":"c","first":"A","subject":"mine"}"#, &headers).unwrap();
    assert_eq!(
        said,
        json!({"id": "c", "at": TIME, "rank": 0, "FirstName": "A", "LastName": "mine"})
    );
    let default = of(r#"{"id":"c"}"#, &headers[..1]).unwrap();
    assert_eq!(default["at"], json!("2024-01-01T00:00:00Z"));
    let bad = of(r#"{"id":[]}"#, &[headers[0], ("ce_time", "x")]);
    assert_eq!(bad, Err("schema_violation :format /id:type".to_owned()));
}
