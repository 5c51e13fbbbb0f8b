//! The verdict on a letter under today's configuration, and the record that is sent if it is valid now.

use std::borrow::Cow;

use super::batch::{Batch, bad_elements, names_elements};
use super::{Letter, REPLAYED};
use crate::config::Config;
use crate::engine::dead_letter::PREFIX;
use crate::engine::received::Received;
use crate::model::record::{Header, Rejection, Source, Stage};
use crate::source::framing::Payload;

/// How often the rest of a batch is judged, to find elements that were never listed.
const MAX_ROUNDS: usize = 4;

/// What a letter is today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Now<'a> {
    Valid(Sendable<'a>),
    Rejected(Rejection),
    /// It lacks a part of its record, so that nobody can judge it.
    Incomplete,
    /// Its topic feeds no source.
    NoSource,
}

impl Now<'_> {
    pub fn is_valid(&self) -> bool {
        matches!(self, Now::Valid(_))
    }
}

/// The value that is sent of a valid letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sendable<'a> {
    pub value: Option<Cow<'a, [u8]>>,
    pub what: What,
}

/// How much of a record is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Record,
    /// The bad elements of a batch, of so many. Zero: all that is left in it was good, and is known already.
    Elements {
        bad: usize,
        of: usize,
    },
    /// A batch of which no part can be sent alone.
    WholeBatch,
}

/// Judges records under the configuration of today.
pub trait Judge {
    type Error;

    /// The rejection of a record, if it has one.
    fn rejection(&mut self, record: &Received<'_>) -> Result<Option<Rejection>, Self::Error>;

    /// The value of a record without its frame.
    fn open<'a>(&mut self, record: &Received<'a>) -> Result<Payload<'a>, Self::Error>;
}

/// The headers that a letter's record is sent with: its own, how often it was rejected, and which letter it was.
pub fn sent_headers(letter: &Letter<'_>) -> Vec<(String, Option<Vec<u8>>)> {
    let own = letter.headers.iter().filter(|(name, _)| *name != REPLAYED);
    let own = own.map(|(name, value)| ((*name).to_owned(), value.map(<[u8]>::to_vec)));
    let attempts = letter.attempts.to_string();
    let new = [
        (format!("{PREFIX}attempts"), attempts),
        (REPLAYED.to_owned(), letter.id.to_string()),
    ];
    let new = new.map(|(name, value)| (name, Some(value.into_bytes())));
    own.chain(new).collect()
}

/// Judges a letter as what would be sent.
///
/// # Errors
/// Those of the judge.
pub fn judge<'a, J: Judge>(
    letter: &Letter<'a>,
    config: &Config,
    judge: &mut J,
) -> Result<Now<'a>, J::Error> {
    judge_edited(letter, None, config, judge)
}

/// Judges a letter that somebody has edited as what would be sent; `original` is the letter as it was.
///
/// # Errors
/// Those of the judge.
pub fn judge_edited<'a, J: Judge>(
    letter: &Letter<'a>,
    original: Option<&Letter<'_>>,
    config: &Config,
    judge: &mut J,
) -> Result<Now<'a>, J::Error> {
    let Some(source) = config.sources.source_of(letter.topic) else {
        return Ok(Now::NoSource);
    };
    if letter.omitted.any() {
        return Ok(Now::Incomplete);
    }
    let headers = sent_headers(letter);
    let headers: Vec<Header<'_>> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_deref()))
        .collect();
    let mut judge = Judging {
        letter,
        source,
        headers: &headers,
        config,
        judge,
    };
    let rejection = judge.rejection(letter.value)?;
    let whole = |what| Sendable {
        value: letter.value.map(Cow::Borrowed),
        what,
    };
    let Some(batch) = judge.batch(letter.value)? else {
        let is_cut = original.is_none() && names_elements(&letter.violations, source, config);
        return Ok(match (rejection, is_cut) {
            (Some(rejection), _) => Now::Rejected(rejection),
            (None, true) => Now::Valid(whole(What::WholeBatch)),
            (None, false) => Now::Valid(whole(What::Record)),
        });
    };
    let keep = match original {
        None => batch.bad(&letter.violations),
        Some(original) => judge.edited(&batch, original)?,
    };
    let count = batch.count();
    let Some(keep) = keep else {
        return Ok(match (rejection, original) {
            (Some(rejection), _) => Now::Rejected(rejection),
            (None, None) => Now::Valid(whole(What::Record)),
            (None, Some(_)) => Now::Valid(whole(What::Elements {
                bad: count,
                of: count,
            })),
        });
    };
    judge.cut(rejection, &batch, &keep)
}

/// A letter that is being judged.
struct Judging<'j, 'a, J> {
    letter: &'j Letter<'a>,
    source: Source,
    /// Those that are sent.
    headers: &'j [Header<'j>],
    config: &'j Config,
    judge: &'j mut J,
}

impl<'j, 'a, J: Judge> Judging<'j, 'a, J> {
    /// The rejection of the record with this value.
    fn rejection(&mut self, value: Option<&[u8]>) -> Result<Option<Rejection>, J::Error> {
        let received = self.letter.received(self.source, value, self.headers);
        self.judge.rejection(&received)
    }

    /// The batch that the record with this value is.
    fn batch<'v>(&mut self, value: Option<&'v [u8]>) -> Result<Option<Batch<'v>>, J::Error>
    where
        'j: 'v,
    {
        let Some(value) = value else {
            return Ok(None);
        };
        self.batch_of(self.letter, value)
    }

    fn batch_of<'v>(
        &mut self,
        letter: &'v Letter<'v>,
        value: &'v [u8],
    ) -> Result<Option<Batch<'v>>, J::Error> {
        let received = letter.received(self.source, Some(value), &letter.headers);
        let payload = self.judge.open(&received)?;
        Ok(Batch::of(value, &payload, self.source, self.config))
    }

    /// Which elements of an edited batch must be sent: all but those that were good, which were processed when the letter
    /// was written. None: all, because it is not known which were.
    fn edited(
        &mut self,
        batch: &Batch<'_>,
        original: &Letter<'_>,
    ) -> Result<Option<Vec<bool>>, J::Error> {
        let letter = self.letter;
        // What an element says may depend on both.
        if letter.key != original.key || letter.headers != original.headers {
            return Ok(None);
        }
        let Some(value) = original.value else {
            return Ok(None);
        };
        let before = self.batch_of(original, value)?;
        Ok(before.and_then(|before| {
            let bad = before.bad(&original.violations)?;
            batch.not_among(&before, &bad)
        }))
    }

    /// Judges a batch of which only some elements are sent. `rejection` is that of the whole.
    fn cut(
        &mut self,
        rejection: Option<Rejection>,
        batch: &Batch<'_>,
        keep: &[bool],
    ) -> Result<Now<'a>, J::Error> {
        let count = keep.iter().filter(|keep| **keep).count();
        let what = What::Elements {
            bad: count,
            of: keep.len(),
        };
        let whole = |what| {
            Now::Valid(Sendable {
                value: self.letter.value.map(Cow::Borrowed),
                what,
            })
        };
        if count == keep.len() {
            return Ok(match rejection {
                Some(rejection) => Now::Rejected(rejection),
                None => whole(what),
            });
        }
        let cut = batch.cut(keep);
        let Some(rejection) = rejection else {
            let whole = whole(What::WholeBatch);
            // What the source asks of a batch may be met by all elements together only.
            return Ok(match count > 0 && self.rejection(Some(&cut))?.is_some() {
                true => whole,
                false => part(cut, what),
            });
        };
        let touched = batch.bad(&rejection.violations).unwrap_or_default();
        let is_bad_again = touched.iter().zip(keep).any(|(now, keep)| *now && *keep);
        if is_bad_again
            || count > 0 && self.rejection(Some(&cut))?.is_some()
            || self.hides_another(batch, keep)?
        {
            return Ok(Now::Rejected(rejection));
        }
        Ok(part(cut, what))
    }

    /// Whether an element is bad that the letter does not list: of an element that could not be decoded nothing is
    /// listed. What is bad for another reason was good when the letter was written, and was processed.
    fn hides_another(&mut self, batch: &Batch<'_>, keep: &[bool]) -> Result<bool, J::Error> {
        let mut left: Vec<bool> = keep.iter().map(|keep| !keep).collect();
        for _ in 0..MAX_ROUNDS {
            let indices: Vec<usize> = (0..left.len()).filter(|at| left[*at]).collect();
            let Some(rejection) = self.rejection(Some(&batch.cut(&left)))? else {
                return Ok(false);
            };
            if rejection.code.stage() == Stage::Decode {
                return Ok(true);
            }
            // Of the record that was judged, the violations name elements by their place in that.
            let named = bad_elements(&batch.pointer, indices.len(), &rejection.violations);
            let Some(named) = named else {
                return Ok(true);
            };
            for (index, is_named) in indices.into_iter().zip(named) {
                left[index] &= !is_named;
            }
        }
        Ok(true)
    }
}

fn part<'a>(value: Vec<u8>, what: What) -> Now<'a> {
    Now::Valid(Sendable {
        value: Some(Cow::Owned(value)),
        what,
    })
}

#[cfg(test)]
mod tests;
