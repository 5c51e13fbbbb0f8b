//! A definition as TOML, of which nothing is prepared.

use super::json::Json;
use super::value::Value;

#[derive(Clone, Debug)]
pub struct Definition {
    pub name: String,
    pub toml: toml::Table,
    /// `tombstone` of the source: erase, retract or reject.
    pub tombstone: String,
}

impl Definition {
    pub fn new(name: &str, text: &str, tombstone: &str) -> Definition {
        Definition {
            name: name.to_owned(),
            toml: text.parse().unwrap(),
            tombstone: tombstone.to_owned(),
        }
    }

    /// A word such as `merge`, or its default.
    pub fn word<'d>(&'d self, key: &str, default: &'d str) -> &'d str {
        self.toml
            .get(key)
            .map_or(default, |word| word.as_str().unwrap())
    }

    pub fn value(&self, key: &str) -> Option<Value> {
        self.toml.get(key).map(Value::of)
    }

    /// The values of a table, by their names.
    pub fn table(&self, key: &str) -> Vec<(String, Value)> {
        self.toml.get(key).map(values).unwrap_or_default()
    }

    /// The tables of a list.
    pub fn lists(&self, list: &str) -> Vec<&toml::Table> {
        let lists = self.toml.get("lists").and_then(|lists| lists.get(list));
        let tables = lists.and_then(toml::Value::as_array);
        tables
            .into_iter()
            .flatten()
            .map(|table| table.as_table().unwrap())
            .collect()
    }

    pub fn clears(&self) -> bool {
        self.word("nulls", "absent") == "clear"
    }

    pub fn is_debezium(&self) -> bool {
        self.word("envelope", "none") == "debezium"
    }

    /// What is done with a record that breaks a rule.
    pub fn rule(&self, code: &str) -> &str {
        let default = match code {
            "blank_id" | "no_timestamp" => return "reject",
            "country_code" | "created_after_updated" | "duplicate_element" => "warn",
            _ => "reject",
        };
        let rules = self.toml.get("rules");
        let own = rules.and_then(|rules| rules.get(code));
        own.map_or(default, |own| own.as_str().unwrap())
    }

    /// The values that mean something, of a table such as `deleted`.
    pub fn is(&self, key: &str) -> Vec<String> {
        let is = self.toml.get(key).and_then(|table| table.get("is"));
        let list = is.and_then(toml::Value::as_array);
        let values = list.into_iter().flatten();
        values
            .map(|value| Json::of_toml(value).canonical())
            .collect()
    }

    /// A value within a table, such as `when` in `deleted`.
    pub fn inner(&self, key: &str, name: &str) -> Option<Value> {
        let table = self.toml.get(key)?;
        table.get(name).map(Value::of)
    }
}

/// The values of a table, by their names.
pub fn values(table: &toml::Value) -> Vec<(String, Value)> {
    let values = table.as_table().unwrap().iter();
    values
        .map(|(name, value)| (name.clone(), Value::of(value)))
        .collect()
}
