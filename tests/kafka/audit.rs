//! `keyfold audit` at rest: nothing is found where nothing is wrong, and what is wrong is found and named.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use keyfold::model::record::Source;
use rdkafka::producer::{BaseProducer, Producer};
use serde_json::{Value, json};

use keyfold_harness::app::{App, LIMIT, faulty, text_of};
use keyfold_harness::client::Isolation;
use keyfold_harness::record::{Record, base_record, newest_per_key};
use keyfold_harness::wait::wait_until;

/// What an audit wrote as JSON lines, and its exit code.
pub struct Audit {
    pub code: Option<i32>,
    pub lines: Vec<Value>,
}

/// Runs an audit with JSON lines and customer ids.
#[track_caller]
pub fn audit(app: &App, args: &[&str]) -> Audit {
    let mut all = vec!["audit", "--output", "json", "--ids"];
    all.extend(args);
    let output = app.command(&all, b"");
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 1)), "{}", text_of(&output));
    let text = String::from_utf8(output.stdout).expect("text");
    let lines = text.lines();
    let lines = lines.map(|line| serde_json::from_str(line).expect("a line of JSON"));
    Audit {
        code,
        lines: lines.collect(),
    }
}

impl Audit {
    pub fn of(&self, kind: &str) -> Vec<&Value> {
        let lines = self.lines.iter();
        lines.filter(|line| line["type"] == kind).collect()
    }

    pub fn summary(&self) -> &Value {
        self.of("summary").first().expect("a summary")
    }

    /// How many customers have this result.
    pub fn customers(&self, result: &str) -> u64 {
        self.summary()["customers"][result]
            .as_u64()
            .expect("a number")
    }

    pub fn records(&self, result: &str) -> u64 {
        self.summary()["records"][result]
            .as_u64()
            .expect("a number")
    }

    /// Result, place, pointers and explanation of the differences of a customer.
    pub fn differences(&self, id: &str) -> Vec<(String, String, String, String)> {
        let lines = self.of("customer").into_iter();
        let own = lines.filter(|line| line["customerId"] == id);
        own.map(|line| {
            let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            let pointers = line["pointers"].as_array().expect("a list").iter();
            let pointers: Vec<&str> = pointers.map(|one| one.as_str().expect("text")).collect();
            (
                text("result"),
                text("place"),
                pointers.join(" "),
                text("because"),
            )
        })
        .collect()
    }

    /// Nothing is wrong.
    #[track_caller]
    pub fn assert_clean(&self) {
        let found = [self.of("customer"), self.of("record")].concat();
        assert!(found.is_empty(), "{found:#?}\n{}", self.summary());
        assert_eq!(self.code, Some(0), "{}", self.summary());
    }
}

/// One difference of a customer.
fn one(
    result: &str,
    place: &str,
    pointers: &str,
    because: &str,
) -> Vec<(String, String, String, String)> {
    let texts = [result, place, pointers, because].map(str::to_owned);
    let [result, place, pointers, because] = texts;
    vec![(result, place, pointers, because)]
}

/// A keyfold that has processed a stream with faults and stopped.
pub fn processed(mut app: App, seed: u64) -> App {
    app.set_partitions([3; 4]);
    app.create();
    let records: Vec<Record> = app.stream(faulty(seed, 300)).take(4_000).collect();
    app.client.produce(&records);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    assert_eq!(keyfold.terminate(), 0);
    app
}

fn text(id: &[u8]) -> String {
    String::from_utf8(id.to_vec()).expect("an id of text")
}

/// The newest states by customer.
fn states(app: &App) -> BTreeMap<Vec<u8>, Option<Vec<u8>>> {
    newest_per_key(&app.client.read_all(&app.state(), Isolation::ReadCommitted))
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    let app = processed(App::new(), 1);
    let found = audit(&app, &[]);
    found.assert_clean();
    assert_eq!(found.of("partition").len(), 12);
    for partition in found.of("partition") {
        assert_eq!(
            (&partition["begin"], &partition["lag"]),
            (&json!(0), &json!(0))
        );
        assert_eq!(partition["end"], partition["committed"]);
    }
    let folded = app.fold();
    let shown = u64::try_from(folded.snapshots.len()).expect("a number");
    assert!(
        found.customers("equalByRecords") >= shown,
        "{}",
        found.summary()
    );
    assert_eq!(found.customers("equalByState"), 0);
    assert_eq!(found.records("read"), 4_000);
    // an element of a batch has its rejection from its batch
    let places: std::collections::BTreeSet<_> = folded
        .rejections
        .iter()
        .map(|one| (&one.topic, one.partition, one.offset))
        .collect();
    assert!(places.len() > 50, "{}", places.len());
    assert_eq!(found.records("rejected"), places.len() as u64);
    assert_eq!(found.summary()["complete"], true);

    // the same sorted on disk, and nothing is left there
    let folder = app.file("audit");
    let on_disk = audit(&app, &["--directory", folder.to_str().expect("a path")]);
    on_disk.assert_clean();
    assert_eq!(on_disk.summary()["customers"], found.summary()["customers"]);
    assert_eq!(std::fs::read_dir(&folder).expect("a folder").count(), 0);

    // for people
    let output = app.command(&["audit"], b"");
    let told = text_of(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("no difference was found"), "{told}");
    println!("{told}");
}

/// One difference in each place, each of another customer.
#[test]
fn what_is_wrong_is_found_and_named() {
    let app = processed(App::new(), 2);
    let snapshots = app.newest_snapshots();
    let mut ids = snapshots
        .keys()
        .filter(|id| id.is_ascii())
        .map(|id| text(id));
    let mut next = || ids.next().expect("a customer");
    let states = states(&app);
    let state_of = |id: &str| states[id.as_bytes()].clone().expect("a state");

    let overwritten = next();
    let mut value: Value =
        serde_json::from_slice(&snapshots[overwritten.as_bytes()]).expect("JSON");
    value["emailAddress"] = json!("somebody@example.com");
    value["attributes"]["by"] = json!("hand");
    let (removed, no_state, other_state, damaged, stray) = (next(), next(), next(), next(), next());
    let own = keyfold::model::partition::of_key(stray.as_bytes(), 3);
    let snapshot = |id: &str| Record::to(&app.snapshots()).key(id);
    let state = |id: &str| Record::to(&app.state()).key(id);
    app.client.produce(&[
        snapshot(&overwritten).value(value.to_string()),
        snapshot(&removed),
        snapshot("nobody").value(r#"{"schemaVersion":1,"customerId":"nobody"}"#),
        state(&no_state),
        state(&other_state).value(state_of(&overwritten)),
        state(&damaged).value("no state"),
        snapshot(&stray).partition((own + 1) % 3).value("{}"),
    ]);
    let found = audit(&app, &[]);
    assert_eq!(found.code, Some(1));
    let of = |id: &str| found.differences(id);
    assert_eq!(
        of(&overwritten),
        one(
            "different",
            "snapshot",
            "/attributes/by /emailAddress",
            "view"
        )
    );
    assert_eq!(of(&removed), one("missing", "snapshot", "", ""));
    assert_eq!(of("nobody"), one("tooMany", "snapshot", "", ""));
    assert_eq!(of(&no_state), one("missing", "state", "", ""));
    assert_eq!(of(&damaged), one("different", "state", "", "unreadable"));
    assert_eq!(of(&stray), one("tooMany", "snapshot", "", "partition"));
    let other = of(&other_state);
    assert_eq!(
        (other.len(), other[0].0.as_str(), other[0].1.as_str()),
        (1, "different", "state")
    );
    assert_eq!(found.of("customer").len(), 7);
    let count = |result| found.customers(result);
    assert_eq!(
        (count("different"), count("missing"), count("tooMany")),
        (3, 2, 2)
    );
    assert_eq!(count("notProvable"), 0);

    // without ids nobody is named
    let output = app.command(&["audit"], b"");
    let told = text_of(&output);
    println!("{told}");
    assert_eq!(output.status.code(), Some(1));
    assert!(told.contains("/attributes/by /emailAddress"), "{told}");
    assert!(told.contains("there are differences"), "{told}");
    for line in told.lines().filter(|line| line.starts_with("different")) {
        assert!(!line.contains(&overwritten), "{line}");
    }
    assert!(!told.contains("nobody"), "{told}");
    let output = app.command(&["audit", "--max", "2"], b"");
    assert!(
        text_of(&output).contains("and 5 more"),
        "{}",
        text_of(&output)
    );
}

pub fn event(app: &App, id: &str, fields: &str, minute: u32) -> Record {
    let value = format!(
        r#"{{"eventType":"CUSTOMER","eventAction":"UPDATED","version":1.0,"body":{{"customerId":"{id}",{fields}
        "createdAt":"2024-01-01T00:00:00Z","updatedAt":"2024-01-01T00:{minute:02}:00Z"}}}}"#
    );
    app.record(Source::LoyaltyCustomers).key(id).value(value)
}

pub fn address(country: &str) -> String {
    format!(
        r#""addresses":[{{"addressId":"a","line1":"1 Street","city":"Leeds","zipCode":"LS1","countryCode":"{country}"}}],"#
    )
}

#[test]
fn what_cannot_be_read_is_a_service_that_failed() {
    let app = App::new();
    let output = app.command(&["audit"], b"");
    assert_eq!(output.status.code(), Some(3), "{}", text_of(&output));
    app.create();
    // nothing is processed yet
    app.client
        .produce(&[event(&app, "waiting", &address("GB"), 1)]);
    let found = audit(&app, &[]);
    found.assert_clean();
    assert_eq!(found.summary()["lag"], 1);
    assert_eq!(found.records("read"), 0);
}

/// After a reset the snapshots are older than anything that is processed.
#[test]
fn while_keyfold_rebuilds_old_snapshots_are_no_difference() {
    let app = processed(App::new(), 6);
    let output = app.command(&["topics", "reset", "--yes"], b"");
    assert_eq!(output.status.code(), Some(0), "{}", text_of(&output));
    let nobody = Record::to(&app.snapshots()).key("nobody").value("{}");
    app.client.produce(&[nobody]);
    let found = audit(&app, &[]);
    assert_eq!(found.code, Some(1));
    assert_eq!(found.of("customer").len(), 1, "{:?}", found.of("customer"));
    assert_eq!(
        found.differences("nobody"),
        one("tooMany", "snapshot", "", "")
    );
    let unread = &found.summary()["customers"]["notProvableBecause"]["unread"];
    assert!(unread.as_u64() > Some(200), "{}", found.summary());
    // built anew, all is proven again
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    assert_eq!(keyfold.terminate(), 0);
    let found = audit(&app, &[]);
    assert_eq!(found.of("customer").len(), 1, "{:?}", found.of("customer"));
    assert_eq!(found.customers("notProvable"), 0);
}

/// It waits for a transaction whose snapshots it must know, and ends at once when it is interrupted.
#[test]
fn an_interrupted_audit_ends_at_once_and_leaves_nothing() {
    let app = App::new();
    app.create();
    let mut config = app.client.producer_config();
    config.set("transactional.id", format!("{}-other", app.id));
    let producer: BaseProducer = config.create().expect("a producer");
    producer.init_transactions(LIMIT).expect("a producer");
    producer.begin_transaction().expect("a transaction");
    let snapshot = Record::to(&app.snapshots()).key("c").value("{}");
    let sent = producer.send(base_record(&snapshot));
    sent.map_err(|(error, _)| error).expect("a record");
    producer.flush(LIMIT).expect("it is there");
    let folder = app.file("sorted");
    let mut command = Command::new(keyfold_harness::program_path());
    command.args(["audit", "--config"]).arg(app.config_file());
    command.arg("--directory").arg(&folder);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("keyfold");
    let pid = child.id().to_string();
    let mut said = BufReader::new(child.stderr.take().expect("what it says")).lines();
    let mut line = || said.next().expect("it goes on").expect("a line");
    while !line().contains("waiting for a transaction") {}
    assert!(folder.join(format!("{}.audit", app.id)).exists());
    let interrupted = Command::new("kill").args(["-INT", &pid]).status();
    assert!(interrupted.expect("a signal").success());
    // the transaction is still open: to wait for its end would take until the broker aborts it
    let ended = wait_until(LIMIT, "the audit to end", || {
        child.try_wait().expect("its end")
    });
    let rest: Vec<String> = said.map(|line| line.expect("a line")).collect();
    assert_eq!(ended.code(), Some(3), "{rest:?}");
    assert!(
        rest.iter().any(|line| line.contains("interrupted")),
        "{rest:?}"
    );
    let left = std::fs::read_dir(&folder).expect("a folder").count();
    assert_eq!(left, 0);
    producer.abort_transaction(LIMIT).expect("aborted");
}
