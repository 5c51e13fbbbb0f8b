//! The records that come in while harm is done.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use keyfold::model::record::Source;
use keyfold_generate::{Generator, Options};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, Producer};

use crate::tally::{TALLY, add, count};
use keyfold_harness::app::{App, faulty, generated_for};
use keyfold_harness::expected::{Repeats, error_header};
use keyfold_harness::program::Keyfold;
use keyfold_harness::record::base_record;

const TURN: Duration = Duration::from_millis(50);
/// A broker that is away is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// A producer at work, with no part in the harm: it waits for brokers that are away, and its way to them is direct.
pub struct Load {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<u64>>,
}

impl Load {
    /// Begins with so many records a second. The declared sources of the app get a copy of each event of the loyalty
    /// customers, whose format they must read.
    pub fn start(app: &App, seed: u64, rate: usize) -> Load {
        Load::of(app, faulty(seed, 300), rate)
    }

    /// Begins with records of this kind.
    pub fn of(app: &App, options: Options, rate: usize) -> Load {
        let inputs = Source::BUILT_IN.map(|source| app.input(source));
        let declared = app.sources().skip(inputs.len());
        let declared: Vec<String> = declared.map(|source| app.input(source)).collect();
        let producer: BaseProducer = app.client.producer_config().create().expect("a producer");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut generator = Generator::new(options);
            let began = Instant::now();
            let mut sent = 0;
            while !stopped.load(Ordering::Relaxed) {
                let due = (began.elapsed().as_secs_f64() * rate as f64) as u64;
                // after an outage there is no need to make up for it
                sent = u64::max(sent, due.saturating_sub(rate as u64));
                for record in generator.by_ref().take((due - sent.min(due)) as usize) {
                    if record.source == keyfold_generate::Source::LoyaltyCustomers {
                        for topic in &declared {
                            send(&producer, &generated_for(topic, record.clone()), &stopped);
                        }
                    }
                    let topic = &inputs[Source::from(record.source).index()];
                    send(&producer, &generated_for(topic, record), &stopped);
                    sent += 1;
                }
                producer.poll(TURN);
            }
            producer.flush(PATIENCE).expect("the load is delivered");
            sent
        });
        Load {
            stop,
            thread: Some(thread),
        }
    }

    /// Ends it, and waits until all is delivered.
    #[track_caller]
    pub fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it runs");
        thread.join().expect("a load without trouble");
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn send(producer: &BaseProducer, record: &keyfold_harness::record::Record, stop: &AtomicBool) {
    let mut base = base_record(record);
    while let Err((error, same)) = producer.send(base) {
        let full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
        assert!(full, "produce to {}: {error}", record.topic);
        if stop.load(Ordering::Relaxed) {
            return;
        }
        producer.poll(TURN);
        base = same;
    }
}

/// The end of a test: no more load, everything is worked off, and what came out is judged.
#[track_caller]
pub fn settle(app: &App, load: Load, keyfold: &mut Keyfold) {
    settle_with(app, load, keyfold, Repeats::Forbidden);
}

#[track_caller]
pub fn settle_with(app: &App, load: Load, keyfold: &mut Keyfold, repeats: Repeats) {
    load.stop();
    judge(app, keyfold, repeats);
}

/// Waits until everything is worked off, and judges what came out.
#[track_caller]
pub fn judge(app: &App, keyfold: &mut Keyfold, repeats: Repeats) {
    app.wait_drained(keyfold);
    let judged = catch_unwind(AssertUnwindSafe(|| app.assert_folded(repeats)));
    if let Err(difference) = judged {
        tell(app, keyfold);
        resume_unwind(difference);
    }
    count(&TALLY.comparisons);
    for topic in app.inputs() {
        let watermarks = app.client.watermarks(&topic).into_iter();
        let records: i64 = watermarks.map(|(first, end)| end - first).sum();
        add(&TALLY.records, records.unsigned_abs());
    }
    add(&TALLY.snapshots, app.newest_snapshots().len() as u64);
    add(&TALLY.dead_letters, app.read_dead_letters().len() as u64);
}

/// Tells what it takes to find the reason of a difference: which dead letters came when, and what the last instance
/// said.
fn tell(app: &App, keyfold: &Keyfold) {
    let mut seen: BTreeMap<[String; 3], Vec<String>> = BTreeMap::new();
    for letter in app.read_dead_letters() {
        let place = ["topic", "partition", "offset"];
        let place = place.map(|name| error_header(&letter, name).to_owned());
        let (partition, offset, at) = (letter.partition, letter.offset, letter.timestamp);
        let written = format!("[{partition}]@{offset} at {at:?}");
        seen.entry(place).or_default().push(written);
    }
    for (place, written) in seen.iter().filter(|(_, written)| written.len() > 1) {
        eprintln!("more than one dead letter for {place:?}: {written:?}");
    }
    eprintln!("{}", keyfold.log());
}
