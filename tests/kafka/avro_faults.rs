//! A registry that is away, wrong or against us.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use keyfold::model::record::Source;
use rdkafka::consumer::{BaseConsumer, Consumer};
use serde_json::json;

use crate::avro::assert_counted;
use keyfold_harness::app::{App, EXAMPLE_TIME, LIMIT};
use keyfold_harness::avro_records::{Batch, Outside, WriterSchema, file, id_of, reader};
use keyfold_harness::client::Isolation;
use keyfold_harness::metrics::{Metrics, sum};
use keyfold_harness::ports::free_port;
use keyfold_harness::program::Keyfold;
use keyfold_harness::record::Record;
use keyfold_harness::registry;
use keyfold_harness::registry_proxy::{Fault, RegistryProxy};

pub const LOYALTY: Source = Source::LoyaltyCustomers;
const AWAY: &str = "schema registry is away";
const WAITING: &str = "keyfold_registry_waiting_partitions";
const SNAPSHOT_RECORD: &str = "keyfold.snapshot.CustomerSnapshot";

/// A loyalty customer, as JSON.
pub fn event(customer: &str) -> String {
    json!({"eventType": "CUSTOMER", "eventAction": "CREATED", "version": 1.0, "body": {
        "customerId": customer, "status": "ACTIVE", "addresses": [],
        "createdAt": "2024-01-01T00:00:00Z", "updatedAt": "2024-01-01T00:00:00Z"}})
    .to_string()
}

/// The reader schema of the loyalty customers under another id: `name` makes it different.
fn writer_schema(name: &str) -> WriterSchema {
    let mut schema = reader(LOYALTY);
    let fields = schema["fields"].as_array_mut().expect("fields");
    fields.push(json!({"name": "extra", "doc": name, "type": ["null", "string"], "default": null}));
    WriterSchema::avro(&schema)
}

/// Framed events, one for each customer and the name of its schema.
#[track_caller]
pub fn events(app: &App, customers: &[(&str, &str)]) -> Vec<Vec<u8>> {
    let mut batch = Batch::default();
    for (customer, name) in customers {
        let name = format!("{} {name}", app.id);
        batch.schema(&name, writer_schema(&name));
        let event = event(customer);
        batch.record(Outside::avro(app, LOYALTY, &name, event.as_bytes()));
    }
    app.encode_outside(&batch)
}

/// A record whose partition and timestamp are fixed.
pub fn record(app: &App, value: impl Into<Vec<u8>>) -> Record {
    let record = app.record(LOYALTY).partition(0).at(EXAMPLE_TIME);
    record.value(value)
}

/// Waits until a customer has been published.
#[track_caller]
fn wait_published(keyfold: &mut Keyfold, customer: &str) {
    keyfold.wait_for(LIMIT, &format!("to publish {customer}"), |keyfold| {
        is_published(keyfold, customer).then_some(())
    });
}

pub fn is_published(keyfold: &Keyfold, customer: &str) -> bool {
    let answer = keyfold.http_get(&format!("/customers/{customer}"));
    answer.is_some_and(|(status, _)| status == 200)
}

/// Waits until `/readyz` says that the registry is away.
#[track_caller]
fn wait_away(keyfold: &mut Keyfold) {
    keyfold.wait_for(LIMIT, "to say that the registry is away", |keyfold| {
        let (status, body) = keyfold.http_get("/readyz")?;
        (status == 503 && body.contains(AWAY)).then_some(())
    });
}

/// The members of the consumer group.
fn members(app: &App) -> BTreeSet<String> {
    let consumer: BaseConsumer = app.client.config().create().expect("a client");
    let groups = consumer
        .fetch_group_list(Some(&app.id), LIMIT)
        .expect("groups");
    let members = groups.groups().iter().flat_map(|group| group.members());
    members.map(|member| member.id().to_owned()).collect()
}

/// The customer whose record waits for a new schema under a fault, and the one whose schema is known.
fn waiting(fault: Fault) -> String {
    format!("waiting-{fault:?}").to_lowercase()
}

fn known(fault: Fault) -> String {
    format!("known-{fault:?}").to_lowercase()
}

/// One event of the schema that will be known, and for each fault one of a new schema and one of the known.
fn values_of_each_fault(app: &App) -> Vec<Vec<u8>> {
    let mut wanted = vec![("known".to_owned(), "known".to_owned())];
    for fault in Fault::ALL {
        wanted.push((waiting(fault), waiting(fault)));
        wanted.push((known(fault), "known".to_owned()));
    }
    let wanted: Vec<_> = wanted
        .iter()
        .map(|(c, s)| (c.as_str(), s.as_str()))
        .collect();
    events(app, &wanted)
}

fn failed(keyfold: &Keyfold) -> f64 {
    let labels = [("result", "failed")];
    sum(
        &keyfold.metrics(),
        "keyfold_registry_requests_total",
        &labels,
    )
}

fn waiting_partitions(metrics: &Metrics) -> f64 {
    sum(metrics, WAITING, &[])
}

/// Customers of the console are published one after the other, at least one of them.
#[track_caller]
fn publish_until(app: &App, keyfold: &mut Keyfold, fault: Fault, end: Instant) {
    for number in 0.. {
        let customer = format!("console-{fault:?}-{number}");
        let record = app.record(Source::ConsoleCustomers).at(EXAMPLE_TIME);
        let value = json!({"customerId": customer, "version": 1});
        app.client.produce(&[record.value(value.to_string())]);
        wait_published(keyfold, &customer);
        if Instant::now() > end {
            break;
        }
    }
}

/// Each fault in turn. Meanwhile the record of the new schema waits, all others go on, the group keeps its member,
/// and nothing becomes a dead letter. Afterwards work resumes by itself.
#[test]
fn a_registry_that_is_away_is_waited_for_and_nothing_else_waits() {
    let proxy = RegistryProxy::start();
    let mut app = App::in_avro(&proxy);
    app.set(&["sources", "console-customers", "format"], "json");
    // who waits without polling is put out of the group
    app.set(&["kafka", "properties", "max.poll.interval.ms"], "10000");
    app.set(&["registry", "timeout"], "1s");
    app.set(&["registry", "username"], "keyfold");
    app.set(&["registry", "password"], "proxy-secret");
    app.create();
    let mut values = values_of_each_fault(&app).into_iter();
    let mut next = || values.next().expect("an event");

    let mut keyfold = app.run_ready();
    app.client.produce(&[record(&app, next()).partition(1)]);
    wait_published(&mut keyfold, "known");
    let member = members(&app);
    assert_eq!(member.len(), 1);
    for fault in Fault::ALL {
        let started = Instant::now();
        proxy.fail(fault);
        let before = failed(&keyfold);
        let (new, old) = (record(&app, next()), record(&app, next()));
        app.client.produce(&[new, old.partition(1)]);
        wait_away(&mut keyfold);
        keyfold.wait_for(LIMIT, "to count failures", |keyfold| {
            let waiting = waiting_partitions(&keyfold.metrics());
            (failed(keyfold) > before && waiting >= 1.0).then_some(())
        });
        wait_published(&mut keyfold, &known(fault));
        // others go on; once for longer than the group waits for a poll
        let least = Duration::from_secs(if fault == Fault::Slow { 12 } else { 0 });
        publish_until(&app, &mut keyfold, fault, started + least);
        assert_eq!(members(&app), member, "{fault:?}");
        assert!(!is_published(&keyfold, &waiting(fault)), "{fault:?}");
        let (status, body) = keyfold.http_get("/readyz").expect("an answer");
        assert!(status == 503 && body.contains(AWAY), "{fault:?}: {body}");
        let alive = keyfold.http_get("/healthz");
        assert_eq!(alive.map(|(status, _)| status), Some(200));
        proxy.recover();
        wait_published(&mut keyfold, &waiting(fault));
        keyfold.wait_ready(LIMIT);
    }
    app.wait_drained(&mut keyfold);
    assert_eq!(members(&app), member);
    assert_eq!(app.read_dead_letters(), []);
    assert_eq!(keyfold.steady([WAITING]), [0.0]);
    assert_counted(&app, &keyfold.settled_metrics());
    let log = keyfold.log();
    assert!(!log.contains("proxy-secret"), "a password in the log");
    let basic = "Basic a2V5Zm9sZDpwcm94eS1zZWNyZXQ=".to_owned();
    assert_eq!(proxy.authorizations(), [basic].into());
    assert_eq!(keyfold.terminate(), 0, "{log}");
}

/// At the start as well; then restarts, with other ways to the registry.
#[test]
fn a_registry_that_is_away_at_the_start_is_waited_for() {
    let proxy = RegistryProxy::start();
    let mut app = App::in_avro(&proxy);
    app.set(&["registry", "timeout"], "1s");
    app.create();
    let values = events(
        &app,
        &[("first", "one"), ("second", "two"), ("third", "two")],
    );
    let mut values = values.into_iter();
    let mut produce_next = |app: &App| {
        let value = values.next().expect("an event");
        app.client.produce(&[record(app, value)]);
    };
    produce_next(&app);

    for fault in [Fault::Refused, Fault::Page] {
        proxy.fail(fault);
        let mut keyfold = app.run();
        wait_away(&mut keyfold);
        assert_eq!(
            keyfold.http_get("/healthz").map(|(status, _)| status),
            Some(200)
        );
        assert!(keyfold.log().contains("registry"), "{}", keyfold.log());
        assert_eq!(app.newest_snapshots().len(), 0);
        // it may be asked to stop meanwhile
        assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
    }
    let mut keyfold = app.run();
    wait_away(&mut keyfold);
    proxy.recover();
    keyfold.wait_ready(LIMIT);
    app.wait_drained(&mut keyfold);
    assert_eq!(app.newest_avro_snapshots().len(), 1);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());

    // the first address leads nowhere
    let urls = format!("http://127.0.0.1:{},{}", free_port(), proxy.url());
    app.set(&["registry", "url"], urls);
    for (customers, token) in [(2, ""), (3, "bearer-secret")] {
        app.set(&["registry", "token"], token);
        let mut keyfold = app.run_ready();
        produce_next(&app);
        app.wait_drained(&mut keyfold);
        assert_eq!(app.newest_avro_snapshots().len(), customers);
        let log = keyfold.log();
        assert!(
            token.is_empty() || !log.contains(token),
            "a token in the log"
        );
        assert_eq!(keyfold.terminate(), 0, "{log}");
    }
    assert_eq!(
        proxy.authorizations(),
        ["Bearer bearer-secret".to_owned()].into()
    );
    assert_eq!(app.read_dead_letters(), []);
}

/// What the registry must hold before the first snapshot is written.
#[test]
fn the_snapshots_schema_is_agreed_on_before_the_first_write() {
    let proxy = RegistryProxy::start();
    let mut app = App::in_avro(&proxy);
    app.create();
    let value = events(&app, &[("one", "one")]).remove(0);
    app.client.produce(&[record(&app, value)]);

    // a schema in the subject that cannot follow
    let topic_name = format!("{}-value", app.snapshots());
    let older = json!({"type": "record", "name": "CustomerSnapshot", "namespace": "keyfold.snapshot",
        "fields": [{"name": "customerId", "type": "boolean"}]});
    registry::register(&topic_name, "AVRO", &older.to_string());
    registry::require_backward_compatibility(&topic_name);
    let said = app.run_refused();
    for word in [topic_name.as_str(), "compatib"] {
        assert!(said.contains(word), "{word} in: {said}");
    }
    let latest = registry::latest(&topic_name).expect("the subject");
    assert_eq!(latest["version"], 1, "{latest}");

    // none, and none may be registered
    app.set(&["snapshot", "subject_strategy"], "topic_record_name");
    app.set(&["snapshot", "auto_register"], false);
    let subject = format!("{}-{SNAPSHOT_RECORD}", app.snapshots());
    let said = app.run_refused();
    for word in [subject.as_str(), "auto_register"] {
        assert!(said.contains(word), "{word} in: {said}");
    }
    assert_eq!(registry::latest(&subject), None);
    assert_eq!(proxy.requests(&format!("/subjects/{subject}/versions")), 0);
    assert_eq!(app.newest_snapshots().len(), 0);
    assert!(!app.is_drained(), "the record stays unread");

    // somebody has registered it
    let text = file("customer-snapshot.avsc");
    let text = String::from_utf8(text).expect("text");
    let id = registry::register(&subject, "AVRO", &text);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    let snapshots = app
        .client
        .read_all(&app.snapshots(), Isolation::ReadCommitted);
    let ids = snapshots.iter().map(|record| {
        let value = record.value.as_deref().expect("a snapshot");
        id_of(value)
    });
    assert_eq!(ids.collect::<Vec<_>>(), [Some(id)]);
    assert_eq!(proxy.requests(&format!("/subjects/{subject}/versions")), 0);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());

    app.set(&["snapshot", "subject_strategy"], "record_name");
    app.set(&["snapshot", "auto_register"], true);
    let mut keyfold = app.run_ready();
    assert!(registry::latest(SNAPSHOT_RECORD).is_some());
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}
