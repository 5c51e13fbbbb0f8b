//! Letters by what is wrong with them.

use std::collections::BTreeMap;

use super::{Letter, LetterId, without_indices};

/// The most groups: a pointer may hold names that come from records, of which there may be any number.
const MAX_GROUPS: usize = 10_000;
/// The most groups beyond that, of letters that have their source, stage and code in common. All others are one group.
const MAX_OTHERS: usize = 100;
/// The most characters that are kept of a text. So all groups together are less than 10 MB of English texts.
const MAX_CHARS: usize = 200;
/// What is in the place of texts that are not kept.
const OTHERS: &str = "…";

/// What the letters of a group have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wrong {
    pub source: String,
    pub stage: String,
    pub code: String,
    /// Of the first violation, with `*` in the place of indices; empty without any.
    pub pointer: String,
    pub keyword: String,
}

impl Wrong {
    pub fn of(letter: &Letter<'_>) -> Wrong {
        let first = letter.first_violation();
        Wrong {
            source: cut(letter.source),
            stage: cut(letter.stage),
            code: cut(letter.code),
            pointer: first.map_or_else(String::new, |one| cut(&without_indices(&one.pointer))),
            keyword: first.map_or_else(String::new, |one| cut(&one.keyword)),
        }
    }

    /// What is kept of letters that get no group of their own.
    fn with_others(mut self) -> Wrong {
        OTHERS.clone_into(&mut self.pointer);
        self.keyword.clear();
        self
    }

    fn all_others() -> Wrong {
        let other = || OTHERS.to_owned();
        Wrong {
            source: other(),
            stage: other(),
            code: other(),
            pointer: other(),
            keyword: String::new(),
        }
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_CHARS) {
        Some((at, _)) => format!("{}{OTHERS}", &text[..at]),
        None => text.to_owned(),
    }
}

/// The letters of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub letters: u64,
    /// When the first and the last of them was rejected.
    pub first: Option<i64>,
    pub last: Option<i64>,
    pub valid_now: u64,
    /// Of how many it is not known whether they are valid now.
    pub not_known: u64,
    /// The one that was rejected last.
    pub example: LetterId,
}

#[derive(Debug, Default)]
pub struct Groups {
    groups: BTreeMap<Wrong, Group>,
}

impl Groups {
    /// `is_valid_now` is none if that is not known.
    pub fn add(&mut self, letter: &Letter<'_>, is_valid_now: Option<bool>) {
        let mut wrong = Wrong::of(letter);
        if self.groups.len() >= MAX_GROUPS && !self.groups.contains_key(&wrong) {
            wrong = wrong.with_others();
        }
        if self.groups.len() >= MAX_GROUPS + MAX_OTHERS && !self.groups.contains_key(&wrong) {
            wrong = Wrong::all_others();
        }
        let at = letter.rejected_at;
        let group = self.groups.entry(wrong).or_insert_with(|| Group {
            letters: 0,
            first: at,
            last: at,
            valid_now: 0,
            not_known: 0,
            example: letter.id,
        });
        group.letters += 1;
        group.valid_now += u64::from(is_valid_now == Some(true));
        group.not_known += u64::from(is_valid_now.is_none());
        group.first = group.first.into_iter().chain(at).min();
        if at >= group.last {
            group.last = at;
            group.example = letter.id;
        }
    }

    /// The largest group first.
    pub fn sorted(&self) -> Vec<(&Wrong, &Group)> {
        let mut all: Vec<_> = self.groups.iter().collect();
        all.sort_by_key(|(_, group)| std::cmp::Reverse(group.letters));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::letter::tests::{Written, schema_violation};
    use crate::model::record::{Code, Rejection, Source};

    #[test]
    fn letters_with_the_same_fault_are_a_group() {
        let mut groups = Groups::default();
        let mut add = |source, rejection: &Rejection, offset: i64, valid| {
            let written = Written::of(source, None, rejection);
            let mut letter = written.read().unwrap();
            letter.id.offset = offset;
            letter.rejected_at = Some(1_000 + offset);
            groups.add(&letter, Some(valid));
        };
        let console = Source::ConsoleCustomers;
        add(
            console,
            &schema_violation(&["/phones/0/key", "/x"]),
            5,
            true,
        );
        add(console, &schema_violation(&["/phones/7/key"]), 3, false);
        add(console, &schema_violation(&["/phones"]), 9, false);
        add(console, &Rejection::new(Code::InvalidJson), 1, false);
        let found = groups.sorted();
        assert_eq!(found.len(), 3);
        let (wrong, group) = found[0];
        assert_eq!(wrong.pointer, "/phones/*/key");
        assert_eq!(
            (wrong.code.as_str(), wrong.keyword.as_str()),
            ("schema_violation", "type")
        );
        assert_eq!((group.letters, group.valid_now), (2, 1));
        assert_eq!((group.first, group.last), (Some(1_003), Some(1_005)));
        assert_eq!(group.example.to_string(), "3@5");
        let decode = found.iter().find(|(wrong, _)| wrong.stage == "decode");
        assert_eq!(decode.unwrap().0.pointer, "");
    }

    #[test]
    fn the_number_of_groups_is_bounded() {
        let mut groups = Groups::default();
        for number in 0..MAX_GROUPS + 50 {
            let pointer = format!("/attributes/x{number}");
            let rejection = schema_violation(&[&pointer]);
            let written = Written::of(Source::ConsoleCustomers, None, &rejection);
            groups.add(&written.read().unwrap(), Some(false));
        }
        assert_eq!(groups.sorted().len(), MAX_GROUPS + 1);
        assert_eq!(groups.sorted()[0].0.pointer, OTHERS);
        assert_eq!(groups.sorted()[0].1.letters, 50);
        // headers that nobody but keyfold should write
        let written = Written::of(Source::ConsoleCustomers, None, &schema_violation(&["/a"]));
        for number in 0..MAX_OTHERS + 50 {
            let mut letter = written.read().unwrap();
            let code = format!("code {number}");
            letter.code = &code;
            groups.add(&letter, None);
        }
        assert_eq!(groups.sorted().len(), MAX_GROUPS + MAX_OTHERS + 1);
        let others = &groups.groups[&Wrong::all_others()];
        assert_eq!((others.letters, others.not_known), (51, 51));
    }

    #[test]
    fn the_texts_of_a_group_are_bounded() {
        let pointer = format!("/attributes/{}", "é".repeat(5_000));
        let written = Written::of(
            Source::ConsoleCustomers,
            None,
            &schema_violation(&[&pointer]),
        );
        let wrong = Wrong::of(&written.read().unwrap());
        assert_eq!(wrong.pointer.chars().count(), MAX_CHARS + 1);
        assert!(wrong.pointer.starts_with("/attributes/éé") && wrong.pointer.ends_with(OTHERS));
    }
}
