//! From the text of a definition to a [`Definition`], with all problems at once.
//!
//! | file | subject |
//! |---|---|
//! | `customer` | what a record tells: fields, lists, an action |
//! | `values`, `constants` | where a value comes from, and what the definition itself gives |
//! | `places` | the places that contradict other keys |
//! | `plain` | the keys that are no values of the record |
//! | `examples` | the tests in a definition |

mod constants;
mod customer;
mod examples;
mod places;
mod plain;
mod values;

use toml::de::DeTable;

use super::keys;
use super::reader::{Entries, Reader};
use super::{Countries, Definition, Deleted, Envelope, EventType, Merge, Nulls, Order, Problem};
use super::{Tells, Value, VersionRange};
use crate::model::record::Code;

/// The largest definition, and the largest file that one names.
pub(super) const MAX_FILE_BYTES: usize = 1 << 20;

impl Definition {
    /// Reads the text of a definition. `file` names it in problems, and `read` gives the text of a file that the
    /// definition names, or why it cannot be read.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the lines; of very much that is wrong the first hundred.
    pub fn parse(
        text: &str,
        file: &str,
        mut read: impl FnMut(&str) -> Result<String, String>,
    ) -> Result<Definition, Vec<Problem>> {
        if text.len() > MAX_FILE_BYTES {
            return Err(vec![Problem::of_file(file, "is larger than 1 MiB")]);
        }
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut reader = Reader::new(file, text);
        for error in &errors {
            reader.toml_error(error);
        }
        // behind any other error, what follows is read wrongly
        if errors
            .iter()
            .any(|error| error.message() != "duplicate key")
        {
            return Err(reader.into_problems());
        }
        let definition = reader.definition(table.into_inner(), &mut read);
        match definition {
            Some(definition) if !reader.has_problems() => Ok(definition),
            _ => Err(reader.into_problems()),
        }
    }
}

impl Reader<'_> {
    fn definition(
        &mut self,
        table: DeTable<'_>,
        read: &mut impl FnMut(&str) -> Result<String, String>,
    ) -> Option<Definition> {
        let mut entries = self.entries(keys::table("")?, "", 1, table);
        let lines = Lines::of(&entries);
        let definition = Definition {
            schema: self.json_schema(entries.take("schema"), read),
            reader: self.avro_schema(entries.take("reader"), read),
            envelope: self
                .word(entries.take("envelope"))
                .unwrap_or(Envelope::None),
            each: self
                .pointer(entries.take("each"))
                .filter(|each| !each.0.is_empty()),
            merge: self.word(entries.take("merge")).unwrap_or(Merge::Fields),
            order: self.word(entries.take("order")).unwrap_or(Order::UpdatedAt),
            nulls: self.word(entries.take("nulls")).unwrap_or(Nulls::Absent),
            countries: self
                .word(entries.take("countries"))
                .unwrap_or(Countries::Any),
            customer_id: self.customer_id(&mut entries),
            updated_at: self.value(&mut entries, "updated_at"),
            rank: self.value(&mut entries, "rank"),
            created_at: self.value(&mut entries, "created_at"),
            tells: self.tells(&mut entries),
            deleted: self.deleted(&mut entries),
            event_type: self.event_type(&mut entries),
            version: self.version(&mut entries),
            rules: self.rules(&mut entries),
            tests: self.examples(&mut entries),
        };
        self.check_places(&definition, lines.each);
        self.check_relations(&definition, lines);
        Some(definition)
    }

    fn customer_id(&mut self, entries: &mut Entries<'_>) -> Value {
        let line = entries.line_of("customer_id").unwrap_or(entries.line);
        let id = self.value(entries, "customer_id").unwrap_or_default();
        if id.constant.is_some() {
            let message = "cannot be a `const`: all records would be of one customer";
            self.problem("customer_id", line, message);
        }
        id
    }

    fn deleted(&mut self, entries: &mut Entries<'_>) -> Option<Deleted> {
        let mut table = self.table(entries, "deleted")?;
        let when = self.place(&mut table, "when");
        let is = self.json_values(table.take("is"));
        Some(Deleted {
            when: when?,
            is: is?,
        })
    }

    fn event_type(&mut self, entries: &mut Entries<'_>) -> Option<EventType> {
        let mut table = self.table(entries, "event_type")?;
        let from = self.place(&mut table, "from");
        let is = self.json_values(table.take("is"));
        Some(EventType {
            from: from?,
            is: is?,
        })
    }

    fn version(&mut self, entries: &mut Entries<'_>) -> Option<VersionRange> {
        let mut table = self.table(entries, "version")?;
        let from = self.place(&mut table, "from");
        let line = table.line_of("below").unwrap_or(table.line);
        let min = self.number(table.take("min"));
        let below = self.number(table.take("below"));
        let (min, below) = (min?, below?);
        if min >= below {
            self.problem(
                "version.below",
                line,
                format!("no version is from {min} to below {below}"),
            );
        }
        Some(VersionRange {
            from: from?,
            min,
            below,
        })
    }

    /// A key that says only where a value comes from.
    fn place(&mut self, entries: &mut Entries<'_>, name: &str) -> Option<Value> {
        let from = self.origins(entries.take(name)?);
        Some(Value {
            from,
            ..Value::default()
        })
    }

    fn rules(&mut self, entries: &mut Entries<'_>) -> Vec<(Code, super::RuleDefault)> {
        let Some(mut table) = self.table(entries, "rules") else {
            return Vec::new();
        };
        let codes = Code::SEMANTIC.into_iter();
        codes
            .filter_map(|code| Some((code, self.word(table.take(code.name()))?)))
            .collect()
    }

    /// The keys of a definition that do not go together.
    fn check_relations(&mut self, definition: &Definition, lines: Lines) {
        if definition.each.is_some() && definition.envelope.is_of_rows() {
            let message =
                "does not go together with `envelope = \"debezium\"`: a change is of one row";
            self.problem("each", lines.each, message);
        }
        let is_action = matches!(definition.tells, Tells::Action(_));
        let has_rank = definition.rank.is_some() || definition.envelope.is_of_rows();
        if definition.order == Order::Rank && is_action {
            let message =
                "\"rank\" does not go together with [action]: actions are ordered by their times";
            self.problem("order", lines.order, message);
        } else if definition.order == Order::Rank && !has_rank {
            let message = "\"rank\" needs the key `rank`: without it the rank of every record is 0";
            self.problem("order", lines.order, message);
        }
        if definition.merge == Merge::Whole && is_action {
            let message =
                "\"whole\" does not go together with [action]: each action is kept by itself";
            self.problem("merge", lines.merge, message);
        }
    }
}

/// The lines of the keys that may contradict others.
struct Lines {
    each: usize,
    merge: usize,
    order: usize,
}

impl Lines {
    fn of(entries: &Entries<'_>) -> Lines {
        let line = |name| entries.line_of(name).unwrap_or(entries.line);
        Lines {
            each: line("each"),
            merge: line("merge"),
            order: line("order"),
        }
    }
}
