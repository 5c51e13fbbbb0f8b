//! The verdict on letters under today's configuration, for the commands that show it. Where the schema registry is needed
//! for it and is away, it is not known, and all else is shown.

use super::scan::{LetterJudge, Scan};
use crate::cli::record_judge::RecordJudge;
use crate::exit::Failure;
use crate::inspect::letter::Letter;
use crate::inspect::letter::now::Now;

/// In the place of a verdict that is not known.
pub const NOT_KNOWN: &str = "not known: the registry is away";

pub struct Today<'c> {
    judge: LetterJudge<'c>,
    /// Why the registry gave no answer.
    away: String,
    /// How many letters were not judged therefore.
    not_known: u64,
}

impl<'c> Today<'c> {
    pub fn connect(scan: &Scan<'c>) -> Result<Today<'c>, Failure> {
        let judge = RecordJudge::impatient(scan.config, &scan.cluster)?;
        Ok(Today {
            judge: LetterJudge::of(scan.config, judge),
            away: String::new(),
            not_known: 0,
        })
    }

    /// None: it is not known, because the registry is away.
    pub fn judge<'a>(&mut self, letter: &Letter<'a>) -> Result<Option<Now<'a>>, Failure> {
        match self.judge.judge(letter) {
            Err(Failure::RegistryAway(reason)) => {
                self.away = reason;
                self.not_known += 1;
                Ok(None)
            }
            judged => judged.map(Some),
        }
    }

    /// After all is shown.
    ///
    /// # Errors
    /// If the verdict on a letter is not known: a service has failed.
    pub fn finish(self) -> Result<(), Failure> {
        match self.not_known {
            0 => Ok(()),
            count => Err(Failure::RegistryAway(format!(
                "of {count} letters it is not known whether they are valid now, because the schema registry is away; all else is shown. {}",
                self.away
            ))),
        }
    }
}
