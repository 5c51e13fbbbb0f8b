//! The cache of schemas by id, and the thread that asks the registry.
//!
//! A plan is compiled once for a purpose and an id, and kept forever: a registry never gives an id to another schema.
//! That the registry lacks an id is believed for `registry.unknown_ids_for`; then it is asked again. Before it is
//! believed at all, the registry is asked a second time a moment later, because schemas are registered moments before
//! their first record. The second request is left out while many ids are unknown.
//!
//! Limits: 10,000 answers are kept, each for one purpose and one id, and 1,000 ids can wait at a time. Beyond 10,000
//! answers, those about unknown ids are dropped before plans are.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{
    Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::queue::{Next, Queue, RetryPolicy};
use super::{Fetched, Registry, Requests, one_line};
use crate::source::framing::{Purpose, ReaderSchemas, SchemaId, SchemaLookup, WriterSchema};

/// The most answers that are kept.
const MAX_ENTRIES: usize = 10_000;
/// The most characters of a schema's error that are logged.
const MAX_LOGGED: usize = 300;

/// The cache, and the thread that asks the registry. The thread ends after the cache is dropped, at the latest when its
/// current request has ended.
pub struct CachedSchemas {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

struct Shared {
    registry: Registry,
    readers: ReaderSchemas,
    unknown_ids_for: Duration,
    entries: RwLock<Entries>,
    work: Mutex<Work>,
    wake: Condvar,
    answers: AtomicU64,
}

type Entries = HashMap<(Purpose, SchemaId), Entry, ahash::RandomState>;

struct Entry {
    schema: WriterSchema,
    /// The answer expires then; `None`: never.
    until: Option<Instant>,
}

impl Entry {
    fn has_expired(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }
}

struct Work {
    queue: Queue,
    /// When the registry was last found to lack an id.
    unknown: Option<Instant>,
    stopping: bool,
}

impl CachedSchemas {
    /// Starts the thread, which makes no request before the first id is requested. `unknown_ids_for`: how long it is
    /// believed that the registry lacks an id.
    ///
    /// # Errors
    /// The operating system cannot create a thread.
    pub fn start(
        registry: Registry,
        readers: ReaderSchemas,
        unknown_ids_for: Duration,
    ) -> std::io::Result<Arc<CachedSchemas>> {
        CachedSchemas::start_at(registry, readers, unknown_ids_for, RetryPolicy::DEFAULT)
    }

    pub(super) fn start_at(
        registry: Registry,
        readers: ReaderSchemas,
        unknown_ids_for: Duration,
        policy: RetryPolicy,
    ) -> std::io::Result<Arc<CachedSchemas>> {
        let shared = Arc::new(Shared {
            registry,
            readers,
            unknown_ids_for,
            entries: RwLock::default(),
            work: Mutex::new(Work {
                queue: Queue::new(policy),
                unknown: None,
                stopping: false,
            }),
            wake: Condvar::new(),
            answers: AtomicU64::new(0),
        });
        let thread_shared = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("schema registry".to_owned())
            .spawn(move || thread_shared.run())?;
        Ok(Arc::new(CachedSchemas { shared, thread }))
    }

    /// Why answers are missing now, for `/readyz` and the log: the registry is away. `None` if nothing waits, or only
    /// for a first answer.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        if self.thread.is_finished() {
            return Some("the thread that asks it has ended: restart keyfold".to_owned());
        }
        self.shared.work().queue.failure().map(str::to_owned)
    }

    /// Grows whenever a caller should ask again for what was not known. Read it before asking: then an answer that
    /// arrives in between is noticed.
    #[must_use]
    pub fn answers(&self) -> u64 {
        self.shared.answers.load(Ordering::Acquire)
    }

    /// The requests since the start, including those of the registry's clones.
    #[must_use]
    pub fn requests(&self) -> Requests {
        self.shared.registry.requests()
    }
}

impl SchemaLookup for CachedSchemas {
    fn writer_schema(&self, purpose: Purpose, id: SchemaId) -> Option<WriterSchema> {
        let found = self.shared.cached(purpose, id);
        found.or_else(|| self.shared.request(purpose, id))
    }
}

impl Drop for CachedSchemas {
    fn drop(&mut self) {
        self.shared.work().stopping = true;
        self.shared.wake.notify_all();
    }
}

impl Shared {
    fn cached(&self, purpose: Purpose, id: SchemaId) -> Option<WriterSchema> {
        let entries = self.entries();
        let entry = entries.get(&(purpose, id))?;
        (!entry.has_expired()).then(|| entry.schema.clone())
    }

    fn request(&self, purpose: Purpose, id: SchemaId) -> Option<WriterSchema> {
        let mut work = self.work();
        // The answer may have arrived in between; it is stored while the work is locked.
        let found = self.cached(purpose, id);
        if found.is_none() && work.queue.request(purpose, id, Instant::now()) {
            self.wake.notify_all();
        }
        found
    }

    /// The body of the thread.
    fn run(&self) {
        while let Some((id, purposes)) = self.next() {
            match self.registry.schema(id) {
                Ok(Some(fetched)) => self.found(id, &purposes, &fetched),
                Ok(None) => self.unknown(id, &purposes),
                Err(unavailable) => {
                    let reason = unavailable.to_string();
                    let mut work = self.work();
                    if work.queue.failed(id, reason.clone(), Instant::now()) {
                        drop(work);
                        tracing::warn!(reason, "the schema registry is away; keyfold tries again");
                    }
                }
            }
        }
    }

    /// Waits for the next id to ask for. `None`: the cache was dropped.
    fn next(&self) -> Option<(SchemaId, Vec<Purpose>)> {
        let mut work = self.work();
        loop {
            if work.stopping {
                return None;
            }
            let now = Instant::now();
            if work.queue.forget_abandoned(now) {
                self.answers.fetch_add(1, Ordering::Release);
            }
            work = match work.queue.next(now) {
                Next::Ask(id, purposes) => return Some((id, purposes)),
                Next::Wait(None) => self.wake.wait(work).unwrap_or_else(PoisonError::into_inner),
                Next::Wait(Some(wait)) => {
                    self.wake
                        .wait_timeout(work, wait)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
    }

    fn found(&self, id: SchemaId, purposes: &[Purpose], fetched: &Fetched) {
        let found =
            purposes.iter().map(
                |&purpose| match fetched.writer_schema(purpose, &self.readers) {
                    WriterSchema::Unusable(error) => {
                        let error = one_line(&error, MAX_LOGGED);
                        tracing::warn!(
                            source = %purpose,
                            schema = %id,
                            error,
                            "no value of this schema can be read for this source"
                        );
                        (purpose, WriterSchema::Unusable(error.into()))
                    }
                    schema => (purpose, schema),
                },
            );
        let found: Vec<(Purpose, WriterSchema)> = found.collect();
        self.store(self.work(), id, found, None);
    }

    fn unknown(&self, id: SchemaId, purposes: &[Purpose]) {
        let now = Instant::now();
        let mut work = self.work();
        // This comes before the recheck, because the first answer after a failure makes all waiting ids due at once.
        self.log_recovery(work.queue.answered(now));
        let is_known = purposes
            .iter()
            .any(|&purpose| self.entries().contains_key(&(purpose, id)));
        let many_are_unknown = work
            .unknown
            .is_some_and(|last| now.saturating_duration_since(last) < self.unknown_ids_for);
        if !is_known && !many_are_unknown && work.queue.recheck(id, now) {
            return;
        }
        work.unknown = Some(now);
        tracing::debug!(schema = %id, "the schema registry does not know this schema");
        let until = now + self.unknown_ids_for;
        let found = purposes
            .iter()
            .map(|&purpose| (purpose, WriterSchema::Unknown));
        self.store(work, id, found.collect(), Some(until));
    }

    /// Stores the answer about an id.
    fn store(
        &self,
        mut work: MutexGuard<'_, Work>,
        id: SchemaId,
        found: Vec<(Purpose, WriterSchema)>,
        until: Option<Instant>,
    ) {
        let purposes: Vec<Purpose> = found.iter().map(|(purpose, _)| *purpose).collect();
        let mut entries = self.entries_mut();
        for (purpose, schema) in found {
            evict(&mut entries, MAX_ENTRIES);
            entries.insert((purpose, id), Entry { schema, until });
        }
        // Within the lock, so that a caller who sees the answer also sees the new count.
        self.answers.fetch_add(1, Ordering::Release);
        drop(entries);
        work.queue.resolved(id, &purposes);
        let is_back = work.queue.answered(Instant::now());
        drop(work);
        self.log_recovery(is_back);
    }

    fn log_recovery(&self, is_back: bool) {
        if is_back {
            tracing::info!("the schema registry answers again");
        }
    }

    fn entries(&self) -> RwLockReadGuard<'_, Entries> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn entries_mut(&self) -> RwLockWriteGuard<'_, Entries> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes room for one answer: expired answers are dropped first, then one that is no plan, then any.
fn evict(answers: &mut Entries, max_entries: usize) {
    if answers.len() < max_entries {
        return;
    }
    answers.retain(|_, entry| !entry.has_expired());
    if answers.len() < max_entries {
        return;
    }
    let is_plan = |entry: &Entry| matches!(entry.schema, WriterSchema::Plan(_));
    let least_valuable = answers.iter().min_by_key(|(_, entry)| is_plan(entry));
    if let Some(key) = least_valuable.map(|(key, _)| *key) {
        answers.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::avro::Plan;
    use crate::model::record::Source;
    use crate::registry::tests::server::{Server, page};
    use crate::registry::tests::{eventually, registry};

    #[test]
    fn the_thread_ends_with_the_cache() {
        let server = Server::start(|_, _| page(503));
        let cache = CachedSchemas::start(
            registry(&server),
            ReaderSchemas::default(),
            Duration::from_secs(60),
        )
        .unwrap();
        let shared = Arc::downgrade(&cache.shared);
        let id = SchemaId::Number(7);
        assert!(
            cache
                .writer_schema(Source::LoyaltyCustomers.into(), id)
                .is_none()
        );
        eventually("it fails", || cache.failure().is_some());
        drop(cache);
        eventually("the thread has ended", || shared.strong_count() == 0);
    }

    #[test]
    fn expired_answers_are_evicted_first_and_plans_last() {
        let source = Source::LoyaltyCustomers;
        let mut answers = Entries::default();
        let mut note = |number, schema, until| {
            let key = (Purpose::Values(source), SchemaId::Number(number));
            answers.insert(key, Entry { schema, until });
        };
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/schemas/loyalty-customers.avsc"
        );
        let schema = std::fs::read_to_string(path).unwrap();
        let plan = Arc::new(Plan::compile(source, &schema, &[]).unwrap());
        let later = Instant::now() + Duration::from_secs(3_600);
        note(1, WriterSchema::Plan(Arc::clone(&plan)), None);
        note(2, WriterSchema::Unknown, Some(later));
        note(3, WriterSchema::Unknown, Some(Instant::now()));
        note(4, WriterSchema::Plan(plan), None);
        let mut left = Vec::new();
        for max_entries in [5, 4, 3, 2] {
            evict(&mut answers, max_entries);
            let mut numbers: Vec<_> = answers.keys().map(|(_, id)| *id).collect();
            numbers.sort();
            left.push(numbers);
        }
        let [one, two, three, four] = [1, 2, 3, 4].map(SchemaId::Number);
        assert_eq!(left[0], [one, two, three, four]);
        assert_eq!(left[1], [one, two, four]);
        assert_eq!(left[2], [one, four]);
        assert_eq!(left[3].len(), 1);
    }
}
