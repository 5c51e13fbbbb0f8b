//! Takes over from a dead owner: finds out who wrote last and who is in the group, and aborts what the dead owner left
//! open.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::error::KafkaResult;

use super::Driver;
use crate::engine::offset_metadata::OffsetMetadata;
use crate::engine::{Event, Place};
use crate::kafka::client::ClientSettings;
use crate::kafka::side_by_side::joined;
use crate::kafka::{fence, members};

/// The timeout of each request, and of the fencing of a producer. The group is not served meanwhile.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

impl Driver {
    /// Reads who committed last at these places, and the members of the group.
    pub(super) fn find_writers(&mut self, places: &[Place]) {
        let settings = Arc::clone(&self.parts.settings);
        let requested: Vec<_> = places
            .iter()
            .map(|place| (settings.topic_name(*place), place.partition))
            .collect();
        let mut writers: Vec<String> =
            match self.query.committed_metadata(&requested, REQUEST_TIMEOUT) {
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
        let members = match members::describe_group(self.query.client(), group, REQUEST_TIMEOUT) {
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

    /// Workers that are members of the group, or were recently. No offset names a worker that died in its first
    /// transaction.
    fn workers_seen(&self) -> Vec<String> {
        let watched = self.parts.watched.as_ref();
        match watched.map(|watched| watched.lock()) {
            Some(Ok(seen)) => seen.workers.clone(),
            _ => Vec::new(),
        }
    }

    /// Takes over the transactional ids of dead owners side by side, because each waits for several answers. If that
    /// fails, the worker waits for the broker's transaction timeout.
    pub(super) fn fence(&mut self, ids: &[String]) {
        let config = self.config();
        let results: Vec<KafkaResult<()>> = std::thread::scope(|scope| {
            let fence = |id: &String| {
                let client = ClientSettings::from(config).fencing(id);
                scope.spawn(move || fence::fence(&client, REQUEST_TIMEOUT))
            };
            let threads: Vec<_> = ids.iter().map(fence).collect();
            threads.into_iter().map(joined).collect()
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
