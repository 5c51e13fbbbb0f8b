//! What takes over from a dead owner: who wrote last, who is in the group, and the end of what the dead one left open.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::error::KafkaResult;

use super::Driver;
use crate::engine::offset_metadata::OffsetMetadata;
use crate::engine::{Event, Place};
use crate::kafka::client::ClientSettings;
use crate::kafka::{fence, members};

/// The longest wait for each of the questions, and for a producer to be fenced: the group is not served meanwhile.
const ASK: Duration = Duration::from_secs(2);

impl Driver {
    /// Asks who committed last at these places, and for the members of the group.
    pub(super) fn find_writers(&mut self, places: &[Place]) {
        let settings = Arc::clone(&self.parts.settings);
        let asked: Vec<_> = places
            .iter()
            .map(|place| (settings.topic_name(*place), place.partition))
            .collect();
        let mut writers: Vec<String> = match self.query.committed_metadata(&asked, ASK) {
            Ok(texts) => texts
                .iter()
                .filter_map(|text| OffsetMetadata::parse(text)?.writer)
                .collect(),
            Err(error) => {
                tracing::debug!(%error, "the last writers cannot be read");
                return;
            }
        };
        writers.extend(self.workers_seen());
        if writers.is_empty() {
            return;
        }
        let group = &self.parts.config.application_id;
        let members = match members::describe_group(self.query.client(), group, ASK) {
            Ok(members) => members,
            Err(error) => {
                tracing::debug!(%error, "the group is not described");
                None
            }
        };
        let members: Option<Vec<String>> =
            members.map(|all| all.into_iter().map(|member| member.client_id).collect());
        let now = self.now();
        let found = Event::WritersFound { writers, members };
        self.engine.handle(found, now);
    }

    /// Workers that are members of the group, or were a while ago. One that died in its first transaction is named by no
    /// offset.
    fn workers_seen(&self) -> Vec<String> {
        let watched = self.parts.watched.as_ref();
        match watched.map(|watched| watched.lock()) {
            Some(Ok(seen)) => seen.workers.clone(),
            _ => Vec::new(),
        }
    }

    /// Takes over the transactional ids of dead owners, side by side, for each takes half a second and more. Where that
    /// fails, the broker's time-out is waited for.
    pub(super) fn fence(&mut self, ids: &[String]) {
        let config = self.config();
        let results: Vec<KafkaResult<()>> = std::thread::scope(|scope| {
            let fence = |id: &String| {
                let client = ClientSettings::from(config).fencing(id);
                scope.spawn(move || fence::fence(&client, ASK))
            };
            let threads: Vec<_> = ids.iter().map(fence).collect();
            let joined = threads.into_iter().map(|thread| thread.join());
            joined
                .map(|ended| ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        });
        let mut fenced = Vec::with_capacity(ids.len());
        for (id, result) in ids.iter().zip(results) {
            match result {
                Ok(()) => {
                    fenced.push(id.clone());
                    tracing::info!(
                        worker = self.parts.reporter.worker(),
                        transactional_id = id,
                        "the producer of an owner that is gone is fenced; what it left open is aborted"
                    );
                }
                Err(error) => self.explain_error(
                    "the producer of an owner that is gone cannot be fenced; what it left open is waited for",
                    &error,
                ),
            }
        }
        let now = self.now();
        self.engine.handle(Event::WritersFenced(fenced), now);
    }
}
