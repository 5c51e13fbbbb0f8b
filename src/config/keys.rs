//! The table of configuration keys. A new key is one entry here.
//!
//! An entry is the documentation, the name and type of the field, the default, and what is accepted. The file
//! `config/keyfold.toml`, its JSON Schema and the tables of `docs/configuration.md` are written from it:
//! `just config-files` rewrites them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::section::section;
use super::shape::Shape::{self, Bytes, Flag, Share, Text, Texts, Whole};
use super::shape::Word;
use super::words::{
    Deleted, Format, Guarantee, KeyFormat, Lists, LogFormat, OnForeignOffset, OnLostOffset,
    ServeCustomers, SnapshotFormat, Store, SubjectStrategy, Tombstone,
};
use super::{Priorities, Rules, Sources, text};

const KIB: i64 = 1024;
const MIB: i64 = 1024 * KIB;

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The upper bound: a timestamp plus a longer duration may exceed the range of dates.
const CENTURY: Duration = Duration::from_secs(36_500 * 24 * 60 * 60);

section! {
    /// What identifies the application and its instances.
    Config {
        /// The consumer group. Instances with the same id share the work. The internal topics are
        /// `<application_id>.state` and `<application_id>.forwarded`.
        application_id: String = "keyfold".to_owned(), Text(&text::APPLICATION_ID);
        /// A stable name of this instance, for stable transactional ids and static membership. Two processes must
        /// never share one. Empty: a random name.
        instance_id: String = String::new(), Text(&text::INSTANCE_ID);
        /// Whether a stop (SIGTERM) gives the name up: other instances take the partitions over at once, as when an
        /// instance without a name stops. Otherwise the group keeps them for the name until its session ends, so that a
        /// restart finds them again. SIGUSR1 asks one running instance to give it up at its next stop.
        leave_on_stop: bool = false, Flag;

        [kafka: Kafka];
        [sources: Sources];
        [snapshot: Snapshot];
        [dead_letters: DeadLetters];
        [merge: Merge];
        [validation: Validation];
        [processing: Processing];
        [state: State];
        [registry: Registry];
        [http: Http];
        [log: Log];
        [topics: Topics];
    }
}

section! {
    /// The Kafka cluster.
    Kafka {
        /// The brokers to connect to first.
        bootstrap_servers: String = "localhost:9092".to_owned(), Text(&text::SERVERS);
        /// What to do when a committed offset is no longer in its topic, or the topic was deleted and recreated. A
        /// group that has never committed starts at the earliest record.
        on_lost_offset: OnLostOffset = OnLostOffset::Fail, Shape::Word(OnLostOffset::MEANINGS);
        /// What to do when somebody else has committed an offset for this consumer group, and it is not the first
        /// offset of the partition.
        on_foreign_offset: OnForeignOffset = OnForeignOffset::Fail, Shape::Word(OnForeignOffset::MEANINGS);

        [properties: BTreeMap<String, String>];
    }
}

section! {
    /// A source that is on. All sources have the same keys.
    SourceConfig {
        /// The file that says what the source's records mean, beside this file; or a definition that comes with keyfold,
        /// as "preset:NAME".
        definition: Option<String> = None,
            Text(&text::DEFINITION).optional("required", "\"crm-contacts.toml\"");
        /// The topics that feed the source. A topic feeds one source only.
        topics: Vec<String> = Vec::new(), Texts(&text::TOPIC);
        /// How the values of all of its records are encoded.
        format: Format = Format::Json, Shape::Word(Format::MEANINGS);
        /// What a record with a null value does.
        tombstone: Tombstone = Tombstone::Retract, Shape::Word(Tombstone::MEANINGS);
        /// How the key of a record with a null value gives the customer id. The keys of other records are not read.
        key_format: KeyFormat = KeyFormat::Text, Shape::Word(KeyFormat::MEANINGS);
    }
}

section! {
    /// The snapshots, which are published to a compacted topic.
    Snapshot {
        /// The topic of the snapshots.
        topic: String = "customers.snapshots".to_owned(), Text(&text::TOPIC);
        /// How snapshots are encoded.
        format: SnapshotFormat = SnapshotFormat::Json, Shape::Word(SnapshotFormat::MEANINGS);
        /// The subject that the schema of Avro snapshots is registered under. The full name of its record is
        /// `keyfold.snapshot.CustomerSnapshot`.
        subject_strategy: SubjectStrategy = SubjectStrategy::TopicName, Shape::Word(SubjectStrategy::MEANINGS);
        /// Whether keyfold registers that schema. With false it must be registered already.
        auto_register: bool = true, Flag;
        /// How many actions `actions.recent` shows.
        recent_actions: usize = 20, Whole(0..=1_000_000);
        /// What is published for a customer with the status `DELETED`.
        deleted: Deleted = Deleted::Keep, Shape::Word(Deleted::MEANINGS);
    }
}

section! {
    /// The dead letters: rejected records, with the reason in headers.
    DeadLetters {
        /// The topic of the dead letters.
        topic: String = "customers.dead-letters".to_owned(), Text(&text::TOPIC);
    }
}

section! {
    /// How the records of a customer are merged into one state.
    Merge {
        /// What a newer list of addresses or dependents means for the elements that it does not contain.
        lists: Lists = Lists::Replace, Shape::Word(Lists::MEANINGS);
        /// How many actions of a customer are kept: the newest.
        max_actions: usize = 100, Whole(1..=1_000_000);
        /// How many addresses that are not shown are kept of a customer, and how many dependents: those that were
        /// listed last. With `lists` set to "union" all are shown, and all are kept.
        max_hidden: usize = 100, Whole(0..=1_000_000);

        [priority: Priorities];
    }
}

section! {
    /// The limits for records and for the state of a customer.
    Validation {
        /// How far an `updatedAt` may lie after the timestamp of its record.
        max_future_skew: Duration = DAY, Shape::Duration(Duration::ZERO..=CENTURY);
        /// The largest value of a record.
        max_record_bytes: usize = 1_048_576, Bytes(KIB..=100 * MIB);
        /// The largest size of a record's key, header names and header values together.
        max_metadata_bytes: usize = 65_536, Bytes(KIB..=100 * MIB);
        /// The largest encoded state of a customer.
        max_state_bytes: usize = 900_000, Bytes(KIB..=100 * MIB);

        [rules: Rules];
    }
}

section! {
    /// How the stream is processed.
    Processing {
        /// The delivery guarantee.
        guarantee: Guarantee = Guarantee::ExactlyOnce, Shape::Word(Guarantee::MEANINGS);
        /// The longest time between two commits while records come, from the end of one to the beginning of the next.
        /// Longer means fewer snapshots and more latency.
        commit_interval: Duration = Duration::from_millis(100), Shape::Duration(MILLISECOND..=MINUTE);
        /// The same while the inputs have a backlog: the changes of a customer are then folded into fewer snapshots.
        /// If it is not longer than `commit_interval`, a backlog is committed as often as everything else.
        backlog_commit_interval: Duration = SECOND, Shape::Duration(MILLISECOND..=MINUTE);
        /// Worker threads. 0: one for each core.
        workers: usize = 0, Whole(0..=1024);
        /// A batch is committed at the latest when it has read this many records.
        max_batch_records: usize = 1_000_000, Whole(1..=1_000_000);
        /// A batch is committed at the latest when it takes this much memory: its customers and what waits to be written,
        /// estimated, and rather too much than too little. Each worker has a batch that grows, and one that is committed.
        max_batch_bytes: usize = 256 * 1024 * 1024, Bytes(KIB..=1024 * MIB);
        /// The circuit breaker: keyfold stops when more than this share of the last `reject_window` records of one
        /// source were rejected, instead of moving a whole topic to the dead letters. 1.0 switches it off.
        max_reject_share: f64 = 0.9, Share;
        /// The number of records that the share is taken over.
        reject_window: usize = 10_000, Whole(1..=1_000_000_000);
    }
}

section! {
    /// Where an instance keeps the state of its customers.
    State {
        /// The kind of store. docs/operations.md says when to choose which.
        store: Store = Store::Memory, Shape::Word(Store::MEANINGS);
        /// The folder of the store on disk, for this instance alone. It is created if it is missing. The store in
        /// memory does not use it.
        directory: Option<String> = None,
            Text(&text::DIRECTORY).optional("no folder; the store on disk needs one", "\"/var/lib/keyfold\"");
        /// Memory for what the store on disk has not written to its files yet, all partitions together. More than 96 MiB
        /// for each partition of the state topic is not used. Filters and indexes of the files need about five bytes
        /// a customer in addition. The files are cached by the operating system: leave memory for it.
        memory_bytes: usize = 256 * 1024 * 1024, Bytes(16 * MIB..=1024 * 1024 * MIB);
    }
}

section! {
    /// A schema registry with Confluent's REST API. It is used only where a format is "avro".
    Registry {
        /// One registry. Several URLs of the same registry are tried in turn. May be empty where no format is "avro".
        url: String = "http://localhost:8081".to_owned(), Text(&text::HTTP_URLS);
        /// The user of basic authentication. Give either a user or a token.
        username: String = String::new(), Text(&text::USERNAME);
        /// The password of the user. Keep secrets in the environment: `KEYFOLD__REGISTRY__PASSWORD`.
        password: String = String::new(), Text(&text::PASSWORD);
        /// A bearer token. Keep secrets in the environment: `KEYFOLD__REGISTRY__TOKEN`.
        token: String = String::new(), Text(&text::TOKEN);
        /// A PEM file of certificate authorities to trust for https in addition to the usual ones.
        ca_location: String = String::new(), Text(&text::FILE);
        /// How long one request may take.
        timeout: Duration = Duration::from_secs(5), Shape::Duration(100 * MILLISECOND..=MINUTE);
        /// How long the registry's answer that a schema does not exist is believed. Records with its schema id are
        /// dead letters meanwhile.
        unknown_ids_for: Duration = Duration::from_secs(30), Shape::Duration(SECOND..=HOUR);
    }
}

section! {
    /// The HTTP server with metrics, health, status and customers.
    Http {
        /// The address to listen on.
        listen: String = "127.0.0.1:9464".to_owned(), Text(&text::SOCKET_ADDRESS);
        /// Whether `/customers/{id}` is served, which is personal data.
        customers: ServeCustomers = ServeCustomers::Auto, Shape::Word(ServeCustomers::MEANINGS);
    }
}

section! {
    /// The log, on standard error.
    Log {
        /// The format of the log.
        format: LogFormat = LogFormat::Auto, Shape::Word(LogFormat::MEANINGS);
        /// The least severe level that is logged, for all modules or for some.
        level: String = "info".to_owned(), Text(&text::LEVEL);
    }
}

section! {
    /// How `keyfold topics` creates topics.
    Topics {
        /// Partitions of the internal topics. They are never changed once the topics exist.
        partitions: Option<u32> = None, Whole(1..=10_000).optional("those of the largest input", "12");
        /// Replicas of each partition.
        replication_factor: Option<u16> = None, Whole(1..=32_767).optional("the broker's default", "3");
    }
}
