//! Takes the records of a customer one by one, and explains the snapshot in the end.

use super::told::{RecordRef, Said, Subjects, Told, ToldData, What};
use super::trace::{Trace, number_all};
use super::{Explanation, decisive, fates, parts::Parts};
use crate::customer::Customer;
use crate::customer::bounded::{Bounded, Limits};
use crate::customer::snapshot;
use crate::model::record::{Rejection, usable_timestamp};
use crate::model::time::Instant;

pub struct Explainer {
    customer_id: String,
    limits: Limits,
    keeps_values: bool,
    folded: Bounded,
    state: Option<Customer>,
    told: Vec<Told>,
    subjects: Subjects,
}

impl Explainer {
    /// With the limits of the configuration. The texts of all data are kept if values are asked for.
    pub fn new(customer_id: &str, limits: Limits, keeps_values: bool) -> Explainer {
        Explainer {
            customer_id: customer_id.to_owned(),
            limits,
            keeps_values,
            folded: Bounded::default(),
            state: None,
            told: Vec::new(),
            subjects: Subjects::default(),
        }
    }

    /// Adds a record of the customer. The order matters only where the state would become too large.
    pub fn add(&mut self, record: RecordRef, said: Said) {
        let timestamp = record.timestamp.and_then(usable_timestamp);
        let timestamp = timestamp.map(Instant::from_millis);
        let (at, what) = match said {
            Said::Nothing => (timestamp, What::Nothing),
            Said::Rejected(rejection) => (timestamp, What::Rejected(rejection)),
            Said::Data(data) => {
                let erasure = data.as_erasure();
                let at = erasure.map_or(data.at(), |erasure| Some(erasure.at));
                let mut what = match erasure {
                    Some(erasure) => What::Erasure(erasure),
                    None => {
                        let told = ToldData::of(&data, &mut self.subjects, self.keeps_values);
                        What::Data(told)
                    }
                };
                let joined = self.folded.join(&self.customer_id, data, &self.limits);
                if joined.is_err() {
                    what = What::Rejected(Rejection::state_too_large());
                }
                (at, what)
            }
        };
        self.told.push(Told { record, at, what });
    }

    /// How many records were added.
    pub fn records(&self) -> usize {
        self.told.len()
    }

    /// Adds what keyfold's state holds of the customer, which may know more than the records that are left.
    pub fn know(&mut self, state: Customer) {
        self.state = Some(state);
    }

    /// Explains what was added until now.
    pub fn explain(&mut self) -> Explanation {
        self.told.sort_by(|one, other| {
            let place = |told: &Told| {
                let location = &told.record.location;
                (location.partition, location.offset)
            };
            let times = one.at.cmp(&other.at);
            times
                .then_with(|| {
                    let (one, other) = (&one.record.location, &other.record.location);
                    one.topic.cmp(&other.topic)
                })
                .then_with(|| place(one).cmp(&place(other)))
                .then_with(|| one.record.pointer.cmp(&other.record.pointer))
        });
        let mut customer = self.folded.customer().clone();
        if let Some(state) = &self.state {
            customer.merge(state.clone(), self.limits.keep);
        }
        number_all(&customer, &mut self.subjects);
        let view = &self.limits.view;
        let trace = Trace::of(&customer, &self.told, &self.subjects);
        let parts = Parts::of(&customer, view, &trace);
        let decisive = decisive::records(&trace, &parts, view);
        let records = fates::of(&trace, &parts, &decisive);
        let mut text = Vec::new();
        let is_shown = snapshot::write(&customer, &self.customer_id, view, &mut text);
        Explanation {
            records,
            snapshot: is_shown.then_some(text),
            parts: parts.all,
        }
    }
}
