//! Values resolved against a reader schema.

use super::{decimal, field, logical, long, read, record, resolved, text};
use crate::avro::{Error, Plan};

#[test]
fn fields_are_resolved_by_name_then_by_alias() {
    let reader =
        record(r#"{"name":"id","aliases":["key"],"type":"string"},{"name":"größe","type":"long"}"#);
    let writer = record(
        r#"{"name":"other","type":{"type":"array","items":"long"}},{"name":"größe","type":"int"},{"name":"key","type":"string"}"#,
    );
    let plan = resolved(&reader, &writer).unwrap();
    let bytes = [long(1), long(9), long(0), long(3), text("c")].concat();
    assert_eq!(read(&plan, &bytes).unwrap(), r#"{"größe":3,"id":"c"}"#);
    let by_writer =
        record(r#"{"name":"x","aliases":["id"],"type":"string"},{"name":"größe","type":"long"}"#);
    let plan = resolved(&reader, &by_writer).unwrap();
    assert_eq!(
        read(&plan, &[text("c"), long(3)].concat()).unwrap(),
        r#"{"id":"c","größe":3}"#
    );
    let error = resolved(&reader, &field("\"string\"")).unwrap_err();
    assert_eq!(error.to_string(), "a record of the schema has no field id");
}

#[test]
fn defaults_are_filled_in_and_those_of_null_are_absent() {
    let reader = record(
        r#"{"name":"a","type":"string"},
        {"name":"b","type":["null","string"],"default":null},
        {"name":"c","type":["null","string"]},
        {"name":"d","type":"int","default":7},
        {"name":"e","type":{"type":"int","logicalType":"date"},"default":0},
        {"name":"f","type":{"type":"record","name":"F","fields":[{"name":"x","type":"string","default":"y"},{"name":"z","type":["null","long"],"default":null}]},"default":{}},
        {"name":"g","type":{"type":"enum","name":"G","symbols":["ONE","TWO"]},"default":"TWO"},
        {"name":"h","type":{"type":"array","items":"double"},"default":[1.5]},
        {"name":"i","type":{"type":"map","values":"boolean"},"default":{"k":true}},
        {"name":"j","type":"bytes","default":"\u00ff"},
        {"name":"k","type":["string","null"],"default":"s"}"#,
    );
    let plan = resolved(&reader, &field("\"string\"")).unwrap();
    assert_eq!(
        read(&plan, &text("t")).unwrap(),
        r#"{"a":"t","d":7,"e":"1970-01-01","f":{"x":"y","z":null},"g":"TWO","h":[1.5],"i":{"k":true},"j":{"base64":"/w=="},"k":"s"}"#
    );
    let alone = resolved(
        &record(r#"{"name":"d","type":"int","default":7}"#),
        &record(""),
    )
    .unwrap();
    assert_eq!(read(&alone, b"").unwrap(), r#"{"d":7}"#);
    let wrong = record(r#"{"name":"d","type":"int","default":"x"}"#);
    let error = resolved(&wrong, &record("")).unwrap_err().to_string();
    assert_eq!(
        error,
        "at the field d: the default of the reader schema does not fit its type"
    );
}

#[test]
fn types_are_resolved_as_avro_says() {
    let timestamp = logical("long", "timestamp-millis");
    for (reader, writer, bytes, expected) in [
        ("\"long\"", "\"int\"", long(7), "7"),
        ("\"double\"", "\"long\"", long(7), "7"),
        ("\"string\"", "\"bytes\"", text("x"), "\"x\""),
        ("\"bytes\"", "\"string\"", text("x"), "\"x\""),
        // A long without a unit has that of the reader; a reader without one reads the number.
        (
            &timestamp,
            "\"long\"",
            long(1_000),
            "\"1970-01-01T00:00:01Z\"",
        ),
        (
            &timestamp,
            &logical("long", "timestamp-micros"),
            long(1_000_000),
            "\"1970-01-01T00:00:01Z\"",
        ),
        ("\"long\"", &timestamp, long(1_000), "1000"),
        (&decimal(4, 1), "\"bytes\"", text([12]), "1.2"),
        (&decimal(4, 1), &decimal(4, 2), text([12]), "0.12"),
        ("\"bytes\"", &decimal(4, 2), text([12]), "\"\\f\""),
        (r#"["null","string"]"#, "\"string\"", text("x"), "\"x\""),
        ("\"string\"", r#"["null","string"]"#, long(0), "null"),
        // The same type takes precedence over one that is wider.
        (
            r#"["string",{"type":"long","logicalType":"timestamp-millis"},"int"]"#,
            "\"int\"",
            long(1),
            "1",
        ),
    ] {
        let plan = resolved(&field(reader), &field(writer)).unwrap();
        let expected = format!(r#"{{"a":{expected}}}"#);
        assert_eq!(
            read(&plan, &bytes).unwrap(),
            expected,
            "{writer} as {reader}"
        );
    }
    for (reader, writer) in [
        ("\"int\"", "\"long\""),
        ("\"string\"", "\"long\""),
        ("\"string\"", &decimal(4, 2)),
        ("\"boolean\"", r#"{"type":"fixed","name":"F","size":1}"#),
        (
            r#"{"type":"fixed","name":"F","size":2}"#,
            r#"{"type":"fixed","name":"F","size":1}"#,
        ),
        (r#"["null","int"]"#, "\"string\""),
        (
            r#"{"type":"map","values":"int"}"#,
            r#"{"type":"record","name":"M","fields":[]}"#,
        ),
        (
            r#"{"type":"array","items":"int"}"#,
            r#"{"type":"array","items":"string"}"#,
        ),
        ("\"string\"", r#"["int","long"]"#),
    ] {
        let error = resolved(&field(reader), &field(writer))
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("at the field a: "), "{error}");
    }
    // A branch that does not resolve makes only those values unreadable that take it.
    let plan = resolved(&field("\"string\""), &field(r#"["long","string"]"#)).unwrap();
    assert_eq!(
        read(&plan, &[long(1), text("x")].concat()).unwrap(),
        r#"{"a":"x"}"#
    );
    assert_eq!(
        read(&plan, &[long(0), long(1)].concat()),
        Err(Error::Unresolved)
    );
}

#[test]
fn symbols_and_branches_are_resolved_by_their_names() {
    let of = |symbols: &str, rest: &str| {
        field(&format!(
            r#"{{"type":"enum","name":"E","symbols":[{symbols}]{rest}}}"#
        ))
    };
    let writer = of(r#""A","B","C-1""#, "");
    let all = |plan: &Plan| [0, 1, 2].map(|at| read(plan, &long(at)).map_err(|_| ()));
    let shown = |symbol: &str| Ok(format!(r#"{{"a":"{symbol}"}}"#));
    let plan = resolved(&of(r#""C-1","A""#, ""), &writer).unwrap();
    assert_eq!(all(&plan), [shown("A"), Err(()), shown("C-1")]);
    let plan = resolved(&of(r#""A","Z""#, r#","default":"Z""#), &writer).unwrap();
    assert_eq!(all(&plan), [shown("A"), shown("Z"), shown("Z")]);
    let plan = resolved(&field("\"string\""), &writer).unwrap();
    assert_eq!(all(&plan), [shown("A"), shown("B"), shown("C-1")]);
    // Records of a union: by their names, whose namespace does not matter.
    let branches = |first: &str, second: &str| {
        field(&format!(
            r#"[{{"type":"record","name":"{first}","fields":[{{"name":"x","type":"int"}}]}},
            {{"type":"record","name":"{second}","fields":[{{"name":"x","type":"int"}},{{"name":"{second}","type":"string","default":"d"}}]}}]"#
        ))
    };
    let one = field(r#"{"type":"record","name":"n.Two","fields":[{"name":"x","type":"int"}]}"#);
    let plan = resolved(&branches("One", "Two"), &one).unwrap();
    assert_eq!(read(&plan, &long(1)).unwrap(), r#"{"a":{"x":1,"Two":"d"}}"#);
}

/// Each of the records names all the others in unions, on both sides.
#[test]
fn the_work_of_resolving_is_bounded() {
    let names: Vec<String> = (0..60).map(|at| format!("\"n{at}\"")).collect();
    let fields = |at: usize, kind: &str| {
        let all: Vec<String> = (0..40)
            .map(|field| format!(r#"{{"name":"f{field}","type":[{}]}}"#, names.join(",")))
            .collect();
        format!(
            r#"{{"type":"record","name":"n{at}","fields":[{},{{"name":"z","type":"{kind}"}}]}}"#,
            all.join(",")
        )
    };
    let union = |kind: &str| {
        let all: Vec<String> = (0..60).map(|at| fields(at, kind)).collect();
        format!("[{}]", all.join(","))
    };
    let started = std::time::Instant::now();
    let _ = resolved(&union("int"), &union("string"));
    let _ = resolved(&union("int"), &union("int"));
    let _ = Plan::declared(None, &union("int"), &[]);
    assert!(started.elapsed().as_secs() < 60);
}
