//! The numbers of the summary.

use std::collections::BTreeMap;

use super::finding::{Because, Conclusion, Kind, NotProvable, Proof};

/// How customers were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Customers {
    pub equal_by_records: u64,
    pub equal_by_state: u64,
    pub different: u64,
    pub missing: u64,
    pub too_many: u64,
    pub not_provable: BTreeMap<NotProvable, u64>,
    /// Of the customers that differ: how many have this explanation.
    pub because: BTreeMap<Because, u64>,
}

impl Customers {
    /// A customer counts once, by the worst that was found.
    pub fn count(&mut self, conclusion: &Conclusion) {
        match conclusion {
            Conclusion::Equal(Proof::Records) => self.equal_by_records += 1,
            Conclusion::Equal(Proof::State) => self.equal_by_state += 1,
            Conclusion::NotProvable(reason) => {
                *self.not_provable.entry(*reason).or_default() += 1;
            }
            Conclusion::Differs(differences) => {
                let worst = differences.iter().map(|one| one.kind).min();
                match worst.unwrap_or(Kind::Different) {
                    Kind::Different => self.different += 1,
                    Kind::Missing => self.missing += 1,
                    Kind::TooMany => self.too_many += 1,
                }
                let because = differences.iter().filter_map(|one| one.because);
                let mut because: Vec<Because> = because.collect();
                because.sort_unstable();
                because.dedup();
                for because in because {
                    *self.because.entry(because).or_default() += 1;
                }
            }
        }
    }

    pub fn differing(&self) -> u64 {
        self.different + self.missing + self.too_many
    }

    pub fn all(&self) -> u64 {
        let not_provable: u64 = self.not_provable.values().sum();
        self.equal_by_records + self.equal_by_state + self.differing() + not_provable
    }
}

/// How the records of the inputs were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Records {
    /// Committed ones that were read.
    pub read: u64,
    /// Rejected ones that have their dead letter.
    pub rejected: u64,
    /// Rejected for their size, or that of the state, of which only the dead letter knows.
    pub rejected_for_size: u64,
    /// Rejected ones whose dead letter must be there and is not.
    pub missing_letter: u64,
    /// Rejected ones whose dead letter may have been taken by retention.
    pub letter_not_provable: u64,
    /// Valid ones that have a dead letter.
    pub valid_today: u64,
    /// Rejected ones without a dead letter that the state of their customer knows.
    pub rejected_today: u64,
}

#[cfg(test)]
mod tests {
    use super::super::finding::{Difference, Place};
    use super::*;

    #[test]
    fn a_customer_counts_once_by_the_worst() {
        let of = |kind, because| Difference {
            kind,
            place: Place::Snapshot,
            at: None,
            pointers: Vec::new(),
            because,
        };
        let mut customers = Customers::default();
        customers.count(&Conclusion::Equal(Proof::Records));
        customers.count(&Conclusion::Equal(Proof::State));
        customers.count(&Conclusion::NotProvable(NotProvable::Moving));
        let missing = of(Kind::Missing, None);
        let different = of(Kind::Different, Some(Because::NotTheView));
        customers.count(&Conclusion::Differs(vec![missing, different]));
        customers.count(&Conclusion::Differs(vec![of(Kind::TooMany, None)]));
        assert_eq!((customers.different, customers.missing), (1, 0));
        assert_eq!((customers.differing(), customers.all()), (2, 5));
        assert_eq!(customers.because[&Because::NotTheView], 1);
    }
}
