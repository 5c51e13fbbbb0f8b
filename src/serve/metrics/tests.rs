use std::collections::BTreeSet;

use super::lag::Lag;
use super::*;

const INPUT: Label = Label::Source(Source::LoyaltyCustomers);

fn metrics() -> Metrics {
    let info = ProcessInfo {
        version: "1.2.3",
        commit: "0123456789ab",
        application_id: "orders".to_owned(),
    };
    Metrics::new(&info).unwrap()
}

fn share(customers: i64, bytes: i64) -> StateShare {
    StateShare {
        customers,
        bytes,
        largest: bytes / 2,
    }
}

/// A registry in which every series exists, as after some time in service.
fn filled() -> Metrics {
    let metrics = metrics();
    metrics.announce(INPUT);
    metrics.records(INPUT, Outcome::Merged, 7);
    metrics.records(INPUT, Outcome::Rejected, 2);
    metrics.rejections(INPUT, Code::SchemaViolation, 2);
    metrics.warnings(Source::ConsoleCustomers, Code::CountryCode, 3);
    metrics.snapshots(0, 4);
    metrics.transaction(TransactionResult::Committed);
    metrics.commit(Duration::from_millis(4), 1_732_790_000.25);
    metrics.latencies([(0.2, 1)]);
    metrics.lateness([(INPUT, 90.0, 1)]);
    let key = ("loyalty.customers".to_owned(), 3);
    let lag = Lag {
        position: 5,
        records: 12,
        oldest: Some(lag::millis() - 90_000),
    };
    metrics.lag.set_owned(
        0,
        BTreeSet::from([key.clone()]),
        [(key, lag)],
        lag::millis(),
    );
    metrics
        .lag
        .set_unowned(&BTreeMap::from([("loyalty.customers".to_owned(), 2)]));
    metrics.restore_records(100);
    metrics.restore_remaining(3, 50);
    metrics.limits(900_000, 0.9);
    metrics.state(0, share(10, 1000));
    metrics.rebalances();
    metrics.worker_state(0, WorkerState::Running);
    metrics.delete_records_refused();
    metrics.schema_registry.requests(RegistryResult::Ok, 1);
    metrics.schema_registry.waiting(0, 1);
    metrics
}

#[test]
fn the_rendering_holds_every_name_of_the_contract_with_its_labels() {
    let text = filled().render().unwrap();
    for line in [
        "keyfold_records_total{outcome=\"merged\",source=\"loyalty-customers\"} 7",
        "keyfold_records_total{outcome=\"split\",source=\"loyalty-customers\"} 0",
        "keyfold_rejections_total{code=\"schema_violation\",source=\"loyalty-customers\",stage=\"schema\"} 2",
        "keyfold_warnings_total{code=\"country_code\",source=\"console-customers\"} 3",
        "keyfold_snapshots_total{kind=\"snapshot\"} 0",
        "keyfold_snapshots_total{kind=\"tombstone\"} 4",
        "keyfold_transactions_total{result=\"committed\"} 1",
        "keyfold_transactions_total{result=\"aborted\"} 0",
        "keyfold_transactions_total{result=\"unknown\"} 0",
        "keyfold_commit_duration_seconds_bucket{le=\"0.005\"} 1",
        "keyfold_commit_duration_seconds_count 1",
        "keyfold_end_to_end_latency_seconds_bucket{le=\"0.25\"} 1",
        "keyfold_end_to_end_latency_seconds_bucket{le=\"0.1\"} 0",
        "keyfold_event_lateness_seconds_bucket{source=\"loyalty-customers\",le=\"300\"} 1",
        "keyfold_event_lateness_seconds_sum{source=\"loyalty-customers\"} 90",
        "keyfold_consumer_lag_records{partition=\"3\",topic=\"loyalty.customers\"} 12",
        "keyfold_partitions_unowned{topic=\"loyalty.customers\"} 2",
        "keyfold_restore_records_total 100",
        "keyfold_restore_remaining_records{partition=\"3\"} 50",
        "keyfold_state_customers 10",
        "keyfold_state_bytes 1000",
        "keyfold_state_largest_customer_bytes 500",
        "keyfold_state_max_customer_bytes 900000",
        "keyfold_max_reject_ratio 0.9",
        "keyfold_rebalances_total 1",
        "keyfold_worker_state{state=\"running\",worker=\"0\"} 1",
        "keyfold_worker_state{state=\"stopped\",worker=\"0\"} 0",
        "keyfold_delete_records_refused_total 1",
        "keyfold_input_records_total{source=\"loyalty-customers\"} 9",
        "keyfold_commit_duration_seconds_bucket{le=\"60\"} 1",
        "keyfold_end_to_end_latency_seconds_bucket{le=\"60\"} 1",
        "keyfold_last_commit_timestamp_seconds 1732790000.25",
        "keyfold_build_info{application_id=\"orders\",commit=\"0123456789ab\",version=\"1.2.3\"} 1",
    ] {
        assert!(
            text.lines().any(|l| l == line),
            "missing {line:?} in\n{text}"
        );
    }
    let age = "keyfold_consumer_lag_seconds{partition=\"3\",topic=\"loyalty.customers\"} 9";
    assert!(text.contains(age), "{text}");
    #[cfg(target_os = "linux")]
    assert!(text.contains("\nprocess_resident_memory_bytes "));
}

#[test]
fn observations_out_of_range_are_clamped() {
    let metrics = metrics();
    metrics.latencies([(-5.0, 1), (1e9, 1)]);
    metrics.lateness([(Label::Forwarded, -5.0, 2)]);
    let text = metrics.render().unwrap();
    assert!(text.contains("keyfold_end_to_end_latency_seconds_bucket{le=\"3600\"} 1"));
    assert!(text.contains("keyfold_end_to_end_latency_seconds_count 2"));
    assert!(text.contains("keyfold_end_to_end_latency_seconds_sum 1000000000"));
    assert!(text.contains("keyfold_event_lateness_seconds_sum{source=\"forwarded\"} 0"));
    assert!(text.contains("keyfold_event_lateness_seconds_count{source=\"forwarded\"} 2"));
}

#[test]
fn state_is_the_sum_over_workers() {
    let metrics = metrics();
    metrics.state(0, share(5, 500));
    metrics.state(1, share(7, 700));
    metrics.state(0, share(1, 100));
    let text = metrics.render().unwrap();
    assert!(text.contains("\nkeyfold_state_customers 8\n"));
    assert!(text.contains("\nkeyfold_state_bytes 800\n"));
    assert!(text.contains("\nkeyfold_state_largest_customer_bytes 350\n"));
}

#[test]
fn metrics_of_revoked_partitions_disappear() {
    let metrics = filled();
    metrics.lag.set_owned(0, BTreeSet::new(), [], lag::millis());
    metrics.lag.set_unowned(&BTreeMap::new());
    metrics.forget_restore(3);
    let text = metrics.render().unwrap();
    assert!(!text.contains("keyfold_consumer_lag_records"));
    assert!(!text.contains("keyfold_consumer_lag_seconds"));
    assert!(!text.contains("keyfold_partitions_unowned"));
    assert!(!text.contains("keyfold_restore_remaining_records"));
}

#[test]
fn totals_are_those_of_all_sources() {
    let metrics = filled();
    let input = Label::Source(Source::ConsoleCustomers);
    metrics.records(input, Outcome::Unchanged, 4);
    let totals = Totals {
        input_records: 13,
        rejected: 2,
        commits: 1,
        snapshots: 4,
    };
    assert_eq!(metrics.totals(), totals);
    assert_eq!(metrics.restored(), 100);
}

#[test]
fn a_worker_is_in_one_state() {
    let metrics = metrics();
    for state in WorkerState::ALL {
        metrics.worker_state(2, state);
        let text = metrics.render().unwrap();
        let ones: Vec<&str> = text
            .lines()
            .filter(|l| l.starts_with("keyfold_worker_state{") && l.ends_with(" 1"))
            .collect();
        assert_eq!(ones.len(), 1);
        assert!(ones[0].contains(&format!("\"{}\"", state.name())));
    }
}

/// Names that start with `keyfold_`, without the suffixes of a histogram's series.
fn names(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("keyfold_"))
        .map(|word| {
            ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| word.strip_suffix(suffix))
                .unwrap_or(word)
                .to_owned()
        })
        .collect()
}

#[test]
fn only_metrics_that_exist_are_named() {
    let known = names(&filled().render().unwrap());
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for path in [
        "config/grafana/keyfold.json",
        "config/prometheus/keyfold.rules.yml",
        "config/prometheus/keyfold.rules.test.yml",
        "docs/operations.md",
        "docs/troubleshooting.md",
    ] {
        let used = names(&std::fs::read_to_string(root.join(path)).unwrap());
        assert!(!used.is_empty(), "{path}");
        let unknown: Vec<_> = used.difference(&known).collect();
        assert!(unknown.is_empty(), "{path} names {unknown:?}");
    }
}

#[test]
fn the_documentation_lists_exactly_the_metrics_that_exist() {
    let document = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/docs/metrics-and-http.md"
    ));
    let rows: Vec<&str> = document
        .lines()
        .filter(|line| line.starts_with("| `keyfold_"))
        .collect();
    let listed: BTreeSet<String> = rows
        .iter()
        .filter_map(|row| row.split('|').nth(1))
        .flat_map(names)
        .collect();
    assert_eq!(listed, names(&filled().render().unwrap()));
}
