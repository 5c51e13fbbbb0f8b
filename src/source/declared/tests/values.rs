//! What a value becomes.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::*;
use crate::definition::{Case, Mapped, NumberUnit};

/// What the field becomes if the member `x` has this value.
fn becomes(field: Scalar, value: &Value, json: &str) -> Result<Json, String> {
    let definition = with_scalar(field, value.clone());
    let record = format!(r#"{{"id":"c","x":{json}}}"#);
    let said = said(&definition, &record)?;
    Ok(said
        .get(format!("{field:?}"))
        .cloned()
        .unwrap_or(json!("absent")))
}

fn violation(keyword: &str) -> Result<Json, String> {
    Err(format!("schema_violation /x:{keyword}"))
}

#[test]
fn texts_are_strings_and_the_digits_of_integers() {
    let of = |json: &str| becomes(Scalar::FirstName, &value("/x"), json);
    assert_eq!(of(r#"" Ada ""#), Ok(json!("Ada")));
    assert_eq!(of(r#""\u00e9\"""#), Ok(json!("é\"")));
    assert_eq!(of("42"), Ok(json!("42")));
    assert_eq!(of("-42"), Ok(json!("-42")));
    assert_eq!(of("-0"), Ok(json!("0")));
    let long = "123456789012345678901234567890";
    assert_eq!(of(long), Ok(json!(long)));
    assert_eq!(of("null"), Ok(json!("absent")));
    for bad in ["1.0", "1e2", "true", "{}", "[]", r#"["a"]"#] {
        assert_eq!(of(bad), violation("type"), "{bad}");
    }
}

#[test]
fn ids_are_never_trimmed_and_keep_all_digits() {
    let id = |json: &str| {
        said(&definition(), &format!(r#"{{"id":{json}}}"#)).map(|said| said["id"].clone())
    };
    assert_eq!(id(r#"" 7 ""#), Ok(json!(" 7 ")));
    assert_eq!(
        id("18446744073709551616"),
        Ok(json!("18446744073709551616"))
    );
    assert_eq!(id("null"), Err("schema_violation /id:required".to_owned()));
    assert_eq!(id("1.5"), Err("schema_violation /id:type".to_owned()));
    assert_eq!(id(r#"" ""#), Err("blank_id /id:blank_id".to_owned()));
    assert_eq!(
        said(&definition(), "{}"),
        Err("schema_violation /id:required".to_owned())
    );
    assert_eq!(
        said(&definition(), "[]"),
        Err("schema_violation /id:required".to_owned())
    );
    assert_eq!(
        said(&definition(), "7"),
        Err("schema_violation /id:required".to_owned())
    );
}

#[test]
fn the_first_that_is_there_and_not_null_is_taken() {
    let mut definition = with_scalars(&[(Scalar::FirstName, "/a /b/0 /c~1d root:/e header:h key")]);
    let of = |json: &str, key: Option<&str>, headers: &[(&str, &str)]| {
        let text = format!(r#"{{"id":"c",{json}}}"#);
        let record = Record {
            key,
            headers,
            ..record(&text)
        };
        said_of(&definition, record)
            .unwrap()
            .get("FirstName")
            .cloned()
    };
    assert_eq!(of(r#""b":["x"],"a":null"#, None, &[]), Some(json!("x")));
    assert_eq!(of(r#""b":["x"],"a":"y""#, None, &[]), Some(json!("y")));
    assert_eq!(of(r#""b":{"0":"z"}"#, None, &[]), Some(json!("z")));
    assert_eq!(of(r#""c/d":1,"e":2"#, None, &[]), Some(json!("1")));
    assert_eq!(of(r#""e":2,"b":[]"#, None, &[]), Some(json!("2")));
    assert_eq!(
        of(r#""b":null"#, Some("k"), &[("h", "1"), ("h", "2")]),
        Some(json!("2"))
    );
    assert_eq!(of(r#""b":null"#, Some("k"), &[]), Some(json!("k")));
    assert_eq!(of(r#""b":null"#, None, &[]), None);
    definition.nulls = Nulls::Clear;
    let of = |json: &str| {
        said(&definition, &format!(r#"{{"id":"c",{json}}}"#))
            .unwrap()
            .get("FirstName")
            .cloned()
    };
    assert_eq!(of(r#""e":null"#), Some(Json::Null));
    assert_eq!(of(r#""q":null"#), None);
}

#[test]
fn a_value_may_be_required_or_constant() {
    let mut required = value("key /a/b /x");
    required.required = true;
    let of = |json: &str| becomes(Scalar::FirstName, &required, json);
    assert_eq!(of("null"), Err("schema_violation /a/b:required".to_owned()));
    assert_eq!(of("1"), Ok(json!("1")));
    let mut fallback = value("/x");
    fallback.constant = Some(Mapped::Text("none".to_owned()));
    let of = |json: &str| becomes(Scalar::FirstName, &fallback, json);
    assert_eq!(of("null"), Ok(json!("none")));
    assert_eq!(of("1"), Ok(json!("1")));
    assert_eq!(
        becomes(Scalar::FirstName, &constant("c"), "1"),
        Ok(json!("c"))
    );
    let wrong = becomes(Scalar::MarketingOptIn, &constant("c"), "1");
    assert_eq!(wrong, Err("schema_violation :type".to_owned()));
}

#[test]
fn a_status_is_one_of_two() {
    let of = |json: &str| becomes(Scalar::Status, &value("/x"), json);
    assert_eq!(of(r#""DELETED""#), Ok(json!("DELETED")));
    assert_eq!(of(r#""deleted""#), violation("enum"));
    assert_eq!(of("true"), violation("type"));
    let mut upper = value("/x");
    upper.case = Some(Case::Upper);
    assert_eq!(
        becomes(Scalar::Status, &upper, r#""active""#),
        Ok(json!("ACTIVE"))
    );
}

#[test]
fn only_true_and_false_are_flags() {
    let of = |json: &str| becomes(Scalar::SmsOptIn, &value("/x"), json);
    assert_eq!(of("true"), Ok(json!(true)));
    for bad in ["0", "1", r#""true""#, "[]"] {
        assert_eq!(of(bad), violation("type"), "{bad}");
    }
}

#[test]
fn a_map_goes_by_the_text_of_a_value() {
    let map = |pairs: &[(&str, Mapped)], otherwise: Option<Mapped>| {
        let mut value = value("/x");
        let owned = pairs
            .iter()
            .map(|(text, to)| ((*text).to_owned(), to.clone()));
        value.map = Some(owned.collect::<BTreeMap<_, _>>());
        value.otherwise = otherwise;
        value
    };
    let long = "98765432109876543210";
    let flags = map(
        &[
            ("Y", Mapped::Flag(true)),
            ("false", Mapped::Flag(false)),
            ("1.5", Mapped::Flag(true)),
            (long, Mapped::Flag(true)),
            ("0", Mapped::Flag(false)),
            ("T", Mapped::Text("true".to_owned())),
        ],
        None,
    );
    let of = |json: &str| becomes(Scalar::MarketingOptIn, &flags, json);
    assert_eq!(of(r#""Y""#), Ok(json!(true)));
    assert_eq!(of("false"), Ok(json!(false)));
    assert_eq!(of("1.50"), Ok(json!(true)));
    assert_eq!(of(long), Ok(json!(true)));
    assert_eq!(of("-0"), Ok(json!(false)));
    assert_eq!(of(r#""T""#), violation("type"));
    assert_eq!(of(r#""y""#), violation("map"));
    assert_eq!(of("{}"), violation("type"));
    assert_eq!(of("[]"), violation("type"));
    let otherwise = map(&[], Some(Mapped::Whole(-7)));
    assert_eq!(
        becomes(Scalar::LastName, &otherwise, "null"),
        Ok(json!("absent"))
    );
    assert_eq!(
        becomes(Scalar::LastName, &otherwise, "true"),
        Ok(json!("-7"))
    );
}

#[test]
fn the_case_is_changed_in_every_script() {
    let mut lower = value("/x");
    lower.case = Some(Case::Lower);
    let of = becomes(Scalar::EmailAddress, &lower, r#"" ÄDA@Example.COM ""#);
    assert_eq!(of, Ok(json!("äda@example.com")));
}

#[test]
fn dates_are_dates_or_the_beginning_of_a_date_time() {
    let of = |json: &str| becomes(Scalar::DateOfBirth, &value("/x"), json);
    assert_eq!(of(r#""1990-02-28""#), Ok(json!("1990-02-28")));
    assert_eq!(
        of(r#""1990-02-28T23:59:59-05:00""#),
        Ok(json!("1990-02-28"))
    );
    for bad in [
        r#""1990-02-30""#,
        r#""1990-02-28T""#,
        r#""1990-02-28 10:00:00""#,
        r#""""#,
    ] {
        assert_eq!(of(bad), violation("format"), "{bad}");
    }
    assert_eq!(of("7363"), violation("type"));
    let mut days = value("/x");
    days.unit = Some(NumberUnit::Days);
    let of = |json: &str| becomes(Scalar::DateOfBirth, &days, json);
    assert_eq!(of("7363"), Ok(json!("1990-02-28")));
    assert_eq!(of("-1"), Ok(json!("1969-12-31")));
    assert_eq!(of(r#""1990-02-28""#), Ok(json!("1990-02-28")));
    assert_eq!(of("99999999"), violation("format"));
}

#[test]
fn times_are_date_times_or_numbers_with_a_unit() {
    let at = |unit: Option<NumberUnit>, json: &str| {
        let mut definition = definition();
        let mut x = value("/x");
        x.unit = unit;
        definition.updated_at = Some(x);
        let record = format!(r#"{{"id":"c","x":{json}}}"#);
        said(&definition, &record).map(|said| said["at"].as_str().unwrap().to_owned())
    };
    let time = |text: &str| Ok(text.to_owned());
    let bad = |keyword: &str| Err(format!("schema_violation /x:{keyword}"));
    assert_eq!(
        at(None, r#""2023-05-06T07:08:09+01:00""#),
        time("2023-05-06T06:08:09Z")
    );
    assert_eq!(at(None, "1683353289"), bad("type"));
    assert_eq!(at(None, r#""2023-05-06""#), bad("format"));
    assert_eq!(at(None, "null"), bad("required"));
    let seconds = Some(NumberUnit::Seconds);
    assert_eq!(at(seconds, "1683353289"), time("2023-05-06T06:08:09Z"));
    assert_eq!(
        at(seconds, "1683353289.1234567"),
        time("2023-05-06T06:08:09.123456Z")
    );
    assert_eq!(at(seconds, "1.683353289e9"), time("2023-05-06T06:08:09Z"));
    assert_eq!(
        at(seconds, r#""2023-05-06T06:08:09Z""#),
        time("2023-05-06T06:08:09Z")
    );
    assert_eq!(at(seconds, r#""1683353289""#), bad("format"));
    assert_eq!(at(seconds, "1e30"), bad("format"));
    assert_eq!(at(seconds, "true"), bad("type"));
    assert_eq!(
        at(Some(NumberUnit::Nanos), "1683353289123456999"),
        time("2023-05-06T06:08:09.123456Z")
    );
}

#[test]
fn ranks_are_whole_numbers_in_any_form() {
    let rank = |json: &str| {
        let mut definition = definition();
        definition.rank = Some(value("/x"));
        let record = format!(r#"{{"id":"c","x":{json}}}"#);
        said(&definition, &record).map(|said| said["rank"].as_u64().unwrap())
    };
    assert_eq!(rank("7"), Ok(7));
    assert_eq!(rank("7.0"), Ok(7));
    assert_eq!(rank("7e2"), Ok(700));
    assert_eq!(rank(r#""007""#), Ok(7));
    assert_eq!(rank("9223372036854775807"), Ok(i64::MAX as u64));
    assert_eq!(rank("null"), Ok(0));
    let bad = |keyword: &str| Err(format!("schema_violation /x:{keyword}"));
    for json in [
        "-1",
        "9223372036854775808",
        "1e30",
        r#""9223372036854775808""#,
    ] {
        assert_eq!(rank(json), bad("format"), "{json}");
    }
    for json in ["1.5", r#""""#, r#""-1""#, r#""x""#, "true", "[]"] {
        assert_eq!(rank(json), bad("type"), "{json}");
    }
}

#[test]
fn attributes_are_any_json() {
    let definition = with_attributes(&[("b", "/x"), ("n", "/n")], Some("/all"));
    let said = said(
        &definition,
        r#"{"id":"c","all":{"z":null,"b":1,"a":{"y":[1.50,{"q":1,"p":2}]},"é":"\u00e9"},
            "x":{"l":123456789012345678901,"k":-0},"n":null}"#,
    );
    assert_eq!(
        said.unwrap(),
        json!({"id": "c", "at": "2024-01-01T00:00:00Z", "rank": 0, "a.a": {"y": [1.5, {"p": 2, "q": 1}]},
            "a.b": {"k": 0, "l": serde_json::from_str::<Json>("123456789012345678901").unwrap()}, "a.é": "é"})
    );
    for bad in [
        r#"{"id":"c","all":1}"#,
        r#"{"id":"c","all":[]}"#,
        r#"{"id":"c","all":"{}"}"#,
    ] {
        assert_eq!(
            super::said(&definition, bad),
            Err("schema_violation /all:type".to_owned())
        );
    }
    let mut clearing = definition.clone();
    clearing.nulls = Nulls::Clear;
    let said = super::said(
        &clearing,
        r#"{"id":"c","all":{"z":null,"b":null},"x":"s","n":null}"#,
    )
    .unwrap();
    assert_eq!(
        (&said["a.z"], &said["a.b"], said.get("a.n")),
        (&Json::Null, &json!("s"), Some(&Json::Null))
    );
}

#[test]
fn all_violations_are_listed_by_pointer() {
    let mut definition = with_scalars(&[
        (Scalar::Status, "/s"),
        (Scalar::FirstName, "/f"),
        (Scalar::DateOfBirth, "/d"),
        (Scalar::SmsOptIn, "/o"),
    ]);
    definition.updated_at = Some(value("/u"));
    definition.rank = Some(value("/r"));
    let record = r#"{"s":"?","f":[],"d":"x","o":1,"r":1.5}"#;
    let reversed = r#"{"r":1.5,"o":1,"d":"x","f":[],"s":"?"}"#;
    let expected =
        "schema_violation /d:format /f:type /id:required /o:type /r:type /s:enum /u:required";
    assert_eq!(said(&definition, record), Err(expected.to_owned()));
    assert_eq!(said(&definition, reversed), Err(expected.to_owned()));
}

#[test]
fn a_pointer_to_a_value_and_another_into_it_do_both() {
    let definition = with_attributes(
        &[("whole", "/x"), ("part", "/x/b"), ("first", "/l/0/b")],
        Some("/x"),
    );
    let said = said(
        &definition,
        r#"{"id":"c","x":{"b":"p","a":1},"l":[{"b":2},{"b":3}]}"#,
    )
    .unwrap();
    assert_eq!(said["a.whole"], json!({"a": 1, "b": "p"}));
    assert_eq!(
        (&said["a.part"], &said["a.first"], &said["a.a"]),
        (&json!("p"), &json!(2), &json!(1))
    );
}
