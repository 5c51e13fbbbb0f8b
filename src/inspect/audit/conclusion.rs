//! What follows from the evidence about one customer that does not move.

use crate::config::Config;
use crate::customer::snapshot::{self, View};
use crate::customer::{Customer, Keep};
use crate::inspect::difference;

use super::evidence::{At, Evidence};
use super::finding::{Because, Conclusion, Difference, Kind, NotProvable, Place, Proof};

/// By which rules customers are judged.
#[derive(Debug, Clone)]
pub struct Basis {
    /// No record is missing in the inputs, so that they say all that there is to know.
    pub is_complete: bool,
    pub keep: Keep,
    pub view: View,
    /// The names of the sources that are configured.
    pub sources: Vec<&'static str>,
    /// Makes the JSON text of the value of a snapshot; none if it cannot be read.
    pub read_snapshot: fn(&[u8]) -> Option<Vec<u8>>,
}

impl Basis {
    pub fn new(config: &Config, is_complete: bool) -> Basis {
        Basis {
            is_complete,
            keep: Keep::of(config),
            view: View::of(config),
            sources: config
                .sources
                .iter()
                .map(|(source, _)| source.name())
                .collect(),
            read_snapshot: |value| Some(value.to_vec()),
        }
    }

    /// The snapshot of a state; none if there is nothing to show.
    fn shown(&self, id: &str, customer: &Customer) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        snapshot::write(customer, id, &self.view, &mut text).then_some(text)
    }
}

/// Judges one customer. It must not move.
pub fn conclude(id: &str, evidence: &Evidence, basis: &Basis) -> Conclusion {
    let mut differences = strays(evidence);
    let state = match &evidence.state {
        None => Ok(None),
        Some((at, bytes)) => match Customer::decode(&**bytes) {
            Ok(state) => Ok(Some((*at, state))),
            Err(_) => Err(*at),
        },
    };
    let mut proof = Proof::Records;
    match state {
        Err(at) => {
            let because = Because::Unreadable;
            differences
                .push(difference_at(Kind::Different, Place::State, Some(at)).because(because));
            if basis.is_complete {
                let shown = basis.shown(id, &evidence.of_records());
                differences.extend(of_snapshot(evidence, shown.as_deref(), basis));
            }
        }
        Ok(state) => {
            let known = state.as_ref().map(|(_, state)| state);
            let is_complete = basis.is_complete
                && !known.is_some_and(|state| state.knows_other_than(&basis.sources));
            let judge = Judge {
                id,
                evidence,
                basis,
                at: state.as_ref().map(|(at, _)| *at),
                state: known.cloned().unwrap_or_default(),
                is_known: known.is_some(),
            };
            proof = match is_complete {
                true => judge.by_records(&mut differences),
                false => judge.by_state(&mut differences),
            };
        }
    }
    differences.sort_by_key(|one| (one.kind, one.place));
    match differences.is_empty() {
        true => Conclusion::Equal(proof),
        false if evidence.depends_on_order => Conclusion::NotProvable(NotProvable::Order),
        false => Conclusion::Differs(differences),
    }
}

fn difference_at(kind: Kind, place: Place, at: Option<At>) -> Difference {
    Difference {
        kind,
        place,
        at,
        pointers: match kind {
            Kind::Different => vec![String::new()],
            _ => Vec::new(),
        },
        because: None,
    }
}

impl Difference {
    fn because(self, because: Because) -> Difference {
        Difference {
            because: Some(because),
            ..self
        }
    }
}

fn strays(evidence: &Evidence) -> Vec<Difference> {
    let of = |place, all: &[At]| -> Vec<Difference> {
        let all = all.iter();
        all.map(|at| difference_at(Kind::TooMany, place, Some(*at)).because(Because::Partition))
            .collect()
    };
    let mut all = of(Place::Snapshot, &evidence.stray_snapshots);
    all.extend(of(Place::State, &evidence.stray_states));
    all
}

/// The difference of two texts, either of which may be missing.
fn of_texts(
    place: Place,
    expected: Option<&[u8]>,
    found: Option<(At, Option<&[u8]>)>,
) -> Option<Difference> {
    match (expected, found) {
        (None, None) => None,
        (Some(_), None) => Some(difference_at(Kind::Missing, place, None)),
        (None, Some((at, _))) => Some(difference_at(Kind::TooMany, place, Some(at))),
        (Some(expected), Some((at, found))) => {
            let pointers = match found {
                Some(found) => difference::pointers(expected, found),
                None => vec![String::new()],
            };
            (!pointers.is_empty()).then(|| Difference {
                pointers,
                ..difference_at(Kind::Different, place, Some(at))
            })
        }
    }
}

/// What is wrong with the snapshot, if `expected` must be shown.
fn of_snapshot(evidence: &Evidence, expected: Option<&[u8]>, basis: &Basis) -> Option<Difference> {
    let found = evidence.snapshot.as_ref();
    let found = found.map(|(at, value)| (*at, (basis.read_snapshot)(value)));
    let found = found.as_ref().map(|(at, text)| (*at, text.as_deref()));
    of_texts(Place::Snapshot, expected, found)
}

/// A customer whose state can be read, or who has none.
struct Judge<'e> {
    id: &'e str,
    evidence: &'e Evidence,
    basis: &'e Basis,
    at: Option<At>,
    state: Customer,
    is_known: bool,
}

impl Judge<'_> {
    fn joined(&self, one: &Customer, other: &Customer) -> Customer {
        let mut joined = one.clone();
        joined.merge(other.clone(), self.basis.keep);
        joined
    }

    fn shown(&self, customer: &Customer) -> Option<Vec<u8>> {
        self.basis.shown(self.id, customer)
    }

    /// State and snapshot must be what the records lead to.
    fn by_records(&self, out: &mut Vec<Difference>) -> Proof {
        let mut fold = self.evidence.of_records();
        let mut today = None;
        if let Some(otherwise) = &self.evidence.otherwise {
            let with = self.joined(&fold, otherwise);
            if with == self.state {
                // they were processed after all, or what they say is known by other records
                fold = with;
            } else if with != fold {
                today = Some(with);
            }
        }
        if let Some(accepted) = &self.evidence.accepted
            && self.state != fold
        {
            let with = self.joined(&fold, accepted);
            if with == self.state {
                out.push(self.wrong_state(&fold).because(Because::RejectedToday));
                fold = with;
            }
        }
        let shown = self.shown(&fold);
        let wrong_state = (self.state != fold).then(|| self.wrong_state(&fold));
        let mut wrong_snapshot = of_snapshot(self.evidence, shown.as_deref(), self.basis);
        if let Some(wrong) = &mut wrong_snapshot
            && wrong_state.is_none()
            && self.is_known
            && wrong.kind == Kind::Different
        {
            wrong.because = Some(Because::NotTheView);
        }
        if wrong_state.is_none() && wrong_snapshot.is_none() {
            self.explain_today(today, out);
        }
        out.extend(wrong_state);
        out.extend(wrong_snapshot);
        Proof::Records
    }

    /// Joining the records that are left must not change the state, and the snapshot must show it.
    fn by_state(&self, out: &mut Vec<Difference>) -> Proof {
        let fold = self.evidence.of_records();
        let joined = self.joined(&self.state, &fold);
        let is_changed = joined != self.state;
        if is_changed {
            out.push(self.wrong_state(&joined));
        }
        // without a state nothing says what the snapshot must show
        if self.is_known || !is_changed {
            let shown = self.shown(&self.state);
            let wrong = of_snapshot(self.evidence, shown.as_deref(), self.basis);
            if !is_changed && wrong.is_none() {
                let otherwise = self.evidence.otherwise.as_ref();
                let today = otherwise.map(|otherwise| self.joined(&self.state, otherwise));
                self.explain_today(today, out);
            }
            out.extend(wrong);
        }
        match self.state == fold {
            true => Proof::Records,
            false => Proof::State,
        }
    }

    /// The state is not `expected`.
    fn wrong_state(&self, expected: &Customer) -> Difference {
        if !self.is_known {
            return difference_at(Kind::Missing, Place::State, None);
        }
        let kind = match self.evidence.fold {
            None => Kind::TooMany,
            Some(_) => Kind::Different,
        };
        let mut wrong = difference_at(kind, Place::State, self.at);
        let (expected, found) = (self.shown(expected), self.shown(&self.state));
        if kind == Kind::Different
            && let (Some(expected), Some(found)) = (expected, found)
            && expected != found
        {
            wrong.pointers = difference::pointers(&expected, &found);
        }
        wrong
    }

    /// All is as it must be. If the customer would be another one today, that is a difference with an explanation.
    fn explain_today(&self, today: Option<Customer>, out: &mut Vec<Difference>) {
        let Some(today) = today.filter(|today| *today != self.state) else {
            return;
        };
        let shown = self.shown(&today);
        let wrong = of_snapshot(self.evidence, shown.as_deref(), self.basis);
        out.extend(wrong.map(|wrong| wrong.because(Because::ValidToday)));
    }
}

#[cfg(test)]
mod tests;
