//! The known keys, the environment variable of each, and the nearest known key to a wrong one.

/// What environment variables of keyfold begin with.
pub(super) const PREFIX: &str = "KEYFOLD__";

/// The table of librdkafka's properties; any name is a key in it.
pub(super) const PROPERTIES: &str = "kafka.properties";

/// Properties of librdkafka that have an underscore in their name. All others have dots only, so
/// that in the name of a variable `_` stands for a dot.
const UNDERSCORED: &[&str] = &["log_level"];

const KEYS: &[&str] = &[
    "application_id",
    "instance_id",
    "kafka.bootstrap_servers",
    "kafka.on_lost_offset",
    "kafka.on_foreign_offset",
    "sources.loyalty-customers.topics",
    "sources.loyalty-customers.format",
    "sources.loyalty-customers.tombstone",
    "sources.loyalty-customers.key_format",
    "sources.loyalty-actions.topics",
    "sources.loyalty-actions.format",
    "sources.loyalty-actions.tombstone",
    "sources.loyalty-actions.key_format",
    "sources.console-customers.topics",
    "sources.console-customers.format",
    "sources.console-customers.tombstone",
    "sources.console-customers.key_format",
    "sources.publisher-customers.topics",
    "sources.publisher-customers.format",
    "sources.publisher-customers.tombstone",
    "sources.publisher-customers.key_format",
    "snapshot.topic",
    "snapshot.format",
    "snapshot.subject_strategy",
    "snapshot.auto_register",
    "snapshot.recent_actions",
    "snapshot.deleted",
    "dead_letters.topic",
    "merge.lists",
    "merge.max_actions",
    "merge.max_hidden",
    "validation.max_future_skew",
    "validation.max_record_bytes",
    "validation.max_metadata_bytes",
    "validation.max_state_bytes",
    "validation.rules.event_type",
    "validation.rules.unsupported_version",
    "validation.rules.blank_id",
    "validation.rules.country_code",
    "validation.rules.future_timestamp",
    "validation.rules.created_after_updated",
    "validation.rules.duplicate_element",
    "validation.rules.no_timestamp",
    "validation.rules.state_too_large",
    "processing.guarantee",
    "processing.commit_interval",
    "processing.backlog_commit_interval",
    "processing.workers",
    "processing.max_batch_records",
    "processing.max_batch_bytes",
    "processing.max_reject_share",
    "processing.reject_window",
    "state.store",
    "state.directory",
    "state.memory_bytes",
    "registry.url",
    "registry.username",
    "registry.password",
    "registry.token",
    "registry.ca_location",
    "registry.timeout",
    "registry.unknown_ids_for",
    "http.listen",
    "http.customers",
    "log.format",
    "log.level",
    "topics.partitions",
    "topics.replication_factor",
];

/// Every known key by its full path, in the reference's order. `kafka.properties` is not among
/// them: its keys are librdkafka's.
#[must_use]
pub fn keys() -> &'static [&'static str] {
    KEYS
}

/// Whether `path` is a key with a value.
pub(super) fn is_key(path: &str) -> bool {
    KEYS.contains(&path)
}

/// Whether `path` is a table of known keys.
pub(super) fn is_table(path: &str) -> bool {
    path == PROPERTIES || tables().any(|table| table == path)
}

/// All tables that a known key is in, at every level; some come more than once.
fn tables() -> impl Iterator<Item = &'static str> {
    KEYS.iter()
        .flat_map(|key| key.match_indices('.').filter_map(|(end, _)| key.get(..end)))
}

/// The known key, or table in a file, that is nearest to `unknown`.
pub(super) fn nearest(unknown: &str) -> &'static str {
    closest(
        unknown,
        KEYS.iter().copied().chain(tables()).chain([PROPERTIES]),
    )
}

/// The environment variable of the known key that is nearest to the one of `unknown`. A table
/// has no variable, but each property of librdkafka has one.
pub(super) fn nearest_variable(unknown: &str) -> String {
    let key = || closest(unknown, KEYS.iter().copied()).to_owned();
    variable(&misspelt_property(unknown).unwrap_or_else(key))
}

/// The property that `unknown` stands for if its beginning is [`PROPERTIES`] misspelt. Since any
/// property may follow, only the beginning tells.
fn misspelt_property(unknown: &str) -> Option<String> {
    unknown.match_indices('.').take(2).find_map(|(end, _)| {
        let (table, property) = (unknown.get(..end)?, unknown.get(end + 1..)?);
        let misspelt = strsim::damerau_levenshtein(&table.replace('_', "."), PROPERTIES);
        (misspelt <= 3 && !property.is_empty()).then(|| format!("{PROPERTIES}.{property}"))
    })
}

fn closest(unknown: &str, known: impl Iterator<Item = &'static str>) -> &'static str {
    let unknown = unknown.to_lowercase();
    known
        .min_by_key(|key| distance(&unknown, key))
        .unwrap_or_default()
}

/// How far a known key is from an unknown one. A right name in the wrong table is near too; of several tables with
/// that name, the one whose own name is nearest. Where nothing is near, the keys of the same table come first.
fn distance(unknown: &str, known: &str) -> (bool, bool, usize, bool, usize) {
    let split = |path: &str| {
        path.rsplit_once('.')
            .map_or((String::new(), path.to_owned()), |(table, name)| {
                (table.to_owned(), name.to_owned())
            })
    };
    let ((unknown_table, unknown_name), (known_table, known_name)) = (split(unknown), split(known));
    let moved = unknown_table != known_table && unknown != known_table;
    // the table that holds it is known already
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

/// The environment variable of a key or of a property.
pub(super) fn variable(path: &str) -> String {
    let levels: Vec<String> = match path.strip_prefix("kafka.properties.") {
        Some(property) => vec!["KAFKA".into(), "PROPERTIES".into(), property.to_owned()],
        None => path.split('.').map(str::to_owned).collect(),
    };
    format!(
        "{PREFIX}{}",
        levels
            .join("__")
            .replace(['-', '.'], "_")
            .to_ascii_uppercase()
    )
}

/// The key or property that a variable stands for, known or not; `rest` is its name without
/// the prefix.
pub(super) fn path_of_variable(rest: &str) -> String {
    let rest = rest.to_lowercase();
    if let Some(property) = rest.strip_prefix("kafka__properties__") {
        let name = if UNDERSCORED.contains(&property) {
            property.to_owned()
        } else {
            property.replace("__", ".").replace('_', ".")
        };
        return format!("{PROPERTIES}.{name}");
    }
    let levels: Vec<&str> = rest.split("__").collect();
    match levels.as_slice() {
        ["sources", source, names @ ..] => {
            let mut path = vec!["sources".to_owned(), source.replace('_', "-")];
            path.extend(names.iter().map(|&name| name.to_owned()));
            path.join(".")
        }
        levels => levels.join("."),
    }
}
