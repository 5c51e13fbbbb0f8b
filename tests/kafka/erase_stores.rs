//! `keyfold erase` with the disk store, and with an input that is compacted.

use keyfold::model::partition;
use keyfold::model::record::Source;
use serde_json::{Value, json};

use keyfold_harness::app::App;

use crate::erase::{erase, loyalty, shown};

#[test]
fn an_erasure_holds_in_a_disk_store_and_in_a_compacted_input() {
    let mut app = App::new();
    app.set_partitions([4; 4]);
    app.set(&["state", "store"], "disk");
    let store = app.file("store");
    app.set(&["state", "directory"], store.to_str().expect("a path"));
    app.create();
    let input = app.input(Source::LoyaltyCustomers);
    let day = "86400000";
    let settings = [
        ("cleanup.policy", "compact"),
        ("max.compaction.lag.ms", day),
        ("segment.ms", day),
    ];
    app.client.set_topic(&input, &settings);
    let event = |customer: &str, minute: u32| {
        let at = format!("2024-01-01T00:{minute:02}:00Z");
        loyalty(&app, customer, &at, &json!({"status": "ACTIVE"}))
    };
    // its producer partitions in another way than Kafka does
    let own = (partition::of_key(b"c-1", 4) + 1) % 4;
    let records = [event("c-1", 1).partition(own), event("c-2", 1)];
    app.client.produce(&records);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    let other = shown(&app, "c-2");
    assert!(other.is_some() && shown(&app, "c-1").is_some());

    // compaction removes a record for a newer one in its own partition only
    let said = erase(&app, &["c-1", "--execute", "--wait"], 0);
    assert_eq!(said.part("written")["partition"], own);
    assert_eq!(said.place("input", Some(&input))["status"], "pending");
    assert_eq!(
        (shown(&app, "c-1"), shown(&app, "c-2")),
        (None, other.clone())
    );
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());

    // the state comes from the disk, and a late record does not bring the customer back
    let mut keyfold = app.run_ready();
    app.client.produce(&[event("c-1", 9).partition(own)]);
    app.wait_drained(&mut keyfold);
    assert_eq!((shown(&app, "c-1"), shown(&app, "c-2")), (None, other));
    let said = erase(&app, &["c-1"], 1);
    let plan = said.plan();
    assert_eq!(
        (&plan["because"], &plan["timestamp"]),
        (&json!("covered"), &Value::Null)
    );
    assert_eq!(said.place("input", Some(&input))["data"], 2);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}
