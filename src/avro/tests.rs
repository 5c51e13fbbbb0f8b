//! Unusual writer schemas and bytes. `tests/avro` compares whole values with JSON and `apache-avro`.

use super::reader_schema::Shape;
use super::writer_schema::WriterSchema;
use super::{Error, Plan, to_json};
use crate::config::Config;
use crate::model::record::{RawRecord, Rejection, Source};
use crate::source::{self, Value, Verdict};

/// The plan of a writer schema for a reader schema.
fn plan(reader: &str, writer: &str) -> Result<Plan, super::PlanError> {
    let shape = Box::leak(Box::new(Shape::parse(reader)?));
    Plan::against(shape, &WriterSchema::parse(writer, &[])?)
}

/// A record schema with these fields.
fn record(fields: &str) -> String {
    format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#)
}

fn long(number: i64) -> Vec<u8> {
    let mut out = Vec::new();
    super::snapshot::write_long(&mut out, number);
    out
}

/// A string, or bytes.
fn text(text: &str) -> Vec<u8> {
    [long(text.len() as i64), text.as_bytes().to_vec()].concat()
}

/// What a plan reads from bytes, as JSON.
fn read(plan: &Plan, bytes: &[u8]) -> Result<String, Error> {
    to_json(plan, bytes, 4_000_000)
}

const OPTIONAL: &str = r#"{"name":"a","type":["null","string"],"default":null}"#;

#[test]
fn a_field_is_found_by_its_name_then_by_aliases() {
    let reader = record(r#"{"name":"id","aliases":["key","number"],"type":"string"}"#);
    for (writer, expected) in [
        // The name takes precedence, wherever its field is.
        (
            r#"{"name":"key","type":"string"},{"name":"id","type":"string"}"#,
            "two",
        ),
        // Then the reader's aliases, in their order.
        (
            r#"{"name":"number","type":"string"},{"name":"key","type":"string"}"#,
            "two",
        ),
        // Then an alias of the writer.
        (
            r#"{"name":"x","type":"string"},{"name":"y","aliases":["id"],"type":"string"}"#,
            "two",
        ),
        (
            r#"{"name":"key","type":"string"},{"name":"y","aliases":["id"],"type":"string"}"#,
            "one",
        ),
    ] {
        let plan = plan(&reader, &record(writer)).unwrap();
        let bytes = [text("one"), text("two")].concat();
        assert_eq!(
            read(&plan, &bytes).unwrap(),
            format!(r#"{{"id":"{expected}"}}"#),
            "{writer}"
        );
    }
}

#[test]
fn a_field_that_a_writer_leaves_out_needs_a_default() {
    let nothing = plan(&record(OPTIONAL), &record("")).unwrap();
    assert_eq!(read(&nothing, b"").unwrap(), "{}");
    assert_eq!(read(&nothing, b"\0"), Err(Error::Malformed));
    let required = record(r#"{"name":"a","type":"string"}"#);
    assert!(plan(&required, &record("")).is_err());
}

#[test]
fn schemas_that_do_not_resolve_have_no_plan() {
    for (of, by) in [
        (r#""string""#, r#""long""#),
        (
            r#""string""#,
            r#"{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}"#,
        ),
        (r#""string""#, r#"{"type":"fixed","name":"F","size":3}"#),
        (r#""double""#, r#""string""#),
        (r#""boolean""#, r#""int""#),
        (r#"["long","string"]"#, r#""double""#),
        (r#"{"type":"array","items":"string"}"#, r#""string""#),
        (
            r#"{"type":"array","items":"string"}"#,
            r#"{"type":"array","items":"int"}"#,
        ),
        (
            r#"{"type":"map","values":"string"}"#,
            r#"{"type":"map","values":"long"}"#,
        ),
        (r#""string""#, r#"["int","long"]"#),
    ] {
        let field = |of: &str| record(&format!(r#"{{"name":"a","type":{of}}}"#));
        let refused = plan(&field(of), &field(by));
        assert!(refused.is_err(), "{by} as {of}");
    }
    for no_schema in [
        "",
        "{",
        "7",
        "\"unknown\"",
        r#"{"type":"record","name":"R","fields":["a"]}"#,
    ] {
        assert!(plan(&record(OPTIONAL), no_schema).is_err(), "{no_schema}");
    }
    // A branch that does not resolve makes only those values unreadable that take it.
    let branches = record(r#"{"name":"a","type":["long","null","string"]}"#);
    let some = plan(&record(OPTIONAL), &branches).unwrap();
    assert_eq!(
        read(&some, &[long(2), text("x")].concat()).unwrap(),
        r#"{"a":"x"}"#
    );
    assert_eq!(read(&some, &long(1)).unwrap(), "{}");
    assert_eq!(
        read(&some, &[long(0), long(7)].concat()),
        Err(Error::Unresolved)
    );
    assert_eq!(read(&some, &long(3)), Err(Error::Malformed));
    assert_eq!(read(&some, &long(-1)), Err(Error::Malformed));
}

#[test]
fn a_writers_default_need_not_fit_its_type() {
    let writer = record(
        r#"{"name":"a","type":["null","string"],"default":7},{"name":"b","type":"int","default":"x"}"#,
    );
    let plan = plan(&record(OPTIONAL), &writer).unwrap();
    assert_eq!(
        read(&plan, &[long(1), text("x"), long(5)].concat()).unwrap(),
        r#"{"a":"x"}"#
    );
}

#[test]
fn an_enumeration_is_a_text() {
    let symbols =
        r#"{"name":"a","type":{"type":"enum","name":"E","symbols":["ONE","TWO"],"default":"ONE"}}"#;
    let plan = plan(&record(OPTIONAL), &record(symbols)).unwrap();
    assert_eq!(read(&plan, &long(1)).unwrap(), r#"{"a":"TWO"}"#);
    assert_eq!(read(&plan, &long(2)), Err(Error::Malformed));
}

#[test]
fn named_types_are_found_in_their_namespace_and_in_other_schemas() {
    let writer = r#"{"type":"record","name":"a.R","fields":[
        {"name":"x","type":{"type":"fixed","name":"Id","size":2}},
        {"name":"y","type":{"type":"record","name":"b.Inner","fields":[{"name":"z","type":"a.Id"}]}},
        {"name":"again","type":{"type":"array","items":"Id"}},
        {"name":"inner","type":"b.Inner"},
        {"name":"a","type":"c.Text"}]}"#;
    let other = r#"{"type":"enum","name":"Text","namespace":"c","symbols":["ONE"]}"#;
    let shape = Box::leak(Box::new(Shape::parse(&record(OPTIONAL)).unwrap()));
    let plan = Plan::against(shape, &WriterSchema::parse(writer, &[other]).unwrap()).unwrap();
    let bytes = [&b"xxyy"[..], &long(2), b"aabb", &long(0), b"zz", &long(0)].concat();
    assert_eq!(read(&plan, &bytes).unwrap(), r#"{"a":"ONE"}"#);
    assert!(WriterSchema::parse(writer, &[]).is_err());
}

/// A list of the reader with items of which a few bytes can announce many.
fn list(item: &str) -> String {
    record(&format!(
        r#"{{"name":"a","type":{{"type":"array","items":{item}}}}}"#
    ))
}

#[test]
fn a_few_bytes_cannot_announce_many_items() {
    let many = [long(1 << 40), long(0)].concat();
    let item = |fields| record(fields).replace("\"R\"", "\"Item\"");
    let nothing = plan(&list(&item(OPTIONAL)), &list(&item(""))).unwrap();
    assert_eq!(read(&nothing, &many), Err(Error::Malformed));
    assert_eq!(
        read(&nothing, &[long(2), long(0)].concat()).unwrap(),
        r#"{"a":[{},{}]}"#
    );
    let texts = plan(&list(r#""string""#), &list(r#""string""#)).unwrap();
    assert_eq!(read(&texts, &many), Err(Error::Malformed));
    assert_eq!(read(&texts, &long(i64::MIN)), Err(Error::Malformed));
    // Skipped items cost nothing, however many there are.
    let skipped = plan(
        &record(OPTIONAL),
        &list(r#""null""#).replace("\"a\"", "\"b\""),
    )
    .unwrap();
    assert_eq!(read(&skipped, &many).unwrap(), "{}");
}

#[test]
fn blocks_may_give_their_size() {
    let texts = plan(&list(r#""string""#), &list(r#""string""#)).unwrap();
    let bytes = [
        long(-2),
        long(4),
        text("x"),
        text("y"),
        long(1),
        text("z"),
        long(0),
    ]
    .concat();
    assert_eq!(read(&texts, &bytes).unwrap(), r#"{"a":["x","y","z"]}"#);
    let skipped = plan(
        &record(OPTIONAL),
        &list(r#""string""#).replace("\"a\"", "\"b\""),
    )
    .unwrap();
    assert_eq!(read(&skipped, &bytes).unwrap(), "{}");
}

#[test]
fn the_nesting_of_skipped_values_is_limited() {
    let tree = r#"{"name":"b","type":{"type":"record","name":"T","fields":[{"name":"t","type":{"type":"array","items":"T"}}]}}"#;
    let plan_of = |tree| plan(&record(OPTIONAL), &record(tree)).unwrap();
    let nested = |depth| [vec![2; depth], vec![0; depth + 1]].concat();
    assert_eq!(read(&plan_of(tree), &nested(60)).unwrap(), "{}");
    assert_eq!(
        read(&plan_of(tree), &nested(100_000)),
        Err(Error::Malformed)
    );
    // No finite value has this type.
    let endless = r#"{"name":"b","type":{"type":"record","name":"T","fields":[{"name":"t","type":"T"},{"name":"u","type":"T"}]}}"#;
    assert_eq!(read(&plan_of(endless), b""), Err(Error::Malformed));
}

/// The rejection of a console customer whose fields and bytes are given.
fn console(fields: &str, bytes: &[u8]) -> Option<Rejection> {
    let plan = Plan::compile(Source::ConsoleCustomers, &record(fields), &[]).unwrap();
    let record = RawRecord {
        source: Source::ConsoleCustomers,
        timestamp: Some(1),
        key: None,
        value: Some(bytes),
    };
    match source::judge_value(&record, Value::Avro(&plan, bytes), &[], &Config::default()).verdict {
        Verdict::Rejected(rejection) => Some(rejection),
        _ => None,
    }
}

/// The code of the rejection, with the pointers and keywords of its violations.
fn verdict(fields: &str, bytes: &[u8]) -> String {
    let Some(rejection) = console(fields, bytes) else {
        return "valid".to_owned();
    };
    let violations = rejection.violations.iter();
    let listed: String = violations
        .map(|one| format!(" {} {}", one.pointer, one.keyword))
        .collect();
    format!("{}{listed}", rejection.code.name())
}

const ID: &str = r#"{"name":"customerId","type":"string"},"#;

#[test]
fn decoded_values_are_judged_by_the_json_schema() {
    for (version, bytes, expected) in [
        (r#"{"name":"version","type":"string"}"#, text("7"), "valid"),
        (
            r#"{"name":"version","type":"string"}"#,
            text("7a"),
            "schema_violation /version anyOf",
        ),
        (r#"{"name":"version","type":"int"}"#, long(7), "valid"),
        (
            r#"{"name":"version","type":"int"}"#,
            long(1 << 40),
            "invalid_avro",
        ),
        (
            r#"{"name":"version","type":"long"}"#,
            long(-7),
            "schema_violation /version anyOf",
        ),
        (
            r#"{"name":"version","type":["null","long"]}"#,
            long(0),
            "schema_violation  required",
        ),
    ] {
        let bytes = [text("c"), bytes].concat();
        assert_eq!(
            verdict(&format!("{ID}{version}"), &bytes),
            expected,
            "{version}"
        );
    }
    let phones = r#"{"name":"version","type":"long"},{"name":"phones","type":{"type":"array","items":["null",
        {"type":"record","name":"P","fields":[{"name":"key","type":["null","string"]},{"name":"type","type":"string"}]}]}}"#;
    let items = [
        long(3),
        long(0),
        long(1),
        long(0),
        text("Fax"),
        long(1),
        long(1),
        text("k"),
        text("Mobile"),
        long(0),
    ];
    let bytes = [text("c"), long(1), items.concat()].concat();
    assert_eq!(
        verdict(&format!("{ID}{phones}"), &bytes),
        "schema_violation /phones/0 type /phones/1 required /phones/1/type enum"
    );
}

#[test]
fn a_long_without_a_unit_is_not_a_time() {
    let shape = record(
        r#"{"name":"a","type":["string",{"type":"long","logicalType":"timestamp-micros"}]}"#,
    );
    let plan = plan(&shape, &record(r#"{"name":"a","type":"long"}"#)).unwrap();
    assert_eq!(
        read(&plan, &long(1_700_000_000_000)).unwrap(),
        r#"{"a":1700000000000}"#
    );
}

#[test]
fn attributes_are_json() {
    let fields = format!(
        r#"{ID}{{"name":"version","type":"long"}},{{"name":"attributes","type":{{"type":"map","values":["null","string"]}}}}"#
    );
    let bytes = |attribute: &str| {
        let map = [long(1), text("k"), long(1), text(attribute), long(0)];
        [text("c"), long(1), map.concat()].concat()
    };
    let digits = "9".repeat(308);
    for good in [
        "null",
        " 1 ",
        "\"x\"",
        r#"{"b":1,"a":[1e2,{}]}"#,
        " -89310410106543789301 ",
        &digits,
    ] {
        assert_eq!(verdict(&fields, &bytes(good)), "valid", "{good}");
    }
    let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(verdict(&fields, &bytes(&nested(126))), "valid");
    for bad in [
        "",
        "x",
        "1 2",
        "{",
        "\"\\ud800\"",
        "1e400",
        &"9".repeat(309),
        "'x'",
        &nested(127),
    ] {
        assert_eq!(verdict(&fields, &bytes(bad)), "invalid_avro", "{bad}");
    }
    let null = [text("c"), long(1), long(1), text("k"), long(0), long(0)].concat();
    assert_eq!(verdict(&fields, &null), "valid");
    // Invalid JSON is an error of the earlier stage.
    let both = [
        text("c"),
        long(-1),
        long(1),
        text("k"),
        long(1),
        text("x"),
        long(0),
    ]
    .concat();
    assert_eq!(verdict(&fields, &both), "invalid_avro");
}

#[test]
fn numbers_that_json_does_not_have_are_malformed() {
    let reader = record(r#"{"name":"a","type":"double"}"#);
    let double = plan(&reader, &reader).unwrap();
    assert_eq!(
        read(&double, &1.5_f64.to_le_bytes()).unwrap(),
        r#"{"a":1.5}"#
    );
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(read(&double, &number.to_le_bytes()), Err(Error::Malformed));
    }
    let boolean = record(r#"{"name":"a","type":"boolean"}"#);
    assert_eq!(
        read(&plan(&boolean, &boolean).unwrap(), &[2]),
        Err(Error::Malformed)
    );
}

/// Names of types, further fields and symbols that the Java library accepts.
#[test]
fn names_do_not_matter() {
    let reader = record(r#"{"name":"id","type":"string"}"#);
    let fields = r#""fields":[{"name":"id","type":"string"}]"#;
    for writer in [
        format!(r#"{{"type":"record","name":"R","namespace":"com.acme-shop.events",{fields}}}"#),
        format!(r#"{{"type":"record","name":"R","namespace":"com.acme.Outer$",{fields}}}"#),
        format!(r#"{{"type":"record","name":"com.2024.acme.R",{fields}}}"#),
        format!(r#"{{"type":"record","name":".R",{fields}}}"#),
        format!(r#"{{"type":"record","name":"R","namespace":"",{fields}}}"#),
        format!(r#"{{"type":"record","name":"R","aliases":["com.acme-old.R","R","R"],{fields}}}"#),
    ] {
        let plan = plan(&reader, &writer).unwrap();
        assert_eq!(
            read(&plan, &text("x")),
            Ok(r#"{"id":"x"}"#.to_owned()),
            "{writer}"
        );
    }
    // References follow, within the namespace and by the full name; further fields and symbols may have any name.
    let writer = r#"{"type":"record","name":"R","namespace":"a-b.c","fields":[
        {"name":"größe","type":{"type":"enum","name":"E-1","symbols":["no-1","x"]}},
        {"name":"id","type":"E-1"},
        {"name":"1st","type":["null","a-b.c.E-1"]}]}"#;
    let plan = plan(&reader, writer).unwrap();
    assert_eq!(read(&plan, &[2, 0, 0]), Ok(r#"{"id":"no-1"}"#.to_owned()));
}

#[test]
fn decoded_texts_are_limited() {
    let reader = record(r#"{"name":"a","type":{"type":"array","items":"string"}}"#);
    let writer = record(
        r#"{"name":"a","type":{"type":"array","items":{"type":"enum","name":"E","symbols":["abcdefghij"]}}}"#,
    );
    let plan = plan(&reader, &writer).unwrap();
    let bytes = [6, 0, 0, 0, 0];
    assert!(to_json(&plan, &bytes, 30).is_ok());
    assert_eq!(to_json(&plan, &bytes, 29), Err(Error::TooMuchText));
}
