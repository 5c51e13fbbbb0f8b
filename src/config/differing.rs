//! The settings that differ from the defaults.

use super::section::{Key, Section};
use super::{Config, names};

/// A setting that is not at its default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differing {
    pub key: String,
    /// The value in TOML; secrets are redacted.
    pub value: String,
    /// The default in TOML, none if the key has none.
    pub default: Option<String>,
}

impl Config {
    /// The settings that differ from the defaults, in the order of the reference file.
    #[must_use]
    pub fn differing(&self) -> Vec<Differing> {
        let mut all = Vec::new();
        for table in self.tables("") {
            let known = names::TABLES.iter().find(|known| known.path == table.path);
            let is_source = table.path.starts_with(names::SOURCE);
            let known = known.or_else(|| is_source.then_some(&*names::DECLARED));
            let default = |key: &Key| {
                let keys = known?.keys.iter();
                let mut same = keys.filter(|default| default.name == key.name);
                same.next()?.value.clone()
            };
            for key in &table.keys {
                let default = default(key);
                if let Some(value) = key.shown().filter(|_| key.value != default) {
                    all.push(Differing {
                        key: table.path_of(&key.name),
                        value: value.to_string(),
                        default: default.map(|default| default.to_string()),
                    });
                }
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_listed_and_no_secret() {
        assert_eq!(Config::default().differing(), []);
        let mut config = Config::default();
        config.validation.max_state_bytes = 5_000;
        let properties = &mut config.kafka.properties;
        properties.insert("sasl.password".to_owned(), "hunter22".to_owned());
        properties.insert("linger.ms".to_owned(), "7".to_owned());
        let found = config.differing();
        let keys: Vec<&str> = found.iter().map(|one| one.key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "kafka.properties.linger.ms",
                "kafka.properties.sasl.password",
                "validation.max_state_bytes"
            ]
        );
        assert_eq!(found[2].value, "5000");
        assert_eq!(found[2].default.as_deref(), Some("900000"));
        assert!(!format!("{found:?}").contains("hunter22"));
    }
}
