//! `keyfold doctor`: each fault of the set-up is one bad line, with what mends it.

use std::net::TcpListener;
use std::process::Output;

use serde_json::Value;

use keyfold_harness::app::{App, LIMIT, faulty, text_of};
use keyfold_harness::broker::{Broker, BrokerOptions};
use keyfold_harness::ports::free_port;
use keyfold_harness::record::Record;
use keyfold_harness::registry_proxy::{Fault, RegistryProxy};
use keyfold_harness::slots::Slot;

/// What `keyfold doctor` said.
pub struct Doctor {
    pub code: Option<i32>,
    pub checks: Vec<Value>,
    counts: Value,
    /// All that it wrote, for a failure's message.
    pub said: String,
}

impl Doctor {
    pub fn of(app: &App) -> Doctor {
        let output = app.command(&["doctor", "--output", "json"], b"");
        let said = text_of(&output);
        let report: Value = serde_json::from_slice(&output.stdout).expect(&said);
        Doctor {
            code: output.status.code(),
            checks: report["checks"].as_array().expect("checks").clone(),
            counts: report["counts"].clone(),
            said,
        }
    }

    /// The checks with this result.
    pub fn with(&self, result: &str) -> Vec<&Value> {
        let all = self.checks.iter();
        all.filter(|one| one["result"] == result).collect()
    }

    /// The only bad check.
    #[track_caller]
    pub fn only_bad(&self, check: &str) -> &Value {
        let bad = self.with("bad");
        assert_eq!(bad.len(), 1, "{}", self.said);
        assert_eq!(bad[0]["check"], check, "{}", self.said);
        assert_eq!(self.code, Some(1), "{}", self.said);
        bad[0]
    }

    /// The checks of this name.
    pub fn named(&self, check: &str) -> Vec<&Value> {
        let all = self.checks.iter();
        all.filter(|one| one["check"] == check).collect()
    }

    #[track_caller]
    pub fn assert_none_bad(&self) {
        assert_eq!(self.with("bad").len(), 0, "{}", self.said);
        assert_eq!(self.code, Some(0), "{}", self.said);
    }
}

#[track_caller]
pub fn assert_says(check: &Value, field: &str, part: &str) {
    let text = check[field].as_str().expect(field);
    assert!(text.contains(part), "{part} in: {check}");
}

/// Whatever listens on this machine.
pub fn on_any_port(app: &mut App) {
    app.set(&["http", "listen"], "127.0.0.1:0");
}

fn app() -> App {
    let mut app = App::new();
    on_any_port(&mut app);
    app
}

fn table(app: &App) -> Output {
    app.command(&["doctor"], b"")
}

/// All is good, whether keyfold runs or not, and nothing is written.
#[test]
fn a_set_up_that_is_right_has_no_bad_line() {
    let mut app = app();
    app.create();
    let directory = app.file("state");
    let directory = directory.to_str().expect("a path of text");
    app.set(&["state", "store"], "disk");
    app.set(&["state", "directory"], directory);
    app.declare("people", "preset:segment-identify");
    app.create_input(app.sources().last().expect("it"));
    let topics = [
        app.state(),
        app.forwarded(),
        app.snapshots(),
        app.dead_letters(),
    ];
    let ends = || topics.each_ref().map(|topic| app.client.watermarks(topic));
    let before = ends();
    let doctor = Doctor::of(&app);
    doctor.assert_none_bad();
    assert_eq!(ends(), before);
    let good = doctor.with("good").len();
    assert_eq!(doctor.counts["good"], good);
    assert_eq!(doctor.counts["bad"], 0);
    for name in [
        "configuration",
        "definition",
        "broker",
        "cluster",
        "advertised broker",
        "version",
        "permission",
        "topic",
        "transactions",
        "operators",
        "timestamps",
        "registry",
        "directory",
        "disk space",
        "http",
    ] {
        let named = doctor.named(name);
        assert!(!named.is_empty(), "{name}: {}", doctor.said);
        assert!(
            named.iter().all(|one| one["result"] == "good"),
            "{name}: {}",
            doctor.said
        );
    }

    let records: Vec<Record> = app.stream(faulty(7, 20)).take(50).collect();
    app.client.produce(&records);
    let mut keyfold = app.run_ready();
    app.set(&["http", "listen"], keyfold.http_address().to_owned());
    let output = table(&app);
    let said = text_of(&output);
    assert!(
        said.contains("a keyfold of this application answers there"),
        "{said}"
    );
    assert!(
        said.contains("it is in use, by a keyfold that runs here"),
        "{said}"
    );
    assert!(said.contains("it is read; its tests ("), "{said}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.starts_with("RESULT "), "{said}");
    let last = text.lines().last().unwrap_or_default();
    let counted = last.starts_with("good: ") && last.contains(", not checkable: ");
    assert!(counted, "{said}");
    assert_eq!(keyfold.terminate(), 0);
}

/// One fault is one bad line; what rests on it is not checkable.
#[test]
fn a_broker_that_is_away_is_one_bad_line() {
    let mut app = App::nowhere();
    on_any_port(&mut app);
    for (servers, says, remedy) in [
        (
            format!("127.0.0.1:{}", free_port()),
            "refuses connections",
            "whether the broker runs",
        ),
        (
            "kafka.invalid:9092".to_owned(),
            "the name kafka.invalid has no address",
            "DNS",
        ),
    ] {
        app.set(&["kafka", "bootstrap_servers"], servers.clone());
        let doctor = Doctor::of(&app);
        let broker = doctor.only_bad("broker");
        assert_eq!(broker["subject"], servers);
        assert_says(broker, "detail", says);
        assert_says(broker, "remedy", remedy);
        for name in ["cluster", "permission", "topic", "transactions"] {
            let named = doctor.named(name);
            assert_eq!(named.len(), 1, "{}", doctor.said);
            assert_eq!(named[0]["result"], "not checkable");
            assert_eq!(named[0]["detail"], "no broker answers this client");
        }
    }
}

/// A server that accepts connections and is silent is told, and does not keep the others from being looked at.
#[test]
fn a_broker_that_hangs_does_not_hold_up_the_rest() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("its address");
    let mut app = app();
    app.create();
    let servers = keyfold_harness::broker::bootstrap();
    app.set(
        &["kafka", "bootstrap_servers"],
        format!("{address},{servers}"),
    );
    let doctor = Doctor::of(&app);
    let broker = doctor.only_bad("broker");
    assert_eq!(broker["subject"], address.to_string());
    assert_says(broker, "detail", "does not answer this client");
    assert_says(broker, "remedy", "security.protocol");
    assert_eq!(doctor.named("topic").len(), 8, "{}", doctor.said);
}

/// Clients are told an address that they cannot reach.
#[test]
fn an_advertised_address_that_is_not_reachable_is_told() {
    let slot = Slot::take();
    let nobody = free_port();
    let advertised = format!("CLIENT://127.0.0.1:{nobody}");
    let broker = Broker::start(BrokerOptions {
        settings: vec![("advertised.listeners".to_owned(), advertised)],
        ..BrokerOptions::default()
    });
    let mut app = App::on(broker.bootstrap(), broker.client(), slot);
    on_any_port(&mut app);
    let doctor = Doctor::of(&app);
    assert_eq!(
        doctor.named("broker")[0]["result"],
        "good",
        "{}",
        doctor.said
    );
    let advertised = doctor.named("advertised broker");
    assert_eq!(advertised.len(), 1, "{}", doctor.said);
    assert_eq!(advertised[0]["result"], "bad", "{}", doctor.said);
    assert_eq!(advertised[0]["subject"], format!("1 127.0.0.1:{nobody}"));
    assert_says(advertised[0], "remedy", "advertised.listeners");
    assert_eq!(doctor.code, Some(1), "{}", doctor.said);
}

#[test]
fn a_wrong_setting_of_a_topic_comes_with_its_command() {
    let app = app();
    app.create_inputs();
    app.client
        .create_topic(&app.snapshots(), 3, &[("cleanup.policy", "compact")]);
    app.client
        .create_topic(&app.dead_letters(), 3, &[("max.message.bytes", "5000")]);
    let doctor = Doctor::of(&app);
    assert_eq!(doctor.code, Some(1));
    let bad = doctor.with("bad");
    let find = |topic: String, part: &str| {
        let mut all = bad.iter();
        all.find(|one| {
            let detail = one["detail"].as_str().expect("a detail");
            one["subject"] == topic && detail.contains(part)
        })
        .unwrap_or_else(|| panic!("{topic} {part} in: {}", doctor.said))
    };
    let missing = find(app.state(), "it does not exist");
    assert_says(missing, "remedy", "kafka-topics.sh");
    let setting = find(app.dead_letters(), "max.message.bytes is 5000");
    let command = format!(
        "--entity-name {} --add-config max.message.bytes=",
        app.dead_letters()
    );
    assert_says(setting, "remedy", &command);
    // a topic that is not there is one line
    let of_state = doctor.checks.iter();
    let of_state = of_state.filter(|one| one["result"] == "bad" && one["subject"] == app.state());
    assert_eq!(of_state.count(), 1, "{}", doctor.said);
}

#[test]
fn a_directory_that_cannot_be_written_to_is_told() {
    let mut app = app();
    app.create();
    let file = app.file("no-folder");
    std::fs::write(&file, "").expect("a file");
    app.set(&["state", "store"], "disk");
    app.set(
        &["state", "directory"],
        file.to_str().expect("a path of text"),
    );
    let doctor = Doctor::of(&app);
    let directory = doctor.only_bad("directory");
    assert_says(directory, "detail", "is no folder");
    assert_says(directory, "remedy", "state.directory");
    assert_eq!(doctor.named("disk space")[0]["result"], "not checkable");
}

/// The registry, the schema of snapshots in it, and a password in its URL that nobody sees.
#[test]
fn the_registry_is_looked_at() {
    let mut app = app();
    app.create();
    let proxy = RegistryProxy::start();
    let url = proxy
        .url()
        .replacen("http://", "http://keyfold:hunter2@", 1);
    app.set(&["registry", "url"], url);
    app.set(&["registry", "timeout"], "3s");
    app.set(&["snapshot", "format"], "avro");
    let subject = format!("{}-value", app.snapshots());
    let doctor = Doctor::of(&app);
    doctor.assert_none_bad();
    assert_eq!(
        doctor.named("schema")[0]["subject"],
        subject,
        "{}",
        doctor.said
    );
    assert_says(doctor.named("schema")[0], "detail", "`run` registers it");
    // nothing was registered
    let again = Doctor::of(&app);
    assert_eq!(again.named("schema"), doctor.named("schema"));

    proxy.fail(Fault::Refused);
    let doctor = Doctor::of(&app);
    let registry = doctor.only_bad("registry");
    assert_eq!(registry["subject"], proxy.url());
    assert_says(registry, "detail", "connection refused");
    assert_says(registry, "remedy", "registry.url");
    assert_eq!(doctor.named("schema")[0]["result"], "not checkable");
    assert!(!doctor.said.contains("hunter2"), "{}", doctor.said);
    let said = text_of(&table(&app));
    assert!(!said.contains("hunter2"), "{said}");
}

/// `run` works where a part of the set-up is bad that it does not need, and warns of it.
#[test]
fn run_makes_the_same_checks() {
    let mut app = app();
    app.create();
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let registry = keyfold_harness::registry::url();
    app.set(&["registry", "url"], format!("{registry},{nobody}"));
    app.set(&["snapshot", "format"], "avro");
    let mut keyfold = app.run_ready();
    keyfold.wait_for(LIMIT, "to warn", |keyfold| {
        let said = keyfold.log();
        (said.contains(&nobody) && said.contains("look at registry.url")).then_some(())
    });
    assert_eq!(keyfold.terminate(), 0);
}
