//! `keyfold topics`, and what `keyfold run` refuses.

use keyfold::model::record::Source;

use keyfold_harness::app::{App, LIMIT, faulty, text_of};
use keyfold_harness::expected::Repeats;
use keyfold_harness::metrics::sum;
use keyfold_harness::record::Record;
use keyfold_harness::wait::wait_until;

const DAY: i64 = 24 * 60 * 60 * 1000;

fn number(settings: &std::collections::BTreeMap<String, String>, name: &str) -> i64 {
    let value = settings.get(name).map(String::as_str).unwrap_or_default();
    value
        .parse()
        .unwrap_or_else(|_| panic!("{name}: {value:?}"))
}

#[test]
fn topics_creates_what_is_missing_and_changes_nothing_else() {
    let mut app = App::new();
    app.set_partitions([3, 5, 1, 2]);
    app.create_inputs();
    app.create_outputs();
    for topic in [app.state(), app.forwarded()] {
        assert_eq!(
            app.client.partitions(&topic),
            Some(5),
            "the largest input's"
        );
    }
    let all = [
        app.state(),
        app.forwarded(),
        app.snapshots(),
        app.dead_letters(),
    ];
    let settings = all.clone().map(|topic| app.client.topic_settings(&topic));
    let [state, forwarded, snapshots, dead_letters] = &settings;
    for compacted in [state, snapshots] {
        assert_eq!(compacted["cleanup.policy"], "compact");
        assert_eq!(number(compacted, "max.compaction.lag.ms"), DAY);
        let segment = number(compacted, "segment.ms");
        assert!((DAY / 24..DAY).contains(&segment), "hours: {segment}");
    }
    assert_eq!(number(snapshots, "delete.retention.ms"), 7 * DAY);
    assert_eq!(forwarded["cleanup.policy"], "delete");
    assert_eq!(number(forwarded, "retention.ms"), -1);
    assert_eq!(number(forwarded, "retention.bytes"), -1);
    assert_eq!(dead_letters["cleanup.policy"], "delete");
    for settings in &settings {
        assert!(number(settings, "max.message.bytes") >= 1_048_576 + 65_536);
    }

    app.create_outputs();
    let again = all.map(|topic| app.client.topic_settings(&topic));
    assert_eq!(again, settings);
}

#[test]
fn topics_takes_the_number_of_partitions_from_the_configuration() {
    let mut app = App::new();
    app.set(&["topics", "partitions"], 7);
    app.create();
    assert_eq!(app.client.partitions(&app.state()), Some(7));
    assert_eq!(app.client.partitions(&app.forwarded()), Some(7));
}

#[test]
fn topics_says_what_differs() {
    let app = App::new();
    app.create_inputs();
    let settings = [("cleanup.policy", "delete"), ("max.message.bytes", "10000")];
    app.client.create_topic(&app.snapshots(), 3, &settings);
    let output = app.command(&["topics"], b"");
    let said = text_of(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for word in [&app.snapshots(), "cleanup.policy", "max.message.bytes"] {
        assert!(said.contains(word), "{word} in: {said}");
    }
    let kept = app.client.topic_settings(&app.snapshots());
    assert_eq!(kept["cleanup.policy"], "delete", "it only says so");
    assert_eq!(
        app.client.partitions(&app.state()),
        Some(3),
        "the others are made"
    );
}

/// One command for one setting, and a word on dead letters that are gone before anybody sees them.
#[test]
fn topics_says_one_thing_of_each_setting() {
    let app = App::new();
    app.create_inputs();
    let small = [
        ("cleanup.policy", "compact"),
        ("max.message.bytes", "10000"),
    ];
    app.client.create_topic(&app.state(), 3, &small);
    let short = [
        ("retention.ms", "1000"),
        ("cleanup.policy", "compact,delete"),
    ];
    app.client.create_topic(&app.dead_letters(), 3, &short);
    let output = app.command(&["topics"], b"");
    let said = text_of(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let of_state: Vec<&str> = said
        .lines()
        .filter(|line| line.contains(&app.state()) && line.contains("max.message.bytes"))
        .collect();
    assert_eq!(of_state.len(), 2, "what, and the command: {of_state:#?}");
    assert!(of_state[0].contains("must be fixed"), "{of_state:#?}");
    let command = format!(
        "--entity-name {} --add-config max.message.bytes=1114112",
        app.state()
    );
    assert!(of_state[1].contains(&command), "{of_state:#?}");
    for part in ["retention.ms=86400000", "cleanup.policy=delete"] {
        let command = format!("--entity-name {} --add-config {part}", app.dead_letters());
        assert!(said.contains(&command), "{command} in: {said}");
    }
    // of the one that it made itself there is nothing to say
    assert!(!said.contains(&format!("{}: ", app.snapshots())), "{said}");
}

/// An input whose records have the time of their arrival is warned of, by `topics` and by `run`.
#[test]
fn an_input_with_the_time_of_arrival_is_warned_of() {
    let app = App::new();
    let append = ("message.timestamp.type", "LogAppendTime");
    for source in Source::BUILT_IN {
        let settings = match source {
            Source::ConsoleCustomers | Source::PublisherCustomers => &[append][..],
            _ => &[],
        };
        app.client.create_topic(&app.input(source), 3, settings);
    }
    let output = app.command(&["topics"], b"");
    let said = text_of(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let mut keyfold = app.run_ready();
    let log = keyfold.log();
    for source in Source::BUILT_IN {
        let topic = app.input(source);
        let is_warned = matches!(
            source,
            Source::ConsoleCustomers | Source::PublisherCustomers
        );
        let warning = format!("{topic}: message.timestamp.type is LogAppendTime");
        assert_eq!(said.contains(&warning), is_warned, "{source}: {said}");
        let command =
            format!("--entity-name {topic} --add-config message.timestamp.type=CreateTime");
        assert_eq!(said.contains(&command), is_warned, "{source}: {said}");
        assert_eq!(log.contains(&warning), is_warned, "{source}: {log}");
    }
    assert_eq!(keyfold.terminate(), 0);
}

/// The group knows a named member for a while after it has stopped.
#[test]
fn reset_waits_for_the_session_of_a_named_instance() {
    let mut app = App::new();
    app.set(&["instance_id"], "one");
    app.create();
    let mut keyfold = app.run_ready();
    assert_eq!(keyfold.terminate(), 0);
    let output = app.command(&["topics", "reset", "--yes"], b"");
    let said = text_of(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for part in [
        "still knows the member one-0 by its instance_id",
        "up to 6 s",
    ] {
        assert!(said.contains(part), "{part} in: {said}");
    }
}

#[test]
fn run_refuses_a_state_topic_that_is_not_compacted() {
    let app = App::new();
    app.create_inputs();
    let settings = [
        ("cleanup.policy", "delete"),
        ("max.message.bytes", "2097152"),
    ];
    app.client.create_topic(&app.state(), 3, &settings);
    let output = app.command(&["topics"], b"");
    assert_eq!(output.status.code(), Some(1), "{}", text_of(&output));
    let said = app.run_refused();
    for word in [
        &app.state(),
        "cleanup.policy",
        "compact",
        "kafka-configs.sh",
    ] {
        assert!(said.contains(word), "{word} in: {said}");
    }
}

#[test]
fn run_refuses_a_forwarded_topic_with_time_retention() {
    let app = App::new();
    app.create_inputs();
    let settings = [
        ("retention.ms", "604800000"),
        ("max.message.bytes", "2097152"),
    ];
    app.client.create_topic(&app.forwarded(), 3, &settings);
    let output = app.command(&["topics"], b"");
    assert_eq!(output.status.code(), Some(1), "{}", text_of(&output));
    let said = app.run_refused();
    for word in [&app.forwarded(), "retention.ms", "kafka-configs.sh"] {
        assert!(said.contains(word), "{word} in: {said}");
    }
}

#[test]
fn run_refuses_internal_topics_with_different_numbers_of_partitions() {
    let app = App::new();
    app.create_inputs();
    let settings = [("retention.ms", "-1"), ("max.message.bytes", "2097152")];
    app.client.create_topic(&app.forwarded(), 2, &settings);
    let settings = [
        ("cleanup.policy", "compact"),
        ("max.message.bytes", "2097152"),
    ];
    app.client.create_topic(&app.state(), 3, &settings);
    let output = app.command(&["topics"], b"");
    assert_eq!(output.status.code(), Some(1), "{}", text_of(&output));
    let said = app.run_refused();
    for word in [&app.forwarded(), "partition", "topics reset"] {
        assert!(said.contains(word), "{word} in: {said}");
    }
}

/// The committed offsets know how far the state was.
#[test]
fn run_refuses_a_state_topic_that_was_recreated() {
    let app = App::new();
    app.create();
    let records: Vec<Record> = app.stream(faulty(71, 100)).take(500).collect();
    app.client.produce(&records);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    assert_eq!(keyfold.terminate(), 0);
    let published = app.newest_snapshots();

    let state = app.state();
    app.client.delete_topics(&[&state]);
    wait_until(LIMIT, "the topic to be gone", || {
        app.client.partitions(&state).is_none().then_some(())
    });
    app.create_outputs();
    let said = app.run_refused();
    for word in [state.as_str(), "topics reset"] {
        assert!(said.contains(word), "{word} in: {said}");
    }

    let output = app.command(&["topics", "reset", "--yes"], b"");
    assert_eq!(output.status.code(), Some(0), "{}", text_of(&output));
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    assert_eq!(app.newest_snapshots(), published);
    assert_eq!(keyfold.terminate(), 0);
}

#[test]
fn reset_refuses_while_an_instance_runs_and_then_rebuilds_everything() {
    let app = App::new();
    app.create();
    let records: Vec<Record> = app.stream(faulty(72, 100)).take(1_500).collect();
    app.client.produce(&records);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    app.assert_folded(Repeats::Forbidden);
    let letters = app.read_dead_letters().len();

    let output = app.command(&["topics", "reset", "--yes"], b"");
    let said = text_of(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    let more = app
        .record(Source::LoyaltyCustomers)
        .key("1")
        .value("not JSON");
    app.client.produce(&[more]);
    app.wait_drained(&mut keyfold);
    assert_eq!(keyfold.terminate(), 0);

    // without a word of assent nothing happens
    let states = app.client.watermarks(&app.state());
    let output = app.command(&["topics", "reset"], b"no\n");
    assert_eq!(output.status.code(), Some(1), "{}", text_of(&output));
    let output = app.command(&["topics", "reset"], b"");
    let said = text_of(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("--yes"), "{said}");
    assert_eq!(app.client.watermarks(&app.state()), states);

    let output = app.command(&["topics", "reset", "--yes"], b"");
    assert_eq!(output.status.code(), Some(0), "{}", text_of(&output));
    let inputs = app.inputs();
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    assert!(app.client.committed_offsets(&app.id, &inputs).is_empty());
    let mut keyfold = app.run();
    keyfold.wait_ready(LIMIT);
    app.wait_drained(&mut keyfold);
    // the dead letters come once more, the snapshots are what they were
    app.assert_folded(Repeats::Allowed);
    assert_eq!(app.read_dead_letters().len(), 2 * (letters + 1));
    let read = sum(&keyfold.settled_metrics(), "keyfold_records_total", &[]);
    assert!(read > 1_500.0, "all inputs were read again: {read}");
    assert_eq!(keyfold.terminate(), 0);
}
