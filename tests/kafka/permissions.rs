//! What becomes of a client that may not do everything.

use keyfold::record::Source;

use crate::acls::{Acl, DESCRIBE, WRITE, grant};
use crate::app::{App, text_of};
use crate::broker::{Broker, BrokerOptions, sasl_properties};
use crate::client::Isolation;
use crate::slots::Slot;

const USER: &str = "shop";

/// A broker that grants [`USER`] nothing yet, and a keyfold that logs in as that.
fn guarded() -> (Broker, App) {
    let slot = Slot::take();
    let broker = Broker::start(BrokerOptions {
        users: vec![(USER.to_owned(), "shop-secret".to_owned())],
        ..BrokerOptions::default()
    });
    let mut app = App::on(broker.bootstrap(), broker.client(), slot);
    for (name, value) in sasl_properties(USER, "shop-secret") {
        app.set(&["kafka", "properties", name], value);
    }
    (broker, app)
}

/// What was not delivered was not produced.
#[test]
fn generate_counts_what_was_delivered() {
    let (_broker, app) = guarded();
    app.create_inputs();
    let topics = app.inputs();
    let mut acls: Vec<Acl> = topics
        .iter()
        .map(|topic| Acl::topic(topic, DESCRIBE))
        .collect();
    grant(&app.client, USER, &acls);
    let generate = ["generate", "--kafka", "--records", "200"];
    let output = app.command(&generate, b"");
    let said = text_of(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("0 were delivered"), "{said}");
    for topic in &topics {
        assert!(said.contains(topic.as_str()), "{topic} in: {said}");
        assert!(read(&app, topic).is_empty());
    }

    // all but one topic
    acls.clear();
    let refused = app.input(Source::ConsoleCustomers);
    let open = topics.iter().filter(|topic| **topic != refused);
    acls.extend(open.map(|topic| Acl::topic(topic, WRITE)));
    grant(&app.client, USER, &acls);
    let output = app.command(&generate, b"");
    let said = text_of(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    let delivered: usize = topics.iter().map(|topic| read(&app, topic).len()).sum();
    assert!((1..200).contains(&delivered), "{delivered}");
    let numbers = format!(
        "of 200 records {delivered} were delivered, and {} were not: {} to {refused} (",
        200 - delivered,
        200 - delivered
    );
    assert!(said.contains(&numbers), "{numbers} in: {said}");

    grant(&app.client, USER, &[Acl::topic(&refused, WRITE)]);
    let output = app.command(&generate, b"");
    let said = text_of(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("delivered 200 records"), "{said}");
}

fn read(app: &App, topic: &str) -> Vec<crate::client::Consumed> {
    app.client.read_all(topic, Isolation::ReadUncommitted)
}
