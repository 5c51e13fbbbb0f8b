//! The commands for operators before a broker with ACLs: each permission that is missing is named by the line that grants
//! it, before anything is written.

use keyfold::model::record::Source;
use keyfold_harness::acls::{Acl, DESCRIBE, DESCRIBE_CONFIGS, READ, WRITE, grant};
use keyfold_harness::app::{App, text_of};
use keyfold_harness::client::Isolation;

use crate::dlq::{console, reject};
use crate::permissions::{create_as_admin, guarded, log_in};

/// A command that writes to a topic, and all that it needs; `of_many` are permissions like another one.
struct Guarded<'g> {
    command: &'g [&'g str],
    writes_to: &'g str,
    needs: &'g [Acl],
    of_many: &'g [Acl],
}

impl Guarded<'_> {
    /// Runs it as users of whom each lacks one permission, then as one who lacks none.
    #[track_caller]
    fn check(&self, app: &mut App, users: &mut impl Iterator<Item = String>) {
        let written = |app: &App| {
            let all = app
                .client
                .read_all(self.writes_to, Isolation::ReadUncommitted);
            all.len()
        };
        let before = written(app);
        let granted = || self.needs.iter().chain(self.of_many);
        for missing in self.needs {
            let rest: Vec<Acl> = granted().filter(|one| *one != missing).cloned().collect();
            let user = users.next().expect("a user");
            grant(&app.client, &user, &rest);
            log_in(app, &user);
            assert_refused(app, self.command, &user, missing);
        }
        assert_eq!(written(app), before);
        let user = users.next().expect("a user");
        grant(
            &app.client,
            &user,
            &granted().cloned().collect::<Vec<Acl>>(),
        );
        log_in(app, &user);
        let output = app.command(self.command, b"");
        assert_eq!(output.status.code(), Some(0), "{}", text_of(&output));
        assert_eq!(written(app), before + 1);
    }
}

#[track_caller]
fn assert_refused(app: &App, command: &[&str], user: &str, missing: &Acl) {
    let output = app.command(command, b"");
    let said = text_of(&output);
    let line = format!(
        "--add --allow-principal User:{user} {}",
        missing.arguments()
    );
    assert_eq!(output.status.code(), Some(3), "{line}: {said}");
    assert!(said.contains(&line), "{line} in: {said}");
    assert!(!said.contains("-secret"), "{said}");
}

#[test]
fn each_missing_permission_is_named_before_anything_is_written() {
    let (mut app, all) = guarded(14);
    let mut users = all.iter().cloned();
    create_as_admin(&mut app);
    reject(&app, &[console(&app, b"c-1", b"{}")], 1);
    let settled = format!("{}.settled", app.id);
    app.client
        .create_topic(&settled, 1, &[("cleanup.policy", "compact")]);
    let letters = [app.dead_letters(), settled.clone()].map(|topic| Acl::topic(&topic, READ));
    let discard = Guarded {
        command: &["dlq", "discard", "--note", "x", "--execute"],
        writes_to: &settled,
        needs: &[
            &letters[..],
            &[WRITE, DESCRIBE_CONFIGS].map(|one| Acl::topic(&settled, one)),
            &[Acl::transactional_ids(&format!("{}-", app.id), WRITE)],
        ]
        .concat(),
        of_many: &[],
    };
    discard.check(&mut app, &mut users);

    let input = app.input(Source::LoyaltyCustomers);
    let read = |topics: &[String]| -> Vec<Acl> {
        let topics = topics.iter();
        topics.map(|topic| Acl::topic(topic, READ)).collect()
    };
    let kept = read(&[app.state(), app.forwarded(), app.snapshots(), input.clone()]);
    let erase = Guarded {
        command: &["erase", "c-1", "--execute"],
        writes_to: &input,
        needs: &[&letters[..], &kept, &[Acl::topic(&input, WRITE)]].concat(),
        of_many: &[
            &read(&app.inputs()[1..]),
            &[Acl::topic(&input, DESCRIBE_CONFIGS)][..],
        ]
        .concat(),
    };
    assert_eq!(app.inputs()[0], input);
    erase.check(&mut app, &mut users);
    // to wait for it, the committed offsets of the group are read
    let user = all.last().expect("a user");
    let command = ["erase", "c-1", "--execute", "--wait"];
    assert_refused(&app, &command, user, &Acl::group(&app.id, DESCRIBE));
    assert_eq!(users.next(), None);
}
