//! The columns of an envelope, and where in a record each shape has its data.

use crate::definition::pass::{Builder, Kind, Pass, Position};
use crate::definition::{Envelope, NumberUnit, Pointer};

use super::{Place, PlacePlan, ValuePlan};

/// What is read of an envelope. All columns are those of the pass over the record.
#[derive(Debug)]
pub enum EnvelopePlan {
    None,
    Debezium(Box<DebeziumPlan>),
    CloudEvents(CloudEventsPlan),
}

/// One of the four shapes of Debezium's records: with or without `{"schema","payload"}`, and an envelope or a flattened
/// row.
#[derive(Debug)]
pub struct DebeziumPlan {
    /// Whether the data are in `payload`, beside `schema`.
    pub is_wrapped: bool,
    /// Whether the row is not in an envelope.
    pub is_flattened: bool,
    /// `schema` and `payload` of the record.
    pub wrapping: [usize; 2],
    /// `op`, or `__op`.
    pub op: usize,
    /// `before`, `after` and `source`, of which an envelope has at least one; none for a flattened row.
    pub parts: Vec<usize>,
    /// `__deleted` of a flattened row.
    pub deleted: usize,
    /// The first that is there is the time of the change.
    pub times: Vec<EnvelopeTime>,
    /// The position in the log of Postgres. Of these and the next, the first that is there counts.
    pub lsn: Vec<usize>,
    /// The file of the log of MySQL, and the position in it.
    pub file: Vec<usize>,
    pub pos: Vec<usize>,
    /// The row as it was before, of which a deletion has at most these two.
    pub before_id: Option<ValuePlan>,
    pub before_updated_at: Option<ValuePlan>,
}

/// A time in an envelope.
#[derive(Debug)]
pub struct EnvelopeTime {
    pub column: usize,
    pub unit: NumberUnit,
    pub place: PlacePlan,
}

/// A CloudEvent.
#[derive(Debug)]
pub struct CloudEventsPlan {
    /// Whether the attributes are in headers.
    pub is_binary: bool,
    pub time: usize,
    pub time_place: PlacePlan,
    pub spec_version: usize,
    pub spec_version_place: PlacePlan,
}

/// How a key gives the id of a deleted row.
#[derive(Debug)]
pub struct KeyPlan {
    pub pass: Pass,
    /// `schema` and `payload` of the key.
    pub wrapping: [usize; 2],
    /// The key as a whole.
    pub whole: usize,
    pub plain: ValuePlan,
    pub wrapped: ValuePlan,
}

/// Where a shape has its data.
pub(super) struct Layout {
    /// The pointer to the row, or the data.
    pub data: Pointer,
    /// What of that is part of the pointers that violations name.
    pub shown: Pointer,
    /// The pointer to the row as it was before.
    pub before: Option<Pointer>,
    pub kind: LayoutKind,
}

#[derive(Clone, Copy)]
pub(super) enum LayoutKind {
    None,
    Debezium {
        is_wrapped: bool,
        is_flattened: bool,
    },
    CloudEvents {
        is_binary: bool,
    },
}

/// The shapes of an envelope.
pub(super) fn layouts(envelope: Envelope) -> Vec<Layout> {
    let pointer = |parts: &[&str]| Pointer(parts.iter().map(|part| (*part).to_owned()).collect());
    let plain = |kind| Layout {
        data: Pointer::default(),
        shown: Pointer::default(),
        before: None,
        kind,
    };
    match envelope {
        Envelope::None => vec![plain(LayoutKind::None)],
        Envelope::Debezium => [(false, false), (false, true), (true, false), (true, true)]
            .into_iter()
            .map(|(is_wrapped, is_flattened)| {
                let outer: &[&str] = if is_wrapped { &["payload"] } else { &[] };
                let inside = |name| pointer(&[outer, &[name]].concat());
                Layout {
                    data: match is_flattened {
                        true => pointer(outer),
                        false => inside("after"),
                    },
                    before: (!is_flattened).then(|| inside("before")),
                    ..plain(LayoutKind::Debezium {
                        is_wrapped,
                        is_flattened,
                    })
                }
            })
            .collect(),
        Envelope::CloudEvents => vec![
            Layout {
                data: pointer(&["data"]),
                shown: pointer(&["data"]),
                ..plain(LayoutKind::CloudEvents { is_binary: false })
            },
            plain(LayoutKind::CloudEvents { is_binary: true }),
        ],
    }
}

/// Where the data are in each shape of an envelope.
pub(in crate::definition) fn data_pointers(envelope: Envelope) -> Vec<Pointer> {
    let layouts = layouts(envelope).into_iter();
    layouts.map(|layout| layout.data).collect()
}

/// Captures what a shape needs of its envelope.
pub(super) fn capture(
    builder: &mut Builder,
    kind: LayoutKind,
    before: [Option<ValuePlan>; 2],
) -> EnvelopePlan {
    match kind {
        LayoutKind::None => EnvelopePlan::None,
        LayoutKind::CloudEvents { is_binary } => EnvelopePlan::CloudEvents(CloudEventsPlan {
            is_binary,
            time: column(builder, None, &["time"]),
            time_place: place("/time".to_owned()),
            spec_version: column(builder, None, &["specversion"]),
            spec_version_place: place("/specversion".to_owned()),
        }),
        LayoutKind::Debezium {
            is_wrapped,
            is_flattened,
        } => {
            let at = is_wrapped.then(|| builder.follow(builder.root(), &inner("payload")));
            let wrapping = wrapping(builder);
            let [before_id, before_updated_at] = before;
            let mut of = |names: &[&str]| column(builder, at, names);
            let parts: &[&str] = if is_flattened {
                &[]
            } else {
                &["before", "after", "source"]
            };
            let parts = parts.iter().map(|name| of(&[name])).collect();
            let op = of(&[if is_flattened { "__op" } else { "op" }]);
            // `add.fields` may name a field of the source alone, or behind `source.`.
            let [lsn, file, pos] = ["lsn", "file", "pos"].map(|name| match is_flattened {
                true => vec![
                    of(&[&format!("__source_{name}")]),
                    of(&[&format!("__{name}")]),
                ],
                false => vec![of(&["source", name])],
            });
            let times: &[&[&str]] = if is_flattened {
                &[
                    &["__source_ts_us"],
                    &["__source_ts_ms"],
                    &["__ts_us"],
                    &["__ts_ms"],
                ]
            } else {
                &[&["source", "ts_us"], &["source", "ts_ms"]]
            };
            let outer = if is_wrapped { "/payload/" } else { "/" };
            let times = times.iter().map(|names| EnvelopeTime {
                place: place(format!("{outer}{}", names.join("/"))),
                column: of(names),
                unit: match names.concat().ends_with("us") {
                    true => NumberUnit::Micros,
                    false => NumberUnit::Millis,
                },
            });
            let times = times.collect();
            let deleted = of(&["__deleted"]);
            EnvelopePlan::Debezium(Box::new(DebeziumPlan {
                is_wrapped,
                is_flattened,
                wrapping,
                op,
                parts,
                deleted,
                times,
                lsn,
                file,
                pos,
                before_id,
                before_updated_at,
            }))
        }
    }
}

/// Captures `schema` and `payload` of a text.
pub(super) fn wrapping(builder: &mut Builder) -> [usize; 2] {
    ["schema", "payload"].map(|name| column(builder, None, &[name]))
}

pub(super) fn inner(name: &str) -> Pointer {
    Pointer(vec![name.to_owned()])
}

fn column(builder: &mut Builder, at: Option<Position>, names: &[&str]) -> usize {
    let pointer = Pointer(names.iter().map(|name| (*name).to_owned()).collect());
    let at = at.unwrap_or(builder.root());
    let at = builder.follow(at, &pointer);
    builder.capture(at, Kind::Scalar)
}

/// The place of a value of the envelope, of which only the pointer is used.
fn place(pointer: String) -> PlacePlan {
    PlacePlan {
        place: Place::Record(usize::MAX),
        pointer,
    }
}
