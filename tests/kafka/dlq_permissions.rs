//! `keyfold dlq replay` by a user who may not do everything: each missing permission is named by the line that grants it,
//! before anything is sent.

use keyfold::model::record::Source;
use keyfold_harness::acls::{Acl, DESCRIBE_CONFIGS, READ, WRITE, grant};
use keyfold_harness::app::{App, text_of};
use keyfold_harness::client::Isolation;

use crate::dlq::{console, dlq, reject};
use crate::permissions::{guarded, log_in};

/// All that `docs/topics-and-permissions.md` says replay needs, once the topic of the settlements is there.
fn all_of(app: &App) -> Vec<Acl> {
    let settled = format!("{}.settled", app.id);
    let input = app.input(Source::ConsoleCustomers);
    let mut all = vec![
        Acl::topic(&app.dead_letters(), READ),
        Acl::topic(&input, WRITE),
        Acl::topic(&input, DESCRIBE_CONFIGS),
        Acl::transactional_ids(&format!("{}-", app.id), WRITE),
    ];
    all.extend([READ, WRITE, DESCRIBE_CONFIGS].map(|one| Acl::topic(&settled, one)));
    all
}

#[test]
fn each_missing_permission_is_named_before_anything_is_sent() {
    let (mut app, users) = guarded(8);
    log_in(&mut app, "admin");
    app.set(&["validation", "rules", "country_code"], "reject");
    app.create();
    let value =
        br#"{"customerId":"c-1","version":1,"addresses":[{"key":"k","country":"Atlantis"}]}"#;
    reject(&app, &[console(&app, b"c-1", value)], 1);
    app.set(&["validation", "rules", "country_code"], "warn");
    let settled = format!("{}.settled", app.id);
    let compacted = [("cleanup.policy", "compact")];
    app.client.create_topic(&settled, 1, &compacted);

    let all = all_of(&app);
    let (last, others) = users.split_last().expect("users");
    assert_eq!(others.len(), all.len());
    let input = app.input(Source::ConsoleCustomers);
    let client = app.client.clone();
    let written = || client.read_all(&input, Isolation::ReadUncommitted).len();
    assert_eq!(written(), 1);
    for (missing, user) in all.iter().zip(others) {
        let rest: Vec<Acl> = all.iter().filter(|one| *one != missing).cloned().collect();
        grant(&app.client, user, &rest);
        log_in(&mut app, user);
        let output = app.command(&["dlq", "replay", "--execute"], b"");
        let said = text_of(&output);
        assert_eq!(output.status.code(), Some(3), "{missing:?}: {said}");
        let line = format!(
            "--add --allow-principal User:{user} {}",
            missing.arguments()
        );
        assert!(said.contains(&line), "{line} in: {said}");
        assert!(!said.contains("-secret"), "{said}");
    }
    assert_eq!(written(), 1);
    grant(&app.client, last, &all);
    log_in(&mut app, last);
    dlq(&app, &["replay", "--execute"], 0);
    let sent = app.client.read_all(&input, Isolation::ReadCommitted);
    assert_eq!(sent.len(), 2);
}
