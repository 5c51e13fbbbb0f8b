//! The environment variable of each key, and variables that only look like one.

use super::{names, priorities};

/// The prefix of the variables of keys.
pub(super) const PREFIX: &str = "KEYFOLD__";

/// Properties of librdkafka with an underscore in their name. All others have only dots, so that in the name of a
/// variable `_` stands for a dot.
const UNDERSCORED: &[&str] = &["log_level"];

/// The end of the name of a variable that does not hold the value itself, but the path of a file with it.
const OF_FILE: &str = "__FILE";

/// The prefix of all variables of keyfold, including those that are not keys of the configuration.
pub(super) const BEGINNING: &str = "KEYFOLD";

/// The path of the configuration file, if the command line does not give one.
pub const CONFIG_FILE: &str = "KEYFOLD_CONFIG";

/// Variables of keyfold's own tests, which the program does not read.
const OF_TESTS: [&str; 3] = ["_TEST_", "_FAULTS_", "_FUZZ_"];

/// The variable that was probably meant by one that looks like keyfold's but is not. None if it stands for a key, or is
/// not intended for keyfold.
pub(super) fn meant(name: &str, value: &str) -> Option<String> {
    let rest = name.strip_prefix(BEGINNING)?;
    let is_key = name.starts_with(PREFIX);
    let looks_so = rest.starts_with('_') || rest.contains("__");
    let is_of_tests = OF_TESTS.iter().any(|prefix| rest.starts_with(prefix));
    if is_key || name == CONFIG_FILE || !looks_so || is_of_tests || is_service_link(rest, value) {
        return None;
    }
    Some(nearest_to(rest))
}

/// Whether Kubernetes sets the variable in each container, because there is a service whose name begins with keyfold's.
fn is_service_link(rest: &str, value: &str) -> bool {
    let is_place = value.contains("://");
    let number_first = |text: &str| {
        text.bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_digit())
    };
    rest.ends_with("_SERVICE_HOST")
        || rest.contains("_SERVICE_PORT")
        || rest.ends_with("_PORT") && is_place
        // For example "_PORT_9464_TCP_PORT".
        || rest.split("_PORT_").skip(1).any(number_first)
}

/// The variable that is nearest to `KEYFOLD` and `rest`.
fn nearest_to(rest: &str) -> String {
    if let Some(stem) = without_file(rest) {
        let meant = nearest_to(stem);
        return of_file(meant);
    }
    let squeezed = squeeze(rest);
    if squeezed.starts_with("config") || strsim::damerau_levenshtein(&squeezed, "config") <= 2 {
        return CONFIG_FILE.to_owned();
    }
    // Perhaps only the underscores are wrong.
    let mut known = names::keys().map(|key| variable(&key));
    if let Some(known) =
        known.find(|known| squeeze(known.trim_start_matches(BEGINNING)) == squeezed)
    {
        return known;
    }
    match squeezed.strip_prefix("kafka_properties_") {
        Some(property) => variable(&format!("{}{property}", names::PROPERTY)),
        None => nearest(&path_of(rest.trim_start_matches('_')), &[]),
    }
}

/// The variable of the known key whose variable is nearest to that of `unknown`. A table has no variable, but each
/// property of librdkafka has one. `sources` are the names of the declared sources.
pub(super) fn nearest(unknown: &str, sources: &[String]) -> String {
    variable(&misspelt_property(unknown).unwrap_or_else(|| names::nearest_key(unknown, sources)))
}

/// The property that `unknown` stands for, if it begins with a misspelling of `kafka.properties`. Only the beginning is
/// compared, because any property may follow.
fn misspelt_property(unknown: &str) -> Option<String> {
    unknown.match_indices('.').take(2).find_map(|(end, _)| {
        let (table, property) = (unknown.get(..end)?, unknown.get(end + 1..)?);
        let misspelt = strsim::damerau_levenshtein(&table.replace('_', "."), names::PROPERTIES);
        (misspelt <= 3 && !property.is_empty()).then(|| format!("{}{property}", names::PROPERTY))
    })
}

/// The environment variable of a key or of a property.
pub(super) fn variable(path: &str) -> String {
    let path = match path.strip_prefix(names::PROPERTY) {
        Some(property) => format!("kafka__properties__{}", property.replace('.', "_")),
        None => path.replace('.', "__"),
    };
    format!("{PREFIX}{}", path.replace('-', "_").to_ascii_uppercase())
}

/// The variable that names the file of the value that `variable` holds. That of the configuration file is its path
/// anyway.
fn of_file(variable: String) -> String {
    match variable.as_str() {
        CONFIG_FILE => variable,
        _ => variable + OF_FILE,
    }
}

/// The name of a variable, or its end, without `__FILE` or a misspelling of it with fewer or more underscores.
fn without_file(name: &str) -> Option<&str> {
    let (stem, file) = name.rsplit_once('_')?;
    file.eq_ignore_ascii_case("file")
        .then(|| stem.trim_end_matches('_'))
        .filter(|stem| !stem.is_empty())
}

/// The variable that was probably meant by one that stands for the unknown key or property `path`.
pub(super) fn nearest_to_unknown(path: &str, sources: &[String]) -> String {
    let stem = path.strip_suffix(".file").or_else(|| without_file(path));
    match (path, stem) {
        ("config", _) | (_, Some("config")) => CONFIG_FILE.to_owned(),
        (_, Some(stem)) => of_file(nearest(stem, sources)),
        (path, None) => nearest(path, sources),
    }
}

/// What a variable stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct KeyOf {
    /// The path of the key or property, known or not.
    pub(super) path: String,
    /// Whether the variable holds the path of a file with the value.
    pub(super) is_file: bool,
}

/// What a variable stands for. `__FILE` at its end is a part of the name where nothing but that makes a key of it, as for
/// the attribute `file` in `KEYFOLD__MERGE__PRIORITY__ATTRIBUTES__FILE`.
pub(super) fn key_of(variable: &str) -> KeyOf {
    let end = variable.len().saturating_sub(OF_FILE.len());
    let (stem, suffix) = variable.split_at_checked(end).unwrap_or((variable, ""));
    let path = path_of(stem);
    let is_key = names::spec(&path).is_some()
        && (path.strip_prefix(names::PRIORITY))
            .is_none_or(|field| priorities::problem(field).is_none());
    match suffix.eq_ignore_ascii_case(OF_FILE) && is_key {
        true => KeyOf {
            path,
            is_file: true,
        },
        false => KeyOf {
            path: path_of(variable),
            is_file: false,
        },
    }
}

/// The path of the key or property that a variable stands for, known or not.
fn path_of(variable: &str) -> String {
    let rest = variable
        .strip_prefix(PREFIX)
        .unwrap_or(variable)
        .to_lowercase();
    if let Some(property) = rest.strip_prefix("kafka__properties__") {
        let name = if UNDERSCORED.contains(&property) {
            property.to_owned()
        } else {
            property.replace("__", ".").replace('_', ".")
        };
        return format!("{}{name}", names::PROPERTY);
    }
    if let Some(field) = rest.strip_prefix("merge__priority__") {
        let field = field.replace("__", ".");
        return format!("{}{}", names::PRIORITY, priorities::of_variable(&field));
    }
    match rest.split("__").collect::<Vec<_>>().as_slice() {
        // The names of sources have hyphens.
        ["sources", source, keys @ ..] => [&["sources", &source.replace('_', "-")], keys]
            .concat()
            .join("."),
        levels => levels.join("."),
    }
}

/// In lower case, with single underscores.
fn squeeze(text: &str) -> String {
    let words = text.split('_').filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_").to_lowercase()
}
