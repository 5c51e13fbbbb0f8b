//! `keyfold audit` where the inputs do not hold all records: what is left is joined into the states, and the snapshots are
//! compared with these.

use keyfold::model::record::Source;
use serde_json::Value;

use keyfold_harness::app::{App, faulty};
use keyfold_harness::client::Isolation;
use keyfold_harness::foreign_clients::delete_before;
use keyfold_harness::record::{Record, newest_per_key};

use crate::audit::audit;

/// A keyfold that has processed a stream, with inputs whose first halves are gone.
fn cut(seed: u64) -> App {
    let app = App::new();
    app.create();
    let records: Vec<Record> = app.stream(faulty(seed, 300)).take(4_000).collect();
    app.client.produce(&records);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    assert_eq!(keyfold.terminate(), 0);
    for topic in app.inputs() {
        let ends = app.client.watermarks(&topic);
        for (partition, (_, end)) in (0..).zip(ends) {
            delete_before(&app, &topic, partition, end / 2);
        }
    }
    app
}

#[test]
fn what_is_left_changes_no_state() {
    let app = cut(11);
    let found = audit(&app, &[]);
    found.assert_clean();
    assert_eq!(found.summary()["complete"], false);
    let reasons = found.summary()["incomplete"].as_array().expect("a list");
    assert_eq!(reasons.len(), 12, "{reasons:?}");
    assert!(found.customers("equalByState") > 100, "{}", found.summary());
    assert!(found.customers("equalByRecords") > 0, "{}", found.summary());
    assert_eq!(found.customers("notProvable"), 0);
}

#[test]
fn a_state_that_lacks_a_record_and_a_snapshot_that_is_not_the_states_are_found() {
    let app = cut(12);
    let states = app.client.read_all(&app.state(), Isolation::ReadCommitted);
    let newest = newest_per_key(&states);
    let snapshots = app.newest_snapshots();
    // somebody of whom the newest record is left, and whose first state lacks it
    let (id, old) = states
        .iter()
        .find_map(|state| {
            let id = state.key.clone()?;
            let is_shown = snapshots.contains_key(&id);
            let is_old = newest[&id] != state.value && is_shown;
            is_old.then(|| (id, state.value.clone()))
        })
        .expect("a customer with several states");
    let others: Vec<&Vec<u8>> = snapshots.keys().filter(|other| **other != id).collect();
    let (overwritten, no_state) = (others[0], others[1]);
    let mut value: Value = serde_json::from_slice(&snapshots[overwritten]).expect("JSON");
    value["emailAddress"] = "somebody@example.com".into();
    let mut outdated = Record::to(&app.state()).key(id.clone());
    outdated.value = old;
    app.client.produce(&[
        outdated,
        Record::to(&app.snapshots())
            .key(overwritten.clone())
            .value(value.to_string()),
        Record::to(&app.state()).key(no_state.clone()),
        Record::to(&app.snapshots()).key("nobody").value("{}"),
    ]);
    let found = audit(&app, &[]);
    assert_eq!(found.code, Some(1));
    let of = |id: &[u8]| found.differences(std::str::from_utf8(id).expect("text"));
    // that of an outdated state is at least that the snapshot is not the state's
    assert!(!of(&id).is_empty(), "{:#?}", found.lines);
    let overwritten = of(overwritten);
    assert_eq!(
        (overwritten.len(), overwritten[0].2.as_str()),
        (1, "/emailAddress")
    );
    let no_state = of(no_state);
    assert_eq!(no_state.len(), 1, "{no_state:?}");
    assert_eq!(of(b"nobody")[0].0, "tooMany");
}

/// What is left says more than the state: a record was never joined.
#[test]
fn a_record_that_no_state_knows_is_found() {
    let app = cut(13);
    let (states, snapshots) = (
        app.client.read_all(&app.state(), Isolation::ReadCommitted),
        app.client
            .read_all(&app.snapshots(), Isolation::ReadCommitted),
    );
    // the first state and the first snapshot of everybody, as if keyfold had stood still
    let mut seen = std::collections::BTreeSet::new();
    let first = |records: &[keyfold_harness::record::Consumed],
                 topic: &str,
                 seen: &mut std::collections::BTreeSet<(String, Vec<u8>)>| {
        let mut first = Vec::new();
        for record in records {
            let key = record.key.clone().expect("a key");
            if seen.insert((topic.to_owned(), key.clone())) {
                let mut again = Record::to(topic).key(key);
                again.value.clone_from(&record.value);
                first.push(again);
            }
        }
        first
    };
    let mut all = first(&states, &app.state(), &mut seen);
    all.extend(first(&snapshots, &app.snapshots(), &mut seen));
    app.client.produce(&all);
    let found = audit(&app, &[]);
    assert_eq!(found.code, Some(1));
    let of_states = found.of("customer").into_iter();
    let of_states = of_states.filter(|line| line["place"] == "state").count();
    assert!(of_states > 50, "{}", found.summary());
}

/// A compacted input, and a source that is not read any more.
#[test]
fn compacted_inputs_and_sources_that_are_gone_prove_by_the_state() {
    let mut app = App::new();
    app.create();
    let records: Vec<Record> = app.stream(faulty(14, 200)).take(2_000).collect();
    app.client.produce(&records);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    assert_eq!(keyfold.terminate(), 0);
    let told = audit(&app, &["--cut"]);
    told.assert_clean();
    assert_eq!(told.summary()["complete"], false);
    app.unset(&["sources", Source::ConsoleCustomers.name()]);
    let found = audit(&app, &[]);
    found.assert_clean();
    let reasons = found.summary()["incomplete"].to_string();
    assert!(reasons.contains("no source reads it now"), "{reasons}");
    assert!(found.customers("equalByState") > 0);
}
