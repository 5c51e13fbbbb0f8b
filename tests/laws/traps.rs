//! The traps of a fold whose result must not depend on the order of the records (docs/design.md, "Why the fold is a
//! join"), each by its name. What is expected is worked out by hand from the rules of the fold (docs/contract.md,
//! section 3), and must come out of every order of the records.

use serde_json::{Value, json};

use crate::folding::{config, offline};
use crate::oracle::{self, Input, Settings, Src, Tomb};

/// 2024-02-06T10:00:00Z in milliseconds. The seconds of the tests count from here.
const TEN: i64 = 1_707_213_600_000;

fn record(source: Src, second: i64, value: &Value) -> Input {
    Input {
        source,
        key: None,
        value: Some(value.to_string().into_bytes()),
        timestamp: Some(TEN + second * 1000),
    }
}

fn null(source: Src, second: i64) -> Input {
    Input {
        source,
        key: Some(b"c".to_vec()),
        value: None,
        timestamp: Some(TEN + second * 1000),
    }
}

fn time(second: i64) -> String {
    format!("2024-02-06T10:00:{second:02}Z")
}

/// A customer event with more in its body.
fn event(action: &str, second: i64, more: Value) -> Input {
    let mut body = json!({
        "customerId": "c", "addresses": [], "createdAt": time(0), "updatedAt": time(second),
    });
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let value = json!({"eventType": "CUSTOMER", "eventAction": action, "version": 1, "body": body});
    record(Src::LoyaltyCustomers, second, &value)
}

/// An address with a time of its own, or with its event's.
fn address(id: &str, city: &str, own: Option<i64>) -> Value {
    let mut address =
        json!({"addressId": id, "line1": "1", "city": city, "zipCode": "z", "countryCode": "GB"});
    if let Some(second) = own {
        address["updatedAt"] = time(second).into();
    }
    address
}

fn listing(second: i64, addresses: &[Value]) -> Input {
    event("UPDATED", second, json!({"addresses": addresses}))
}

fn action(id: &str, second: i64) -> Input {
    let value = json!({"eventType": "CUSTOMER_ACTION", "eventAction": "CREATED", "version": 1, "body": {
        "interactionId": id, "customerId": "c", "interaction": {"type": "SIGN_UP"},
        "createdAt": time(0), "updatedAt": time(second),
    }});
    record(Src::LoyaltyActions, second, &value)
}

fn console(version: u64, second: i64, name: &str) -> Input {
    let value = json!({"customerId": "c", "version": version, "firstName": name});
    record(Src::ConsoleCustomers, second, &value)
}

/// Every order of the records.
fn orders(records: &[Input]) -> Vec<Vec<Input>> {
    let Some((first, rest)) = records.split_first() else {
        return vec![Vec::new()];
    };
    let insert = |order: Vec<Input>| {
        (0..=order.len()).map(move |at| {
            let mut order = order.clone();
            order.insert(at, first.clone());
            order
        })
    };
    orders(rest).into_iter().flat_map(insert).collect()
}

/// The one snapshot that all orders come to, and the oracle too; a null where there is nothing to show.
fn snapshot_with(settings: &Settings, records: &[Input]) -> Value {
    let config = config(settings);
    let expected = offline(records, &config);
    for order in orders(records) {
        assert_eq!(offline(&order, &config), expected, "in the order {order:?}");
    }
    assert_eq!(oracle::fold(records, settings), expected);
    assert_eq!(expected.keys().collect::<Vec<_>>(), ["c"]);
    expected["c"]
        .as_deref()
        .map_or(Value::Null, |text| serde_json::from_str(text).unwrap())
}

fn snapshot(records: &[Input]) -> Value {
    snapshot_with(&Settings::default(), records)
}

/// `id:city` of the addresses.
fn cities(snapshot: &Value) -> Vec<String> {
    let text = |address: &Value, name: &str| address[name].as_str().unwrap().to_owned();
    let addresses = snapshot["addresses"].as_array().unwrap().iter();
    addresses
        .map(|address| format!("{}:{}", text(address, "addressId"), text(address, "city")))
        .collect()
}

fn retracting(source: usize, max_actions: usize) -> Settings {
    let mut settings = Settings {
        max_actions,
        ..Settings::default()
    };
    settings.tombstone[source] = Tomb::Retract;
    settings
}

#[test]
fn trap_1_ties_are_not_broken_by_arrival() {
    let tied = snapshot(&[
        event("UPDATED", 1, json!({"status": "ACTIVE", "smsOptIn": true})),
        event(
            "UPDATED",
            1,
            json!({"status": "DELETED", "smsOptIn": false}),
        ),
        event(
            "CREATED",
            1,
            json!({"status": "DELETED", "marketingOptIn": false}),
        ),
    ]);
    // an update outweighs a creation, then the greater text wins
    assert_eq!(tied["status"], "DELETED");
    assert_eq!(tied["smsOptIn"], true);
    assert_eq!(tied["marketingOptIn"], false);

    let elements = snapshot(&[
        listing(1, &[address("a", "Perth", None)]),
        listing(
            1,
            &[address("a", "Leeds", None), address("b", "York", None)],
        ),
        event(
            "CREATED",
            1,
            json!({"addresses": [address("a", "Zurich", None)]}),
        ),
    ]);
    // the elements of all newest events are shown
    assert_eq!(cities(&elements), ["a:Perth", "b:York"]);

    let console = snapshot(&[
        console(1, 1, "Ada"),
        console(1, 1, "Bea"),
        console(1, 0, "Cleo"),
    ]);
    assert_eq!(console["firstName"], "Bea");

    // as texts "00Z" is greater than "00.500Z"
    let created = |at: &str| event("UPDATED", 1, json!({"createdAt": at}));
    let times = snapshot(&[
        created("2024-02-06T10:00:00.5Z"),
        created("2024-02-06T10:00:00Z"),
    ]);
    assert_eq!(times["sources"]["loyalty"]["createdAt"], time(0));
}

#[test]
fn trap_2_hidden_elements_keep_their_register() {
    // hidden by the event of second 3, shown again by that of second 4 with the content of second 9
    let records = [
        listing(1, &[address("a", "newest", Some(9))]),
        listing(3, &[]),
        listing(4, &[address("a", "older", None)]),
    ];
    assert_eq!(cities(&snapshot(&records)), ["a:newest"]);
    let hidden = snapshot(&records[..2]);
    assert_eq!(hidden["addresses"], json!([]));
    assert_eq!(hidden["updatedAt"], time(3));
}

#[test]
fn trap_3_an_erasure_filters_each_datum_by_its_own_time() {
    let erase = null(Src::LoyaltyCustomers, 5);
    // the event is forgotten, its element is newer; a late event lists it again
    let listed = [
        listing(4, &[address("a", "own time", Some(8))]),
        listing(6, &[address("a", "event's time", None)]),
        erase.clone(),
    ];
    let snapshot_of_listed = snapshot(&listed);
    assert_eq!(cities(&snapshot_of_listed), ["a:own time"]);
    assert_eq!(snapshot_of_listed["updatedAt"], time(6));

    // the event is newer, its element's content is forgotten; that it lists the element is not
    let seen = [
        listing(7, &[address("a", "forgotten", Some(3))]),
        listing(
            6,
            &[address("a", "late", None), address("b", "hidden", None)],
        ),
        erase.clone(),
    ];
    assert_eq!(cities(&snapshot(&seen)), ["a:late"]);
    assert_eq!(
        cities(&snapshot(&[seen[0].clone(), erase.clone()])),
        [""; 0]
    );

    // a list none of whose events is newer is forgotten as a whole, by union too
    let union = Settings {
        union: true,
        ..Settings::default()
    };
    let all_older = [listing(4, &[address("a", "own time", Some(8))]), erase];
    for settings in [Settings::default(), union] {
        assert_eq!(snapshot_with(&settings, &all_older), Value::Null);
    }
}

#[test]
fn trap_4_an_erased_customer_stays_erased() {
    let erased = [
        event("UPDATED", 5, json!({"status": "ACTIVE"})),
        action("i", 4),
        console(1, 3, "Ada"),
        null(Src::LoyaltyCustomers, 5),
    ];
    assert_eq!(snapshot(&erased), Value::Null);
    let newer = event("CREATED", 6, json!({"smsOptIn": true}));
    let back = snapshot(&[&erased[..], &[newer]].concat());
    assert_eq!(back.get("status"), None);
    assert_eq!(back.get("actions"), None);
    assert_eq!(back.get("firstName"), None);
    assert_eq!(back["smsOptIn"], true);
    assert_eq!(
        back["sources"],
        json!({"loyalty": {"createdAt": time(0), "updatedAt": time(6)}})
    );
}

#[test]
fn trap_5_keeping_the_newest_actions_is_a_join() {
    let settings = Settings {
        max_actions: 2,
        ..Settings::default()
    };
    let ids = |snapshot: &Value| {
        let recent = snapshot["actions"]["recent"].as_array().unwrap().iter();
        recent
            .map(|action| action["interactionId"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    // at equal stamps the greater id is the newer
    let tied = [action("a", 1), action("b", 1), action("c", 1)];
    assert_eq!(ids(&snapshot_with(&settings, &tied)), ["c", "b"]);
    // one that was let go comes back with a newer event, and as it was
    let back = [
        action("a", 1),
        action("b", 2),
        action("c", 3),
        action("a", 4),
    ];
    let back = snapshot_with(&settings, &back);
    assert_eq!(ids(&back), ["a", "c"]);
    assert_eq!(back["actions"]["total"], 2);
    assert_eq!(back["actions"]["truncated"], true);
}

#[test]
fn trap_6_nothing_counts_deliveries() {
    let once = [
        listing(2, &[address("a", "York", None)]),
        action("i", 1),
        console(3, 2, "Ada"),
    ];
    // the same records again, and the same data from another offset at another time
    let mut again = action("i", 1);
    again.timestamp = Some(TEN + 59_000);
    let mut repeated = listing(2, &[address("a", "York", None)]);
    repeated.timestamp = None;
    let twice = [&once[..], &[again, repeated]].concat();
    assert_eq!(snapshot(&twice), snapshot(&once));
    assert_eq!(snapshot(&twice)["actions"]["total"], 1);
    assert_eq!(snapshot(&twice)["updatedAt"], time(2));
}

#[test]
fn trap_7_a_hidden_console_winner_beats_lower_versions() {
    let retract = null(Src::ConsoleCustomers, 5);
    let lower = [
        console(2, 5, "winner"),
        console(1, 9, "lower"),
        retract.clone(),
    ];
    assert_eq!(snapshot(&lower), Value::Null);
    // the order is (version, timestamp), the filter is the timestamp
    let same = [&lower[..], &[console(2, 6, "same version, later")]].concat();
    let shown = snapshot(&same);
    assert_eq!(shown["firstName"], "same version, later");
    assert_eq!(
        shown["sources"]["console"],
        json!({"version": 2, "updatedAt": time(6)})
    );
    // a higher version with an earlier time wins, and is hidden
    let higher = [console(3, 4, "higher"), console(2, 6, "lower"), retract];
    assert_eq!(snapshot(&higher), Value::Null);
}

#[test]
fn trap_8_truncated_is_a_stamp_and_no_flag() {
    let settings = retracting(1, 1);
    let truncated = |records: &[Input]| {
        snapshot_with(&settings, records)["actions"]["truncated"] == json!(true)
    };
    let actions = [action("a", 1), action("b", 2)];
    assert!(truncated(&actions));
    // an erasure that covers what was let go forgets that it was, before and after
    let covered = [&actions[..], &[null(Src::LoyaltyActions, 1)]].concat();
    assert!(!truncated(&covered));
    let uncovered = [&covered[..], &[action("c", 3)]].concat();
    assert!(truncated(&uncovered));
}
