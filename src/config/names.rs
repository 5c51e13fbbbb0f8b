//! The known keys and tables, and the nearest one to a wrong name.

use std::sync::LazyLock;

use super::Config;
use super::section::{Section, Table};
use super::shape::{Shape, Spec};
use crate::model::nearest::closest;

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
