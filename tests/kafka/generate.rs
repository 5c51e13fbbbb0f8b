//! `keyfold generate --kafka`: what it says of the records that it sends.

use std::time::{SystemTime, UNIX_EPOCH};

use keyfold::model::record::Source;

use keyfold_harness::app::{App, text_of};
use keyfold_harness::client::Isolation;
use keyfold_harness::expected::Repeats;

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.expect("a clock after 1970").as_millis()).expect("a time of this era")
}

/// With a rate, no record is stamped with a time that has not come yet: it would win over records that come then.
#[test]
fn no_record_is_stamped_later_than_it_is_sent() {
    let app = App::new();
    app.create_inputs();
    let before = now();
    let output = app.command(
        &["generate", "--kafka", "--records", "400", "--rate", "150"],
        b"",
    );
    let after = now();
    assert_eq!(output.status.code(), Some(0), "{}", text_of(&output));
    let mut timestamps = Vec::new();
    for source in Source::BUILT_IN {
        let records = app
            .client
            .read_all(&app.input(source), Isolation::ReadCommitted);
        timestamps.extend(records.into_iter().filter_map(|record| record.timestamp));
    }
    assert_eq!(timestamps.len(), 400);
    let (oldest, newest) = (timestamps.iter().min(), timestamps.iter().max());
    assert!(oldest >= Some(&before), "{oldest:?}, began at {before}");
    assert!(newest <= Some(&after), "{newest:?}, ended at {after}");
}

/// A definition with a deletion, so that there are records of each kind.
const MEMBERS: &str = r#"
customer_id = "/member/no"
updated_at = { from = "/at", unit = "millis" }

[fields]
displayName = "/member/name"
emailAddress = "/member/mail"

[deleted]
when = "/event"
is = ["left"]
"#;

/// Records that are made of a definition are taken as any others, and only those are rejected that are made to be.
#[test]
fn records_of_a_definition_reach_their_customers() {
    let mut app = App::new();
    let gym = app.declare("gym", MEMBERS);
    app.create();
    let mut keyfold = app.run_ready();
    let args = [
        "generate",
        "--definition",
        "gym",
        "--kafka",
        "--records",
        "2000",
    ];
    let more = ["--customers", "100", "--invalid", "0.05"];
    let output = app.command(&[&args[..], &more].concat(), b"");
    assert_eq!(output.status.code(), Some(0), "{}", text_of(&output));
    app.wait_drained(&mut keyfold);
    app.assert_folded(Repeats::Forbidden);
    let metrics = keyfold.settled_metrics();
    app.assert_ledger(&[&metrics]);
    let made = app
        .client
        .read_all(&app.input(gym), Isolation::ReadCommitted);
    assert_eq!(made.len(), 2000);
    let letters = app.read_dead_letters().len();
    assert!((50..150).contains(&letters), "{letters}");
    assert!(app.newest_snapshots().len() > 80);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}
