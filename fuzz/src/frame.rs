//! The frames of the schema registry's clients.

use std::sync::{Arc, LazyLock};

use keyfold::avro::Plan;
use keyfold::config::{Config, Format, SourceConfig};
use keyfold::model::record::{Code, RawRecord, Rejection, Source};
use keyfold::source::framing::{
    self, Payload, PayloadReader, Purpose, SchemaId, SchemaLookup, WriterSchema,
};
use keyfold::source::{self, Verdict};

use super::verdict::{checked, record};

/// A registry that knows the actions' own schema by some ids, for their source alone.
struct Registry;

static PLAN: LazyLock<Arc<Plan>> = LazyLock::new(|| {
    let schema = include_str!("../../schemas/loyalty-actions.avsc");
    let plan = Plan::compile(Source::LoyaltyActions, schema, &[]);
    Arc::new(plan.expect("a reader schema reads itself"))
});

impl SchemaLookup for Registry {
    fn writer_schema(&self, purpose: Purpose, id: SchemaId) -> Option<WriterSchema> {
        let last = match id {
            SchemaId::Number(number) => number as u8,
            SchemaId::Guid(guid) => guid[15],
        };
        match last % 4 {
            0 => None,
            1 if purpose == Source::LoyaltyActions.into() => {
                Some(WriterSchema::Plan(Arc::clone(&PLAN)))
            }
            2 => Some(WriterSchema::Unknown),
            _ => Some(WriterSchema::Unusable("for a test".into())),
        }
    }
}

/// Any value, with any header that may name its schema, is taken out of its frame as a slower reading of the wire
/// format says, and judged. The first byte holds the format (2 bits), the source (2 bits), whether the value is null
/// and whether there is a header, whose length the second byte then gives.
pub fn open(bytes: &[u8]) {
    let Some((&choices, rest)) = bytes.split_first() else {
        return;
    };
    let format = match choices & 3 {
        0 => Format::Json,
        1 => Format::JsonRegistry,
        _ => Format::Avro,
    };
    let source = Source::BUILT_IN[usize::from(choices >> 2 & 3)];
    let (header, value) = match (choices & 1 << 5 != 0, rest.split_first()) {
        (true, Some((&length, rest))) => {
            let (header, value) = rest.split_at(usize::from(length).min(rest.len()));
            (Some(header), value)
        }
        _ => (None, rest),
    };
    let value = (choices & 1 << 4 == 0).then_some(value);
    let record = RawRecord {
        value,
        ..record(source, b"")
    };
    let mut config = Config::default();
    config.validation.max_record_bytes = 2048;
    let most = config.validation.max_record_bytes;
    config.sources = [(source, in_format(source, format))].into_iter().collect();
    let opened = PayloadReader::new(&config, source, &Registry).read(&record, || header);
    assert_eq!(
        shown(&opened),
        shown(&expected(&record, header, format, most))
    );
    let Some(opened) = opened else {
        return;
    };
    let judged = source::judge_payload(&record, &opened, &[], &config);
    match opened {
        Payload::Null => {}
        Payload::Rejected(ref expected) => match judged.verdict {
            Verdict::Rejected(rejection) => assert_eq!(rejection.code, expected.code),
            _ => panic!("a value that can't be opened was read"),
        },
        Payload::Json(_) => drop(checked(judged, source, None)),
        Payload::Avro(ref plan, body) => {
            framed_again(body);
            checked(judged, source, Some(plan));
        }
        Payload::WithKey(..) => panic!("no built-in source reads its key"),
    }
}

fn in_format(source: Source, format: Format) -> SourceConfig {
    SourceConfig {
        format,
        ..SourceConfig::of(source)
    }
}

/// What is compared: of what cannot be read the code, for the message is of the program alone.
fn shown(opened: &Option<Payload<'_>>) -> String {
    match opened {
        Some(Payload::Rejected(rejection)) => format!("{:?}", rejection.code),
        opened => format!("{opened:?}"),
    }
}

/// The wire format, as its documentation has it.
fn expected<'a>(
    record: &RawRecord<'a>,
    header: Option<&[u8]>,
    format: Format,
    most: usize,
) -> Option<Payload<'a>> {
    let Some(value) = record.value else {
        return Some(Payload::Null);
    };
    if value.len() > most {
        return Some(Payload::Rejected(Rejection::new(Code::TooLarge)));
    }
    let is_framed = value.len() >= 5 && value[0] == 0;
    let (id, body) = match (format, header) {
        (Format::Json, _) => return Some(Payload::Json(value)),
        (Format::JsonRegistry, _) => {
            let from = if is_framed { 5 } else { 0 };
            return Some(Payload::Json(&value[from..]));
        }
        (Format::Avro, Some(header)) if header.len() == 17 && header[0] == 1 => {
            let mut guid = [0; 16];
            guid.copy_from_slice(&header[1..]);
            (SchemaId::Guid(guid), value)
        }
        (Format::Avro, _) if is_framed => {
            let digits = value[1..5].iter();
            let id = digits.fold(0, |id, byte| id << 8 | u32::from(*byte));
            (SchemaId::Number(id), &value[5..])
        }
        (Format::Avro, _) => return Some(Payload::Rejected(Rejection::new(Code::InvalidAvro))),
    };
    Some(match Registry.writer_schema(record.source.into(), id)? {
        WriterSchema::Plan(plan) => Payload::Avro(plan, body),
        WriterSchema::Unknown => Payload::Rejected(Rejection::new(Code::UnknownSchemaId)),
        WriterSchema::Unusable(_) | WriterSchema::PlainString => {
            Payload::Rejected(Rejection::new(Code::InvalidAvro))
        }
    })
}

/// A body behind a frame of ours comes out of it as it was.
fn framed_again(body: &[u8]) {
    let value = [&framing::frame(1), body].concat();
    let source = Source::LoyaltyActions;
    let mut config = Config::default();
    config.validation.max_record_bytes = usize::MAX;
    config.sources = [(source, in_format(source, Format::Avro))]
        .into_iter()
        .collect();
    let opened =
        PayloadReader::new(&config, source, &Registry).read(&record(source, &value), || None);
    match opened {
        Some(Payload::Avro(_, again)) => assert_eq!(again, body),
        other => panic!("a frame of ours was opened as {other:?}"),
    }
}
