//! `keyfold explain` on lines of kcat.

use serde_json::{Value, json};

use crate::keyfold;

const START: i64 = 1_707_213_600_000;

fn line(
    topic: &str,
    offset: i64,
    minute: i64,
    headers: &[&str],
    payload: Option<&Value>,
) -> Vec<u8> {
    let line = json!({
        "topic": topic, "partition": 3, "offset": offset, "tstype": "create", "ts": START + minute * 60_000,
        "headers": headers, "key": "c-1", "payload": payload.map(Value::to_string),
    });
    format!("{line}\n").into_bytes()
}

fn event(minute: i64, more: Value) -> Value {
    let mut body = json!({
        "customerId": "c-1", "addresses": [], "createdAt": "2024-02-06T10:00:00Z",
        "updatedAt": format!("2024-02-06T10:{minute:02}:00Z"),
    });
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    json!({"eventType": "CUSTOMER", "eventAction": "UPDATED", "version": 1, "body": body})
}

fn address(id: &str, city: &str) -> Value {
    json!({"addressId": id, "line1": "1 Secret Street", "city": city, "zipCode": "z", "countryCode": "GB"})
}

fn publisher(id: &str) -> Value {
    json!({
        "sourceCustomerId": id, "organizationId": "1", "postalCode": "1", "country": "US",
        "customerCreationDate": "2017-01-01T08:00:00Z", "enrollmentStartDate": "2023-01-01T08:00:00Z",
        "enrollmentOptInStatus": "ACTIVE", "alertOptInStatus": ["ALL"], "targetingIndicator": "TARGET",
        "accounts": [],
    })
}

/// The loyalty events at offsets 1 to 4, a rejected one, and a batch.
fn lines() -> Vec<u8> {
    let first = event(
        1,
        json!({"status": "ACTIVE", "addresses": [address("home", "York")]}),
    );
    let second = event(
        5,
        json!({"status": "DELETED", "addresses": [address("work", "Leeds")]}),
    );
    let late = event(3, json!({"status": "ACTIVE", "smsOptIn": true}));
    let bad = event(9, json!({"status": "GONE"}));
    let batch =
        json!({"customers": [publisher("c-2"), publisher("c-1"), {"sourceCustomerId": "c-1"}]});
    let other = json!({"customers": [publisher("c-2")]});
    [
        line("loyalty.customers", 1, 1, &[], Some(&first)),
        line("loyalty.customers", 2, 5, &[], Some(&second)),
        line("loyalty.customers", 3, 6, &[], Some(&late)),
        line("loyalty.customers", 4, 7, &[], Some(&second)),
        line("loyalty.customers", 5, 9, &[], Some(&bad)),
        line("publisher.customers", 1, 10, &[], Some(&batch)),
        line("publisher.customers", 2, 11, &[], Some(&other)),
    ]
    .concat()
}

fn explain(args: &[&str], input: &[u8]) -> (Option<i32>, Value, String) {
    let all = ["explain", "c-1", "--from", "-", "--output", "json"];
    let run = keyfold(&[&all[..], args].concat(), input, &[]);
    let explained = serde_json::from_str(&run.out).unwrap_or_default();
    (run.code, explained, format!("{}{}", run.out, run.err))
}

fn offset_of(record: &Value) -> String {
    format!(
        "{}@{}{}",
        record["topic"].as_str().unwrap(),
        record["offset"],
        record["pointer"].as_str().unwrap_or_default()
    )
}

fn part<'e>(explained: &'e Value, pointer: &str) -> &'e Value {
    let mut parts = explained["parts"].as_array().unwrap().iter();
    let found = parts.find(|part| part["pointer"] == pointer && part["shown"] == true);
    found.unwrap_or(&Value::Null)
}

#[test]
fn each_record_has_a_fate_and_each_part_a_record() {
    let (code, explained, out) = explain(&[], &lines());
    assert_eq!(code, Some(0), "{out}");
    let records = explained["records"].as_array().unwrap();
    let fates: Vec<(String, &str)> = records
        .iter()
        .map(|record| (offset_of(record), record["became"].as_str().unwrap()))
        .collect();
    let expected = [
        ("loyalty.customers@1", "hidden"),
        ("loyalty.customers@3", "shown"),
        ("loyalty.customers@2", "shown"),
        ("loyalty.customers@4", "repeated"),
        ("loyalty.customers@5", "rejected"),
        ("publisher.customers@1/customers/1", "shown"),
        ("publisher.customers@1/customers/2", "rejected"),
    ];
    let expected = expected.map(|(place, fate)| (place.to_owned(), fate));
    assert_eq!(fates, expected, "{out}");
    // the superseded status of the late event
    let data = records[1]["data"].as_array().unwrap();
    let status = data
        .iter()
        .find(|datum| datum["pointer"] == "/status")
        .unwrap();
    assert_eq!(status["became"], "superseded");
    assert_eq!(status["by"]["offset"], 2);
    let of_element = &records[6]["violations"];
    assert!(
        of_element[0]["pointer"]
            .as_str()
            .unwrap()
            .starts_with("/customers/2"),
        "{of_element}"
    );

    for (pointer, offset, rule) in [
        ("/status", 2, "newest"),
        ("/smsOptIn", 3, "only"),
        ("/addresses/0", 2, "only"),
        ("/enrollment", 1, "only"),
        ("/updatedAt", 1, "newest"),
    ] {
        let decision = &part(&explained, pointer)["decisions"][0];
        assert_eq!(decision["records"][0]["offset"], offset, "{pointer}: {out}");
        assert_eq!(decision["rule"], rule, "{pointer}: {out}");
    }
    let listed = &part(&explained, "/addresses/0")["decisions"][1];
    assert_eq!(
        (&listed["rule"], &listed["records"][1]["offset"]),
        (&json!("newest_list"), &json!(4))
    );
    // no value is shown without being asked for
    for secret in ["Secret", "York", "home", "work"] {
        assert!(!out.contains(secret), "{secret}: {out}");
    }
    let (_, explained, out) = explain(&["--values"], &lines());
    assert_eq!(part(&explained, "/status")["value"], "DELETED", "{out}");
    assert_eq!(explained["snapshot"]["addresses"][0]["city"], "Leeds");
}

#[test]
fn a_pointer_asks_for_one_part() {
    let (_, explained, out) = explain(&["--pointer", "/addresses/0/city"], &lines());
    let pointers: Vec<&Value> = explained["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| &part["pointer"])
        .collect();
    assert_eq!(pointers, ["/addresses/0"], "{out}");
    // what is not there: the list says what it has, and what it does not show
    let (_, explained, out) = explain(&["--pointer", "/addresses/7", "--values"], &lines());
    let parts = explained["parts"].as_array().unwrap();
    let hidden = parts.iter().find(|part| part["id"] == "home").unwrap();
    assert_eq!(hidden["decisions"][1]["rule"], "not_listed", "{out}");
    assert_eq!(hidden["decisions"][1]["records"][0]["offset"], 2);
    let (code, explained, _) = explain(&["--pointer", "/firstName"], &lines());
    assert_eq!(
        (code, &explained["parts"][0]["decisions"][0]["rule"]),
        (Some(0), &json!("never_told"))
    );
    let (code, _, out) = explain(&["--pointer", "status"], &lines());
    assert_eq!(code, Some(2), "{out}");
}

#[test]
fn an_erasure_says_what_it_covers() {
    let null = line("loyalty.customers", 9, 4, &[], None);
    let (_, explained, out) = explain(&[], &[lines(), null].concat());
    let records = explained["records"].as_array().unwrap();
    let of = |offset: i64| {
        records
            .iter()
            .find(|record| record["offset"] == offset && record["topic"] == "loyalty.customers")
            .unwrap()
    };
    assert_eq!(
        (&of(1)["became"], &of(1)["by"][0]["offset"]),
        (&json!("erased"), &json!(9)),
        "{out}"
    );
    assert_eq!(
        (&of(9)["became"], &of(9)["verdict"]),
        (&json!("erases"), &json!("erasure"))
    );
    assert_eq!(of(9)["decisive"], true);
    let parts = explained["parts"].as_array().unwrap();
    let sms = parts
        .iter()
        .find(|part| part["pointer"] == "/smsOptIn")
        .unwrap();
    assert_eq!(
        (&sms["shown"], &sms["decisions"][0]["rule"]),
        (&json!(false), &json!("erased"))
    );
    let table = keyfold(
        &["explain", "c-1", "--from", "-"],
        &[lines(), line("loyalty.customers", 9, 4, &[], None)].concat(),
        &[],
    );
    assert!(table.out.contains("not shown: erased"), "{}", table.out);
    for line in table.out.lines() {
        let reasons = line.split_once("not shown: ").map(|(_, reasons)| reasons);
        let mut reasons: Vec<&str> = reasons.unwrap_or_default().split("; ").collect();
        let told = reasons.len();
        reasons.sort_unstable();
        reasons.dedup();
        assert_eq!(reasons.len(), told, "each reason is told once: {line}");
    }
    assert!(!table.out.contains("Secret"), "{}", table.out);
}

#[test]
fn forwarded_records_are_told_once_and_dead_letters_are_listed() {
    let origin = |offset: &'static str| {
        [
            "__keyfold.forwarded.source",
            "loyalty-customers",
            "__keyfold.forwarded.topic",
            "loyalty.customers",
            "__keyfold.forwarded.partition",
            "3",
            "__keyfold.forwarded.offset",
            offset,
        ]
    };
    let known = event(
        1,
        json!({"status": "ACTIVE", "addresses": [address("home", "York")]}),
    );
    let gone = event(2, json!({"marketingOptIn": true}));
    let letter = [
        "__keyfold.errors.topic",
        "loyalty.customers",
        "__keyfold.errors.partition",
        "3",
        "__keyfold.errors.offset",
        "5",
        "__keyfold.errors.timestamp",
        "-1",
        "__keyfold.errors.attempts",
        "1",
        "__keyfold.errors.source",
        "loyalty-customers",
        "__keyfold.errors.stage",
        "schema",
        "__keyfold.errors.code",
        "schema_violation",
        "__keyfold.errors.application",
        "keyfold",
    ];
    let other = [&letter[..16], &["__keyfold.errors.application", "another"]].concat();
    let bad = event(9, json!({"status": "GONE"}));
    let more = [
        line("keyfold.forwarded", 0, 20, &origin("1"), Some(&known)),
        line("keyfold.forwarded", 1, 20, &origin("77"), Some(&gone)),
        line("customers.dead-letters", 4, 20, &letter, Some(&bad)),
        line("customers.dead-letters", 5, 20, &other, Some(&bad)),
    ]
    .concat();
    let (code, explained, out) = explain(&[], &[more, lines()].concat());
    assert_eq!(code, Some(0), "{out}");
    let records = explained["records"].as_array().unwrap();
    assert_eq!(records.len(), 8, "{out}");
    let decision = &part(&explained, "/marketingOptIn")["decisions"][0];
    assert_eq!(decision["records"][0]["offset"], 77, "{out}");
    let letters = explained["deadLetters"].as_array().unwrap();
    assert_eq!(letters.len(), 1, "{out}");
    assert_eq!(
        (&letters[0]["offset"], &letters[0]["record"]["offset"]),
        (&json!(4), &json!(5))
    );

    let foreign = line("somewhere", 0, 20, &[], Some(&known));
    let (code, _, out) = explain(&[], &foreign);
    assert_eq!(code, Some(2), "{out}");
    let run = keyfold(&["explain", "nobody", "--from", "-"], &lines(), &[]);
    assert_eq!(run.code, Some(1), "{}", run.out);
}

/// What the documentation shows is what the program says.
#[test]
fn the_documented_screens_are_right() {
    let text = include_str!("../../docs/explain.md");
    let block = |after: &str| {
        text.split_once(after)
            .unwrap()
            .1
            .split_once("\n```")
            .unwrap()
            .0
    };
    let input = format!("{}\n", block("\n```json\n"));
    let mut screens = 0;
    for screen in text.split("```text\n$ keyfold ").skip(1) {
        let (command, rest) = screen.split_once('\n').unwrap();
        let expected = rest.split_once("```").unwrap().0;
        let mut args: Vec<&str> = command.split(' ').collect();
        args.extend(["--from", "-"]);
        let run = keyfold(&args, input.as_bytes(), &[]);
        assert_eq!(run.out, expected, "{command}: {}", run.err);
        screens += 1;
    }
    assert_eq!(screens, 3);
}
