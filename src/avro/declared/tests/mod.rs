//! Values by the writer's schema. `tests/avro` compares with `apache-avro`.

mod resolution;

use super::ReaderSchema;
use crate::avro::snapshot::write_long;
use crate::avro::{Error, Plan, PlanError, to_json};

const MAX_TEXTS: usize = 4_000;

fn own(writer: &str) -> Plan {
    Plan::declared(None, writer, &[]).unwrap()
}

fn resolved(reader: &str, writer: &str) -> Result<Plan, PlanError> {
    Plan::declared(Some(&ReaderSchema::parse(reader)?), writer, &[])
}

fn read(plan: &Plan, bytes: &[u8]) -> Result<String, Error> {
    to_json(plan, bytes, MAX_TEXTS)
}

fn record(fields: &str) -> String {
    format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#)
}

fn field(of: &str) -> String {
    record(&format!(r#"{{"name":"a","type":{of}}}"#))
}

fn long(number: i64) -> Vec<u8> {
    let mut out = Vec::new();
    write_long(&mut out, number);
    out
}

fn text(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    [long(text.len() as i64), text.to_vec()].concat()
}

fn logical(kind: &str, logical: &str) -> String {
    format!(r#"{{"type":"{kind}","logicalType":"{logical}"}}"#)
}

fn decimal(precision: u64, scale: u64) -> String {
    format!(r#"{{"type":"bytes","logicalType":"decimal","precision":{precision},"scale":{scale}}}"#)
}

#[test]
fn each_type_has_its_text() {
    let fixed = |size: usize| format!(r#"{{"type":"fixed","name":"F","size":{size}}}"#);
    let uuid = r#"{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}"#;
    let of_fixed =
        r#"{"type":"fixed","name":"D","size":2,"logicalType":"decimal","precision":4,"scale":2}"#;
    let day = "2024-02-06";
    for (of, bytes, expected) in [
        ("\"null\"".to_owned(), vec![], "null".to_owned()),
        ("\"boolean\"".to_owned(), vec![1], "true".to_owned()),
        ("\"int\"".to_owned(), long(-7), "-7".to_owned()),
        ("\"long\"".to_owned(), long(i64::MIN), i64::MIN.to_string()),
        (logical("int", "time-millis"), long(5), "5".to_owned()),
        // The shortest text of the float, as a JSON writer has it, and not the double that is as large.
        (
            "\"float\"".to_owned(),
            0.1_f32.to_le_bytes().to_vec(),
            "0.1".to_owned(),
        ),
        (
            "\"double\"".to_owned(),
            0.1_f64.to_le_bytes().to_vec(),
            "0.1".to_owned(),
        ),
        (
            "\"double\"".to_owned(),
            f64::NAN.to_le_bytes().to_vec(),
            "\"NaN\"".to_owned(),
        ),
        (
            "\"float\"".to_owned(),
            f32::NEG_INFINITY.to_le_bytes().to_vec(),
            "\"-Infinity\"".to_owned(),
        ),
        (
            "\"string\"".to_owned(),
            text("é\"\n"),
            "\"é\\\"\\n\"".to_owned(),
        ),
        ("\"bytes\"".to_owned(), text("é"), "\"é\"".to_owned()),
        (
            "\"bytes\"".to_owned(),
            text([0xff, 0]),
            r#"{"base64":"/wA="}"#.to_owned(),
        ),
        (fixed(3), b"abc".to_vec(), r#"{"base64":"YWJj"}"#.to_owned()),
        (
            uuid.to_owned(),
            (0..16).collect(),
            "\"00010203-0405-0607-0809-0a0b0c0d0e0f\"".to_owned(),
        ),
        (logical("string", "uuid"), text("x"), "\"x\"".to_owned()),
        (logical("int", "date"), long(19_759), format!("\"{day}\"")),
        (
            logical("long", "timestamp-millis"),
            long(1_707_213_600_500),
            format!("\"{day}T10:00:00.500Z\""),
        ),
        (
            logical("long", "local-timestamp-nanos"),
            long(1_999),
            "\"1970-01-01T00:00:00.000001Z\"".to_owned(),
        ),
        (decimal(9, 2), text([0x30, 0x39]), "123.45".to_owned()),
        (decimal(9, 0), text([0xff]), "-1".to_owned()),
        (of_fixed.to_owned(), vec![0xff, 0x9c], "-1.00".to_owned()),
        // Not a decimal: the scale is larger than the precision, or than any number has.
        (decimal(1, 2), text("x"), "\"x\"".to_owned()),
        (decimal(5_000, 5_000), text("x"), "\"x\"".to_owned()),
        (
            logical("bytes", "big-decimal"),
            text([text([5]), long(1)].concat()),
            "0.5".to_owned(),
        ),
        (
            logical("bytes", "big-decimal"),
            text([text([5]), long(-400)].concat()),
            r#"{"base64":"AgWfBg=="}"#.to_owned(),
        ),
        // What `logicalType` does not say: Debezium's times are numbers.
        (
            r#"{"type":"long","connect.name":"io.debezium.time.Timestamp"}"#.to_owned(),
            long(12),
            "12".to_owned(),
        ),
    ] {
        let expected = format!(r#"{{"a":{expected}}}"#);
        assert_eq!(read(&own(&field(&of)), &bytes), Ok(expected), "{of}");
    }
}

#[test]
fn a_decimal_beyond_a_double_is_its_bytes() {
    let plan = own(&field(&decimal(999, 0)));
    let found = read(&plan, &text([0x7f; 200])).unwrap();
    assert!(found.starts_with(r#"{"a":{"base64":"f39"#), "{found}");
}

#[test]
fn everything_is_read_and_nulls_are_kept() {
    let plan = own(
        r#"{"type":"record","name":"R","namespace":"a-b.c","fields":[
            {"name":"größe","type":["null",{"type":"enum","name":"E-1","symbols":["no-1","x\"y"]}]},
            {"name":"again","type":"E-1"},
            {"name":"f0","type":["string","null"]},
            {"name":"list","type":{"type":"array","items":["null","long"]}},
            {"name":"map","type":{"type":"map","values":"double"}},
            {"name":"empty","type":{"type":"record","name":"N","fields":[]}}]}"#,
    );
    let bytes = [
        [long(1), long(0)].concat(),
        long(1),
        long(1),
        [long(-2), long(3), long(0), long(1), long(7), long(0)].concat(),
        [
            long(1),
            text("k\n"),
            2.5_f64.to_le_bytes().to_vec(),
            long(0),
        ]
        .concat(),
    ];
    assert_eq!(
        read(&plan, &bytes.concat()).unwrap(),
        r#"{"größe":"no-1","again":"x\"y","f0":null,"list":[null,7],"map":{"k\n":2.5},"empty":{}}"#
    );
}

const TREE: &str = r#"{"type":"record","name":"T","fields":[{"name":"t","type":["null","T"]}]}"#;

#[test]
fn types_that_contain_themselves_are_read_up_to_a_depth() {
    let nested = |depth: usize| [vec![2; depth - 1], vec![0]].concat();
    for plan in [own(TREE), resolved(TREE, TREE).unwrap()] {
        assert_eq!(read(&plan, &nested(2)).unwrap(), r#"{"t":{"t":null}}"#);
        assert!(read(&plan, &nested(128)).is_ok());
        assert_eq!(read(&plan, &nested(129)), Err(Error::Malformed));
        assert_eq!(read(&plan, &nested(100_000)), Err(Error::Malformed));
    }
    // No finite value has this type.
    let endless = r#"{"type":"record","name":"T","fields":[{"name":"t","type":"T"},{"name":"u","type":"T"}]}"#;
    assert_eq!(read(&own(endless), b""), Err(Error::Malformed));
}

#[test]
fn a_few_bytes_do_not_become_a_long_text() {
    let many = [long(1 << 40), long(0)].concat();
    let of = |items: &str| own(&format!(r#"{{"type":"array","items":{items}}}"#));
    let nulls: Vec<String> = (0..500)
        .map(|at| format!(r#"{{"name":"{}{at}","type":"null"}}"#, "long".repeat(9)))
        .collect();
    for items in [r#""null""#, &record(""), &record(&nulls.join(","))] {
        assert!(read(&of(items), &many).is_err(), "{items}");
        assert!(to_json(&of(items), &many, 1 << 20).is_err());
    }
    assert_eq!(
        read(&of(&record(&nulls.join(","))), &[2, 0]),
        Err(Error::TooLarge)
    );
    let symbol = "s".repeat(3_000);
    let symbols = of(&format!(
        r#"{{"type":"enum","name":"E","symbols":["{symbol}"]}}"#
    ));
    assert!(read(&symbols, &[2, 0, 0]).is_ok());
    assert_eq!(read(&symbols, &[4, 0, 0, 0]), Err(Error::TooMuchText));
    assert_eq!(
        read(&own("\"string\""), &text("s".repeat(4_001))),
        Err(Error::TooMuchText)
    );
    // What is read and not kept costs as much.
    let skipped = resolved(&record(""), &format!(r#"{{"type":"record","name":"R","fields":[{{"name":"a","type":{{"type":"array","items":{}}}}}]}}"#, record(&nulls.join(",")).replace("\"R\"", "\"S\""))).unwrap();
    assert_eq!(read(&skipped, &[4, 0]), Err(Error::TooLarge));
}

#[test]
fn bytes_that_are_no_value_are_malformed() {
    let plan = own(&field(r#"["null","string"]"#));
    for bytes in [
        &b""[..],
        b"\x02",
        b"\x02\x04a",
        b"\x04",
        b"\x01",
        b"\0\0",
        b"\x02\x02\xff",
    ] {
        assert_eq!(read(&plan, bytes), Err(Error::Malformed), "{bytes:?}");
    }
}
