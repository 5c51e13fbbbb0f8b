//! The semantic rules, deletions and actions.

use serde_json::json;

use super::*;
use crate::config::RuleAction;
use crate::definition::{ActionTable, Deleted, ElementField, EventType, RuleDefault, VersionRange};
use crate::model::record::Code;

fn warnings(definition: &Definition, value: &str) -> Vec<String> {
    with_judged(definition, record(value), |judged| {
        assert!(matches!(judged.verdict, Verdict::Valid(_)), "{judged:?}");
        let all = judged.warnings.iter();
        all.map(|one| format!("{}:{}", one.pointer, one.keyword))
            .collect()
    })
}

#[test]
fn times_in_the_future_and_creations_after_updates_break_rules() {
    let mut table = table(ListName::Addresses, "/a", "/id");
    table.fields = vec![(ElementField::Line1, value("/s"))];
    table.updated_at = Some(value("/u"));
    table.created_at = Some(value("/c"));
    let mut definition = with_lists(vec![table]);
    definition.updated_at = Some(value("/u"));
    definition.created_at = Some(value("/c"));
    let late = r#"{"id":"c","u":"2024-01-02T00:00:00.001Z","a":[{"id":"1","s":"x","u":"2025-01-01T00:00:00Z"}]}"#;
    let expected = "future_timestamp /a/0/u:future_timestamp /u:future_timestamp";
    assert_eq!(said(&definition, late), Err(expected.to_owned()));
    let without = Record {
        timestamp: None,
        ..record(late)
    };
    assert!(said_of(&definition, without).is_ok());
    let on_time = r#"{"id":"c","u":"2024-01-02T00:00:00Z","c":"2024-01-03T00:00:00Z","a":[
        {"id":"1","s":"x","c":"2024-01-02T00:00:01Z"},{"id":"2","s":"x","u":"2024-01-01T00:00:00Z"},
        {"id":"2","s":"x"}]}"#;
    let expected = [
        "/a/0/c:created_after_updated",
        "/a/1/u:created_after_updated",
        "/a/2/id:duplicate_element",
        "/c:created_after_updated",
    ];
    assert_eq!(warnings(&definition, on_time), expected);
}

#[test]
fn a_record_without_a_time_is_rejected() {
    let without = |value| Record {
        timestamp: Some(-1),
        ..record(value)
    };
    let found = said_of(&definition(), without(r#"{"id":"c"}"#));
    assert_eq!(found, Err("no_timestamp :no_timestamp".to_owned()));
    let mut mapped = definition();
    mapped.updated_at = Some(value("/u timestamp"));
    let found = said_of(&mapped, without(r#"{"id":"c"}"#));
    assert_eq!(found, Err("schema_violation /u:required".to_owned()));
    assert_eq!(
        said(&mapped, r#"{"id":"c"}"#).unwrap()["at"],
        json!("2024-01-01T00:00:00Z")
    );
}

#[test]
fn the_configuration_decides_before_the_definition() {
    let mut table = table(ListName::Addresses, "/a", "/id");
    table.fields = vec![(ElementField::CountryCode, value("/c"))];
    let mut definition = with_lists(vec![table]);
    let record_text = r#"{"id":"c","a":[{"id":"1","c":"NLD"}]}"#;
    assert!(warnings(&definition, record_text).is_empty());
    definition.countries = Countries::Alpha2;
    assert_eq!(warnings(&definition, record_text), ["/a/0/c:country_code"]);
    definition.rules = vec![
        (Code::CountryCode, RuleDefault::Reject),
        (Code::BlankId, RuleDefault::Off),
    ];
    assert_eq!(
        said(&definition, record_text),
        Err("country_code /a/0/c:country_code".to_owned())
    );
    assert_eq!(
        said(&definition, r#"{"id":""}"#),
        Err("blank_id /id:blank_id".to_owned())
    );
    with_judged_by(
        &definition,
        record(record_text),
        |config, _| {
            config
                .validation
                .rules
                .set(Code::CountryCode, RuleAction::Off)
        },
        |judged| assert!(matches!(judged.verdict, Verdict::Valid(_)) && judged.warnings.is_empty()),
    );
}

#[test]
fn the_type_and_the_version_of_an_event_are_rules() {
    let mut definition = definition();
    definition.event_type = Some(EventType {
        from: value("/type"),
        is: vec![
            r#""CUSTOMER""#.to_owned(),
            "1".to_owned(),
            r#""a\"b""#.to_owned(),
        ],
    });
    definition.version = Some(VersionRange {
        from: value("/version"),
        min: 1.0,
        below: 2.0,
    });
    let of = |kind: &str, version: &str| {
        said(
            &definition,
            &format!(r#"{{"id":"c","type":{kind},"version":{version}}}"#),
        )
        .map(|_| ())
    };
    assert_eq!(of(r#""CUSTOMER""#, "1.9"), Ok(()));
    assert_eq!(of("1", "1"), Ok(()));
    assert_eq!(of(r#""a\"b""#, "1"), Ok(()));
    for kind in [r#""1""#, "1.0", "null", r#""customer""#] {
        assert_eq!(
            of(kind, "1"),
            Err("event_type /type:event_type".to_owned()),
            "{kind}"
        );
    }
    for version in ["2", "0.99", "null"] {
        let expected = "unsupported_version /version:unsupported_version";
        assert_eq!(
            of(r#""CUSTOMER""#, version),
            Err(expected.to_owned()),
            "{version}"
        );
    }
    assert_eq!(
        of(r#""CUSTOMER""#, r#""1""#),
        Err("schema_violation /version:type".to_owned())
    );
}

#[test]
fn a_deleted_record_tells_only_its_time() {
    let mut definition = with_scalars(&[(Scalar::Status, "/s")]);
    definition.deleted = Some(Deleted {
        when: value("/state"),
        is: vec![r#""GONE""#.to_owned(), "true".to_owned()],
    });
    let gone = r#"{"id":"c","state":"GONE","s":"broken"}"#;
    let expected = json!({"id": "c", "erased": ["test", "2024-01-01T00:00:00Z"]});
    assert_eq!(said(&definition, gone), Ok(expected.clone()));
    assert_eq!(
        said(&definition, r#"{"state":true,"id":"c"}"#),
        Ok(expected)
    );
    assert!(
        said(&definition, r#"{"state":"gone","id":"c"}"#)
            .unwrap()
            .get("erased")
            .is_none()
    );
    assert!(
        said(&definition, r#"{"state":"true","id":"c"}"#)
            .unwrap()
            .get("erased")
            .is_none()
    );
    assert_eq!(
        said(&definition, r#"{"state":true}"#),
        Err("schema_violation /id:required".to_owned())
    );
    assert_eq!(
        said(&definition, r#"{"state":true,"id":" "}"#),
        Err("blank_id /id:blank_id".to_owned())
    );
    with_judged_by(
        &definition,
        record(gone),
        |_, source| source.tombstone = Tombstone::Erase,
        |judged| match judged.verdict {
            Verdict::Valid(said) => assert_eq!(said.data.as_erasure().unwrap().only, None),
            other => panic!("{other:?}"),
        },
    );
}

#[test]
fn a_record_may_be_an_action() {
    let mut definition = definition();
    definition.created_at = Some(value("/c"));
    definition.tells = Tells::Action(Box::new(ActionTable {
        id: value("/a"),
        kind: value("/t"),
        contract: Some(value("/k")),
        utm: [Some(value("/us")), None, None, None, Some(value("/ut"))],
    }));
    let full = r#"{"id":"c","a":7,"t":"SIGN_UP","k":" k ","us":" s ","ut":"t","c":"2023-01-01T00:00:00Z"}"#;
    assert_eq!(
        said(&definition, full),
        Ok(
            json!({"id": "c", "at": "2024-01-01T00:00:00Z", "rank": 0, "action": "7", "type": "SIGN_UP",
            "createdAt": "2023-01-01T00:00:00Z",
            "body": {"subscriptionContractId": " k ", "utmParameters": {"utmSource": "s", "utmTerms": "t"}}})
        )
    );
    let kind = |text: &str| {
        let record = format!(r#"{{"id":"c","a":"1","t":"{text}"}}"#);
        said(&definition, &record).map(|said| said["body"].clone())
    };
    assert_eq!(kind(&"é".repeat(64)), Ok(json!({})));
    assert_eq!(
        kind(&"é".repeat(65)),
        Err("schema_violation /t:format".to_owned())
    );
    assert_eq!(kind(""), Err("schema_violation /t:format".to_owned()));
    let missing = said(&definition, r#"{"id":"c"}"#);
    assert_eq!(
        missing,
        Err("schema_violation /a:required /t:required".to_owned())
    );
    assert_eq!(
        said(&definition, r#"{"id":"c","a":"","t":"x"}"#),
        Err("blank_id /a:blank_id".to_owned())
    );
}
