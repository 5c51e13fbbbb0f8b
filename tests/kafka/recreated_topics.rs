//! Topics that are deleted, and those that are deleted and recreated, under keyfold or while it is stopped.

use keyfold::model::record::Source;

use crate::offsets::events;
use keyfold_harness::app::{App, LIMIT};
use keyfold_harness::foreign_clients::recreate_input;
use keyfold_harness::wait::wait_until;

fn app(on_lost: &str) -> App {
    let mut app = App::new();
    app.set(&["kafka", "on_lost_offset"], on_lost);
    app.create();
    app.client.produce(&events(&app, 0, 10));
    app
}

#[track_caller]
fn names_it(said: &str, topic: &str) {
    for word in [topic, "deleted and recreated", "on_lost_offset"] {
        assert!(said.contains(word), "{word} in: {said}");
    }
}

/// It has grown beyond the committed offset, which is in its log.
#[test]
fn an_input_recreated_while_keyfold_was_stopped_is_noticed() {
    let mut app = app("fail");
    let topic = app.input(Source::ConsoleCustomers);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
    recreate_input(&app);
    app.client.produce(&events(&app, 100, 125));
    names_it(&app.run_refused(), &topic);
    names_it(&app.run_refused(), &topic);

    app.set(&["kafka", "on_lost_offset"], "earliest");
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    assert_eq!(app.newest_snapshots().len(), 35);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
    app.set(&["kafka", "on_lost_offset"], "fail");
    let mut keyfold = app.run_ready();
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}

#[test]
fn an_input_recreated_under_keyfold_stops_it() {
    let app = app("fail");
    let topic = app.input(Source::ConsoleCustomers);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    recreate_input(&app);
    app.client.produce(&events(&app, 100, 125));
    let code = keyfold.wait_exit(LIMIT);
    assert_eq!(code, 3, "{}", keyfold.log());
    names_it(&keyfold.log(), &topic);
}

#[test]
fn an_input_recreated_under_keyfold_is_read_from_its_start_where_it_may() {
    let app = app("earliest");
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    recreate_input(&app);
    app.client.produce(&events(&app, 100, 125));
    keyfold.wait_for(LIMIT, "to publish all", |_| {
        (app.newest_snapshots().len() == 35).then_some(())
    });
    app.wait_drained(&mut keyfold);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}

#[test]
fn a_topic_that_is_gone_is_named() {
    let app = app("fail");
    let topic = app.input(Source::ConsoleCustomers);
    let mut keyfold = app.run_ready();
    app.client.delete_topics(&[&topic]);
    let code = keyfold.wait_exit(LIMIT);
    let said = keyfold.log();
    assert_eq!(code, 3, "{said}");
    assert!(
        said.contains(&format!("the topic {topic} does not exist any more")),
        "{said}"
    );
}

/// An internal topic is never read from its start again.
#[test]
fn a_forwarded_topic_recreated_under_keyfold_stops_it() {
    let app = app("earliest");
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    let topic = app.forwarded();
    app.client.delete_topics(&[&topic]);
    wait_until(LIMIT, "the topic to be gone", || {
        app.client.partitions(&topic).is_none().then_some(())
    });
    app.create_outputs();
    let code = keyfold.wait_exit(LIMIT);
    let said = keyfold.log();
    assert_eq!(code, 3, "{said}");
    for word in [topic.as_str(), "deleted and recreated", "topics reset"] {
        assert!(said.contains(word), "{word} in: {said}");
    }
}
