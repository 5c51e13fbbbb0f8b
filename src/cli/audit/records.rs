//! What is made of the records of the inputs: each is judged, held against its dead letter, and counted.

use std::collections::HashSet;

use crate::cli::range_records::{letter, received};
use crate::cli::record_judge::RecordJudge;
use crate::config::{Config, RuleAction};
use crate::customer::contribution::Contribution;
use crate::engine::origin::Omitted;
use crate::engine::received::Received;
use crate::exit::Failure;
use crate::inspect::audit::evidence::{At, InputAt};
use crate::inspect::audit::letters::{Codes, Letters};
use crate::inspect::audit::partials::Counts;
use crate::inspect::audit::tally;
use crate::inspect::letter::Letter;
use crate::kafka::range_reader::RangeRecord;
use crate::model::record::{Code, Source};
use crate::source::{Judged, Verdict};

/// A rejected record whose dead letter is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithoutLetter {
    pub at: InputAt,
    pub code: Code,
    /// The customer that it speaks of, if it can be read without the rules that reject it today.
    pub customer: Option<String>,
}

/// How many of them are kept.
const MAX_KEPT: usize = 10_000;

/// The configuration without the rules and limits that can be changed: what it accepts was perhaps accepted before.
pub fn lenient(config: &Config) -> Config {
    let mut lenient = config.clone();
    let validation = &mut lenient.validation;
    for code in Code::SEMANTIC {
        validation.rules.set(code, RuleAction::Off);
    }
    validation.max_record_bytes = validation.max_record_bytes.max(MAX_BYTES);
    validation.max_metadata_bytes = validation.max_metadata_bytes.max(MAX_BYTES);
    lenient
}

/// More bytes than a record of Kafka is likely to have.
const MAX_BYTES: usize = 128 * 1024 * 1024;

pub struct Records<'c> {
    config: &'c Config,
    judge: RecordJudge<'c>,
    /// Judges by [`lenient`].
    lenient: RecordJudge<'c>,
    /// The topics of the inputs.
    pub inputs: Vec<String>,
    pub letters: Letters,
    /// Dead letters of other applications, and records that are no letters.
    pub other_letters: u64,
    pub tally: tally::Records,
    /// The first of those whose dead letter must be there.
    pub without_letter: Vec<WithoutLetter>,
    /// Customers whose record was rejected after it was counted as valid.
    pub late: HashSet<Vec<u8>>,
    /// Such a record does not tell whose it is.
    pub has_unknown_late: bool,
}

impl<'c> Records<'c> {
    pub fn new(
        config: &'c Config,
        judge: RecordJudge<'c>,
        lenient: RecordJudge<'c>,
        inputs: Vec<String>,
    ) -> Records<'c> {
        Records {
            config,
            judge,
            lenient,
            inputs,
            letters: Letters::default(),
            other_letters: 0,
            tally: tally::Records::default(),
            without_letter: Vec::new(),
            late: HashSet::new(),
            has_unknown_late: false,
        }
    }

    fn input(&self, topic: &str) -> Option<u16> {
        let at = self.inputs.iter().position(|input| input == topic)?;
        u16::try_from(at).ok()
    }

    /// Takes a dead letter. `is_read` says whether its record was read already.
    pub fn letter(
        &mut self,
        record: &RangeRecord<'_>,
        is_read: impl Fn(&str, i32, i64) -> bool,
    ) -> Result<(), Failure> {
        let headers = record.headers();
        let letter = letter(record, &headers);
        let own = letter.filter(|letter| letter.application == self.config.application_id);
        let known = own.and_then(|letter| {
            let mut codes = Code::ALL.into_iter();
            let code = codes.find(|code| code.name() == letter.code)?;
            Some((self.input(letter.topic)?, code, letter))
        });
        let Some((input, code, letter)) = known else {
            self.other_letters += 1;
            return Ok(());
        };
        let at = InputAt {
            input,
            at: At {
                partition: letter.partition,
                offset: letter.offset,
            },
        };
        let is_new = self.letters.of(at).is_empty();
        self.letters.add(at, code, record.partition);
        if is_new && is_read(letter.topic, letter.partition, letter.offset) {
            self.late_letter(&letter, code)?;
        }
        Ok(())
    }

    /// A record was counted as valid before it was rejected: it was forwarded, and its state became too large.
    fn late_letter(&mut self, letter: &Letter<'_>, code: Code) -> Result<(), Failure> {
        let Some(source) = self.config.sources.named(letter.source) else {
            return Ok(());
        };
        let received = Received {
            forwarded: Some(Omitted::default()),
            ..letter.received(source, letter.value, &letter.headers)
        };
        let late = &mut self.late;
        let is_known = self.judge.judge(&received, |judged| match judged.verdict {
            Verdict::Valid(contribution) => {
                late.insert(contribution.customer.into_bytes());
                true
            }
            Verdict::Batch { elements, .. } => {
                let ids = elements.into_iter();
                late.extend(ids.map(|element| element.contribution.customer.into_bytes()));
                true
            }
            Verdict::Nothing => true,
            // a record that was rejected at once was no part of the fold, unless parts of it are omitted here
            Verdict::Rejected(_) => !Codes::of(code).has_size(),
        })?;
        self.has_unknown_late |= !is_known;
        Ok(())
    }

    /// Takes a record of an input, and gives each contribution to `each`.
    pub fn take(
        &mut self,
        record: &RangeRecord<'_>,
        mut each: impl FnMut(Contribution, InputAt, Counts) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Some((at, source)) = self.place_of(record) else {
            return Ok(());
        };
        let codes = self.letters.of(at);
        let headers = record.headers();
        let received = received(record, source, &headers);
        let tally = &mut self.tally;
        tally.read += 1;
        let rejected = self.judge.judge(&received, |judged| {
            let (counts, code) = counts(&judged, codes);
            match judged.verdict {
                Verdict::Valid(contribution) => {
                    match counts {
                        Counts::Otherwise => tally.valid_today += 1,
                        Counts::No => tally.rejected_for_size += 1,
                        _ => {}
                    }
                    each(contribution, at, counts)?;
                }
                Verdict::Batch { elements, .. } => {
                    if counts == Counts::Perhaps {
                        tally.valid_today += 1;
                    }
                    for element in elements {
                        each(element.contribution, at, counts)?;
                    }
                }
                Verdict::Nothing | Verdict::Rejected(_) => {}
            }
            Ok::<_, Failure>(code)
        })??;
        match rejected {
            Some(code) if codes.is_empty() => {
                let (key, time) = (record.key(), record.timestamp());
                let must_be_there = self.letters.must_be_there(at, key, time);
                let customer = self.accepted(&received, at, each)?;
                self.without_letter(at, code, customer, must_be_there);
            }
            Some(_) => self.tally.rejected += 1,
            None => {}
        }
        Ok(())
    }

    /// Judges a record without the rules that reject it today. Returns whose it is.
    fn accepted(
        &mut self,
        received: &Received<'_>,
        at: InputAt,
        mut each: impl FnMut(Contribution, InputAt, Counts) -> Result<(), Failure>,
    ) -> Result<Option<String>, Failure> {
        self.lenient
            .judge(received, |judged| match judged.verdict {
                Verdict::Valid(contribution) => {
                    let customer = contribution.customer.clone();
                    each(contribution, at, Counts::Accepted)?;
                    Ok(Some(customer))
                }
                _ => Ok(None),
            })?
    }

    /// A rejected record has no dead letter.
    fn without_letter(
        &mut self,
        at: InputAt,
        code: Code,
        customer: Option<String>,
        must_be_there: bool,
    ) {
        if !must_be_there {
            self.tally.letter_not_provable += 1;
            return;
        }
        self.tally.missing_letter += 1;
        if self.without_letter.len() < MAX_KEPT {
            self.without_letter
                .push(WithoutLetter { at, code, customer });
        }
    }

    /// The states of these customers show that their records without a dead letter were not rejected.
    pub fn explain(&mut self, customers: &HashSet<String>) {
        let before = self.without_letter.len();
        self.without_letter.retain(|one| {
            let customer = one.customer.as_ref();
            !customer.is_some_and(|customer| customers.contains(customer))
        });
        let explained = (before - self.without_letter.len()) as u64;
        self.tally.missing_letter -= explained;
        self.tally.rejected_today += explained;
    }

    /// Calls `each` with the customers that a record of an input speaks of.
    pub fn customers(
        &mut self,
        record: &RangeRecord<'_>,
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), Failure> {
        let Some((_, source)) = self.place_of(record) else {
            return Ok(());
        };
        let headers = record.headers();
        let received = received(record, source, &headers);
        self.judge.judge(&received, |judged| match judged.verdict {
            Verdict::Valid(contribution) => each(contribution.customer.as_bytes()),
            Verdict::Batch { elements, .. } => {
                for element in elements {
                    each(element.contribution.customer.as_bytes());
                }
            }
            Verdict::Nothing | Verdict::Rejected(_) => {}
        })
    }

    fn place_of(&self, record: &RangeRecord<'_>) -> Option<(InputAt, Source)> {
        let source = self.config.sources.source_of(record.topic)?;
        let at = InputAt {
            input: self.input(record.topic)?,
            at: At {
                partition: record.partition,
                offset: record.offset,
            },
        };
        Some((at, source))
    }
}

/// How the contributions of a record count that has these dead letters, and the code if it must have one.
fn counts(judged: &Judged<'_>, codes: Codes) -> (Counts, Option<Code>) {
    match &judged.verdict {
        Verdict::Rejected(rejection) => (Counts::No, Some(rejection.code)),
        Verdict::Nothing => (Counts::No, None),
        Verdict::Valid(_) if codes.is_empty() => (Counts::Yes, None),
        Verdict::Valid(_) if codes.only_size() => (Counts::No, None),
        Verdict::Valid(_) => (Counts::Otherwise, None),
        Verdict::Batch { rejection, .. } => {
            let code = rejection.as_ref().map(|rejection| rejection.code);
            let counts = match code {
                None if !codes.is_empty() && !codes.only_size() => Counts::Perhaps,
                _ if codes.has_size() => Counts::Unordered,
                _ => Counts::Yes,
            };
            (counts, code)
        }
    }
}
