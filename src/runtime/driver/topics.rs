//! Detects topics that were deleted, or deleted and recreated, by their ids.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;

use super::Driver;
use crate::engine::Event;
use crate::kafka::description::{self, RequestError, TopicId};

/// The timeout of a request. The group is not served meanwhile.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(1);

impl Driver {
    /// The ids of the topics; `None` if they cannot be read now, which is logged.
    pub(super) fn topic_ids_or_explain(&mut self) -> Option<BTreeMap<String, String>> {
        match self.request_topic_ids() {
            Ok(ids) => Some(ids),
            Err(error) => {
                let code = error.code.unwrap_or(RDKafkaErrorCode::Unknown);
                self.explain("the topics' ids cannot be read", code, &error.reason);
                None
            }
        }
    }

    pub(super) fn check_topic_ids(&mut self) {
        if let Ok(ids) = self.request_topic_ids() {
            let now = self.now();
            self.engine.handle(Event::TopicIdsChecked(ids), now);
        }
    }

    /// The ids of the consumed topics and of the state topic; fewer if the brokers are too old.
    fn request_topic_ids(&self) -> Result<BTreeMap<String, String>, RequestError> {
        if self.parts.watched.is_none() {
            return Ok(BTreeMap::new());
        }
        let settings = &self.parts.settings;
        let topics = settings.topics.iter().map(|topic| topic.name.as_str());
        let names: Vec<&str> = topics.chain([settings.state_topic.as_str()]).collect();
        let all = match description::topic_ids(self.query.client(), &names, REQUEST_TIMEOUT) {
            Err(error) if error.is_unsupported() => return Ok(BTreeMap::new()),
            all => all?,
        };
        let mut ids = BTreeMap::new();
        for (name, id) in names.into_iter().zip(all) {
            match id {
                TopicId::Known(id) => drop(ids.insert(name.to_owned(), id)),
                TopicId::Unsupported => {}
                TopicId::Failed(error) if error.is_unsupported() => {}
                TopicId::NoTopic(error) | TopicId::Failed(error) => return Err(error),
            }
        }
        Ok(ids)
    }

    /// Passes what the watch has seen of the topics to the engine, if it is new.
    pub(super) fn check_topics(&mut self) {
        let (ids, gone) = {
            let watched = self.parts.watched.as_ref();
            let Some(Ok(topics)) = watched.map(|watched| watched.lock()) else {
                return;
            };
            if topics.round == self.last_watch_round {
                return;
            }
            self.last_watch_round = topics.round;
            (topics.ids.clone(), topics.gone.clone())
        };
        let now = self.now();
        self.engine.handle(Event::TopicsSeen { ids, gone }, now);
    }
}
