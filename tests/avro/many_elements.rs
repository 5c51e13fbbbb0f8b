//! One event that lists as many elements as the largest value has room for: Avro takes six bytes for one.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;

use keyfold::avro::Plan;
use keyfold::config::Config;
use keyfold::customer::bounded::{Bounded, Limits, StateTooLarge};
use keyfold::customer::contribution::Contribution;
use keyfold::model::record::{RawRecord, Source};
use keyfold::source::{self, Value, Verdict};

/// The largest value that is taken, `validation.max_record_bytes`.
const LARGEST: usize = 1_048_576;

/// Counts what each thread allocates: it tells the work of building something, on any machine the same.
struct Counting;

thread_local! {
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(bytes: usize) {
    // a thread that ends may allocate behind its own counter
    let _ = ALLOCATED.try_with(|allocated| allocated.set(allocated.get() + bytes));
}

// SAFETY: all is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as for this method.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as for this method.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size.saturating_sub(layout.size()));
        // SAFETY: as for this method.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

const SCHEMA: &str = r#"{"type":"record","name":"Event","fields":[
    {"name":"eventType","type":"string"},
    {"name":"eventAction","type":"string"},
    {"name":"version","type":"double"},
    {"name":"body","type":{"type":"record","name":"Body","fields":[
        {"name":"customerId","type":"string"},
        {"name":"createdAt","type":{"type":"long","logicalType":"timestamp-millis"}},
        {"name":"updatedAt","type":{"type":"long","logicalType":"timestamp-millis"}},
        {"name":"dependents","type":{"type":"array","items":{"type":"record","name":"Dependent","fields":[
            {"name":"dependentId","type":"string"},
            {"name":"dateOfBirth","type":{"type":"int","logicalType":"date"}},
            {"name":"type","type":{"type":"enum","name":"Kind","symbols":["cat"]}}]}}},
        {"name":"addresses","type":{"type":"array","items":{"type":"record","name":"Address","fields":[
            {"name":"addressId","type":"string"},
            {"name":"line1","type":"string"},
            {"name":"city","type":"string"},
            {"name":"zipCode","type":"string"},
            {"name":"countryCode","type":{"type":"enum","name":"Country","symbols":["GB"]}}]}}}]}}]}"#;

fn long(out: &mut Vec<u8>, number: i64) {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn text(out: &mut Vec<u8>, text: &[u8]) {
    long(out, text.len() as i64);
    out.extend_from_slice(text);
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Of {
    Dependents,
    Addresses,
}

/// An event of this second that lists such elements.
fn event(second: i64, of: Of, ids: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    text(&mut out, b"CUSTOMER");
    text(&mut out, b"UPDATED");
    out.extend_from_slice(&1.0_f64.to_le_bytes());
    text(&mut out, b"c");
    long(&mut out, 1_700_000_000_000);
    long(&mut out, 1_700_000_000_000 + second * 1000);
    for list in [Of::Dependents, Of::Addresses] {
        if list == of && !ids.is_empty() {
            long(&mut out, ids.len() as i64);
            for id in ids {
                text(&mut out, id);
                match list {
                    Of::Dependents => out.extend_from_slice(&[0, 0]),
                    Of::Addresses => out.extend_from_slice(&[0, 0, 0, 0]),
                }
            }
        }
        out.push(0);
    }
    out
}

fn contribution(plan: &Plan, value: &[u8]) -> Contribution {
    let record = RawRecord {
        source: Source::LoyaltyCustomers,
        timestamp: Some(1_800_000_000_000),
        key: None,
        value: Some(value),
    };
    let judged = source::judge_value(&record, Value::Avro(plan, value), &[], &Config::default());
    match judged.verdict {
        Verdict::Valid(contribution) => contribution,
        other => panic!("{other:?}"),
    }
}

/// Different ids in the order of their bytes, as many of `length` bytes each.
fn ids(count: usize, length: usize) -> Vec<Vec<u8>> {
    let digit = |number: usize, at: usize| b'0' + (number / 60_usize.pow(at as u32) % 60) as u8;
    let id = |number| (0..length).rev().map(|at| digit(number, at)).collect();
    (0..count).map(id).collect()
}

/// CPU of this thread in milliseconds, where the system tells it.
fn cpu() -> u64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = stat.split(' ').next().and_then(|text| text.parse().ok());
    nanoseconds.unwrap_or(0_u64) / 1_000_000
}

/// Takes an event into a customer: how that ends, and how many bytes were allocated for it.
fn join(
    held: &mut Bounded,
    plan: &Plan,
    value: &[u8],
    said: &str,
) -> (Result<bool, StateTooLarge>, usize) {
    assert!(value.len() <= LARGEST, "{}", value.len());
    let began = cpu();
    let Contribution { customer, data } = contribution(plan, value);
    let judged = cpu();
    let before = ALLOCATED.get();
    let joined = held.join(&customer, data, &Limits::of(&Config::default()));
    let allocated = ALLOCATED.get() - before;
    let (judging, joining) = (judged - began, cpu() - judged);
    println!("{said}: {judging} ms judged, {joining} ms joined, {allocated} bytes allocated");
    (joined, allocated)
}

fn orders(ascending: Vec<Vec<u8>>) -> [(&'static str, Vec<Vec<u8>>); 4] {
    let descending: Vec<Vec<u8>> = ascending.iter().rev().cloned().collect();
    let mixed = |step: usize| {
        let at = (0..ascending.len()).map(|at| at * step % ascending.len());
        at.map(|at| ascending[at].clone()).collect()
    };
    let (mixed, same) = (mixed(100_003), vec![ascending[0].clone(); ascending.len()]);
    [
        ("ascending", ascending),
        ("descending", descending),
        ("mixed", mixed),
        ("the same", same),
    ]
}

#[test]
fn more_elements_than_a_state_holds_are_not_built() {
    let plan = Plan::compile(Source::LoyaltyCustomers, SCHEMA, &[]).unwrap();
    for (of, count, length) in [
        (Of::Dependents, 116_000, 6),
        (Of::Dependents, 174_000, 3),
        (Of::Addresses, 116_000, 4),
    ] {
        for (order, ids) in orders(ids(count, length)) {
            let said = format!("{count} {of:?}, {order}");
            let mut held = Bounded::default();
            let value = event(9, of, &ids);
            let (joined, allocated) = join(&mut held, &plan, &value, &said);
            if order == "the same" {
                assert_eq!(joined, Ok(true), "{said}");
                continue;
            }
            assert_eq!(joined, Err(StateTooLarge), "{said}");
            // to build it takes 20 MB and more
            assert!(allocated < 4 << 20, "{said}: {allocated} bytes");
            let mut state = Vec::new();
            held.customer().encode(&mut state);
            assert_eq!(state.len(), 2, "{said}");
        }
    }
}

/// An older list is let go but for its last ones, and then the state is not too large.
#[test]
fn an_older_list_of_many_elements_is_taken() {
    let plan = Plan::compile(Source::LoyaltyCustomers, SCHEMA, &[]).unwrap();
    let newest = event(10, Of::Dependents, &ids(2, 3));
    let mut states = Vec::new();
    for (order, ids) in orders(ids(174_000, 3)).into_iter().take(3) {
        let mut held = Bounded::default();
        assert_eq!(join(&mut held, &plan, &newest, "newest").0, Ok(true));
        let older = event(9, Of::Dependents, &ids);
        let (joined, _) = join(&mut held, &plan, &older, &format!("older, {order}"));
        assert_eq!(joined, Ok(true));
        let mut state = Vec::new();
        held.customer().encode(&mut state);
        assert!(state.len() < 10_000, "{}", state.len());
        states.push(state);
    }
    states.dedup();
    assert_eq!(states.len(), 1);
}

/// A state may be larger than the bound, where that was lowered since: what it holds already is nothing new.
#[test]
fn what_a_larger_state_holds_is_unchanged() {
    let plan = Plan::compile(Source::LoyaltyCustomers, SCHEMA, &[]).unwrap();
    let value = event(9, Of::Dependents, &ids(40_000, 3));
    let Contribution { customer, data } = contribution(&plan, &value);
    let mut limits = Limits::of(&Config::default());
    limits.max_state_bytes = 100_000_000;
    let mut held = Bounded::default();
    assert_eq!(held.join(&customer, data, &limits), Ok(true));
    let mut state = Vec::new();
    held.customer().encode(&mut state);
    let mut held = Bounded::decode(state).unwrap();
    assert_eq!(join(&mut held, &plan, &value, "again").0, Ok(false));
    let more = event(9, Of::Dependents, &ids(100_000, 3));
    let (joined, allocated) = join(&mut held, &plan, &more, "more");
    assert_eq!(joined, Err(StateTooLarge));
    assert!(allocated < 8 << 20, "{allocated} bytes");
}
