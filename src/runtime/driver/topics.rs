//! Topics that were deleted, or deleted and created anew: known by their ids.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;

use super::{Driver, Halt};
use crate::engine::fatal::Fatal;
use crate::kafka::description::{self, Unanswered};

/// The longest wait for the answer: the group is not served meanwhile.
const ASK: Duration = Duration::from_secs(1);

impl Driver {
    /// Learns the ids of the topics whose committed offsets are read next; whether that went well.
    pub(super) fn learn_topic_ids(&mut self) -> bool {
        match self.ask_topic_ids() {
            Ok(ids) => self.worker.topic_ids(ids),
            Err(unanswered) => {
                let code = unanswered.code.unwrap_or(RDKafkaErrorCode::Unknown);
                self.explain("the topics' ids can't be read", code, &unanswered.reason);
                return false;
            }
        }
        true
    }

    /// The ids of what is consumed and of the state topic; fewer where the brokers are too old.
    fn ask_topic_ids(&self) -> Result<BTreeMap<String, String>, Unanswered> {
        if self.parts.watched.is_none() {
            return Ok(BTreeMap::new());
        }
        let settings = &self.parts.settings;
        let topics = settings.topics.iter().map(|topic| topic.name.as_str());
        let names: Vec<&str> = topics.chain([settings.state_topic.as_str()]).collect();
        let all = match description::ids(self.ends.client(), &names, ASK) {
            Err(unanswered) if unanswered.is_unsupported() => return Ok(BTreeMap::new()),
            all => all?,
        };
        let mut ids = BTreeMap::new();
        for (name, id) in names.into_iter().zip(all) {
            match id {
                Ok(Some(id)) => drop(ids.insert(name.to_owned(), id)),
                Ok(None) => {}
                Err(unanswered) if unanswered.is_unsupported() => {}
                Err(unanswered) => return Err(unanswered),
            }
        }
        Ok(ids)
    }

    /// Looks at what the watch has seen of the topics since.
    pub(super) fn look_at_topics(&mut self) -> Result<(), Halt> {
        let (ids, gone) = {
            let watched = self.parts.watched.as_ref();
            let Some(Ok(topics)) = watched.map(|watched| watched.lock()) else {
                return Ok(());
            };
            if topics.round == self.watched {
                return Ok(());
            }
            self.watched = topics.round;
            (topics.ids.clone(), topics.gone.clone())
        };
        if let Some(topic) = gone {
            return Err(Fatal::TopicGone { topic }.into());
        }
        if self.worker.made_anew(&ids).is_none() {
            return Ok(());
        }
        // what the watch saw may be older than what the worker knows
        let Ok(ids) = self.ask_topic_ids() else {
            return Ok(());
        };
        match self.worker.made_anew(&ids) {
            Some(Fatal::MadeAnew { topic, .. }) if self.worker.may_start_anew(&topic) => {
                let reason = format!("the topic {topic} was deleted and created anew");
                tracing::warn!(
                    worker = self.parts.reporter.worker(),
                    topic,
                    "the topic was deleted and created anew; it is read from its start"
                );
                self.rejoin(RDKafkaErrorCode::AutoOffsetReset, &reason)
            }
            Some(fatal) => {
                self.await_commit()?;
                Err(fatal.into())
            }
            None => Ok(()),
        }
    }
}
