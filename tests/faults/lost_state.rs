//! A state topic that has lost its tail, as by a disk that went away or the election of a leader that lagged, while
//! the committed offsets are still there. (One that was deleted and recreated is in `tests/kafka/topics.rs`, and
//! records deleted before they were read are in `tests/kafka/offsets.rs`.)

use std::fs::{self, OpenOptions};

use crate::fleet;
use crate::load::{Load, judge, settle};
use keyfold_harness::app::{App, LIMIT, text_of};
use keyfold_harness::broker::{Broker, BrokerOptions};
use keyfold_harness::expected::Repeats;
use keyfold_harness::slots::Slot;

#[test]
fn a_state_topic_without_its_tail_is_refused_and_can_be_rebuilt() {
    let slot = Slot::take();
    let mut broker = Broker::start(BrokerOptions::default());
    let mut app = App::on(broker.bootstrap(), broker.client(), slot);
    app.set(&["processing", "max_batch_records"], 50);
    app.create();
    let load = Load::start(&app, 371, 500);
    let mut keyfold = fleet::start(&app);
    keyfold.wait_ready(LIMIT);
    settle(&app, load, &mut keyfold);
    fleet::stop(&mut keyfold);
    let published = app.newest_snapshots();
    let ends = app.client.watermarks(&app.state());

    broker.kill();
    for partition in 0..ends.len() {
        let log = broker.data().join(format!("{}-{partition}", app.state()));
        for file in fs::read_dir(&log).expect("a partition's log") {
            let file = file.expect("a file").path();
            match file.extension().and_then(|extension| extension.to_str()) {
                Some("log") => {
                    let open = OpenOptions::new()
                        .write(true)
                        .open(&file)
                        .expect("a segment");
                    let half = open.metadata().expect("a length").len() / 2;
                    open.set_len(half).expect("half of it");
                }
                // made anew from the log
                Some("index" | "timeindex" | "snapshot" | "txnindex") => {
                    fs::remove_file(&file).expect("removed");
                }
                _ => {}
            }
        }
    }
    broker.restart();
    let cut = app.client.watermarks(&app.state());
    assert!(
        cut.iter().zip(&ends).all(|(now, then)| now.1 < then.1),
        "{cut:?} {ends:?}"
    );

    let said = app.run_refused();
    for word in [app.state().as_str(), "topics reset"] {
        assert!(said.contains(word), "{word} in: {said}");
    }
    let output = app.command(&["topics", "reset", "--yes"], b"");
    assert_eq!(output.status.code(), Some(0), "{}", text_of(&output));
    let mut keyfold = fleet::start(&app);
    judge(&app, &mut keyfold, Repeats::Allowed);
    assert_eq!(app.newest_snapshots(), published);
    fleet::stop(&mut keyfold);
}
