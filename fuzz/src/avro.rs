//! The decoder of each source, of Avro.

use std::sync::LazyLock;

use keyfold::avro::{self, Plan};
use keyfold::config::Config;
use keyfold::model::record::{Code, Source};
use keyfold::source::{self, Value};

use super::verdict::{checked, record, same};

/// By [`Source::index`]: the plans of values that were written by the reader schemas themselves.
static PLANS: LazyLock<[Plan; 4]> = LazyLock::new(|| {
    let schemas = [
        include_str!("../../schemas/loyalty-customers.avsc"),
        include_str!("../../schemas/loyalty-actions.avsc"),
        include_str!("../../schemas/console-customers.avsc"),
        include_str!("../../schemas/publisher-customers.avsc"),
    ];
    Source::BUILT_IN.map(|source| {
        Plan::compile(source, schemas[source.index()], &[]).expect("a reader schema reads itself")
    })
});

/// Any bytes, as the body of a value of the source's own schema.
pub fn judge(source: Source, bytes: &[u8]) {
    judge_by(&PLANS[source.index()], source, bytes);
}

/// Any text as a writer schema, and any bytes as the body of a value of it. The first byte names the source, and a
/// byte 0, which no JSON holds, ends the schema.
pub fn compile_and_judge(bytes: &[u8]) {
    let Some((&first, rest)) = bytes.split_first() else {
        return;
    };
    let source = Source::BUILT_IN[usize::from(first) % Source::BUILT_IN.len()];
    let end = rest.iter().position(|byte| *byte == 0);
    let (schema, body) = match end {
        Some(end) => (&rest[..end], &rest[end + 1..]),
        None => (rest, &[][..]),
    };
    let Ok(schema) = std::str::from_utf8(schema) else {
        return;
    };
    if let Ok(plan) = Plan::compile(source, schema, &[]) {
        judge_by(&plan, source, body);
    }
}

/// The body is `invalid_avro`, or gets the verdict of the JSON text that says the same.
fn judge_by(plan: &Plan, source: Source, body: &[u8]) {
    let config = Config::default();
    let judged = source::judge_value(&record(source, body), Value::Avro(plan, body), &[], &config);
    let from_avro = checked(judged, source, Some(plan));
    match avro::to_json(plan, body, 4 * config.validation.max_record_bytes) {
        Err(_) => {
            let code = from_avro.rejection.map(|rejection| rejection.code);
            assert_eq!(code, Some(Code::InvalidAvro));
            assert!(from_avro.contributions.is_empty());
        }
        Ok(text) => {
            let judged = source::judge(&record(source, text.as_bytes()), &config);
            same(&from_avro, &checked(judged, source, None));
        }
    }
}
