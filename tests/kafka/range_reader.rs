//! The reader of whole logs that the commands for operators use.

use keyfold::config::Config;
use keyfold::kafka::client::{ClientSettings, Isolation};
use keyfold::kafka::range_reader::{LogQuery, Progress, Range, RangeReader, ReadError};
use rdkafka::producer::Producer;

use keyfold_harness::app::{App, LIMIT};
use keyfold_harness::client::{Isolation as Seen, unique};
use keyfold_harness::foreign_clients::{delete_before, open_transaction, produce_in_transaction};
use keyfold_harness::record::Record;
use keyfold_harness::wait::wait_until;

/// A record as it was read: topic, partition, offset, value.
type Read = (String, i32, i64, String);

fn config(app: &App) -> Config {
    Config::load(Some(&app.config_file())).expect("a configuration")
}

fn ranges(config: &Config, isolation: Isolation, topics: &[&str]) -> Vec<Range> {
    let query = LogQuery::connect(ClientSettings::from(config), isolation);
    query
        .and_then(|query| query.ranges(topics))
        .expect("ranges")
}

/// Reads to the end; what was read, in order of the places, and how many offsets were lost.
fn read(
    config: &Config,
    ranges: Vec<Range>,
    mut at_record: impl FnMut(u64),
    mut tick: impl FnMut(&Progress),
) -> (Vec<Read>, u64) {
    let settings = ClientSettings::from(config);
    let reader = RangeReader::open(settings, Isolation::Committed, ranges);
    let mut reader = reader.expect("a reader");
    let mut all = Vec::new();
    let done: Result<(), ReadError> = reader.read(
        |record| {
            let value = record.value().unwrap_or_default();
            let value = String::from_utf8_lossy(&value[..value.len().min(20)]).into_owned();
            all.push((
                record.topic.to_owned(),
                record.partition,
                record.offset,
                value,
            ));
            at_record(all.len() as u64);
            Ok(())
        },
        |progress| {
            tick(progress);
            Ok(())
        },
    );
    done.expect("all is read");
    assert!(reader.is_done());
    let progress = reader.progress();
    assert_eq!(progress.read, progress.offsets);
    assert_eq!(progress.records, all.len() as u64);
    all.sort();
    (all, reader.lost())
}

fn values(read: &[Read]) -> Vec<&str> {
    read.iter().map(|(.., value)| value.as_str()).collect()
}

fn numbered(topic: &str, numbers: std::ops::Range<u32>) -> Vec<Record> {
    let record = |number: u32| {
        let key = format!("k{}", number % 3);
        let record = Record::to(topic).partition(0).key(key);
        record.value(format!("v{number}"))
    };
    numbers.map(record).collect()
}

#[test]
fn transactions_are_read_as_they_end() {
    let app = App::new();
    let topic = unique("ranges");
    app.client.create_topic(&topic, 2, &[]);
    produce_in_transaction(&app, &numbered(&topic, 0..3), true);
    produce_in_transaction(&app, &numbered(&topic, 3..6), false);
    let open = open_transaction(&app, &numbered(&topic, 6..8));
    app.client.produce(&numbered(&topic, 8..9));
    let config = config(&app);

    // three records and a marker, three records and a marker, and then what is open
    let stable = ranges(&config, Isolation::Committed, &[&topic]);
    assert_eq!((stable[0].from, stable[0].end), (0, 8));
    assert_eq!((stable[1].from, stable[1].end), (0, 0));
    let (found, lost) = read(&config, stable, |_| {}, |_| {});
    assert_eq!((values(&found), lost), (vec!["v0", "v1", "v2"], 0));

    let all = ranges(&config, Isolation::Uncommitted, &[&topic]);
    assert_eq!(all[0].end, 11);
    let mut has_waited = false;
    let tick = |progress: &Progress| {
        if progress.waits_for_transaction.is_some() && !has_waited {
            has_waited = true;
            assert_eq!(progress.read, 8);
            open.commit_transaction(LIMIT).expect("committed");
        }
    };
    let (found, _) = read(&config, all, |_| {}, tick);
    assert_eq!(values(&found), ["v0", "v1", "v2", "v6", "v7", "v8"]);
    assert!(has_waited);

    // what came behind the end is not read
    let within = Range {
        topic: topic.clone(),
        partition: 0,
        from: 1,
        end: 9,
    };
    let (found, _) = read(&config, vec![within], |_| {}, |_| {});
    assert_eq!(values(&found), ["v1", "v2", "v6"]);
}

#[test]
fn several_topics_are_read_side_by_side() {
    let app = App::new();
    let topics = [unique("ranges-a"), unique("ranges-b"), unique("ranges-c")];
    let mut produced = Vec::new();
    for (topic, partitions) in topics.iter().zip([3, 1, 4]) {
        app.client.create_topic(topic, partitions, &[]);
        for number in 0..200 {
            let partition = number % partitions;
            let record = Record::to(topic).partition(partition);
            produced.push(record.value(format!("{topic}-{number}")));
        }
    }
    app.client.produce(&produced);
    let config = config(&app);
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    let ranges = ranges(&config, Isolation::Committed, &names);
    assert_eq!(ranges.len(), 8);
    let (found, lost) = read(&config, ranges, |_| {}, |_| {});
    assert_eq!((found.len(), lost), (600, 0));
    for topic in &topics {
        let of_topic = found.iter().filter(|(name, ..)| name == topic);
        assert_eq!(of_topic.count(), 200);
    }
    let missing = LogQuery::connect(ClientSettings::from(&config), Isolation::Committed)
        .and_then(|query| query.ranges(&["no-such-topic"]));
    assert_eq!(missing, Err(ReadError::NoTopic("no-such-topic".to_owned())));
}

#[test]
fn ranges_begin_at_a_time() {
    let app = App::new();
    let topic = unique("ranges");
    app.client.create_topic(&topic, 2, &[]);
    let at = |number: i64| {
        let record = Record::to(&topic).partition(0).at(1_000_000 + number);
        record.value(format!("v{number}"))
    };
    app.client.produce(&(0..10).map(at).collect::<Vec<_>>());
    let config = config(&app);
    let query = LogQuery::connect(ClientSettings::from(&config), Isolation::Committed);
    let query = query.expect("a client");
    for (since, expected) in [(0, (0, 0)), (1_000_004, (4, 0)), (2_000_000, (10, 0))] {
        let mut ranges = query.ranges(&[&topic]).expect("ranges");
        query.begin_at(&mut ranges, since).expect("offsets");
        assert_eq!((ranges[0].from, ranges[1].from), expected, "{since}");
    }
}

/// The end of a range need not hold a record: compaction takes records everywhere.
#[test]
fn holes_of_compaction_are_passed() {
    let app = App::new();
    let topic = unique("ranges");
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "50"),
        ("min.cleanable.dirty.ratio", "0.001"),
        ("max.compaction.lag.ms", "100"),
    ];
    app.client.create_topic(&topic, 1, &settings);
    app.client.produce(&numbered(&topic, 0..90));
    std::thread::sleep(std::time::Duration::from_millis(100));
    app.client.produce(&numbered(&topic, 90..93));
    wait_until(LIMIT, "compaction", || {
        // a segment ends when something is written behind its time
        app.client.produce(&numbered(&topic, 93..94));
        let left = app.client.read_all(&topic, Seen::ReadCommitted);
        let is_gone = |offset: i64| left.iter().all(|record| record.offset != offset);
        (is_gone(0) && is_gone(50) && is_gone(86)).then_some(())
    });
    let config = config(&app);
    let range = |from, end| Range {
        topic: topic.clone(),
        partition: 0,
        from,
        end,
    };
    let (found, lost) = read(&config, vec![range(0, 50)], |_| {}, |_| {});
    assert_eq!((found, lost), (vec![], 0));
    let (found, lost) = read(&config, vec![range(20, 91)], |_| {}, |_| {});
    assert!(
        found
            .iter()
            .all(|(_, _, offset, _)| *offset > 20 && *offset < 91)
    );
    assert_eq!(lost, 0);
}

#[test]
fn what_retention_takes_meanwhile_is_told() {
    let app = App::new();
    let topic = unique("ranges");
    app.client.create_topic(&topic, 2, &[]);
    let large = |number: u32| {
        let record = Record::to(&topic).partition(0);
        record.value(format!("v{number:<60000}"))
    };
    let mut records: Vec<Record> = (0..900).map(large).collect();
    let other = Record::to(&topic).partition(1).value("other");
    records.push(other);
    app.client.produce(&records);
    let config = config(&app);
    let all = ranges(&config, Isolation::Committed, &[&topic]);
    let at_record = |number| {
        if number == 5 {
            delete_before(&app, &topic, 0, 880);
        }
    };
    let (found, lost) = read(&config, all.clone(), at_record, |_| {});
    // what the client had fetched already is read, and what is left
    assert!(lost > 0 && found.len() >= 21, "{lost} and {}", found.len());
    assert_eq!(found.len() as u64 + lost, 901);
    assert_eq!(found[found.len() - 2].2, 899);

    // a range that begins before the log does
    let (found, lost) = read(&config, all, |_| {}, |_| {});
    assert_eq!((found.len(), lost), (21, 880));
}
