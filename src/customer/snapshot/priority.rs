//! `merge.priority`: of several sources that have a value for a field, the one whose value is shown
//! (docs/contract.md, section 9).

use std::collections::BTreeMap;

/// The sources of each field, the first one first. The field `*` stands for all that have no entry of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Priority(BTreeMap<String, Vec<String>>);

impl Priority {
    /// By field: `status`, `firstName`, …, `attributes.NAME`, or `*`. The sources are given by their names in the
    /// configuration, those of the built-in ones included.
    pub fn new(fields: BTreeMap<String, Vec<String>>) -> Priority {
        Priority(fields)
    }

    /// Whether no source comes first for any field.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names of the sources that come first for a field.
    pub fn of(&self, field: &str) -> &[String] {
        let of_field = self.0.get(field).or_else(|| self.0.get("*"));
        of_field.map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_without_an_entry_of_its_own_takes_that_of_all_fields() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let priority = Priority::new(BTreeMap::from([
            ("*".to_owned(), names(&["crm"])),
            ("status".to_owned(), names(&["loyalty-customers", "crm"])),
            ("attributes.tier".to_owned(), Vec::new()),
        ]));
        assert_eq!(priority.of("status"), ["loyalty-customers", "crm"]);
        assert_eq!(priority.of("firstName"), ["crm"]);
        assert!(priority.of("attributes.tier").is_empty());
        assert!(Priority::default().of("status").is_empty());
    }
}
