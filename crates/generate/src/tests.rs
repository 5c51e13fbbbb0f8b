use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::*;

fn stream(options: Options, count: usize) -> Vec<(GeneratedRecord, Kind)> {
    let mut generator = Generator::new(options);
    (0..count).map(|_| generator.next_with_kind()).collect()
}

fn topic(source: Source) -> &'static str {
    match source {
        Source::LoyaltyCustomers => "loyalty-customers",
        Source::LoyaltyActions => "loyalty-actions",
        Source::ConsoleCustomers => "console-customers",
        Source::PublisherCustomers => "publisher-customers",
    }
}

fn lines(options: Options, count: usize) -> Vec<u8> {
    Generator::new(options)
        .take(count)
        .enumerate()
        .flat_map(|(offset, record)| kcat_line(&record, topic(record.source), 0, offset as i64))
        .collect()
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn json(record: &GeneratedRecord) -> Value {
    serde_json::from_slice(record.value.as_deref().unwrap()).unwrap()
}

/// A change of the generator may change this number: then the changelog must say that seeds give other streams than
/// before.
#[test]
fn a_seed_stands_for_the_same_bytes_forever() {
    let hash = fnv1a(&lines(Options::default(), 1_000));
    assert_eq!(hash, 0x4734_ed42_f6c8_0977, "{hash:#018x}");
}

#[test]
fn the_stream_depends_on_the_options_only() {
    let options = Options::default();
    let other = Options {
        seed: 2,
        ..Options::default()
    };
    assert_eq!(lines(options.clone(), 5_000), lines(options.clone(), 5_000));
    assert_ne!(lines(options, 100), lines(other, 100));
}

#[test]
fn the_shares_are_as_asked_for() {
    let count = 50_000;
    let records = stream(Options::default(), count);
    let share = |test: &dyn Fn(&(GeneratedRecord, Kind)) -> bool| {
        records.iter().filter(|record| test(record)).count() as f64 / count as f64
    };
    let close = |actual: f64, wanted: f64| {
        assert!(
            (actual - wanted).abs() < wanted * 0.15 + 0.001,
            "{actual} for {wanted}"
        );
    };
    close(share(&|(_, kind)| *kind == Kind::Late), 0.05);
    close(share(&|(_, kind)| *kind == Kind::Repeated), 0.02);
    close(share(&|(_, kind)| matches!(kind, Kind::Invalid(_))), 0.01);
    close(share(&|(_, kind)| *kind == Kind::WronglyKeyed), 0.02);
    close(share(&|(_, kind)| *kind == Kind::Null), 0.005);
    for (source, wanted) in Source::ALL.into_iter().zip(Shares::default().weights()) {
        close(share(&|(record, _)| record.source == source), wanted);
    }
    let last = records[count - 1].0.timestamp - Options::default().start_ms;
    close(last as f64, count as f64);
    assert_eq!(records[0].0.timestamp, Options::default().start_ms);
}

#[test]
fn a_source_without_weight_gets_nothing() {
    let only = Shares {
        loyalty_customers: 0.0,
        loyalty_actions: 0.0,
        console_customers: 0.0,
        publisher_customers: 2.0,
    };
    let options = Options {
        shares: only,
        invalid: 0.1,
        null: 0.1,
        ..Options::default()
    };
    for (record, _) in stream(options, 3_000) {
        assert_eq!(record.source, Source::PublisherCustomers);
    }
}

#[test]
fn every_kind_appears() {
    let records = stream(Options::default(), 50_000);
    let faults: HashSet<&str> = records
        .iter()
        .filter_map(|(_, kind)| match kind {
            Kind::Invalid(fault) => Some(*fault),
            _ => None,
        })
        .collect();
    for fault in FAULTS {
        assert!(faults.contains(fault.name), "{}", fault.name);
    }
    assert_eq!(faults.len(), FAULTS.len());
    let keyless = |kind| {
        records
            .iter()
            .any(|(record, each)| *each == kind && record.key.is_none())
    };
    assert!(keyless(Kind::WronglyKeyed));
    assert!(keyless(Kind::Null));
}

#[test]
fn every_record_without_a_fault_is_json_of_its_source() {
    let mut sizes = HashSet::new();
    for (record, kind) in stream(Options::default(), 20_000) {
        if matches!(kind, Kind::Invalid(_) | Kind::Null) {
            assert_eq!(kind == Kind::Null, record.value.is_none());
            continue;
        }
        let value = json(&record);
        let id = match record.source {
            Source::LoyaltyCustomers | Source::LoyaltyActions => &value["body"]["customerId"],
            Source::ConsoleCustomers => &value["customerId"],
            Source::PublisherCustomers => {
                sizes.insert(value["customers"].as_array().unwrap().len());
                &value["customers"][0]["organizationId"]
            }
        };
        let own = record.key.as_deref() == Some(id.as_str().unwrap().as_bytes());
        assert_eq!(own, kind != Kind::WronglyKeyed, "{kind:?}");
    }
    assert!(sizes.contains(&1));
    assert!(sizes.iter().any(|&size| size > 25));
    assert!(sizes.iter().all(|&size| size <= 30));
}

#[test]
fn events_are_about_now_unless_late() {
    let mut newest: HashMap<(Source, String), i64> = HashMap::new();
    let mut behind = 0;
    for (record, kind) in stream(Options::default(), 30_000) {
        let is_loyalty = matches!(
            record.source,
            Source::LoyaltyCustomers | Source::LoyaltyActions
        );
        if !is_loyalty || !matches!(kind, Kind::Valid | Kind::Late) {
            continue;
        }
        let value = json(&record);
        let instant = |name: &str| {
            let text = value["body"][name].as_str().unwrap();
            let parse = |text: &str| chrono::DateTime::parse_from_rfc3339(text);
            let time = parse(text).or_else(|_| parse(&format!("{text}Z"))).unwrap();
            time.timestamp_millis()
        };
        let (created, updated) = (instant("createdAt"), instant("updatedAt"));
        assert!(created <= updated);
        assert!(updated < record.timestamp + 60_000);
        if kind == Kind::Valid && value["eventAction"] == "UPDATED" {
            assert!(updated >= record.timestamp - 700_000);
        }
        let customer = value["body"]["customerId"].as_str().unwrap().to_owned();
        let known = newest.entry((record.source, customer)).or_insert(updated);
        if kind == Kind::Late && updated < *known {
            behind += 1;
        }
        *known = updated.max(*known);
    }
    assert!(behind > 700, "{behind}");
}

#[test]
fn repeats_are_exact_and_come_after_the_record() {
    let records = stream(Options::default(), 20_000);
    let mut seen = HashSet::new();
    for (record, kind) in &records {
        let key = (record.source, record.timestamp, &record.key, &record.value);
        assert!(*kind != Kind::Repeated || seen.contains(&key));
        seen.insert(key);
    }
}

#[test]
fn absurd_options_still_give_a_stream() {
    for extreme in [f64::NAN, f64::INFINITY, -1.0, 2.0] {
        let options = Options {
            seed: u64::MAX,
            customers: u32::MAX,
            start_ms: i64::MAX,
            step_ms: extreme,
            late: extreme,
            repeated: extreme,
            invalid: extreme / 3.0,
            wrongly_keyed: extreme / 10.0,
            null: extreme / 10.0,
            shares: Shares {
                loyalty_customers: extreme,
                loyalty_actions: extreme,
                console_customers: extreme,
                publisher_customers: extreme,
            },
        };
        assert_eq!(stream(options.clone(), 500).len(), 500);
        let tiny = Options {
            customers: 0,
            start_ms: i64::MIN,
            ..options
        };
        assert_eq!(stream(tiny, 500).len(), 500);
    }
}

#[test]
fn no_value_is_near_the_size_limit() {
    let options = Options {
        customers: 1,
        late: 0.2,
        ..Options::default()
    };
    let longest = stream(options, 20_000)
        .into_iter()
        .filter_map(|(record, _)| record.value)
        .map(|value| value.len())
        .max();
    assert!(longest < Some(200_000));
}

/// At a rate the stream follows the clock, and is never ahead of it.
#[test]
fn no_record_is_later_than_it_may_be() {
    let options = Options {
        late: 0.5,
        ..Options::default()
    };
    let mut free = Generator::new(options.clone());
    let mut bound = Generator::new(options.clone());
    let mut latest = i64::MIN;
    for turn in 0..2_000 {
        // Slower than the stream's own time.
        let now = options.start_ms + turn / 2;
        bound.not_after(now);
        let (record, _) = bound.next_with_kind();
        assert!(record.timestamp <= now, "{} at {now}", record.timestamp);
        latest = free.next_with_kind().0.timestamp.max(latest);
    }
    assert!(latest > options.start_ms + 1_000);
}
