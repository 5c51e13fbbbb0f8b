//! Batches.

use serde_json::json;

use super::*;
use crate::definition::ElementField;

fn contacts() -> Definition {
    let mut phones = table(ListName::Phones, "/p", "/id");
    phones.fields = vec![(ElementField::NumberLocal, value("/n"))];
    let mut definition = with_lists(vec![phones]);
    if let Tells::Customer { scalars, .. } = &mut definition.tells {
        scalars.push((Scalar::FirstName, value("/first")));
        scalars.push((Scalar::LastName, value("root:/meta/family")));
    }
    definition.each = Some(pointer("/data/contacts"));
    definition.updated_at = Some(value("root:/meta/at"));
    definition
}

const BATCH: &str = r#"{"noise":[1,2],"meta":{"x":1,"family":"L","at":"2023-01-01T00:00:00Z"},"data":{"y":2,"contacts":[
    {"id":"1","first":"A","p":[{"id":"p","n":"5"}]}, {"id":"2"} ,{"first":"no id"},{"id":"3","first":[]}]}}"#;

#[test]
fn elements_are_judged_one_by_one() {
    let said = said(&contacts(), BATCH).unwrap();
    let at = "2023-01-01T00:00:00Z";
    assert_eq!(
        said[0],
        json!([
            {"id": "1", "at": at, "rank": 0, "FirstName": "A", "LastName": "L",
                "phones": [{"id": "p", "numberLocal": "5", "at": at}]},
            {"id": "2", "at": at, "rank": 0, "LastName": "L"}])
    );
    let expected = "schema_violation /data/contacts/2/id:required /data/contacts/3/first:type";
    assert_eq!(said[1], json!(expected));
}

#[test]
fn an_element_is_forwarded_as_a_batch_of_one() {
    let one = with_judged(&contacts(), record(BATCH), |judged| match judged.verdict {
        Verdict::Batch { elements, .. } => {
            assert!(
                elements
                    .iter()
                    .all(|one| one.json_batch_of_one().is_none() && !one.is_other_form())
            );
            let sizes: Vec<usize> = elements
                .iter()
                .map(|one| one.bytes() + one.bytes_around())
                .collect();
            let texts: Vec<String> = elements
                .iter()
                .map(|one| String::from_utf8(one.batch_of_one()).unwrap())
                .collect();
            assert_eq!(sizes, texts.iter().map(String::len).collect::<Vec<_>>());
            texts
        }
        other => panic!("{other:?}"),
    });
    assert_eq!(
        one[1],
        r#"{"meta":{"family":"L","at":"2023-01-01T00:00:00Z"},"data":{"contacts":[{"id":"2"}]}}"#
    );
    let whole = said(&contacts(), BATCH).unwrap();
    for (at, text) in one.iter().enumerate() {
        let again = said(&contacts(), text).unwrap();
        assert_eq!(again, json!([[whole[0][at]], null]));
    }
}

#[test]
fn what_is_no_batch_is_rejected_as_a_whole() {
    let of = |text: &str| said(&contacts(), text).unwrap_err();
    assert_eq!(of("{}"), "schema_violation /data/contacts:required");
    assert_eq!(
        of(r#"{"data":{"contacts":null}}"#),
        "schema_violation /data/contacts:required"
    );
    assert_eq!(
        of(r#"{"data":{"contacts":{}}}"#),
        "schema_violation /data/contacts:type"
    );
    assert_eq!(
        of(r#"{"data":{"contacts":7}}"#),
        "schema_violation /data/contacts:type"
    );
    assert_eq!(
        of(r#"{"data":{"contacts":[{"id":"1"},{"id":"\ud800"}]}}"#),
        "invalid_json"
    );
    assert_eq!(
        of(r#"{"data":{"contacts":[{"id":1e999}]},"data":1}"#),
        "invalid_json"
    );
    assert_eq!(
        said(&contacts(), r#"{"data":{"contacts":[]}}"#),
        Ok(json!([[], null]))
    );
}

#[test]
fn the_first_bad_element_names_the_rejection() {
    let of = |elements: &str| {
        let text = format!(
            r#"{{"meta":{{"at":"2023-01-01T00:00:00Z"}},"data":{{"contacts":[{elements}]}}}}"#
        );
        let said = said(&contacts(), &text).unwrap();
        (
            said[0].as_array().unwrap().len(),
            said[1].as_str().map(str::to_owned),
        )
    };
    let bad = |text: &str| Some(text.to_owned());
    assert_eq!(
        of(r#"{"id":"1"},{"id":" "},{}"#),
        (
            1,
            bad("blank_id /data/contacts/1/id:blank_id /data/contacts/2/id:required")
        )
    );
    assert_eq!(
        of(r#"{},{"id":" "}"#),
        (
            0,
            bad("schema_violation /data/contacts/0/id:required /data/contacts/1/id:blank_id")
        )
    );
    assert_eq!(
        of(r#"{"id":"1","id":"1"},{"id":"2"}"#),
        (1, bad("duplicate_field"))
    );
    // A repeated customer is a warning.
    assert_eq!(of(r#"{"id":"1"},{"id":"1"}"#), (2, None));
    let warned =
        r#"{"meta":{"at":"2023-01-01T00:00:00Z"},"data":{"contacts":[{"id":"1"},{"id":"1"}]}}"#;
    with_judged(&contacts(), record(warned), |judged| {
        let warning = &judged.warnings[0];
        assert_eq!(
            (&*warning.pointer, warning.keyword),
            ("/data/contacts/1/id", "duplicate_element")
        );
    });
}

#[test]
fn a_batch_of_many_bad_elements_is_judged_in_linear_time() {
    let text = format!(
        r#"{{"meta":{{"at":"2023-01-01T00:00:00Z"}},"data":{{"contacts":[{}1]}}}}"#,
        "1,".repeat(200_000)
    );
    let said = said(&contacts(), &text).unwrap();
    let found = said[1].as_str().unwrap();
    assert!(
        found.starts_with(
            "schema_violation /data/contacts/0/id:required /data/contacts/1/id:required"
        )
    );
    assert!(
        found.ends_with("/data/contacts/100008/id:required /data/contacts/100009/id:required"),
        "{found}"
    );
}

/// What each element needs of its batch cannot be repeated without bound.
#[test]
fn too_much_around_the_elements_is_rejected() {
    let text = format!(
        r#"{{"meta":{{"at":"2023-01-01T00:00:00Z","family":"{}"}},"data":{{"contacts":[{}{{"id":"x"}}]}}}}"#,
        "f".repeat(400_000),
        r#"{"id":"1"},"#.repeat(1000)
    );
    assert_eq!(said(&contacts(), &text), Err("too_large".to_owned()));
    let unused = text.replace("family", "unused");
    assert!(said(&contacts(), &unused).is_ok());
}
