//! Batches in a broker's log that no client can read, as by a failing disk or a codec that this client does not know: the
//! partition is named and stands still, everything else goes on.

use std::fs;
use std::path::Path;

use keyfold::model::record::Source;
use rdkafka::producer::{BaseProducer, Producer};

use crate::fleet;
use keyfold_harness::app::{App, LIMIT, text_of};
use keyfold_harness::broker::{Broker, BrokerOptions};
use keyfold_harness::foreign_clients::delete_before;
use keyfold_harness::metrics::sum;
use keyfold_harness::program::Keyfold;
use keyfold_harness::record::{Record, base_record};
use keyfold_harness::slots::Slot;

const ATTRIBUTES: usize = 22;
/// Behind the head of a record batch.
const RECORDS: usize = 61;

/// Alters the first batch of a partition's log. The broker must be stopped, for it keeps what it has read.
fn harm(broker: &Broker, topic: &str, harm: impl Fn(&mut [u8])) {
    let log = broker.data().join(format!("{topic}-0"));
    let segment = log.join("00000000000000000000.log");
    alter(&segment, harm);
}

fn alter(segment: &Path, harm: impl Fn(&mut [u8])) {
    let mut bytes = fs::read(segment).expect("a segment");
    assert!(bytes.len() > RECORDS + 8, "it holds a batch");
    harm(&mut bytes);
    fs::write(segment, bytes).expect("a segment");
}

/// Where a record batch has its length, its checksum, and the low byte of its attributes, whose three lowest bits are the
/// codec.
const LENGTH: usize = 8;
const CHECKSUM: usize = 17;
const CHECKED: usize = 21;

/// No client knows the codec 7.
fn unknown_codec(bytes: &mut [u8]) {
    bytes[ATTRIBUTES] |= 7;
    let length: [u8; 4] = bytes[LENGTH..LENGTH + 4].try_into().expect("four bytes");
    let end = LENGTH + 4 + u32::from_be_bytes(length) as usize;
    let checksum = castagnoli(&bytes[CHECKED..end]);
    bytes[CHECKSUM..CHECKED].copy_from_slice(&checksum.to_be_bytes());
}

/// The checksum of a record batch, CRC-32C.
fn castagnoli(bytes: &[u8]) -> u32 {
    let divide = |rest: u32, _| (rest >> 1) ^ (0x82f6_3b78 * (rest & 1));
    let of_byte = |rest: u32, byte: &u8| (0..8).fold(rest ^ u32::from(*byte), divide);
    !bytes.iter().fold(u32::MAX, of_byte)
}

fn flipped_bit(bytes: &mut [u8]) {
    bytes[RECORDS + 4] ^= 0x10;
}

/// Produces records to partition 0 of a topic in one batch of this codec.
fn produce(app: &App, source: Source, codec: &str) {
    let mut config = app.client.producer_config();
    config
        .set("compression.type", codec)
        .set("linger.ms", "1000");
    let producer: BaseProducer = config.create().expect("a producer");
    for n in 0..20 {
        let record: Record = app.record(source).partition(0);
        let record = record.key(format!("c-{n}")).value("{}");
        let sent = producer.send(base_record(&record));
        sent.map_err(|(error, _)| error).expect("a record");
    }
    producer.flush(LIMIT).expect("delivered");
}

fn wait_named(keyfold: &mut Keyfold, topic: &str, remedy: &str) {
    keyfold.wait_for(LIMIT, "to name the partition", |keyfold| {
        let (status, text) = keyfold.http_get("/readyz")?;
        let named = format!("{topic}[0] cannot be read at offset 0");
        (status == 503 && text.contains(&named) && text.contains(remedy)).then_some(())
    });
}

fn is_read_up_to_the_harm(harm_by: impl Fn(&mut [u8]), codec: &str, remedy: &str) {
    let slot = Slot::take();
    let mut broker = Broker::start(BrokerOptions::default());
    let app = App::on(broker.bootstrap(), broker.client(), slot);
    app.create();
    produce(&app, Source::ConsoleCustomers, codec);
    let topic = app.input(Source::ConsoleCustomers);
    broker.stop();
    harm(&broker, &topic, harm_by);
    broker.restart();

    let mut keyfold = fleet::start(&app);
    wait_named(&mut keyfold, &topic, remedy);
    assert_eq!(keyfold.metrics()["keyfold_partitions_stuck"], 1.0);
    produce(&app, Source::LoyaltyCustomers, "none");
    let others = [("source", "loyalty-customers")];
    keyfold.wait_for(LIMIT, "to go on with others", |keyfold| {
        let metrics = keyfold.metrics_soon(LIMIT)?;
        (sum(&metrics, "keyfold_records_total", &others) == 20.0).then_some(())
    });

    // what the remedy says: everything up to the end of the batch is given up
    produce(&app, Source::ConsoleCustomers, "none");
    delete_before(&app, &topic, 0, 20);
    let healed = [("source", "console-customers")];
    keyfold.wait_for(LIMIT, "to go on behind it", |keyfold| {
        let metrics = keyfold.metrics_soon(LIMIT)?;
        (sum(&metrics, "keyfold_records_total", &healed) == 20.0).then_some(())
    });
    keyfold.wait_ready(LIMIT);
    assert_eq!(keyfold.metrics()["keyfold_partitions_stuck"], 0.0);
    app.wait_drained(&mut keyfold);
    fleet::stop(&mut keyfold);
}

#[test]
fn a_batch_of_an_unknown_codec_is_named_and_passed_by_the_others() {
    is_read_up_to_the_harm(unknown_codec, "none", "have its producer use none");
}

#[test]
fn a_batch_that_is_corrupt_is_named_and_passed_by_the_others() {
    is_read_up_to_the_harm(flipped_bit, "none", "corrupt");
}

/// A restore that comes no further is named too, and the state can be rebuilt.
#[test]
fn a_state_topic_that_is_corrupt_is_named() {
    let slot = Slot::take();
    let mut broker = Broker::start(BrokerOptions::default());
    let mut app = App::on(broker.bootstrap(), broker.client(), slot);
    app.set_partitions([1; 4]);
    app.create();
    app.client.produce(&[{
        let record = app.record(Source::ConsoleCustomers).partition(0);
        record
            .key("c-1")
            .value(r#"{"customerId":"c-1","version":1}"#)
    }]);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    fleet::stop(&mut keyfold);
    let published = app.newest_snapshots();
    assert_eq!(published.len(), 1);
    broker.stop();
    harm(&broker, &app.state(), flipped_bit);
    broker.restart();

    let mut keyfold = app.run();
    wait_named(&mut keyfold, &app.state(), "corrupt");
    assert_eq!(keyfold.metrics()["keyfold_partitions_stuck"], 1.0);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
    let output = app.command(&["topics", "reset", "--yes"], b"");
    assert_eq!(output.status.code(), Some(0), "{}", text_of(&output));
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    assert_eq!(app.newest_snapshots(), published);
    fleet::stop(&mut keyfold);
}
