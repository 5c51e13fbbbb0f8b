//! `merge.priority`: of several sources that have a value for a field, the one that is shown (docs/contract.md,
//! section 9).

use std::collections::BTreeMap;

use serde_json::json;
use toml::Value;

use super::section::{Key, Section, Setting, Table};
use super::shape::Shape;
use super::text;
use crate::model::nearest::closest;

/// The fields with a single value that several sources can have.
const FIELDS: [&str; 8] = [
    "status",
    "firstName",
    "lastName",
    "displayName",
    "emailAddress",
    "dateOfBirth",
    "marketingOptIn",
    "smsOptIn",
];

/// What each field accepts.
pub(super) const ACCEPTED: Shape = Shape::Texts(&text::SOURCE);

/// All fields without an entry of their own.
const ALL: &str = "*";

/// In the name of an environment variable, where a `*` is not usual.
const ALL_IN_VARIABLE: &str = "all";

/// The beginning of the name of an attribute.
const ATTRIBUTE: &str = "attributes.";

/// Examples for the reference file.
pub(super) const EXAMPLES: &str = "\
status = [\"crm-contacts\", \"loyalty-customers\"]
\"attributes.tier\" = [\"crm-contacts\"]
\"*\" = [\"console-customers\", \"crm-contacts\"]
";

/// For each field the names of sources, the first one first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Priorities(BTreeMap<String, Vec<String>>);

impl Priorities {
    /// The fields, each with the names of its sources.
    #[must_use]
    pub fn fields(&self) -> &BTreeMap<String, Vec<String>> {
        &self.0
    }
}

/// A table in which any field is a key with a list of sources as its value.
impl Section for Priorities {
    const ABOUT: &'static str = " Of several sources that have a value for a field, the first one here is shown; \
        among sources that are not listed, the newest value. The fields are `status`, `firstName`, `lastName`, \
        `displayName`, `emailAddress`, `dateOfBirth`, `marketingOptIn`, `smsOptIn`, `attributes.NAME`, and `*` for \
        all that have no entry of their own (in the name of an environment variable: \
        `KEYFOLD__MERGE__PRIORITY__ALL`).";

    fn add_tables(&self, path: &str, tables: &mut Vec<Table>) {
        let keys = self
            .0
            .iter()
            .map(|(name, sources)| Key::new(name, "", ACCEPTED, sources));
        tables.push(Table::new(path, Self::ABOUT, keys.collect()));
    }

    fn set_key(&mut self, path: &str, value: &Value) {
        if let Some(sources) = Vec::from_toml(value) {
            self.0.insert(path.to_owned(), sources);
        }
    }
}

/// What is wrong with the name of a field, if anything is.
pub(super) fn problem(field: &str) -> Option<String> {
    let is_attribute = field
        .strip_prefix(ATTRIBUTE)
        .is_some_and(|name| !name.is_empty());
    if is_attribute || field == ALL || FIELDS.contains(&field) {
        return None;
    }
    let known = FIELDS.into_iter().chain(["attributes.NAME"]);
    let nearest = closest(field, known.map(str::to_owned));
    Some(format!("is not a field; did you mean `{nearest}`?"))
}

/// The field that the last part of an environment variable, in lower case, stands for.
pub(super) fn of_variable(name: &str) -> &str {
    if name == ALL_IN_VARIABLE {
        return ALL;
    }
    let mut fields = FIELDS.into_iter();
    fields
        .find(|field| field.eq_ignore_ascii_case(name))
        .unwrap_or(name)
}

/// The JSON Schema of the table. In TOML, an unquoted name with dots is a table in a table.
pub(super) fn add_to_schema(table: &mut serde_json::Value) {
    let sources = ACCEPTED.schema();
    for field in FIELDS.into_iter().chain([ALL]) {
        table["properties"][field] = sources.clone();
    }
    table["patternProperties"] = json!({ "^attributes\\..": sources });
    table["properties"]["attributes"] = json!({"type": "object"});
}
