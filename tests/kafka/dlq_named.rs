//! `keyfold dlq` with letters that are named and are not there, and with what else is in the dead-letter topic.

use keyfold_harness::app::App;
use keyfold_harness::client::Isolation;
use keyfold_harness::foreign_clients::delete_before;
use keyfold_harness::record::{Consumed, Record};

use crate::dlq::{console, dlq, reject};

fn settled(app: &App) -> String {
    format!("{}.settled", app.id)
}

/// The same letter, of another application.
fn of_another(app: &App, letter: &Consumed) -> Record {
    let mut record = Record::to(&app.dead_letters()).partition(letter.partition);
    for (name, value) in &letter.headers {
        let value = match name.ends_with(".application") {
            true => b"another".to_vec(),
            false => value.clone().unwrap_or_default(),
        };
        record = record.header(name, value);
    }
    record.key("c-1").value("{}")
}

/// Three letters in one partition, then a record that is none, and a letter of another application; the first is gone.
fn letters_and_others(app: &App) -> Vec<Consumed> {
    let bad = || console(app, b"c-1", b"{}");
    let letters = reject(app, &[bad(), bad(), bad()], 3);
    let partition = letters[0].partition;
    let foreign = Record::to(&app.dead_letters()).partition(partition);
    let others = [
        foreign.key("f").value("no letter"),
        of_another(app, &letters[0]),
    ];
    app.client.produce(&others);
    delete_before(app, &app.dead_letters(), partition, letters[1].offset);
    letters
}

#[test]
fn a_letter_that_is_named_must_be_there() {
    let app = App::new();
    app.create();
    let letters = letters_and_others(&app);
    let partition = letters[0].partition;
    let (_, end) = app.client.watermarks(&app.dead_letters())[partition as usize];
    let own = format!("{partition}@{}", letters[1].offset);
    let wrong = [
        (letters[0].offset, "retention has taken it"),
        (letters[2].offset + 1, "there is no record"),
        (end - 2, "is no dead letter"),
        (end - 1, "of the application another"),
        (end + 7, "behind the end"),
    ];
    let mut wrong: Vec<(String, &str)> = wrong
        .map(|(offset, why)| (format!("{partition}@{offset}"), why))
        .into();
    wrong.push(("99@0".to_owned(), "partitions only"));
    let names: Vec<&str> = wrong.iter().map(|(name, _)| name.as_str()).collect();
    let file = app.file("letters.jsonl");
    let path = file.to_str().expect("a path");
    for command in [
        &["export", path][..],
        &["discard", "--note", "x", "--execute"],
        &["show"],
    ] {
        let (out, err) = dlq(&app, &[command, &[&own], &names].concat(), 2);
        for (name, why) in &wrong {
            let mut lines = err.lines();
            let is_told =
                lines.any(|line| line.contains(&format!("{name}: ")) && line.contains(why));
            assert!(is_told, "{name}: {why} in: {err}");
        }
        // what is there is shown all the same
        assert_eq!(out.contains(&own), command == ["show"], "{out}");
    }
    assert!(!file.exists());
    assert_eq!(app.client.partitions(&settled(&app)), None);

    let (out, err) = dlq(&app, &["list", "--each"], 0);
    assert_eq!(out.lines().count(), 3, "{out}");
    assert!(
        err.contains("1 in") && err.contains("of other applications"),
        "{err}"
    );
    assert!(
        err.contains("1 records in") && err.contains("not dead letters"),
        "{err}"
    );
    // without names all that are this application's are meant, and no others
    dlq(&app, &["discard", "--note", "x", "--execute"], 0);
    let notes = app
        .client
        .read_all(&settled(&app), Isolation::ReadCommitted);
    let mut keys: Vec<&str> = notes.iter().map(Consumed::key_text).collect();
    keys.sort_unstable();
    let expected = letters[1..]
        .iter()
        .map(|letter| format!("{}/{partition}@{}", app.dead_letters(), letter.offset));
    assert_eq!(keys, expected.collect::<Vec<String>>());
}

/// A topic that forgets what is settled is refused, with the command that mends it.
#[test]
fn a_settled_topic_that_is_not_compacted_is_refused() {
    let app = App::new();
    app.create();
    reject(&app, &[console(&app, b"c-1", b"{}")], 1);
    let topic = settled(&app);
    app.client
        .create_topic(&topic, 1, &[("cleanup.policy", "delete")]);
    let discard = ["discard", "--note", "x", "--execute"];
    let (_, err) = dlq(&app, &discard, 2);
    let remedy = format!("--entity-name {topic} --add-config cleanup.policy=compact");
    assert!(err.contains(&remedy), "{remedy} in: {err}");
    let (_, err) = dlq(&app, &discard[..3], 0);
    assert!(err.contains(&remedy), "{remedy} in: {err}");
    let notes = || {
        app.client
            .read_all(&topic, Isolation::ReadUncommitted)
            .len()
    };
    assert_eq!(notes(), 0);
    app.client
        .set_topic(&topic, &[("cleanup.policy", "compact")]);
    dlq(&app, &discard, 0);
    assert_eq!(notes(), 1);
}
