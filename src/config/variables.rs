//! Variables of the environment that begin like keyfold's and are none.

use super::keys;

/// What all of keyfold's variables begin with, those that are no keys of the configuration included.
pub(super) const BEGINNING: &str = "KEYFOLD";

/// The path of the configuration file, where the command line gives none.
pub const CONFIG_FILE: &str = "KEYFOLD_CONFIG";

/// Variables of keyfold's own tests, which the program does not read.
const OF_TESTS: [&str; 3] = ["_TEST_", "_FAULTS_", "_FUZZ_"];

/// The variable that was meant by one that looks like keyfold's and is none. None where it stands for a key, or is not
/// meant for keyfold.
pub(super) fn meant(name: &str, value: &str) -> Option<String> {
    let rest = name.strip_prefix(BEGINNING)?;
    let is_key = name.starts_with(keys::PREFIX);
    let looks_so = rest.starts_with('_') || rest.contains("__");
    let is_of_tests = OF_TESTS.iter().any(|prefix| rest.starts_with(prefix));
    if is_key || name == CONFIG_FILE || !looks_so || is_of_tests || is_service_link(rest, value) {
        return None;
    }
    Some(nearest(rest))
}

/// What Kubernetes sets in each container for a service whose name begins with keyfold's.
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
        // "_PORT_9464_TCP_PORT"
        || rest.split("_PORT_").skip(1).any(number_first)
}

/// The variable that is nearest to `KEYFOLD` and `rest`.
fn nearest(rest: &str) -> String {
    let squeezed = squeeze(rest);
    if squeezed.starts_with("config") || strsim::damerau_levenshtein(&squeezed, "config") <= 2 {
        return CONFIG_FILE.to_owned();
    }
    // only the underscores may be wrong
    let known = keys::keys().iter().map(|key| keys::variable(key));
    let mut known = known.filter(|known| {
        let known = known.strip_prefix(BEGINNING).unwrap_or_default();
        squeeze(known) == squeezed
    });
    if let Some(known) = known.next() {
        return known;
    }
    match squeezed.strip_prefix("kafka_properties_") {
        Some(property) => keys::variable(&format!("{}.{property}", keys::PROPERTIES)),
        None => {
            let path = keys::path_of_variable(rest.trim_start_matches('_'));
            keys::nearest_variable(&path)
        }
    }
}

/// In small letters, with single underscores.
fn squeeze(text: &str) -> String {
    let words = text.split('_').filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_is_nearly_keyfolds_is_told() {
        for (name, expected) in [
            (
                "KEYFOLD_KAFKA__BOOTSTRAP_SERVERS",
                "KEYFOLD__KAFKA__BOOTSTRAP_SERVERS",
            ),
            (
                "KEYFOLD_KAFKA_BOOTSTRAP_SERVERS",
                "KEYFOLD__KAFKA__BOOTSTRAP_SERVERS",
            ),
            (
                "KEYFOLDKAFKA__BOOTSTRAP_SERVERS",
                "KEYFOLD__KAFKA__BOOTSTRAP_SERVERS",
            ),
            (
                "KEYFOLD_KAFKA__PROPERTIES__SASL_PASSWORD",
                "KEYFOLD__KAFKA__PROPERTIES__SASL_PASSWORD",
            ),
            (
                "KEYFOLD_SOURCES_LOYALTY_CUSTOMERS_TOPICS",
                "KEYFOLD__SOURCES__LOYALTY_CUSTOMERS__TOPICS",
            ),
            ("KEYFOLD_APPLICATION_ID", "KEYFOLD__APPLICATION_ID"),
            ("KEYFOLD_LOG_LEVL", "KEYFOLD__LOG__LEVEL"),
            ("KEYFOLD_CONFG", "KEYFOLD_CONFIG"),
            ("KEYFOLD_CONFIG_FILE", "KEYFOLD_CONFIG"),
        ] {
            assert_eq!(meant(name, "x").as_deref(), Some(expected), "{name}");
        }
    }

    #[test]
    fn what_is_not_meant_for_keyfold_is_left_alone() {
        for (name, value) in [
            ("KEYFOLD_CONFIG", "/etc/keyfold.toml"),
            ("KEYFOLD__LOG__LEVEL", "info"),
            ("KEYFOLD_TEST_BOOTSTRAP", "localhost:9092"),
            ("KEYFOLDER", "x"),
            ("KEYFOLDER_HOME", "x"),
            ("KEYFOLD", "x"),
            ("PATH", "x"),
            ("KEYFOLD_SERVICE_HOST", "10.0.0.1"),
            ("KEYFOLD_EU_SERVICE_PORT", "9464"),
            ("KEYFOLD_SERVICE_PORT_HTTP", "9464"),
            ("KEYFOLD_PORT", "tcp://10.0.0.1:9464"),
            ("KEYFOLD_EU_PORT_9464_TCP", "tcp://10.0.0.1:9464"),
            ("KEYFOLD_PORT_9464_TCP_ADDR", "10.0.0.1"),
            ("KEYFOLD_PORT_9464_TCP_PORT", "9464"),
            ("KEYFOLD_PORT_9464_TCP_PROTO", "tcp"),
        ] {
            assert_eq!(meant(name, value), None, "{name}");
        }
        assert!(meant("KEYFOLD_PORT", "9464").is_some());
    }
}
