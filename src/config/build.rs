//! Builds a [`Config`] from the merged layers: what is not given has its default.

use std::collections::BTreeMap;
use std::time::Duration;

use super::check::{self, Check};
use super::read::Reader;
use super::relations;
use super::rules::always_rejects;
use super::words::Action;
use super::{
    Config, DeadLetters, Http, Kafka, Log, Merge, Processing, Registry, Rules, Snapshot,
    SourceConfig, Sources, State, Topics, Validation, keys, properties,
};
use crate::model::record::{Code, Source};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// Actions of a customer are held in memory and in one state record.
const ACTIONS: u64 = 1_000_000;

pub(super) fn config(reader: &mut Reader) -> Config {
    let default = Config::default();
    let config = Config {
        application_id: text(
            reader,
            "application_id",
            &check::APPLICATION_ID,
            default.application_id,
        ),
        instance_id: text(
            reader,
            "instance_id",
            &check::INSTANCE_ID,
            default.instance_id,
        ),
        kafka: kafka(reader, default.kafka),
        sources: sources(reader, default.sources),
        snapshot: snapshot(reader, default.snapshot),
        dead_letters: DeadLetters {
            topic: text(
                reader,
                "dead_letters.topic",
                &check::TOPIC,
                default.dead_letters.topic,
            ),
        },
        merge: merge(reader, &default.merge),
        validation: validation(reader, &default.validation),
        processing: processing(reader, &default.processing),
        state: State {
            store: reader.word("state.store").unwrap_or(default.state.store),
            directory: reader.text("state.directory", &check::DIRECTORY),
            memory_bytes: reader
                .whole("state.memory_bytes", 16 * MIB..=1024 * 1024 * MIB)
                .unwrap_or(default.state.memory_bytes),
        },
        registry: registry(reader, default.registry),
        http: Http {
            listen: text(
                reader,
                "http.listen",
                &check::SOCKET_ADDRESS,
                default.http.listen,
            ),
            customers: reader
                .word("http.customers")
                .unwrap_or(default.http.customers),
        },
        log: Log {
            format: reader.word("log.format").unwrap_or(default.log.format),
            level: text(reader, "log.level", &check::LEVEL, default.log.level),
        },
        topics: Topics {
            partitions: reader.whole("topics.partitions", 1..=10_000),
            replication_factor: reader.whole("topics.replication_factor", 1..=32_767),
        },
    };
    relations::topics(reader, &config);
    relations::registry(reader, &config);
    relations::state(reader, &config);
    config
}

fn text(reader: &mut Reader, path: &str, check: &Check, default: String) -> String {
    reader.text(path, check).unwrap_or(default)
}

fn kafka(reader: &mut Reader, default: Kafka) -> Kafka {
    Kafka {
        bootstrap_servers: text(
            reader,
            "kafka.bootstrap_servers",
            &check::SERVERS,
            default.bootstrap_servers,
        ),
        on_lost_offset: reader
            .word("kafka.on_lost_offset")
            .unwrap_or(default.on_lost_offset),
        on_foreign_offset: reader
            .word("kafka.on_foreign_offset")
            .unwrap_or(default.on_foreign_offset),
        properties: kafka_properties(reader),
    }
}

fn kafka_properties(reader: &mut Reader) -> BTreeMap<String, String> {
    let names: Vec<String> = reader
        .table(keys::PROPERTIES)
        .map(|table| table.keys().cloned().collect())
        .unwrap_or_default();
    let mut properties = BTreeMap::new();
    for name in names {
        let path = format!("{}.{name}", keys::PROPERTIES);
        if let Some(reason) = properties::refusal(&name) {
            reader.problem(&path, format!("cannot be set: {reason}"));
        } else if !properties::is_name(&name) {
            reader.problem(&path, "is no name of a property of librdkafka");
        } else if let Some(value) = reader.property(&name) {
            properties.insert(name, value);
        }
    }
    properties
}

/// With a table of sources only those in it are on (docs/contract.md, section 7).
fn sources(reader: &mut Reader, default: Sources) -> Sources {
    let Some(table) = reader.table("sources") else {
        return default;
    };
    let on: Vec<Source> = Source::ALL
        .into_iter()
        .filter(|source| table.contains_key(source.name()))
        .collect();
    if on.is_empty() {
        reader.problem(
            "sources",
            "no source is on; name at least one, or leave the table out to have all four",
        );
        return default;
    }
    on.into_iter()
        .map(|source| (source, source_config(reader, source)))
        .collect()
}

fn source_config(reader: &mut Reader, source: Source) -> SourceConfig {
    let default = SourceConfig::of(source);
    let path = |key: &str| format!("sources.{}.{key}", source.name());
    SourceConfig {
        topics: reader
            .texts(&path("topics"), &check::TOPIC)
            .unwrap_or(default.topics),
        format: reader.word(&path("format")).unwrap_or(default.format),
        tombstone: reader.word(&path("tombstone")).unwrap_or(default.tombstone),
        key_format: reader
            .word(&path("key_format"))
            .unwrap_or(default.key_format),
    }
}

fn snapshot(reader: &mut Reader, default: Snapshot) -> Snapshot {
    Snapshot {
        topic: text(reader, "snapshot.topic", &check::TOPIC, default.topic),
        format: reader.word("snapshot.format").unwrap_or(default.format),
        subject_strategy: reader
            .word("snapshot.subject_strategy")
            .unwrap_or(default.subject_strategy),
        auto_register: reader
            .flag("snapshot.auto_register")
            .unwrap_or(default.auto_register),
        recent_actions: reader
            .whole("snapshot.recent_actions", 0..=ACTIONS)
            .unwrap_or(default.recent_actions),
        deleted: reader.word("snapshot.deleted").unwrap_or(default.deleted),
    }
}

fn merge(reader: &mut Reader, default: &Merge) -> Merge {
    Merge {
        lists: reader.word("merge.lists").unwrap_or(default.lists),
        max_actions: reader
            .whole("merge.max_actions", 1..=ACTIONS)
            .unwrap_or(default.max_actions),
        max_hidden: reader
            .whole("merge.max_hidden", 0..=ACTIONS)
            .unwrap_or(default.max_hidden),
    }
}

fn validation(reader: &mut Reader, default: &Validation) -> Validation {
    // Beyond this the sum with a timestamp could leave the range of a date.
    let longest = Duration::from_secs(36_500 * 24 * 60 * 60);
    Validation {
        max_future_skew: reader
            .duration("validation.max_future_skew", Duration::ZERO..=longest)
            .unwrap_or(default.max_future_skew),
        max_record_bytes: reader
            .whole("validation.max_record_bytes", KIB..=100 * MIB)
            .unwrap_or(default.max_record_bytes),
        max_metadata_bytes: reader
            .whole("validation.max_metadata_bytes", KIB..=100 * MIB)
            .unwrap_or(default.max_metadata_bytes),
        max_state_bytes: reader
            .whole("validation.max_state_bytes", KIB..=100 * MIB)
            .unwrap_or(default.max_state_bytes),
        rules: rules(reader),
    }
}

fn rules(reader: &mut Reader) -> Rules {
    let mut rules = Rules::default();
    for code in Code::SEMANTIC {
        let path = format!("validation.rules.{}", code.name());
        match reader.word::<Action>(&path) {
            Some(Action::Warn | Action::Off) if always_rejects(code) => {
                reader.problem(&path, "is always \"reject\" and cannot be relaxed");
            }
            Some(action) => rules.set(code, action),
            None => {}
        }
    }
    rules
}

fn processing(reader: &mut Reader, default: &Processing) -> Processing {
    Processing {
        guarantee: reader
            .word("processing.guarantee")
            .unwrap_or(default.guarantee),
        commit_interval: reader
            .duration(
                "processing.commit_interval",
                Duration::from_millis(1)..=Duration::from_secs(60),
            )
            .unwrap_or(default.commit_interval),
        backlog_commit_interval: reader
            .duration(
                "processing.backlog_commit_interval",
                Duration::from_millis(1)..=Duration::from_secs(60),
            )
            .unwrap_or(default.backlog_commit_interval),
        workers: reader
            .whole("processing.workers", 0..=1024)
            .unwrap_or(default.workers),
        max_batch_records: reader
            .whole("processing.max_batch_records", 1..=1_000_000)
            .unwrap_or(default.max_batch_records),
        max_batch_bytes: reader
            .whole("processing.max_batch_bytes", KIB..=1024 * MIB)
            .unwrap_or(default.max_batch_bytes),
        max_reject_share: reader
            .share("processing.max_reject_share")
            .unwrap_or(default.max_reject_share),
        reject_window: reader
            .whole("processing.reject_window", 1..=1_000_000_000)
            .unwrap_or(default.reject_window),
    }
}

fn registry(reader: &mut Reader, default: Registry) -> Registry {
    let seconds = Duration::from_secs;
    Registry {
        urls: reader
            .text("registry.url", &check::HTTP_URLS)
            .map_or(default.urls, |urls| split_urls(&urls)),
        username: text(
            reader,
            "registry.username",
            &check::USERNAME,
            default.username,
        ),
        password: text(
            reader,
            "registry.password",
            &check::PASSWORD,
            default.password,
        ),
        token: text(reader, "registry.token", &check::TOKEN, default.token),
        ca_location: text(
            reader,
            "registry.ca_location",
            &check::FILE,
            default.ca_location,
        ),
        timeout: reader
            .duration("registry.timeout", Duration::from_millis(100)..=seconds(60))
            .unwrap_or(default.timeout),
        unknown_ids_for: reader
            .duration("registry.unknown_ids_for", seconds(1)..=seconds(60 * 60))
            .unwrap_or(default.unknown_ids_for),
    }
}

/// None of an empty text.
fn split_urls(urls: &str) -> Vec<String> {
    urls.split(',')
        .map(|url| url.trim().trim_end_matches('/'))
        .filter(|url| !url.is_empty())
        .map(str::to_owned)
        .collect()
}
