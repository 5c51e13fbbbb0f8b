//! Cases worked by hand.

use serde_json::Value;

use super::text::{country, format_instant, parse_instant, quote, sorted};
use super::*;

/// 2024-02-06T10:00:00Z, in milliseconds.
const TEN: i64 = 1_707_213_600_000;

fn record(source: Src, value: &str, timestamp: i64) -> Input {
    Input {
        source,
        key: None,
        value: Some(value.as_bytes().to_vec()),
        timestamp: Some(timestamp),
    }
}

fn null(source: Src, customer: &str, timestamp: i64) -> Input {
    Input {
        source,
        key: Some(customer.as_bytes().to_vec()),
        value: None,
        timestamp: Some(timestamp),
    }
}

/// A loyalty event of `c`, `second` seconds after ten, with more body fields.
fn loyalty(action: &str, second: u32, more: &str) -> Input {
    let value = format!(
        r#"{{"eventType":"CUSTOMER","eventAction":"{action}","version":1.0,"body":{{"customerId":"c",
        "createdAt":"2024-02-06T10:00:00Z","updatedAt":"2024-02-06T10:00:{second:02}Z",{more}}}}}"#
    );
    record(Src::LoyaltyCustomers, &value, TEN)
}

/// An action of `c`, created at ten and updated `second` seconds later.
fn action(id: &str, second: u32, interaction: &str, more: &str) -> Input {
    let value = format!(
        r#"{{"eventType":"CUSTOMER_ACTION","eventAction":"CREATED","version":1,"body":{{"customerId":"c",
        "interactionId":"{id}","interaction":{{{interaction}}},{more}
        "createdAt":"2024-02-06T10:00:00","updatedAt":"2024-02-06T10:00:{second:02}"}}}}"#
    );
    record(Src::LoyaltyActions, &value, TEN)
}

fn address(id: &str, line1: &str, more: &str) -> String {
    format!(
        r#"{{"addressId":"{id}","line1":"{line1}","city":"L","zipCode":"z","countryCode":"gb"{more}}}"#
    )
}

fn snapshot_of(records: &[Input], settings: &Settings) -> Option<String> {
    let snapshots = fold(records, settings);
    assert_eq!(snapshots.keys().collect::<Vec<_>>(), ["c"]);
    snapshots["c"].clone()
}

fn parsed(records: &[Input], settings: &Settings) -> Value {
    serde_json::from_str(&snapshot_of(records, settings).unwrap()).unwrap()
}

/// `id:line1` of each address.
fn lines(records: &[Input], settings: &Settings) -> Vec<String> {
    parsed(records, settings)["addresses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| {
            let text = |name: &str| a[name].as_str().unwrap().to_owned();
            format!("{}:{}", text("addressId"), text("line1"))
        })
        .collect()
}

#[test]
fn the_example_of_the_loyalty_source() {
    let value = r#"{"eventType":"CUSTOMER","eventAction":"CREATED","version":1.0,"body":{"customerId":"123456789",
        "dateOfBirth":"1998-02-01","status":"ACTIVE","marketingOptIn":true,"smsOptIn":false,"dependents":[{
        "dependentId":"123456789","dateOfBirth":"2024-01-01","type":"cat","createdAt":"2023-08-15T02:44:23.688Z",
        "updatedAt":"2023-08-15T02:44:23.688Z"}],"addresses":[{"addressId":"987654321","line1":"42B Baker Street",
        "line2":"Manchester-on-Thames","city":"London","province":"Some Borough","zipCode":"BB2H123","countryCode":"GB",
        "createdAt":"2023-08-15T02:44:23.688Z","updatedAt":"2023-08-15T02:44:23.688Z"}],
        "createdAt":"2023-08-15T02:44:23.688Z","updatedAt":"2023-08-15T02:44:23.688Z"}}"#;
    let snapshots = fold(
        &[record(Src::LoyaltyCustomers, value, TEN)],
        &Settings::default(),
    );
    let expected = concat!(
        r#"{"schemaVersion":1,"customerId":"123456789","status":"ACTIVE","dateOfBirth":"1998-02-01","#,
        r#""marketingOptIn":true,"smsOptIn":false,"phones":[],"addresses":[{"source":"loyalty","#,
        r#""addressId":"987654321","line1":"42B Baker Street","line2":"Manchester-on-Thames","city":"London","#,
        r#""province":"Some Borough","zipCode":"BB2H123","countryCode":"GB","createdAt":"2023-08-15T02:44:23.688Z","#,
        r#""updatedAt":"2023-08-15T02:44:23.688Z"}],"dependents":[{"dependentId":"123456789","#,
        r#""dateOfBirth":"2024-01-01","type":"cat","createdAt":"2023-08-15T02:44:23.688Z","#,
        r#""updatedAt":"2023-08-15T02:44:23.688Z"}],"attributes":{},"accounts":[],"sources":{"loyalty":{"#,
        r#""createdAt":"2023-08-15T02:44:23.688Z","updatedAt":"2023-08-15T02:44:23.688Z"}},"#,
        r#""updatedAt":"2023-08-15T02:44:23.688Z"}"#,
    );
    assert_eq!(snapshots["123456789"].as_deref(), Some(expected));
}

#[test]
fn actions_console_and_publisher_together() {
    let records = [
        action(
            "i",
            5,
            r#""type":"SIGN_UP","subscriptionContractId":"s""#,
            r#""utmParameters":{"utmTerms":" cats "},"#,
        ),
        record(
            Src::ConsoleCustomers,
            r#"{"customerId":"c","version":"07","firstName":" Ada ","lastName":null,
                "phones":[{"key":"2","country":" AU "},{"key":"1","type":"Mobile","numberLocal":"0400 "}],
                "addresses":[{"key":"k","address1":"a","address2":"b","suburb":"c","postcode":"d","state":"e","country":"aus"}],
                "attributes":{"b":1,"a":null}}"#,
            TEN + 7_500,
        ),
        record(
            Src::PublisherCustomers,
            r#"{"customers":[{"sourceCustomerId":"c","organizationId":"o","postalCode":" p ","country":"Nowhere ",
                "customerCreationDate":"2017-01-01T08:00:00","enrollmentStartDate":"2023-01-01T09:00:00+01:00",
                "enrollmentEndDate":null,"enrollmentOptInStatus":"ACTIVE","alertOptInStatus":["ALL"],
                "targetingIndicator":"TARGET","accounts":[{"type":" t","sourceAccountId":"x","accountOpenDate":
                "2018-05-12T20:30:00.10Z","accountCloseDate":null,"cards":[{"last4":"1","closeDate":null}]}]}]}"#,
            TEN + 6_000,
        ),
    ];
    let expected = concat!(
        r#"{"schemaVersion":1,"customerId":"c","firstName":"Ada","phones":[{"key":"1","type":"Mobile","#,
        r#""numberLocal":"0400"},{"key":"2","country":"AU"}],"addresses":[{"source":"console","addressId":"k","#,
        r#""line1":"a","line2":"b","city":"c","province":"e","zipCode":"d","countryCode":"AU"}],"dependents":[],"#,
        r#""attributes":{"a":null,"b":1},"actions":{"recent":[{"interactionId":"i","type":"SIGN_UP","#,
        r#""subscriptionContractId":"s","utmParameters":{"utmTerms":"cats"},"createdAt":"2024-02-06T10:00:00Z","#,
        r#""updatedAt":"2024-02-06T10:00:05Z"}],"total":1,"truncated":false,"byType":{"SIGN_UP":1},"#,
        r#""signedUpAt":"2024-02-06T10:00:00Z","subscriptions":[{"subscriptionContractId":"s","status":"ACTIVE","#,
        r#""since":"2024-02-06T10:00:05Z"}],"firstTouch":{"interactionId":"i","at":"2024-02-06T10:00:00Z","#,
        r#""utmParameters":{"utmTerms":"cats"}},"lastTouch":{"interactionId":"i","at":"2024-02-06T10:00:00Z","#,
        r#""utmParameters":{"utmTerms":"cats"}}},"enrollment":{"organizationId":"o","postalCode":"p","#,
        r#""country":"Nowhere","customerCreationDate":"2017-01-01T08:00:00Z","startDate":"2023-01-01T08:00:00Z","#,
        r#""optInStatus":"ACTIVE","alertOptInStatus":["ALL"],"targetingIndicator":"TARGET"},"#,
        r#""accounts":[{"sourceAccountId":"x","type":" t","accountOpenDate":"2018-05-12T20:30:00.100Z","#,
        r#""cards":[{"last4":"1"}]}],"sources":{"actions":{"updatedAt":"2024-02-06T10:00:05Z"},"#,
        r#""console":{"version":7,"updatedAt":"2024-02-06T10:00:07.500Z"},"#,
        r#""publisher":{"updatedAt":"2024-02-06T10:00:06Z"}},"updatedAt":"2024-02-06T10:00:07.500Z"}"#,
    );
    assert_eq!(
        snapshot_of(&records, &Settings::default()).as_deref(),
        Some(expected)
    );
}

#[test]
fn scalars_keep_what_a_later_event_leaves_out() {
    let records = [
        loyalty("UPDATED", 9, r#""addresses":[],"status":"ACTIVE""#),
        loyalty(
            "UPDATED",
            3,
            r#""addresses":[],"status":"DELETED","smsOptIn":true"#,
        ),
    ];
    let snapshot = parsed(&records, &Settings::default());
    assert_eq!(snapshot["status"], "ACTIVE");
    assert_eq!(snapshot["smsOptIn"], true);
}

#[test]
fn ties_go_to_rank_and_then_to_the_greater_text() {
    let settings = Settings::default();
    let tie = [
        loyalty("UPDATED", 1, r#""addresses":[],"status":"DELETED""#),
        loyalty("UPDATED", 1, r#""addresses":[],"status":"ACTIVE""#),
        loyalty("CREATED", 1, r#""addresses":[],"dateOfBirth":"2024-01-01""#),
        loyalty("UPDATED", 1, r#""addresses":[],"dateOfBirth":"1998-02-01""#),
    ];
    let snapshot = parsed(&tie, &settings);
    assert_eq!(snapshot["status"], "DELETED");
    assert_eq!(snapshot["dateOfBirth"], "1998-02-01");

    // As text, ".5Z" is before "Z", although it is the later instant.
    let event = |created: &str| {
        let value = format!(
            r#"{{"eventType":"CUSTOMER","eventAction":"CREATED","version":1,"body":{{"customerId":"c","addresses":[],
            "createdAt":"{created}","updatedAt":"2024-02-06T10:00:05Z"}}}}"#
        );
        record(Src::LoyaltyCustomers, &value, TEN)
    };
    let tie = [
        event("2024-02-06T10:00:00.5Z"),
        event("2024-02-06T10:00:00Z"),
    ];
    let snapshot = parsed(&tie, &settings);
    assert_eq!(
        snapshot["sources"]["loyalty"]["createdAt"],
        "2024-02-06T10:00:00Z"
    );
}

#[test]
fn lists_follow_the_newest_event_that_carries_them() {
    let replace = Settings::default();
    let union = Settings {
        union: true,
        ..Settings::default()
    };
    let one = |second, elements: &[String]| {
        loyalty(
            "UPDATED",
            second,
            &format!(r#""addresses":[{}]"#, elements.join(",")),
        )
    };
    let own = r#","updatedAt":"2024-02-06T10:00:30Z""#;
    let mut records = vec![
        one(1, &[address("a", "old", own), address("b", "b", "")]),
        one(2, &[address("a", "new", "")]),
    ];
    // The element of the older event has the later time of its own.
    assert_eq!(lines(&records, &replace), ["a:old"]);
    assert_eq!(lines(&records, &union), ["a:old", "b:b"]);

    // Another event of the newest stamp: the elements of both.
    records.push(one(2, &[address("c", "c", "")]));
    assert_eq!(lines(&records, &replace), ["a:old", "c:c"]);

    // The newest empties the list; with union it changes nothing.
    records.push(one(3, &[]));
    assert!(lines(&records, &replace).is_empty());
    assert_eq!(lines(&records, &union), ["a:old", "b:b", "c:c"]);

    // A dependent list that is not there changes nothing in either.
    let snapshot = parsed(&records, &replace);
    assert_eq!(snapshot["dependents"], Value::Array(Vec::new()));
}

#[test]
fn equal_ids_in_one_list_compete() {
    let list = format!(
        r#""addresses":[{},{}]"#,
        address("a", "y", ""),
        address("a", " x ", "")
    );
    let records = [loyalty("CREATED", 1, &list)];
    assert_eq!(lines(&records, &Settings::default()), ["a:y"]);
}

#[test]
fn an_erasure_forgets_by_the_time_of_each_datum() {
    let settings = Settings::default();
    let union = Settings {
        union: true,
        ..Settings::default()
    };
    let own = r#","updatedAt":"2024-02-06T10:00:30Z""#;
    let old = loyalty(
        "UPDATED",
        1,
        &format!(
            r#""addresses":[{},{}],"smsOptIn":true"#,
            address("a", "late", own),
            address("b", "late", own)
        ),
    );
    let erase = null(Src::LoyaltyCustomers, "c", TEN + 1_000);

    // The time of the erasure is forgotten too, and with all of its events the
    // list, although its elements are newer.
    let gone = [old.clone(), erase.clone()];
    assert_eq!(snapshot_of(&gone, &settings), None);
    assert_eq!(snapshot_of(&gone, &union), None);
    assert_eq!(snapshot_of(std::slice::from_ref(&erase), &settings), None);

    // A newer event that lists one of them brings back the newest content.
    let newer = loyalty(
        "UPDATED",
        2,
        &format!(r#""addresses":[{}]"#, address("a", "early", "")),
    );
    let records = [newer, old, erase];
    assert_eq!(lines(&records, &settings), ["a:late"]);
    assert_eq!(lines(&records, &union), ["a:late"]);
    assert_eq!(parsed(&records, &settings).get("smsOptIn"), None);
}

#[test]
fn a_tombstone_does_what_its_source_says() {
    let mut settings = Settings::default();
    let event = loyalty("UPDATED", 1, r#""addresses":[]"#);
    let console = record(
        Src::ConsoleCustomers,
        r#"{"customerId":"c","version":1}"#,
        TEN,
    );
    let retract = null(Src::ConsoleCustomers, "c", TEN + 60_000);
    let records = [event.clone(), console.clone(), retract];
    let snapshot = parsed(&records, &settings);
    assert_eq!(snapshot["sources"].get("console"), None);
    assert!(snapshot["sources"].get("loyalty").is_some());

    // Rejected by default; speaks of nobody.
    let ignored = [null(Src::LoyaltyActions, "c", TEN)];
    assert!(fold(&ignored, &settings).is_empty());
    settings.tombstone[1] = Tomb::Erase;
    assert_eq!(snapshot_of(&ignored, &settings), None);
    let records = [
        event,
        console,
        null(Src::LoyaltyActions, "c", TEN + 999),
        null(Src::LoyaltyActions, "c", TEN),
    ];
    let snapshot = parsed(&records, &settings);
    assert_eq!(snapshot["sources"].get("console"), None);
    assert!(snapshot["sources"].get("loyalty").is_some());
}

#[test]
fn a_hidden_console_winner_still_beats_lower_versions() {
    let settings = Settings::default();
    let console = |version: u32, name: &str, timestamp| {
        let value = format!(r#"{{"customerId":"c","version":{version},"firstName":"{name}"}}"#);
        record(Src::ConsoleCustomers, &value, timestamp)
    };
    let mut records = vec![
        console(2, "winner", TEN),
        null(Src::ConsoleCustomers, "c", TEN),
        console(1, "lower", TEN + 1),
    ];
    assert_eq!(snapshot_of(&records, &settings), None);
    records.push(console(2, "a", TEN + 1));
    records.push(console(2, "b", TEN + 1));
    assert_eq!(parsed(&records, &settings)["firstName"], "b");
}

#[test]
fn the_newest_actions_are_kept() {
    let mut settings = Settings {
        max_actions: 2,
        recent_actions: 1,
        ..Settings::default()
    };
    let kind = |kind: &str| format!(r#""type":"{kind}","subscriptionContractId":"s""#);
    let mut records = vec![
        action("a", 1, &kind("SIGN_UP"), ""),
        action(
            "b",
            2,
            &kind("SUBSCRIPTION_CANCELLED"),
            r#""utmParameters":{"x":1},"#,
        ),
        action("c", 2, &kind("PROMOTION_APPLIED"), ""),
    ];
    let actions = parsed(&records, &settings)["actions"].clone();
    assert_eq!(actions["recent"][0]["interactionId"], "c");
    assert_eq!(actions["recent"].as_array().unwrap().len(), 1);
    assert_eq!(actions["total"], 2);
    assert_eq!(actions["truncated"], true);
    assert_eq!(actions.get("signedUpAt"), None);
    assert_eq!(actions.get("firstTouch"), None);
    assert_eq!(actions["subscriptions"][0]["status"], "CANCELLED");

    // Forgotten is not truncated.
    settings.tombstone[1] = Tomb::Retract;
    records.push(null(Src::LoyaltyActions, "c", TEN + 1_000));
    assert_eq!(parsed(&records, &settings)["actions"]["truncated"], false);

    // One that was let go comes back with a newer event.
    records.push(action("a", 3, &kind("SUBSCRIPTION_RESTARTED"), ""));
    let actions = parsed(&records, &settings)["actions"].clone();
    assert_eq!(actions["recent"][0]["interactionId"], "a");
    assert_eq!(actions["truncated"], true);
    assert_eq!(actions["subscriptions"][0]["status"], "ACTIVE");
}

#[test]
fn a_deleted_customer_may_become_a_null() {
    let records = [loyalty(
        "UPDATED",
        1,
        r#""addresses":[],"status":"DELETED""#,
    )];
    let mut settings = Settings::default();
    assert!(snapshot_of(&records, &settings).is_some());
    settings.deleted_tombstone = true;
    assert_eq!(snapshot_of(&records, &settings), None);
}

#[test]
fn an_unknown_loyalty_country_is_let_through_or_rejected() {
    let list = r#""addresses":[{"addressId":"a","line1":"","city":"","zipCode":"","countryCode":" gbr "}]"#;
    let records = [loyalty("UPDATED", 1, list)];
    let mut settings = Settings::default();
    assert!(fold(&records, &settings).is_empty());
    settings.country_warn = true;
    let address = parsed(&records, &settings)["addresses"][0].clone();
    assert_eq!(address["country"], "gbr");
    assert_eq!(address.get("countryCode"), None);
}

#[test]
fn a_batch_speaks_of_each_of_its_customers() {
    let customer = |id: &str, code: &str| {
        format!(
            r#"{{"sourceCustomerId":"{id}","organizationId":"o","postalCode":"{code}","country":"US",
            "customerCreationDate":"2017-01-01T08:00:00Z","enrollmentStartDate":"2023-01-01T08:00:00Z",
            "enrollmentOptInStatus":"A","alertOptInStatus":[],"targetingIndicator":"T","accounts":[]}}"#
        )
    };
    let batch = format!(
        r#"{{"customers":[{},{},{}]}}"#,
        customer("a", "2"),
        customer("b", "3"),
        customer("a", "1")
    );
    let records = [record(Src::PublisherCustomers, &batch, TEN)];
    let snapshots = fold(&records, &Settings::default());
    assert_eq!(snapshots.keys().collect::<Vec<_>>(), ["a", "b"]);
    let a = snapshots["a"].as_deref().unwrap();
    assert!(a.contains(r#""postalCode":"2""#));
}

#[test]
fn instants_in_all_spellings() {
    for (text, normal) in [
        ("2024-02-06T10:00:00", "2024-02-06T10:00:00Z"),
        ("2024-02-06t10:00:00.500z", "2024-02-06T10:00:00.500Z"),
        (
            "2024-02-06T04:30:00.5000019-05:30",
            "2024-02-06T10:00:00.500001Z",
        ),
        ("2024-02-07T01:29:60+01:30", "2024-02-06T23:59:59.999999Z"),
        ("1969-12-31T23:59:59.2500009Z", "1969-12-31T23:59:59.250Z"),
        ("0001-01-01T00:00:00.000Z", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.9999999", "9999-12-31T23:59:59.999999Z"),
    ] {
        assert_eq!(format_instant(parse_instant(text)), normal, "{text}");
    }
    assert_eq!(parse_instant("2024-02-06T10:00:00"), TEN * 1000);
}

#[test]
fn json_text() {
    assert_eq!(
        quote("\"\\/\u{8}\t\n\u{c}\r\u{0}\u{1f}\u{7f}é😀"),
        r#""\"\\/\b\t\n\f\r\u0000\u001f"#.to_owned() + "\u{7f}é😀\""
    );
    assert_eq!(
        sorted(r#" {"b":[ 1 , {"z":null,"a":true} ],"a":"\u0041 ","b":[]} "#),
        r#"{"a":"A ","b":[]}"#
    );
    assert_eq!(
        sorted("[1.0,1e2,-9223372036854775808,18446744073709551615,18446744073709551616,1e-7]"),
        "[1.0,100.0,-9223372036854775808,18446744073709551615,18446744073709551616,1e-7]"
    );
}

#[test]
fn countries() {
    assert_eq!(country(" gb ", false), Ok("GB".to_owned()));
    assert_eq!(country("GBR", false), Err("GBR".to_owned()));
    assert_eq!(country("gbr", true), Ok("GB".to_owned()));
    assert_eq!(country("CÔTE d'ivoire", true), Ok("CI".to_owned()));
    assert_eq!(country(" ", true), Err(String::new()));
}
