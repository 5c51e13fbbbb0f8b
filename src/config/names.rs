//! The known keys and tables, and the nearest one to a wrong name.

use std::sync::LazyLock;

use super::Config;
use super::section::{Section, Table};
use super::shape::{Shape, Spec};

/// The table of librdkafka's properties; any name is a key in it.
pub(super) const PROPERTIES: &str = "kafka.properties";

/// The prefix of the paths of properties.
pub(super) const PROPERTY: &str = "kafka.properties.";

/// All tables with their keys, at their defaults.
pub(super) static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| Config::default().tables(""));

/// What properties accept, whatever their name.
static PROPERTY_SPEC: LazyLock<Spec> = LazyLock::new(|| Shape::Property.into());

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
    let (table, name) = path.rsplit_once('.').unwrap_or(("", path));
    let table = TABLES.iter().find(|known| known.path == table)?;
    let key = table.keys.iter().find(|key| key.name == name)?;
    Some(&key.spec)
}

/// Whether `path` is a table of known keys.
pub(super) fn is_table(path: &str) -> bool {
    TABLES.iter().any(|table| table.path == path)
}

/// The known key or table that is nearest to `unknown`.
pub(super) fn nearest(unknown: &str) -> String {
    let tables = TABLES.iter().map(|table| table.path.clone());
    closest(
        unknown,
        keys().chain(tables.filter(|path| !path.is_empty())),
    )
}

/// The known key that is nearest to `unknown`.
pub(super) fn nearest_key(unknown: &str) -> String {
    closest(unknown, keys())
}

/// The nearest of the names in `known`.
fn closest(unknown: &str, known: impl Iterator<Item = String>) -> String {
    let unknown = unknown.to_lowercase();
    known
        .min_by_key(|key| distance(&unknown, key))
        .unwrap_or_default()
}

/// How far a known key is from an unknown one. A right name in the wrong table is near too; among several tables with
/// that name, the one with the nearest own name. If nothing is near, the keys of the same table come first.
fn distance(unknown: &str, known: &str) -> (bool, bool, usize, bool, usize) {
    let split = |path: &str| {
        path.rsplit_once('.')
            .map_or((String::new(), path.to_owned()), |(table, name)| {
                (table.to_owned(), name.to_owned())
            })
    };
    let ((unknown_table, unknown_name), (known_table, known_name)) = (split(unknown), split(known));
    let moved = unknown_table != known_table && unknown != known_table;
    // The table is known already.
    let is_its_table = unknown_table == known;
    let whole = strsim::damerau_levenshtein(unknown, known);
    let name = strsim::damerau_levenshtein(&unknown_name, &known_name);
    let is_name_near = name <= unknown_name.chars().count() / 3;
    let is_far = is_its_table || (whole > 3 && !is_name_near);
    let distance = if is_name_near {
        whole.min(name + usize::from(moved))
    } else {
        whole
    };
    (
        is_far,
        is_far && (moved || is_its_table),
        distance,
        moved,
        whole,
    )
}
