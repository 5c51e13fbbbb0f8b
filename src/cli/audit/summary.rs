//! The end of an audit: numbers, and what was not proven and why.

use serde::Serialize;

use super::super::output::{Output, say, say_json};
use super::report::told_because;
use crate::exit::Failure;
use crate::inspect::audit::Cut;
use crate::inspect::audit::finding::NotProvable;
use crate::inspect::audit::tally::{Customers, Records};

/// All that the summary tells.
pub struct Summary<'a> {
    pub customers: &'a Customers,
    pub records: &'a Records,
    pub letters: usize,
    pub other_letters: u64,
    pub cuts: &'a [Cut],
    /// Offsets of the inputs that are not processed yet.
    pub lag: i64,
    pub rounds: u32,
    pub seconds: f64,
}

/// How many reasons of one kind are told.
const MAX_CUTS: usize = 5;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    r#type: &'static str,
    complete: bool,
    incomplete: Vec<String>,
    lag: i64,
    customers: CustomersOf,
    records: &'a RecordsOf,
    rounds: u32,
    seconds: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CustomersOf {
    equal: u64,
    equal_by_records: u64,
    equal_by_state: u64,
    different: u64,
    missing: u64,
    too_many: u64,
    not_provable: u64,
    not_provable_because: std::collections::BTreeMap<&'static str, u64>,
    because: std::collections::BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RecordsOf {
    read: u64,
    rejected: u64,
    rejected_for_size: u64,
    missing_letters: u64,
    letters_not_provable: u64,
    valid_today: u64,
    rejected_today: u64,
    with_letters: usize,
    other_letters: u64,
}

impl Summary<'_> {
    /// Whether something differs.
    pub fn found(&self) -> bool {
        self.customers.differing() > 0 || self.records.missing_letter > 0
    }

    pub fn show(&self, output: Output) -> Result<(), Failure> {
        match output {
            Output::Json => self.json(),
            Output::Table => self.text(),
        }
    }

    fn json(&self) -> Result<(), Failure> {
        let (customers, records) = (self.customers, self.records);
        let not_provable = customers.not_provable.iter();
        let because = customers.because.iter();
        say_json(&Line {
            r#type: "summary",
            complete: self.cuts.is_empty(),
            incomplete: self.cuts.iter().map(Cut::text).collect(),
            lag: self.lag,
            customers: CustomersOf {
                equal: customers.equal_by_records + customers.equal_by_state,
                equal_by_records: customers.equal_by_records,
                equal_by_state: customers.equal_by_state,
                different: customers.different,
                missing: customers.missing,
                too_many: customers.too_many,
                not_provable: customers.not_provable.values().sum(),
                not_provable_because: not_provable.map(|(why, n)| (why.name(), *n)).collect(),
                because: because.map(|(why, n)| (why.name(), *n)).collect(),
            },
            records: &RecordsOf {
                read: records.read,
                rejected: records.rejected,
                rejected_for_size: records.rejected_for_size,
                missing_letters: records.missing_letter,
                letters_not_provable: records.letter_not_provable,
                valid_today: records.valid_today,
                rejected_today: records.rejected_today,
                with_letters: self.letters,
                other_letters: self.other_letters,
            },
            rounds: self.rounds,
            seconds: self.seconds,
        })
    }

    fn text(&self) -> Result<(), Failure> {
        let (customers, records) = (self.customers, self.records);
        let not_provable: u64 = customers.not_provable.values().sum();
        say("")?;
        say(&format!(
            "customers {}: equal {}, different {}, missing {}, too many {}, not provable {not_provable}",
            customers.all(),
            customers.equal_by_records + customers.equal_by_state,
            customers.different,
            customers.missing,
            customers.too_many,
        ))?;
        say(&format!(
            "records   {}: rejected with their dead letter {}, dead letter missing {}, dead letter not provable {}",
            records.read,
            records.rejected + records.rejected_for_size + records.valid_today,
            records.missing_letter,
            records.letter_not_provable,
        ))?;
        for (because, number) in &customers.because {
            say(&format!(
                "\"{}\" ({number}): {}",
                told_because(*because),
                because.reason()
            ))?;
        }
        self.not_proven()?;
        say(match self.found() {
            true => "there are differences",
            false => "no difference was found",
        })
    }

    /// Tells what was not proven, and why.
    fn not_proven(&self) -> Result<(), Failure> {
        let (customers, records) = (self.customers, self.records);
        if !self.cuts.is_empty() {
            say(&format!(
                "the inputs do not hold all records: {} customers are proven by all their records, {} only by their states, into which the records that are left were joined",
                customers.equal_by_records, customers.equal_by_state
            ))?;
            for cut in self.cuts.iter().take(MAX_CUTS) {
                say(&format!("  {}", cut.text()))?;
            }
            let more = self.cuts.len().saturating_sub(MAX_CUTS);
            if more > 0 {
                say(&format!("  and {more} more reasons"))?;
            }
        } else if customers.equal_by_state > 0 {
            say(&format!(
                "{} customers have data of sources that are not configured: they are proven by their states",
                customers.equal_by_state
            ))?;
        }
        for (why, number) in &customers.not_provable {
            say(&format!(
                "not proven of {number} customers: {}",
                NotProvable::reason(*why)
            ))?;
        }
        if records.missing_letter > 0 {
            say(&format!(
                "{} rejected records have no dead letter: it is lost, or the record was valid when it was processed, under another configuration",
                records.missing_letter
            ))?;
        }
        if records.letter_not_provable > 0 {
            say(&format!(
                "not proven of {} rejected records: their dead letters are not there, and retention may have taken them",
                records.letter_not_provable
            ))?;
        }
        if records.valid_today > 0 {
            say(&format!(
                "{} records with a dead letter are valid today: `keyfold dlq replay` sends back those that it has not sent back yet",
                records.valid_today
            ))?;
        }
        if records.rejected_today > 0 {
            say(&format!(
                "{} records were processed, and are rejected today: the states know them",
                records.rejected_today
            ))?;
        }
        if self.lag > 0 {
            say(&format!(
                "{} offsets were not processed yet when the audit began: they are no part of it",
                self.lag
            ))?;
        }
        Ok(())
    }
}
