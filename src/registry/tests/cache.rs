//! Tests of the cache against a registry that answers, that is away, and that recovers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::server::{Reply, Seen, Server, json, page, schema, unknown_id};
use super::{eventually, registry};
use crate::backoff::Backoff;
use crate::model::record::Source;
use crate::registry::CachedSchemas;
use crate::registry::queue::RetryPolicy;
use crate::source::framing::{Purpose, ReaderSchemas, SchemaId, SchemaLookup, WriterSchema};

const SOURCE: Purpose = Purpose::Values(Source::LoyaltyCustomers);
const LONG: Duration = Duration::from_secs(3_600);
const SHORT_WAITS: RetryPolicy = RetryPolicy {
    backoff: Backoff::new(Duration::from_millis(1), Duration::from_millis(4)),
    recheck_unknown: Duration::from_millis(1),
    forget_after: LONG,
};

fn id(number: u32) -> SchemaId {
    SchemaId::Number(number)
}

/// Our own reader schema, which is a writer schema too.
fn valid_schema() -> Reply {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/schemas/loyalty-customers.avsc"
    );
    schema(&std::fs::read_to_string(path).unwrap())
}

fn cache(server: &Server, unknown_ids_for: Duration) -> Arc<CachedSchemas> {
    CachedSchemas::start_at(
        registry(server),
        ReaderSchemas::default(),
        unknown_ids_for,
        SHORT_WAITS,
    )
    .unwrap()
}

/// Waits for an answer as a worker does.
fn answer(cache: &CachedSchemas, purpose: Purpose, id: SchemaId) -> WriterSchema {
    let mut found = None;
    eventually("an answer", || {
        found = cache.writer_schema(purpose, id);
        found.is_some()
    });
    found.unwrap()
}

fn is_plan(known: &WriterSchema) -> bool {
    matches!(known, WriterSchema::Plan(_))
}

/// A registry that is away until the test switches it on.
fn switched(
    fault: fn() -> Reply,
    answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> (Server, Arc<AtomicBool>) {
    let is_available = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&is_available);
    let server = Server::start(move |seen, _| {
        if switch.load(Ordering::SeqCst) {
            answer(seen)
        } else {
            fault()
        }
    });
    (server, is_available)
}

#[test]
fn a_schema_is_fetched_once() {
    let server = Server::start(|_, _| valid_schema());
    let cache = cache(&server, LONG);
    assert_eq!(cache.answers(), 0);
    let WriterSchema::Plan(plan) = answer(&cache, SOURCE, id(7)) else {
        panic!("no plan");
    };
    for _ in 0..1000 {
        match cache.writer_schema(SOURCE, id(7)) {
            Some(WriterSchema::Plan(again)) => assert!(Arc::ptr_eq(&plan, &again)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(cache.answers(), 1);
    assert_eq!(cache.requests().ok, 1);
    assert_eq!(cache.failure(), None);
}

#[test]
fn each_source_has_a_plan_of_its_own() {
    let server = Server::start(|_, _| valid_schema());
    let cache = cache(&server, LONG);
    assert!(is_plan(&answer(&cache, SOURCE, id(7))));
    answer(&cache, Source::PublisherCustomers.into(), id(7));
    assert!(is_plan(&answer(&cache, SOURCE, id(7))));
    assert_eq!(cache.requests().ok, 2);
}

#[test]
fn a_schema_that_does_not_fit_is_unusable_forever() {
    for body in [
        r#"{"schema":"\"int\""}"#,
        r#"{"schema":"no schema at all"}"#,
        r#"{"schema":"{}","schemaType":"PROTOBUF"}"#,
    ] {
        let server = Server::start(move |_, _| json(200, body));
        let cache = cache(&server, Duration::ZERO);
        assert!(matches!(
            answer(&cache, SOURCE, id(7)),
            WriterSchema::Unusable(_)
        ));
        assert!(matches!(
            cache.writer_schema(SOURCE, id(7)),
            Some(WriterSchema::Unusable(_))
        ));
        assert_eq!(cache.requests().ok, 1);
    }
}

#[test]
fn a_schema_of_strings_is_that_of_keys() {
    for schema in [
        r#""string""#,
        r#"{"type":"string","avro.java.string":"String"}"#,
    ] {
        let body = serde_json::json!({ "schema": schema }).to_string();
        let server = Server::start(move |_, _| json(200, &body));
        let cache = cache(&server, Duration::ZERO);
        assert!(matches!(
            answer(&cache, SOURCE, id(7)),
            WriterSchema::PlainString
        ));
        assert!(matches!(
            cache.writer_schema(SOURCE, id(7)),
            Some(WriterSchema::PlainString)
        ));
        assert_eq!(cache.requests().ok, 1);
    }
}

#[test]
fn an_unknown_id_is_asked_for_twice_and_then_believed() {
    let server = Server::start(|_, _| unknown_id());
    let cache = cache(&server, LONG);
    for _ in 0..1000 {
        assert!(matches!(
            answer(&cache, SOURCE, id(7)),
            WriterSchema::Unknown
        ));
    }
    assert_eq!(cache.requests().not_found, 2);
    // While many ids are unknown, one request for each is enough.
    for number in 8..18 {
        assert!(matches!(
            answer(&cache, SOURCE, id(number)),
            WriterSchema::Unknown
        ));
    }
    assert_eq!(cache.requests().not_found, 12);
    assert_eq!(cache.failure(), None);
}

#[test]
fn an_unknown_id_is_asked_for_again_after_its_time() {
    let server = Server::start(|_, before| match before {
        0..10 => unknown_id(),
        _ => valid_schema(),
    });
    let cache = cache(&server, Duration::from_millis(1));
    assert!(matches!(
        answer(&cache, SOURCE, id(7)),
        WriterSchema::Unknown
    ));
    eventually("the schema was registered", || {
        cache
            .writer_schema(SOURCE, id(7))
            .is_some_and(|known| is_plan(&known))
    });
    // It was asked for twice at first, then once each time.
    assert_eq!(cache.requests().not_found, 10);
    assert_eq!(cache.requests().ok, 1);
}

#[test]
fn a_schema_that_was_registered_a_moment_ago_is_not_unknown() {
    let server = Server::start(|_, before| match before {
        0 => unknown_id(),
        _ => valid_schema(),
    });
    let cache = cache(&server, LONG);
    assert!(is_plan(&answer(&cache, SOURCE, id(7))));
}

#[test]
fn while_the_registry_is_away_it_is_tried_again() {
    let faults: [fn() -> Reply; 4] = [
        || page(503),
        || page(404),
        || Reply::Closed,
        || json(200, "{}"),
    ];
    for fault in faults {
        let (server, is_available) = switched(fault, |_| valid_schema());
        let cache = cache(&server, LONG);
        assert_eq!(cache.failure(), None);
        eventually("several attempts", || {
            assert!(cache.writer_schema(SOURCE, id(7)).is_none());
            cache.requests().failed > 3
        });
        let trouble = cache.failure().unwrap();
        assert!(trouble.starts_with(&server.url()), "{trouble}");
        assert!(trouble.contains("/schemas/ids/7"), "{trouble}");
        is_available.store(true, Ordering::SeqCst);
        assert!(is_plan(&answer(&cache, SOURCE, id(7))));
        assert_eq!(cache.failure(), None);
    }
}

#[test]
fn one_broken_schema_does_not_delay_the_others() {
    let server = Server::start(|seen, _| match seen.line.as_str() {
        "GET /schemas/ids/7" => page(500),
        _ => valid_schema(),
    });
    let cache = cache(&server, LONG);
    assert!(cache.writer_schema(SOURCE, id(7)).is_none());
    eventually("the first fails", || cache.failure().is_some());
    for number in 8..20 {
        assert!(is_plan(&answer(&cache, SOURCE, id(number))));
    }
    assert!(cache.failure().unwrap().contains("/schemas/ids/7"));
}

#[test]
fn an_id_that_nobody_asks_for_any_more_is_forgotten() {
    let server = Server::start(|_, _| page(503));
    let policy = RetryPolicy {
        forget_after: Duration::ZERO,
        ..SHORT_WAITS
    };
    let cache =
        CachedSchemas::start_at(registry(&server), ReaderSchemas::default(), LONG, policy).unwrap();
    assert!(cache.writer_schema(SOURCE, id(7)).is_none());
    // A caller that still waits for it learns that it must ask again.
    eventually("it is let go", || cache.answers() > 0);
    assert_eq!(cache.failure(), None);
    let failed = cache.requests().failed;
    assert!(cache.writer_schema(SOURCE, id(7)).is_none());
    eventually("it is asked for again", || cache.requests().failed > failed);
}

#[test]
fn workers_may_ask_at_once() {
    let server = Server::start(|_, _| valid_schema());
    let cache = cache(&server, LONG);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for number in 0..20 {
                    assert!(is_plan(&answer(&cache, SOURCE, id(number))));
                }
            });
        }
    });
    assert_eq!(cache.requests().ok, 20);
    assert_eq!(cache.answers(), 20);
}
