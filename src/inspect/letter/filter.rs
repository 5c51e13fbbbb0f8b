//! Which letters a command is about.

use std::collections::BTreeSet;

use super::{Letter, LetterId, without_indices};

/// What a letter must be like. What is empty or none is not looked at.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub sources: Vec<String>,
    pub stages: Vec<String>,
    pub codes: Vec<String>,
    pub topics: Vec<String>,
    /// As violations name them, or with `*` in the place of indices.
    pub pointers: Vec<String>,
    pub keys: Vec<String>,
    /// The time of the rejection, in milliseconds: from the first on, and before the second.
    pub since: Option<i64>,
    pub until: Option<i64>,
    /// Letters by their names; empty: all.
    pub ids: BTreeSet<LetterId>,
}

impl Filter {
    /// Of letters by their names.
    pub fn of_letters(letters: &[LetterId]) -> Filter {
        Filter {
            ids: letters.iter().copied().collect(),
            ..Filter::default()
        }
    }

    pub fn matches(&self, letter: &Letter<'_>) -> bool {
        let among = |wanted: &[String], text: &str| {
            wanted.is_empty() || wanted.iter().any(|one| one == text)
        };
        let key = |wanted: &String| letter.key == Some(wanted.as_bytes());
        // A letter without a timestamp of its own has no time that could be before or after another.
        let is_since = |since| letter.rejected_at.is_some_and(|at| at >= since);
        let is_until = |until| letter.rejected_at.is_some_and(|at| at < until);
        (self.ids.is_empty() || self.ids.contains(&letter.id))
            && among(&self.sources, letter.source)
            && among(&self.stages, letter.stage)
            && among(&self.codes, letter.code)
            && among(&self.topics, letter.topic)
            && (self.keys.is_empty() || self.keys.iter().any(key))
            && self.since.is_none_or(is_since)
            && self.until.is_none_or(is_until)
            && self.matches_pointer(letter)
    }

    fn matches_pointer(&self, letter: &Letter<'_>) -> bool {
        let is_one = |pointer: &str| {
            let general = without_indices(pointer);
            let mut wanted = self.pointers.iter();
            wanted.any(|wanted| wanted == pointer || *wanted == general)
        };
        self.pointers.is_empty() || letter.violations.iter().any(|one| is_one(&one.pointer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::letter::tests::{Written, schema_violation};
    use crate::model::record::Source;

    #[test]
    fn a_letter_must_match_each_of_its_filters() {
        let rejection = schema_violation(&["/addresses/1/city", "/addresses/12/city"]);
        let written = Written::of(Source::ConsoleCustomers, None, &rejection);
        let letter = written.read().unwrap();
        let matches = |set: &dyn Fn(&mut Filter)| {
            let mut filter = Filter::default();
            set(&mut filter);
            filter.matches(&letter)
        };
        let texts = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        assert!(matches(&|_| {}));
        assert!(matches(&|f| f.sources = texts(&["x", "console-customers"])));
        assert!(!matches(&|f| f.sources = texts(&["loyalty-customers"])));
        assert!(!matches(&|f| f.stages = texts(&["decode"])));
        assert!(!matches(&|f| f.codes = texts(&["blank_id"])));
        assert!(!matches(&|f| f.topics = texts(&["loyalty.customers"])));
        assert!(matches(&|f| f.topics = texts(&["console.customers"])));
        assert!(matches(&|f| f.pointers = texts(&["/addresses/12/city"])));
        assert!(matches(&|f| f.pointers = texts(&["/addresses/*/city"])));
        assert!(!matches(&|f| f.pointers = texts(&["/addresses/2/city"])));
        assert!(matches(&|f| f.keys = texts(&["c-1"])));
        assert!(!matches(&|f| f.keys = texts(&["c-"])));
        let at = letter.rejected_at.unwrap();
        assert!(matches(&|f| f.since = Some(at)));
        assert!(!matches(&|f| f.since = Some(at + 1)));
        assert!(!matches(&|f| f.until = Some(at)));
        assert!(matches(&|f| f.until = Some(at + 1)));
        assert!(matches(&|f| f.ids = [letter.id].into()));
        assert!(!matches(&|f| f.ids = ["3@119".parse().unwrap()].into()));
    }
}
