//! The path of 20,000 records from the poll to the produce, for callgrind to count its instructions.
//!
//! `.ci/instructions.py` runs this and compares the count with `instructions.json`. An instruction count hardly
//! varies from run to run or from machine to machine, so that it shows a regression that a timing there would not.
//! Only what happens inside the functions whose names begin with `counted_` counts, and not what is `uncounted_`;
//! the script knows these names.

mod path;

use std::collections::VecDeque;

use keyfold::engine::Engine;
use keyfold::model::record::Source;
use keyfold_generate::Options;
use path::{CountingOutbox, Feed, Message, Offsets};

/// As in the program: its cost is part of the path's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EVENTS: usize = 20_000;
/// So many that a customer has about ten records.
const CUSTOMERS: u32 = 2_000;
const BATCH: usize = 5_000;

/// One function a section: callgrind tells them apart by their names. The text keeps the compiler from making one
/// function of those that are alike.
macro_rules! sections {
    ($($source:pat => $section:ident,)*) => {
        $(
            #[unsafe(no_mangle)]
            #[inline(never)]
            fn $section(engine: &mut Engine, message: &Message, out: &mut CountingOutbox) {
                std::hint::black_box(stringify!($section));
                path::record(engine, message, out);
            }
        )*

        fn record(engine: &mut Engine, message: &Message, out: &mut CountingOutbox) {
            match message.source() {
                $($source => $section(engine, message, out),)*
            }
        }
    };
}

sections! {
    Some(Source::LoyaltyCustomers) => counted_loyalty_customers,
    Some(Source::LoyaltyActions) => counted_loyalty_actions,
    Some(Source::ConsoleCustomers) => counted_console_customers,
    Some(Source::PublisherCustomers) => counted_publisher_customers,
    Some(Source::Declared(_)) => counted_of_no_input,
    None => counted_forwarded,
}

/// Declares the functions of the sections that have one kind of records, each in an engine of its own.
macro_rules! alone {
    ($($section:ident,)*) => { $(
        #[unsafe(no_mangle)]
        #[inline(never)]
        fn $section(engine: &mut Engine, message: &Message, out: &mut CountingOutbox) {
            std::hint::black_box(stringify!($section));
            path::record(engine, message, out);
        }
    )* };
}

alone! {
    counted_built_in_alone,
    counted_declared_alone,
}

#[unsafe(no_mangle)]
#[inline(never)]
fn counted_finish(engine: &mut Engine, out: &mut CountingOutbox) {
    path::finish(engine, out);
}

#[unsafe(no_mangle)]
#[inline(never)]
fn counted_committed(engine: &mut Engine) {
    path::committed(engine);
}

type TakeRecord = fn(&mut Engine, &Message, &mut CountingOutbox);

/// How a batch is carried out: counted, or not.
struct Steps {
    record: TakeRecord,
    finish: fn(&mut Engine, &mut CountingOutbox),
    committed: fn(&mut Engine),
}

/// Takes all records, in batches; how many were taken, by topic, and in how many batches.
fn run(
    messages: Vec<Message>,
    feed: Feed,
    steps: &Steps,
    out: &mut CountingOutbox,
) -> ([u64; 5], u64) {
    let mut engine = path::engine(BATCH, feed);
    let (mut taken, mut batches) = ([0; 5], 0);
    let mut inputs = VecDeque::from(messages);
    let mut forwarded = VecDeque::new();
    loop {
        while let Some(message) = forwarded.pop_front().or_else(|| inputs.pop_front()) {
            taken[message.place.topic] += 1;
            (steps.record)(&mut engine, &message, out);
            if engine.is_full() {
                break;
            }
        }
        if engine.open_records().is_none() {
            return (taken, batches);
        }
        (steps.finish)(&mut engine, out);
        (steps.committed)(&mut engine);
        forwarded.extend(out.take_forwarded());
        batches += 1;
    }
}

fn main() {
    // what is made once, such as the validators of the schemas, is not counted
    let first = Options {
        customers: 100,
        invalid: 0.5,
        ..Options::default()
    };
    let uncounted = Steps {
        record: path::record,
        finish: path::finish,
        committed: path::committed,
    };
    let first = path::stream(first, 200, &mut Offsets::default());
    run(
        first,
        Feed::BuiltIn,
        &uncounted,
        &mut CountingOutbox::default(),
    );

    let options = Options {
        customers: CUSTOMERS,
        ..Options::default()
    };
    let messages = path::stream(options, EVENTS, &mut Offsets::default());
    let counted = Steps {
        record,
        finish: counted_finish,
        committed: counted_committed,
    };
    let mut out = CountingOutbox::default();
    let ([customers, actions, console, publisher, forwarded], batches) =
        run(messages, Feed::BuiltIn, &counted, &mut out);
    assert_eq!(out.snapshots, out.states);
    let counts = serde_json::json!({
        "events": EVENTS,
        "loyalty_customers": customers,
        "loyalty_actions": actions,
        "console_customers": console,
        "publisher_customers": publisher,
        "forwarded": forwarded,
        "batches": batches,
        "snapshots": out.snapshots,
        "dead_letters": out.dead_letters,
        "produced_bytes": out.bytes,
        "alone": alone(),
    });
    println!("{counts}");
}

/// The events of the loyalty customers, once read by the built-in source, and once by a declared one that says the same;
/// how many there are.
fn alone() -> u64 {
    let options = || Options {
        customers: CUSTOMERS,
        invalid: 0.0,
        wrongly_keyed: 0.0,
        null: 0.0,
        ..Options::default()
    };
    let kinds: [(Feed, TakeRecord); 2] = [
        (Feed::BuiltIn, counted_built_in_alone),
        (Feed::Declared, counted_declared_alone),
    ];
    let events = kinds.map(|(feed, record)| {
        let mut messages = path::stream(options(), EVENTS, &mut Offsets::default());
        messages.retain(|message| message.source() == Some(Source::LoyaltyCustomers));
        let events = messages.len() as u64;
        let steps = Steps {
            record,
            finish: path::finish,
            committed: path::committed,
        };
        let mut out = CountingOutbox::default();
        run(messages, feed, &steps, &mut out);
        assert_eq!((out.dead_letters, out.snapshots > 0), (0, true));
        events
    });
    events[0]
}
