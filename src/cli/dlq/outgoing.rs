//! What is sent of a letter, if anything; all is counted.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::ahead::Target;
use super::edited::Edited;
use super::scan::{Found, LetterJudge};
use super::settling::{Outgoing, Settling};
use super::tally::{Held, ShortLived, Tally};
use crate::engine::dead_letter::record_bytes;
use crate::exit::Failure;
use crate::inspect::letter::Letter;
use crate::inspect::letter::now::{Now, Sendable, What, sent_headers};
use crate::inspect::letter::settled::How;
use crate::kafka::topic_acceptance::{Acceptance, Outline};

/// A record is short-lived if retention deletes it within this time, in milliseconds.
const SOON: i64 = 60 * 60 * 1_000;

/// Which valid letters are held back.
#[derive(Debug, clap::Args)]
pub struct Limits {
    /// Also null values, which erase or retract a customer
    #[arg(long)]
    pub allow_erasure: bool,
    /// No letter that was rejected more often than this
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub max_attempts: u64,
    /// At most so many letters
    #[arg(long, value_name = "N")]
    pub max: Option<u64>,
}

/// Chooses what is sent.
pub struct Choice<'a, 'c> {
    pub limits: &'a Limits,
    pub judge: LetterJudge<'c>,
    pub targets: BTreeMap<String, Target>,
    /// When the command began, in milliseconds since 1970.
    pub now: i64,
    /// Letters that are, or would be, sent.
    pub chosen: u64,
}

impl Choice<'_, '_> {
    /// What is sent of a letter.
    pub fn look(
        &mut self,
        found: Found<'_>,
        edited: Option<&Edited>,
        tally: &mut Tally,
    ) -> Result<Option<Settling>, Failure> {
        let Found {
            letter, settled, ..
        } = found;
        match settled {
            Some(How::Unknown) => {
                tally.hold(Held::SettledUnreadably);
                return Ok(None);
            }
            Some(How::Replayed | How::Discarded) => {
                tally.settled_before += 1;
                return Ok(None);
            }
            None => {}
        }
        let Some(edited) = edited else {
            let now = self.judge.judge(&letter)?;
            return Ok(self.judged(&letter, now, tally));
        };
        let line = edited.line(letter.id)?.line;
        let headers = line.headers();
        let with_parts = letter
            .clone()
            .with_parts(line.key(), line.payload(), &headers);
        let now = self.judge.judge_edited(&with_parts, &letter)?;
        Ok(self.judged(&with_parts, now, tally))
    }

    fn judged(&mut self, letter: &Letter<'_>, now: Now<'_>, tally: &mut Tally) -> Option<Settling> {
        let code = match now {
            Now::Valid(sendable) => return self.outgoing(letter, sendable, tally),
            Now::Rejected(rejection) => rejection.code.name(),
            Now::Incomplete => "a part of the record was left out",
            Now::NoSource => "its topic feeds no source",
        };
        *tally.not_valid.entry(code.to_owned()).or_default() += 1;
        None
    }

    fn outgoing(
        &mut self,
        letter: &Letter<'_>,
        sendable: Sendable<'_>,
        tally: &mut Tally,
    ) -> Option<Settling> {
        let headers = sent_headers(letter);
        let outline = Outline {
            bytes: record_bytes(letter.key, sendable.value.as_deref(), &headers),
            timestamp: letter.timestamp,
            has_key: letter.key.is_some(),
        };
        let held = if matches!(sendable.what, What::Elements { bad: 0, .. }) {
            Some(Held::NothingNew)
        } else if sendable.value.is_none() && !self.limits.allow_erasure {
            Some(Held::Erasure)
        } else if letter.attempts > self.limits.max_attempts {
            Some(Held::Attempts)
        } else {
            None
        };
        if let Some(why) = held {
            tally.hold(why);
            return None;
        }
        let (partitions, takes) = self.target(letter, outline, tally)?;
        if self.limits.max.is_some_and(|max| self.chosen >= max) {
            tally.hold(Held::Max);
            return None;
        }
        self.chosen += 1;
        self.count_short_lived(letter, takes, tally);
        *tally.sent.entry(letter.topic.to_owned()).or_default() += 1;
        match sendable.what {
            What::Record => {}
            What::Elements { bad, of } => tally.cut_batches += u64::from(bad < of),
            What::WholeBatch => tally.whole_batches += 1,
        }
        Some(Settling {
            letter: letter.id,
            record: Some(Outgoing {
                topic: letter.topic.to_owned(),
                partition: (letter.partition < partitions).then_some(letter.partition),
                key: letter.key.map(<[u8]>::to_vec),
                value: sendable.value.map(Cow::into_owned),
                headers,
                timestamp: letter.timestamp,
            }),
        })
    }

    /// The topic to which a letter's record goes: the number of its partitions, and what it takes if that is known. None, and
    /// counted so, if the topic does not take the record.
    fn target(
        &self,
        letter: &Letter<'_>,
        outline: Outline,
        tally: &mut Tally,
    ) -> Option<(i32, Option<Acceptance>)> {
        let found = match self.targets.get(letter.topic) {
            None | Some(Target::Gone) => Err("the topic does not exist any more".to_owned()),
            Some(_) if letter.timestamp == Some(0) => Err(
                "its timestamp of 0 cannot be sent: the client would send that of now".to_owned(),
            ),
            Some(Target::Topic { partitions, takes }) => {
                match takes.and_then(|takes| takes.refusal(outline, self.now)) {
                    Some(refusal) => Err(refusal.to_string()),
                    None => Ok((*partitions, *takes)),
                }
            }
        };
        found
            .map_err(|reason| tally.refuse(letter.id, letter.topic, &reason))
            .ok()
    }

    /// Counts a record that retention may delete before anybody has read it.
    fn count_short_lived(&self, letter: &Letter<'_>, takes: Option<Acceptance>, tally: &mut Tally) {
        let soon = self.now.saturating_add(SOON);
        let deletes = takes.and_then(|takes| takes.deletes_before(letter.timestamp, soon));
        if let Some(retention_ms) = deletes {
            let one = tally.short_lived.entry(letter.topic.to_owned());
            let one = one.or_insert(ShortLived {
                count: 0,
                retention_ms,
            });
            one.count += 1;
        }
    }
}
