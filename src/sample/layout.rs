//! What is around the data of a record: the envelope in which it is made.

use serde_json::json;

use super::schema::View;
use super::want::{DebeziumPart, TextOf, TimeOf, Want};
use crate::definition::{Definition, Envelope, NumberUnit, Origin};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    Plain,
    /// A change with `before` and `after`, with or without `{"schema","payload"}` around it.
    Change {
        is_wrapped: bool,
    },
    /// A row as Debezium flattens it.
    Row,
    /// A CloudEvent with its attributes in the value.
    Structured,
    /// A CloudEvent with its attributes in headers.
    Binary,
}

/// A part of an envelope: where it is, and what it is.
type Part = (Vec<String>, Want);

impl Layout {
    /// The one that the schema of a definition describes; without a schema the fullest.
    pub(super) fn of(definition: &Definition, view: &View<'_>) -> Layout {
        let ids = definition.customer_id.from.iter();
        let mut first = ids.filter_map(|origin| match origin {
            Origin::Here(pointer) => pointer.0.first(),
            _ => None,
        });
        let knows_data = first.any(|name| view.knows(name));
        match definition.envelope {
            Envelope::None => Layout::Plain,
            Envelope::Debezium if view.knows("after") => Layout::Change { is_wrapped: false },
            Envelope::Debezium if view.knows("payload") => Layout::Change { is_wrapped: true },
            Envelope::Debezium if knows_data => Layout::Row,
            Envelope::Debezium => Layout::Change { is_wrapped: false },
            Envelope::CloudEvents if !view.knows("data") && knows_data => Layout::Binary,
            Envelope::CloudEvents => Layout::Structured,
        }
    }

    /// The names on the way to the data.
    pub(super) fn data(self) -> Vec<String> {
        match self {
            Layout::Plain | Layout::Row | Layout::Binary => Vec::new(),
            Layout::Change { .. } => self.inside(&["after"]),
            Layout::Structured => names(&["data"]),
        }
    }

    /// The names on the way to the row as it was before.
    pub(super) fn before(self) -> Option<Vec<String>> {
        matches!(self, Layout::Change { .. }).then(|| self.inside(&["before"]))
    }

    fn inside(self, rest: &[&str]) -> Vec<String> {
        match self {
            Layout::Change { is_wrapped: true } => names(&[&["payload"], rest].concat()),
            _ => names(rest),
        }
    }

    /// Whether a record of the layout can say that its customer is gone.
    pub(super) fn has_removals(self) -> bool {
        matches!(self, Layout::Change { .. } | Layout::Row)
    }

    /// What each record of the layout has around its data.
    pub(super) fn parts(self) -> Vec<Part> {
        let time = |unit| Want::Time(TimeOf::Updated, unit);
        let millis = || time(Some(NumberUnit::Millis));
        let of = |part| Want::Debezium(part);
        let part = |at: Vec<String>, want| (at, want);
        let fixed = |text: &str| Want::OneOf(vec![json!(text)]);
        let mut parts = match self {
            Layout::Plain | Layout::Binary => Vec::new(),
            Layout::Change { .. } => vec![
                part(self.inside(&["op"]), of(DebeziumPart::Operation)),
                part(self.inside(&["source", "ts_ms"]), millis()),
                part(self.inside(&["source", "lsn"]), of(DebeziumPart::Position)),
                part(self.inside(&["ts_ms"]), millis()),
            ],
            Layout::Row => vec![
                part(names(&["__op"]), of(DebeziumPart::Operation)),
                part(names(&["__deleted"]), of(DebeziumPart::Deleted)),
                part(names(&["__source_ts_ms"]), millis()),
                part(names(&["__source_lsn"]), of(DebeziumPart::Position)),
            ],
            Layout::Structured => vec![
                part(names(&["specversion"]), fixed("1.0")),
                part(names(&["id"]), Want::Text(TextOf::Unique)),
                part(names(&["source"]), Want::Text(TextOf::Word)),
                part(names(&["type"]), Want::Text(TextOf::Word)),
                part(names(&["time"]), time(None)),
            ],
        };
        if self == (Layout::Change { is_wrapped: true }) {
            parts.push(part(names(&["schema", "type"]), fixed("struct")));
        }
        parts
    }

    pub(super) fn headers(self) -> Vec<(String, Want)> {
        let attributes = [
            ("ce_specversion", Want::OneOf(vec![json!("1.0")])),
            ("ce_id", Want::Text(TextOf::Unique)),
            ("ce_source", Want::Text(TextOf::Word)),
            ("ce_type", Want::Text(TextOf::Word)),
            ("ce_time", Want::Time(TimeOf::Updated, None)),
        ];
        let attributes = attributes.into_iter().filter(|_| self == Layout::Binary);
        attributes
            .map(|(name, want)| (name.to_owned(), want))
            .collect()
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
