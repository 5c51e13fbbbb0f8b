//! What becomes of a client that may not do everything.

use std::time::Duration;

use keyfold::model::record::Source;

use keyfold_harness::acls::{Acl, DELETE, DESCRIBE, DESCRIBE_CONFIGS, READ, WRITE, grant};
use keyfold_harness::app::{App, LIMIT, faulty, text_of};
use keyfold_harness::broker::{Security, sasl_properties};
use keyfold_harness::client::Isolation;
use keyfold_harness::expected::Repeats;
use keyfold_harness::record::Record;

use crate::guarded_broker::{app_with_users, password};

/// A keyfold on a broker with users, and `count` of them to whom nothing is granted yet. It logs in as the first.
pub fn guarded(count: usize) -> (App, Vec<String>) {
    let (_, mut app, users) = app_with_users(Security::Plain, count);
    log_in(&mut app, &users[0]);
    (app, users)
}

pub fn log_in(app: &mut App, user: &str) {
    for (name, value) in sasl_properties(user, &password(user)) {
        app.set(&["kafka", "properties", name], value);
    }
}

/// All that `docs/topics-and-permissions.md` says `run` needs.
pub fn all_of(app: &App) -> Vec<Acl> {
    let mut all = vec![
        Acl::group(&app.id, READ),
        Acl::transactional_ids(&format!("{}-", app.id), WRITE),
    ];
    for input in app.inputs() {
        all.push(Acl::topic(&input, READ));
    }
    for internal in [app.state(), app.forwarded()] {
        all.extend([READ, WRITE, DESCRIBE_CONFIGS].map(|one| Acl::topic(&internal, one)));
    }
    all.push(Acl::topic(&app.forwarded(), DELETE));
    for output in [app.snapshots(), app.dead_letters()] {
        all.extend([WRITE, DESCRIBE_CONFIGS].map(|one| Acl::topic(&output, one)));
    }
    all
}

/// Creates all topics as one who may.
pub fn create_as_admin(app: &mut App) {
    app.create_inputs();
    log_in(app, "admin");
    app.create_outputs();
}

/// Each permission is asked for at the start, and named by the line that grants it.
#[test]
fn each_missing_permission_is_named_at_the_start() {
    // each user lacks one
    let count = 14;
    let (mut app, users) = guarded(count + 1);
    create_as_admin(&mut app);
    let all = all_of(&app);
    assert!(all.len() > count);
    // of the inputs one is enough
    let inputs = &app.inputs()[1..];
    let missing: Vec<&Acl> = all
        .iter()
        .filter(|one| !inputs.contains(&one.name))
        .collect();
    assert_eq!(missing.len(), count);
    let mut running = Vec::new();
    for (missing, user) in missing.into_iter().zip(&users) {
        let rest: Vec<Acl> = all.iter().filter(|one| *one != missing).cloned().collect();
        grant(&app.client, user, &rest);
        log_in(&mut app, user);
        running.push((missing, user, app.run()));
    }
    for (missing, user, mut keyfold) in running {
        let line = format!(
            "--add --allow-principal User:{user} {}",
            missing.arguments()
        );
        if missing.operation == DELETE {
            keyfold.wait_ready(LIMIT);
            let said = keyfold.log();
            assert!(said.contains(&line), "{line} in: {said}");
            assert_eq!(keyfold.terminate(), 0);
            continue;
        }
        let code = keyfold.wait_exit(Duration::from_secs(60));
        let said = keyfold.log();
        assert_eq!(code, 3, "{missing:?}: {said}");
        assert!(said.contains(&line), "{line} in: {said}");
        let lines = said.matches("kafka-acls.sh").count();
        // once in the log of what it waits for, at the most
        assert!(lines >= 1, "{said}");
        assert!(!said.contains("-secret"), "{said}");
    }

    // and with all of them it works
    let user = &users[count];
    grant(&app.client, user, &all);
    log_in(&mut app, user);
    let records: Vec<Record> = app.stream(faulty(83, 50)).take(200).collect();
    app.client.produce(&records);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    app.assert_folded(Repeats::Forbidden);
    assert!(
        !keyfold.log().contains("kafka-acls.sh"),
        "{}",
        keyfold.log()
    );
    assert_eq!(keyfold.terminate(), 0);
}

/// All of them at once, and `keyfold topics` shows those of the topics too.
#[test]
fn all_missing_permissions_are_told_at_once() {
    let (mut app, users) = guarded(1);
    create_as_admin(&mut app);
    log_in(&mut app, &users[0]);
    let said = app.run_refused();
    for acl in &all_of(&app) {
        let line = acl.arguments();
        assert!(said.contains(&line), "{line} in: {said}");
    }
    for topic in [app.input(Source::LoyaltyActions), app.snapshots()] {
        let both =
            format!("the topic {topic}: it does not exist, or this client may not describe it");
        assert!(said.contains(&both), "{said}");
    }

    let describing: Vec<Acl> = all_of(&app)
        .into_iter()
        .filter(|one| one.operation == DESCRIBE_CONFIGS)
        .flat_map(|one| [Acl::topic(&one.name, DESCRIBE), one])
        .chain(app.inputs().iter().map(|input| Acl::topic(input, DESCRIBE)))
        .collect();
    grant(&app.client, &users[0], &describing);
    let output = app.command(&["topics", "--check"], b"");
    let said = text_of(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for topic in [app.state(), app.dead_letters()] {
        let line = Acl::topic(&topic, WRITE).arguments();
        assert!(said.contains(&line), "{line} in: {said}");
    }
}

/// What was not delivered was not produced.
#[test]
fn generate_counts_what_was_delivered() {
    let (app, users) = guarded(1);
    let user = &users[0];
    app.create_inputs();
    let topics = app.inputs();
    let mut acls: Vec<Acl> = topics
        .iter()
        .map(|topic| Acl::topic(topic, DESCRIBE))
        .collect();
    grant(&app.client, user, &acls);
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
    grant(&app.client, user, &acls);
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

    grant(&app.client, user, &[Acl::topic(&refused, WRITE)]);
    let output = app.command(&generate, b"");
    let said = text_of(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("delivered 200 records"), "{said}");
}

fn read(app: &App, topic: &str) -> Vec<keyfold_harness::record::Consumed> {
    app.client.read_all(topic, Isolation::ReadUncommitted)
}
