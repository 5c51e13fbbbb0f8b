//! A keyfold of a test's own: its topics, its configuration, and its records.

use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use keyfold::model::record::{DeclaredSource, Source};
use keyfold_generate::{GeneratedRecord, Generator, Options};
use tempfile::TempDir;

use crate::broker;
use crate::client::{Client, unique};
use crate::program::{self, Keyfold};
use crate::record::Record;
use crate::slots::Slot;

/// How long a test waits for what takes seconds at the most on a machine at rest.
pub const LIMIT: Duration = Duration::from_secs(90);
/// An address where nobody listens.
const NOWHERE: &str = "127.0.0.1:1";
const EIGHT_MEBIBYTES: &str = "8388608";

/// 15 January 2027, in milliseconds: what the examples of `schemas/` take for a record's timestamp.
pub const EXAMPLE_TIME: i64 = 1_800_000_000_000;

pub struct App {
    pub client: Client,
    /// The application id, which the names of all topics begin with.
    pub id: String,
    pub input_partitions: [i32; 4],
    declared: Vec<Source>,
    settings: toml::Table,
    home: TempDir,
    slot: Option<Slot>,
}

impl App {
    /// On the broker that all tests share. No topic is there yet.
    #[allow(clippy::new_without_default)] // it waits for a slot, and may start the broker: no default value
    pub fn new() -> App {
        let slot = Slot::take();
        App::on(broker::bootstrap(), Client::shared(), slot)
    }

    /// On no broker, and without a slot: what keyfold says before a broker answers costs the other tests nothing.
    pub fn nowhere() -> App {
        App::at(NOWHERE, Client::new(NOWHERE), None)
    }

    /// On another broker.
    pub fn on(bootstrap: &str, client: Client, slot: Slot) -> App {
        App::at(bootstrap, client, Some(slot))
    }

    fn at(bootstrap: &str, client: Client, slot: Option<Slot>) -> App {
        let home = tempfile::Builder::new().prefix("keyfold-test-").tempdir();
        let mut app = App {
            client,
            id: unique("keyfold"),
            input_partitions: [3; 4],
            declared: Vec::new(),
            settings: toml::Table::new(),
            home: home.expect("a directory"),
            slot,
        };
        app.set(&["application_id"], app.id.clone());
        app.set(&["kafka", "bootstrap_servers"], bootstrap);
        app.set(
            &["kafka", "properties", "session.timeout.ms"],
            "6000".to_owned(),
        );
        for source in Source::BUILT_IN {
            let topics = vec![app.input(source)];
            app.set(&["sources", source.name(), "topics"], topics);
        }
        app.set(&["snapshot", "topic"], app.snapshots());
        app.set(&["dead_letters", "topic"], app.dead_letters());
        app.set(&["processing", "workers"], 1);
        app.set(&["log", "format"], "human");
        app
    }

    /// Lets the next test in before this one ends: what only waits for time to pass leaves the machine to it.
    pub fn give_up_slot(&mut self) {
        drop(self.slot.take());
    }

    /// Sets a key of the configuration, given by its path.
    pub fn set(&mut self, path: &[&str], value: impl Into<toml::Value>) {
        let (last, tables) = path.split_last().expect("a key");
        let mut table = &mut self.settings;
        for name in tables {
            let entry = table.entry(*name);
            let value = entry.or_insert_with(|| toml::Table::new().into());
            table = value.as_table_mut().expect("a table");
        }
        table.insert((*last).to_owned(), value.into());
    }

    /// Takes a key out of the configuration.
    pub fn unset(&mut self, path: &[&str]) {
        let (last, tables) = path.split_last().expect("a key");
        let mut table = &mut self.settings;
        for name in tables {
            let value = table.get_mut(*name).expect("a table");
            table = value.as_table_mut().expect("a table");
        }
        table.remove(*last);
    }

    /// Adds a declared source with a topic of its own; `definition` is a preset's name (`preset:…`), or the text of a
    /// definition.
    pub fn declare(&mut self, name: &str, definition: &str) -> Source {
        let source = Source::Declared(DeclaredSource::new(name));
        let definition = match definition.starts_with("preset:") {
            true => definition.to_owned(),
            false => {
                let file = self.home.path().join(format!("{name}.toml"));
                fs::write(&file, definition).expect("a definition file");
                file.to_str().expect("a path of text").to_owned()
            }
        };
        self.set(&["sources", name, "definition"], definition);
        self.set(&["sources", name, "topics"], vec![self.input(source)]);
        self.declared.push(source);
        source
    }

    /// The sources that are on: the built-in ones, then the declared ones.
    pub fn sources(&self) -> impl Iterator<Item = Source> {
        Source::BUILT_IN.into_iter().chain(self.declared.clone())
    }

    /// How many partitions the input of a source has.
    pub fn partitions_of(&self, source: Source) -> i32 {
        let built_in = self.input_partitions.get(source.index());
        built_in.copied().unwrap_or(3)
    }

    /// Sets `group.protocol`: `classic`, with short sessions, or `consumer`, whose sessions are the broker's.
    pub fn set_protocol(&mut self, protocol: &str) {
        if protocol == "consumer" {
            self.unset(&["kafka", "properties", "session.timeout.ms"]);
        }
        self.set(&["kafka", "properties", "group.protocol"], protocol);
    }

    /// Sets how many partitions the inputs get, in the order of [`Source::BUILT_IN`].
    pub fn set_partitions(&mut self, partitions: [i32; 4]) {
        self.input_partitions = partitions;
    }

    pub fn input(&self, source: Source) -> String {
        format!("{}.{}", self.id, source.name())
    }

    pub fn inputs(&self) -> Vec<String> {
        self.sources().map(|source| self.input(source)).collect()
    }

    pub fn snapshots(&self) -> String {
        format!("{}.snapshots", self.id)
    }

    pub fn dead_letters(&self) -> String {
        format!("{}.dead-letters", self.id)
    }

    pub fn state(&self) -> String {
        format!("{}.state", self.id)
    }

    pub fn forwarded(&self) -> String {
        format!("{}.forwarded", self.id)
    }

    /// Creates the inputs. Records of any time and size are at home there.
    pub fn create_inputs(&self) {
        self.create_inputs_of(self.sources());
    }

    pub fn create_input(&self, source: Source) {
        self.create_inputs_of([source]);
    }

    fn create_inputs_of(&self, sources: impl IntoIterator<Item = Source>) {
        let settings = [
            ("retention.ms", "-1"),
            ("max.message.bytes", EIGHT_MEBIBYTES),
            ("message.timestamp.before.max.ms", "9223372036854775807"),
            ("message.timestamp.after.max.ms", "9223372036854775807"),
        ];
        let topics = sources.into_iter();
        let topics = topics.map(|source| (self.input(source), self.partitions_of(source)));
        let topics: Vec<(String, i32)> = topics.collect();
        self.client.create_topics(&topics, &settings);
    }

    /// Creates the inputs, and the other topics by `keyfold topics`.
    pub fn create(&self) {
        self.create_inputs();
        self.create_outputs();
    }

    /// Creates all that is missing by `keyfold topics`.
    #[track_caller]
    pub fn create_outputs(&self) {
        let output = self.command(&["topics"], b"");
        assert_eq!(output.status.code(), Some(0), "{}", text_of(&output));
    }

    /// The configuration as TOML.
    pub fn config(&self) -> String {
        toml::to_string(&self.settings).expect("a configuration")
    }

    /// The configuration as a file.
    pub fn config_file(&self) -> PathBuf {
        let file = self.home.path().join("keyfold.toml");
        fs::write(&file, self.config()).expect("a configuration file");
        file
    }

    /// A file for a command to write to.
    pub fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Runs a command of `keyfold` with the configuration, to its end.
    #[track_caller]
    pub fn command(&self, args: &[&str], stdin: &[u8]) -> Output {
        let file = self.config_file();
        let mut all = args.to_vec();
        all.extend(["--config", file.to_str().expect("a path of text")]);
        program::run(&all, stdin)
    }

    /// Starts `keyfold run`.
    pub fn run(&self) -> Keyfold {
        Keyfold::start(&self.config(), &[])
    }

    /// Starts `keyfold run` and waits until it is ready.
    #[track_caller]
    pub fn run_ready(&self) -> Keyfold {
        let mut keyfold = self.run();
        keyfold.wait_ready(LIMIT);
        keyfold
    }

    /// Starts `keyfold run`, which must refuse with exit code 3; what it said.
    #[track_caller]
    pub fn run_refused(&self) -> String {
        let mut keyfold = self.run();
        let code = keyfold.wait_exit(Duration::from_secs(60));
        let log = keyfold.log();
        assert_eq!(code, 3, "{log}");
        log
    }

    /// A record for a source's topic.
    pub fn record(&self, source: Source) -> Record {
        Record::to(&self.input(source))
    }

    /// A generated record for its source's topic; the key says for which partition.
    pub fn generated(&self, record: GeneratedRecord) -> Record {
        generated_for(&self.input(record.source.into()), record)
    }

    /// The records of a generator, without end.
    pub fn stream(&self, options: Options) -> impl Iterator<Item = Record> {
        Generator::new(options).map(|record| self.generated(record))
    }
}

/// A generated record for a topic.
pub fn generated_for(topic: &str, record: GeneratedRecord) -> Record {
    let mut to = Record::to(topic).at(record.timestamp);
    to.key = record.key;
    to.value = record.value;
    let headers = record.headers.into_iter();
    to.headers = headers.map(|(name, value)| (name, Some(value))).collect();
    to
}

/// What a command wrote, for a failure's message.
pub fn text_of(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    let (out, err) = (String::from_utf8_lossy(out), String::from_utf8_lossy(err));
    format!("{}\n{out}{err}", output.status)
}

/// A stream with faults of every kind.
pub fn faulty(seed: u64, customers: u32) -> Options {
    Options {
        seed,
        customers,
        late: 0.1,
        repeated: 0.05,
        invalid: 0.04,
        wrongly_keyed: 0.08,
        null: 0.02,
        ..Options::default()
    }
}
