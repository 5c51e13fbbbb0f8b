//! The page, in a real browser: what it shows, in which colours and widths, when Kafka is away, and with many partitions.

use std::time::Duration;

use keyfold::model::record::Source;
use keyfold_harness::app::{App, LIMIT, faulty};
use keyfold_harness::browser::{Look, Seen, look};
use keyfold_harness::program::Keyfold;
use keyfold_harness::record::Record;
use serde_json::Value;

const DECLARED: &str = "customer_id = '/id'\n[fields]\nfirstName = '/name'";

fn url(keyfold: &Keyfold) -> String {
    format!("http://{}/", keyfold.http_address())
}

#[track_caller]
fn assert_usable(seen: &Seen) {
    assert_eq!(seen.errors, [""; 0]);
    assert_eq!(seen.violations, [""; 0]);
    assert!(!seen.overflows, "the page must be scrolled sideways");
}

#[track_caller]
fn status(keyfold: &Keyfold) -> Value {
    let (code, text) = keyfold.http_get("/status").expect("an answer");
    assert_eq!(code, 200);
    serde_json::from_str(&text).expect("JSON")
}

/// The row of a table that begins with a text.
fn row<'s>(seen: &'s Seen, table: &str, first: &str) -> &'s [String] {
    let rows = &seen.tables[table];
    let found = rows.iter().find(|row| row[0].starts_with(first));
    found.unwrap_or_else(|| panic!("no {first} in {rows:?}"))
}

/// Everything of a running instance, as JSON and in a browser.
#[test]
fn the_page_shows_what_happens_and_each_record_once() {
    let mut app = App::new();
    let crm = app.declare("crm", DECLARED);
    app.set(&["validation", "max_state_bytes"], 800_000);
    app.create();
    let mut keyfold = app.run_ready();
    let stream: Vec<Record> = app.stream(faulty(81, 200)).take(2_000).collect();
    app.client.produce(&stream);
    app.wait_drained(&mut keyfold);
    let good = br#"{"id":"crm-7","name":"Ada"}"#;
    let own = [
        app.record(crm).key(b"crm-7").value(good),
        app.record(crm).key(b"crm-8").value(br#"{"name":1}"#),
    ];
    app.client.produce(&own);
    app.wait_drained(&mut keyfold);

    let status = status(&keyfold);
    assert_eq!(status["ready"], true);
    let sources = status["sources"].as_array().expect("sources");
    let counted = sources.iter().map(|source| source["records"].as_u64());
    assert_eq!(
        counted.flatten().sum::<u64>(),
        (stream.len() + own.len()) as u64
    );
    let declared = sources.iter().find(|source| source["name"] == "crm");
    let declared = declared.expect("the declared source");
    assert_eq!(declared["declared"], true);
    assert_eq!(declared["outcomes"]["rejected"], 1);
    let letter = &status["deadLetters"][0];
    assert_eq!(letter["source"], "crm");
    assert_eq!(letter["code"], "schema_violation");
    let settings = status["settings"].to_string();
    assert!(
        settings.contains("validation.max_state_bytes"),
        "{settings}"
    );
    for payload in ["Ada", "crm-7", "crm-8"] {
        assert!(!status.to_string().contains(payload), "{payload}");
    }

    let mut wanted = Look::until("crm").pictured("light");
    wanted.customer = Some("crm-7".to_owned());
    let seen = look(&url(&keyfold), &wanted);
    assert_usable(&seen);
    assert_eq!(seen.status, "Ready");
    assert!(seen.text.contains("\"firstName\": \"Ada\""), "the snapshot");
    let part = row(&seen, "parts", "/firstName");
    assert_eq!(part[1], "crm");
    assert!(part[2].ends_with('Z') && part[3] == "only", "{part:?}");
    assert!(row(&seen, "sources", "crm")[2].starts_with('2'));
    let letter = row(&seen, "letters", &app.input(crm));
    assert_eq!(letter[2], "schema/schema_violation");
    assert!(
        letter[3].contains("/id") || letter[3].contains("/name"),
        "{letter:?}"
    );
    assert_eq!(
        row(&seen, "settings", "validation.max_state_bytes")[1],
        "800000"
    );
    assert_eq!(
        row(&seen, "partitions", &app.input(crm))[4],
        "this instance"
    );
    assert!(row(&seen, "instances", &app.id)[0].contains("this one"));

    let dark = Look {
        dark: true,
        ..Look::until("crm")
    };
    assert_usable(&look(&url(&keyfold), &dark.pictured("dark")));
    let narrow = Look {
        width: 390,
        ..Look::until("crm")
    };
    assert_usable(&look(&url(&keyfold), &narrow.pictured("narrow")));
    assert_eq!(keyfold.terminate(), 0);
}

/// Two instances know each other, and who owns what; one that is gone leaves partitions that nobody reads.
#[test]
fn the_page_names_the_other_instances_and_what_they_own() {
    let app = App::new();
    app.create();
    let (mut one, mut two) = (app.run_ready(), app.run_ready());
    one.wait_for(LIMIT, "to see both instances", |one| {
        let status = status(one);
        let instances = status["instances"].as_array()?;
        let owners = status["partitions"].as_array()?.iter();
        let others = owners.filter(|one| one["here"] == false && one["owner"].is_string());
        (instances.len() == 2 && others.count() > 0).then_some(())
    });
    let seen = look(
        &url(&one),
        &Look::until("this one").pictured("two-instances"),
    );
    assert_usable(&seen);
    assert_eq!(seen.tables["instances"].len(), 3, "a heading and two rows");
    two.kill9();
    one.wait_for(
        LIMIT,
        "to say that partitions have no owner, or to own them",
        |one| {
            let status = status(one);
            let partitions = status["partitions"].as_array()?;
            let left = partitions.iter().filter(|one| one["here"] == false);
            (left.count() == 0).then_some(())
        },
    );
    assert_eq!(one.terminate(), 0);
}

#[test]
fn the_page_says_that_kafka_is_away() {
    let config = "[kafka]\nbootstrap_servers = '127.0.0.1:1'";
    let mut keyfold = Keyfold::start(config, &[]);
    keyfold.wait_for(Duration::from_secs(30), "to answer", |keyfold| {
        let (code, _) = keyfold.http_get("/status")?;
        (code == 200).then_some(())
    });
    let seen = look(
        &url(&keyfold),
        &Look::until("no broker").pictured("kafka-away"),
    );
    assert_usable(&seen);
    assert_eq!(seen.status, "Not ready");
    assert!(
        seen.problems[0].contains("127.0.0.1:1"),
        "{:?}",
        seen.problems
    );
    assert_eq!(keyfold.terminate(), 0);
}

#[test]
fn the_page_is_usable_with_500_partitions() {
    let mut app = App::new();
    app.set(&["topics", "partitions"], 3);
    app.set_partitions([500, 3, 3, 3]);
    app.create();
    let mut keyfold = app.run_ready();
    let loyalty = app.input(Source::LoyaltyCustomers);
    keyfold.wait_for(LIMIT, "to own 500 partitions", |keyfold| {
        let status = status(keyfold);
        let partitions = status["partitions"].as_array()?.iter();
        let own = partitions.filter(|one| one["topic"] == loyalty.as_str() && one["here"] == true);
        (own.count() == 500).then_some(())
    });
    let seen = look(
        &url(&keyfold),
        &Look::until("Partitions").pictured("500-partitions"),
    );
    assert_usable(&seen);
    assert!(seen.tables["partitions"].len() > 500);
    assert_eq!(keyfold.terminate(), 0);
}
