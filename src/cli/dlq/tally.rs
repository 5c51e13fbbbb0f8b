//! What a command made of the letters that it was about.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cli::output::{Output, plain, say, say_json, table};
use crate::exit::Failure;
use crate::inspect::letter::LetterId;

/// Why a letter that is valid stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Held {
    /// Its value is null, and would erase.
    Erasure,
    /// It was rejected too often.
    Attempts,
    /// `--max` was reached.
    Max,
    /// It is settled, and the note of it cannot be read.
    SettledUnreadably,
    /// All that was left in the edited batch was good before, and is known already.
    NothingNew,
}

impl Held {
    const fn text(self) -> &'static str {
        match self {
            Held::Erasure => "a null value: it would erase, --allow-erasure sends it",
            Held::Attempts => "rejected more often than --max-attempts",
            Held::Max => "beyond --max",
            Held::SettledUnreadably => {
                "settled by another version, whose note this one cannot read: it may have been sent"
            }
            Held::NothingNew => {
                "the line has only elements that were good, and are known: `dlq discard` settles it"
            }
        }
    }

    /// Whether somebody has to do something about it.
    const fn is_trouble(self) -> bool {
        matches!(self, Held::SettledUnreadably | Held::NothingNew)
    }
}

/// Letters that a topic does not take, for one reason.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unsendable {
    pub topic: String,
    pub reason: String,
    pub count: u64,
    /// Their names, the first [`MAX_NAMES`].
    pub letters: Vec<LetterId>,
}

/// How many letters with one reason are named.
const MAX_NAMES: usize = 1_000;
/// How many reasons are told apart.
const MAX_REASONS: usize = 1_000;

/// Records that are sent, and that retention may delete before anybody has read them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShortLived {
    pub count: u64,
    pub retention_ms: i64,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    pub executed: bool,
    /// Sent (or to be sent), by topic.
    pub sent: BTreeMap<String, u64>,
    /// Of them, batches of which only the bad elements are sent.
    pub cut_batches: u64,
    /// Of them, batches of which no part can be sent alone.
    pub whole_batches: u64,
    /// Of them, by topic, those that its retention may soon delete.
    pub short_lived: BTreeMap<String, ShortLived>,
    pub discarded: u64,
    /// Letters that stay because they are not valid, by today's code.
    pub not_valid: BTreeMap<String, u64>,
    /// Valid letters that stay, by the reason.
    pub held: BTreeMap<Held, u64>,
    /// Valid letters that stay because their topics do not take them.
    pub unsendable: Vec<Unsendable>,
    pub settled_before: u64,
    /// Lines of the file whose letters are not in the topic any more.
    pub gone: u64,
}

impl Tally {
    /// Whether letters stay for which somebody has to do something.
    pub fn has_trouble(&self) -> bool {
        let is_held = self.held.keys().any(|held| held.is_trouble());
        !self.not_valid.is_empty() || !self.unsendable.is_empty() || self.gone > 0 || is_held
    }

    pub fn hold(&mut self, why: Held) {
        *self.held.entry(why).or_default() += 1;
    }

    /// Counts a letter that its topic does not take.
    pub fn refuse(&mut self, letter: LetterId, topic: &str, reason: &str) {
        let mut known = self.unsendable.iter();
        let at = known.position(|one| one.topic == topic && one.reason == reason);
        let at = at.unwrap_or_else(|| {
            if self.unsendable.len() <= MAX_REASONS {
                let (topic, reason) = match self.unsendable.len() < MAX_REASONS {
                    true => (topic, reason),
                    false => ("others", "for other reasons"),
                };
                self.unsendable.push(Unsendable {
                    topic: topic.to_owned(),
                    reason: reason.to_owned(),
                    ..Unsendable::default()
                });
            }
            self.unsendable.len() - 1
        });
        let one = &mut self.unsendable[at];
        one.count += 1;
        if one.letters.len() < MAX_NAMES {
            one.letters.push(letter);
        }
    }

    /// Counts a letter that was counted as sent, and that its topic refused.
    pub fn refuse_sent(&mut self, letter: LetterId, topic: &str, reason: &str) {
        if let Some(count) = self.sent.get_mut(topic) {
            *count -= 1;
            if *count == 0 {
                self.sent.remove(topic);
            }
        }
        self.refuse(letter, topic, reason);
    }

    pub fn write(&self, output: Output) -> Result<(), Failure> {
        match output {
            Output::Json => say_json(self),
            Output::Table => self.write_table(),
        }
    }

    fn write_table(&self) -> Result<(), Failure> {
        let rows: Vec<[String; 3]> = self
            .rows()
            .into_iter()
            .filter(|(count, _, _)| *count > 0)
            .map(|(count, what, detail)| {
                let detail = plain(&detail).into_owned();
                [format!("{count:>8}"), what.to_owned(), detail]
            })
            .collect();
        if rows.is_empty() {
            eprintln!("no dead letters");
        } else {
            say(&table(&rows))?;
        }
        if !self.executed && (!self.sent.is_empty() || self.discarded > 0) {
            eprintln!("this is the plan, and nothing was written; --execute does it");
        }
        Ok(())
    }

    /// How many letters, what became of them, and of which.
    fn rows(&self) -> Vec<(u64, &'static str, String)> {
        let (sent, discarded) = match self.executed {
            true => ("sent", "discarded"),
            false => ("to be sent", "to be discarded"),
        };
        let mut rows = Vec::new();
        for (topic, count) in &self.sent {
            rows.push((*count, sent, topic.clone()));
        }
        let cut = "only their bad elements are sent".to_owned();
        rows.push((self.cut_batches, "of them batches", cut));
        let whole = "sent whole, for no part can be sent alone".to_owned();
        rows.push((self.whole_batches, "of them batches", whole));
        for (topic, one) in &self.short_lived {
            let detail = format!(
                "{topic} deletes records of their age soon (retention.ms={}): let keyfold run meanwhile",
                one.retention_ms
            );
            rows.push((one.count, "of them short-lived", detail));
        }
        rows.push((self.discarded, discarded, String::new()));
        for (code, count) in &self.not_valid {
            rows.push((*count, "not valid now", code.clone()));
        }
        for (why, count) in &self.held {
            rows.push((*count, "held back", why.text().to_owned()));
        }
        for one in &self.unsendable {
            rows.push((one.count, "cannot be sent", one.text()));
        }
        rows.push((self.settled_before, "settled before", String::new()));
        let gone = "lines of the file without a letter".to_owned();
        rows.push((self.gone, "not there any more", gone));
        rows
    }
}

impl Unsendable {
    fn text(&self) -> String {
        let names: Vec<String> = self.letters.iter().map(LetterId::to_string).collect();
        let more = match self.count > names.len() as u64 {
            true => " …",
            false => "",
        };
        let Unsendable { topic, reason, .. } = self;
        format!("{topic}: {reason}: {}{more}", names.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_letters_are_named_by_their_reason() {
        let mut tally = Tally::default();
        tally.sent.insert("in".to_owned(), 2);
        let id = |offset| LetterId {
            partition: 0,
            offset,
        };
        tally.refuse_sent(id(1), "in", "too large");
        tally.refuse_sent(id(2), "in", "too old");
        tally.refuse(id(3), "in", "too large");
        assert!(tally.sent.is_empty() && tally.has_trouble());
        let texts: Vec<String> = tally.unsendable.iter().map(Unsendable::text).collect();
        assert_eq!(texts, ["in: too large: 0@1 0@3", "in: too old: 0@2"]);
        for offset in 0..2_000 {
            tally.refuse(id(offset), "in", "too large");
        }
        assert_eq!(tally.unsendable[0].letters.len(), MAX_NAMES);
        assert!(tally.unsendable[0].text().ends_with(" …"));
    }
}
