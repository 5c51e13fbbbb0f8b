//! What each stage of a record costs: judge, join, snapshot, and the state's codec. `cargo bench --bench stages`
//!
//! The inputs are generated from a fixed seed. A time is of all inputs of a round; of the throughput, an element is a
//! record (of the publisher, a batch), an event, or a customer.

mod samples;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, Throughput};
use keyfold::config::Config;
use keyfold::customer::bounded::{Bounded, Limits};
use keyfold::customer::{EncodedState, snapshot};
use keyfold::model::record::Source;
use keyfold::source::{self, Value};
use samples::{Age, Customer, Record};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What one iteration works on.
fn throughput(inputs: usize, bytes: usize) -> Throughput {
    Throughput::ElementsAndBytes {
        elements: inputs as u64,
        bytes: bytes as u64,
    }
}

fn judge(criterion: &mut Criterion, config: &Config) {
    let mut group = criterion.benchmark_group("judge");
    for source in Source::BUILT_IN {
        let records = samples::valid_records(source);
        let bytes = records.iter().map(|record| record.value.len()).sum();
        group.throughput(throughput(records.len(), bytes));
        group.bench_function(format!("{source}/json"), |bencher| {
            bencher.iter(|| {
                for record in &records {
                    black_box(source::judge(&record.raw(&record.value), config));
                }
            });
        });
        if source == Source::LoyaltyCustomers || source == Source::LoyaltyActions {
            judge_avro(&mut group, source, &records, config);
        }
    }
}

/// The same records, written by the source's own schema.
fn judge_avro(
    group: &mut BenchmarkGroup<'_, WallTime>,
    source: Source,
    records: &[Record],
    config: &Config,
) {
    let (plan, values) = samples::in_avro(source, records);
    let bytes = values.iter().map(Vec::len).sum();
    group.throughput(throughput(values.len(), bytes));
    group.bench_function(format!("{source}/avro"), |bencher| {
        bencher.iter(|| {
            for (record, value) in records.iter().zip(&values) {
                let raw = record.raw(value);
                black_box(source::judge_value(
                    &raw,
                    Value::Avro(&plan, value),
                    &[],
                    config,
                ));
            }
        });
    });
}

fn join(criterion: &mut Criterion, customers: &[(Age, Customer)], limits: &Limits) {
    let mut group = criterion.benchmark_group("join");
    for (age, customer) in customers {
        let next = &customer.next;
        group.throughput(Throughput::Elements(next.len() as u64));
        group.bench_function(age.name(), |bencher| {
            let base_and_next = || -> Vec<_> {
                let base = |data| (customer.held.clone(), data);
                next.iter().cloned().map(base).collect()
            };
            let join_each = |mut pairs: Vec<(Bounded, _)>| -> Vec<_> {
                let joined = pairs.drain(..).map(|(mut held, data)| {
                    let changed = held.join(&customer.id, data, limits);
                    (held, changed)
                });
                joined.collect()
            };
            bencher.iter_batched(base_and_next, join_each, BatchSize::SmallInput);
        });
    }
}

fn make_snapshot(criterion: &mut Criterion, customers: &[(Age, Customer)], limits: &Limits) {
    let mut group = criterion.benchmark_group("snapshot");
    for (age, customer) in customers {
        let mut text = Vec::new();
        let held = customer.held.customer();
        assert!(snapshot::write(held, &customer.id, &limits.view, &mut text));
        group.throughput(throughput(1, text.len()));
        group.bench_function(age.name(), |bencher| {
            bencher.iter(|| {
                text.clear();
                snapshot::write(black_box(held), &customer.id, &limits.view, &mut text)
            });
        });
    }
}

fn codec(criterion: &mut Criterion, customers: &[(Age, Customer)]) {
    let mut group = criterion.benchmark_group("state");
    for (age, customer) in customers {
        let mut state = Vec::new();
        let held = customer.held.customer();
        held.encode(&mut state);
        group.throughput(throughput(1, state.len()));
        group.bench_function(format!("encode/{}", age.name()), |bencher| {
            bencher.iter(|| {
                state.clear();
                black_box(held).encode(&mut state);
            });
        });
        let bytes = EncodedState::from(state);
        group.bench_function(format!("decode/{}", age.name()), |bencher| {
            bencher.iter(|| Bounded::decode(Arc::clone(black_box(&bytes))).map_err(drop));
        });
    }
}

fn main() {
    let config = Config::default();
    let limits = Limits::of(&config);
    let mut criterion = Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    judge(&mut criterion, &config);
    let customers = samples::customers(&config);
    join(&mut criterion, &customers, &limits);
    make_snapshot(&mut criterion, &customers, &limits);
    codec(&mut criterion, &customers);
    criterion.final_summary();
}
