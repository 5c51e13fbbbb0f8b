//! What a record says of one customer.

use super::record_judge::RecordJudge;
use crate::config::{Config, Format, KeyFormat};
use crate::definition::{Origin, Value};
use crate::engine::received::Received;
use crate::exit::Failure;
use crate::inspect::explain::Said;
use crate::inspect::mention::Mention;
use crate::model::record::{Rejection, Source};
use crate::source::{Judged, Verdict};

/// Judges records, and finds what they say of the customer.
pub struct About<'c> {
    config: &'c Config,
    id: &'c str,
    pub mention: Mention<'c>,
    judge: RecordJudge<'c>,
}

impl<'c> About<'c> {
    /// `config` is the one that the judge judges by.
    pub fn new(config: &'c Config, id: &'c str, judge: RecordJudge<'c>) -> About<'c> {
        About {
            config,
            id,
            mention: Mention::new(id),
            judge,
        }
    }

    /// What the record says of the customer, with the pointer of each element of a batch. Empty if it says nothing.
    pub fn look(&mut self, received: &Received<'_>) -> Result<Vec<(String, Said)>, Failure> {
        if !self.may_speak(received) {
            return Ok(Vec::new());
        }
        let looking = Looking {
            config: self.config,
            id: self.id,
            mention: &self.mention,
            received,
        };
        self.judge.judge(received, |judged| looking.find(judged))
    }

    /// Whether a record may speak of the customer. It is a cheap look that never misses one.
    fn may_speak(&self, received: &Received<'_>) -> bool {
        if received.forwarded.is_some() || !has_its_id_as_text(self.config, received.raw.source) {
            return true;
        }
        let value = received.raw.value.unwrap_or_default();
        let key = received.raw.key;
        self.mention.may_be_in(key, value, received.headers)
    }
}

/// Whether the bytes of a customer's id stand in each record of the source that speaks of the customer, or the record
/// has escapes.
fn has_its_id_as_text(config: &Config, source: Source) -> bool {
    let Some(plan) = config.sources.plan(source) else {
        // In Avro the ids of the built-in sources are strings too.
        return true;
    };
    let format = config.sources.get(source).map(|source| source.format);
    let Value {
        from,
        constant,
        map,
        case,
        ..
    } = &plan.definition.customer_id;
    format != Some(Format::Avro)
        && config.sources.format_of_read_keys(source) != Some(KeyFormat::Avro)
        && constant.is_none()
        && map.is_none()
        && case.is_none()
        && !from.contains(&Origin::Timestamp)
}

/// Looks for a customer in a record.
struct Looking<'l> {
    config: &'l Config,
    id: &'l str,
    mention: &'l Mention<'l>,
    received: &'l Received<'l>,
}

impl Looking<'_> {
    /// What a record says of the customer, with the pointer of each element of a batch.
    fn find(&self, judged: Judged<'_>) -> Vec<(String, Said)> {
        let whole = |said| vec![(String::new(), said)];
        match judged.verdict {
            Verdict::Valid(contribution) if contribution.customer == self.id => {
                whole(Said::Data(contribution.data))
            }
            Verdict::Valid(_) => Vec::new(),
            Verdict::Nothing if self.is_mentioned() => whole(Said::Nothing),
            Verdict::Rejected(rejection) if self.is_mentioned() => whole(Said::Rejected(rejection)),
            Verdict::Nothing | Verdict::Rejected(_) => Vec::new(),
            Verdict::Batch {
                elements,
                rejection,
            } => {
                let list = self.pointer_of_list();
                let own = elements
                    .into_iter()
                    .filter(|element| element.contribution.customer == self.id);
                let mut found: Vec<(String, Said)> = own
                    .map(|element| {
                        let said = Said::Data(element.contribution.data);
                        match self.received.forwarded {
                            // A batch of one, whose position in the batch is not known.
                            Some(_) => (list.clone(), said),
                            None => (format!("{list}/{}", element.index), said),
                        }
                    })
                    .collect();
                if let Some(rejection) = rejection {
                    let bad = self.bad_elements(&list, &rejection, &found);
                    found.extend(bad);
                }
                found
            }
        }
    }

    fn is_mentioned(&self) -> bool {
        let raw = &self.received.raw;
        self.mention.is_key(raw.key) || raw.value.is_some_and(|value| self.mention.is_in(value))
    }

    /// The pointer of the list that makes a record a batch.
    fn pointer_of_list(&self) -> String {
        let plan = self.config.sources.plan(self.received.raw.source);
        match plan {
            None => "/customers".to_owned(),
            Some(plan) => {
                let each = plan.definition.each.as_ref();
                each.map(ToString::to_string).unwrap_or_default()
            }
        }
    }

    /// The elements of the customer that are rejected.
    fn bad_elements(
        &self,
        list: &str,
        rejection: &Rejection,
        good: &[(String, Said)],
    ) -> Vec<(String, Said)> {
        let value = self.received.raw.value.unwrap_or_default();
        if !self.mention.is_in(value) {
            return Vec::new();
        }
        let json: Option<serde_json::Value> = serde_json::from_slice(value).ok();
        let elements = json
            .as_ref()
            .and_then(|json| json.pointer(list)?.as_array());
        let Some(elements) = elements else {
            // In Avro, or in an envelope, the elements cannot be told apart here.
            return match good.is_empty() {
                true => vec![(String::new(), Said::Rejected(rejection.clone()))],
                false => Vec::new(),
            };
        };
        let own = elements.iter().enumerate().filter(|(_, element)| {
            let text = serde_json::to_vec(element).unwrap_or_default();
            self.mention.is_in(&text)
        });
        let bad = own.map(|(at, _)| format!("{list}/{at}"));
        let bad = bad.filter(|pointer| !good.iter().any(|(found, _)| found == pointer));
        bad.map(|pointer| {
            let mut of_element = rejection.clone();
            of_element.violations.retain(|violation| {
                let rest = violation.pointer.strip_prefix(&pointer);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            });
            (pointer, Said::Rejected(of_element))
        })
        .collect()
    }
}
