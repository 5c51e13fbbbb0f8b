//! The known keys and tables, and the nearest one to a wrong name.

use std::sync::LazyLock;

use super::section::{Section, Table};
use super::shape::{Shape, Spec};
use super::{Config, SourceConfig, priorities, text};
use crate::model::nearest::closest;
use crate::model::record::Source;

/// The table of librdkafka's properties; any name is a key in it.
pub(super) const PROPERTIES: &str = "kafka.properties";

/// The prefix of the paths of properties.
pub(super) const PROPERTY: &str = "kafka.properties.";

/// The table of the priorities of sources; any field is a key in it.
pub(super) const PRIORITIES: &str = "merge.priority";

/// The prefix of the paths of priorities.
pub(super) const PRIORITY: &str = "merge.priority.";

/// The prefix of the tables of sources.
pub(super) const SOURCE: &str = "sources.";

/// All tables with their keys, at their defaults. The tables of declared sources are not among them.
pub(super) static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| Config::default().tables(""));

/// What properties accept, whatever their name.
static PROPERTY_SPEC: LazyLock<Spec> = LazyLock::new(|| Shape::Property.into());

/// What priorities accept, whatever their field.
static PRIORITY_SPEC: LazyLock<Spec> = LazyLock::new(|| priorities::ACCEPTED.into());

/// The table of a declared source. The keys that it must have are without a default.
pub(super) static DECLARED: LazyLock<Table> = LazyLock::new(|| {
    let mut tables = SourceConfig::default().tables("sources.NAME");
    let mut table = tables.swap_remove(0);
    table.about = ABOUT_DECLARED.to_owned();
    for key in &mut table.keys {
        if key.name == "topics" {
            key.spec.unset = REQUIRED;
            key.spec.example = "[\"crm.contacts\"]";
            key.value = None;
        }
    }
    table
});

/// What is said of a key that must be set.
pub(super) const REQUIRED: &str = "required";

const ABOUT_DECLARED: &str = "A source of one's own, with a name of 1 to 64 of a-z 0-9 -. Its definition says what \
    its records mean: see docs/sources.md. Data of a source that is taken out of the configuration stay, and are shown.";

/// The name of the declared source that the table `path` is for; none if it is another table.
pub(super) fn declared(path: &str) -> Option<&str> {
    path.strip_prefix(SOURCE)
        .filter(|name| text::is_declarable(name))
}

/// Whether `path` is the last table of the built-in sources, behind which declared ones are documented.
pub(super) fn is_last_source(path: &str) -> bool {
    let last = Source::BUILT_IN.last();
    last.is_some_and(|last| path.strip_prefix(SOURCE) == Some(last.name()))
}

/// Whether `path` is the table of a source, known or not.
pub(super) fn is_source(path: &str) -> bool {
    path.strip_prefix(SOURCE)
        .is_some_and(|name| !name.contains('.'))
}

/// Whether a name is too far from the nearest known one to be a slip or the beginning of it.
pub(super) fn differs_much(unknown: &str, nearest: &str) -> bool {
    !nearest.starts_with(unknown) && strsim::damerau_levenshtein(unknown, nearest) > 3
}

/// Whether `path` is the definition of a source that needs none.
pub(super) fn is_superfluous_definition(path: &str) -> bool {
    let table = path.strip_suffix(".definition");
    let name = table.and_then(|table| table.strip_prefix(SOURCE));
    name.is_some_and(|name| Source::built_in(name).is_some())
}

/// Every known key by its path. The properties of librdkafka are not among them.
pub(super) fn keys() -> impl Iterator<Item = String> {
    TABLES
        .iter()
        .flat_map(|table| table.keys.iter().map(|key| table.path_of(&key.name)))
}

/// What the key at `path` accepts; none if there is no such key.
pub(super) fn spec(path: &str) -> Option<&'static Spec> {
    if path.starts_with(PROPERTY) {
        return Some(&PROPERTY_SPEC);
    }
    if path.starts_with(PRIORITY) {
        return Some(&PRIORITY_SPEC);
    }
    let (table, name) = path.rsplit_once('.').unwrap_or(("", path));
    let table = match declared(table) {
        Some(_) => &*DECLARED,
        None => TABLES.iter().find(|known| known.path == table)?,
    };
    let key = table.keys.iter().find(|key| key.name == name)?;
    Some(&key.spec)
}

/// Whether `path` is a table of known keys.
pub(super) fn is_table(path: &str) -> bool {
    declared(path).is_some() || TABLES.iter().any(|table| table.path == path)
}

/// Whether any name is a key in the table of this key.
pub(super) fn is_open(path: &str) -> bool {
    path.starts_with(PROPERTY) || path.starts_with(PRIORITY)
}

/// The known key or table that is nearest to `unknown`. `sources` are the names of the declared ones.
pub(super) fn nearest(unknown: &str, sources: &[String]) -> String {
    let tables = TABLES.iter().map(|table| table.path.clone());
    let tables = tables.filter(|path| !path.is_empty());
    closest(
        unknown,
        keys().chain(keys_of_declared(sources)).chain(tables),
    )
}

/// The known key that is nearest to `unknown`.
pub(super) fn nearest_key(unknown: &str, sources: &[String]) -> String {
    closest(unknown, keys().chain(keys_of_declared(sources)))
}

/// The keys of declared sources by their paths.
fn keys_of_declared(sources: &[String]) -> impl Iterator<Item = String> {
    let paths = sources.iter().map(|name| {
        let keys = DECLARED.keys.iter();
        keys.map(move |key| format!("{SOURCE}{name}.{}", key.name))
    });
    paths.flatten()
}
