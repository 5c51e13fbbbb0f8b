//! Which topic the null value goes to, and which key its source reads as the id.

use std::collections::BTreeMap;

use crate::config::{Config, KeyFormat, Tombstone};
use crate::exit::Failure;
use crate::inspect::erase::copies::Copies;
use crate::kafka::cluster::Cluster;
use crate::kafka::permissions::Permission;
use crate::kafka::range_reader::LogQuery;
use crate::model::lifetime::Lifetime;
use crate::model::partition;
use crate::model::record::Source;
use crate::source::tombstone::{KeyFrame, NoKey, key_of};

/// The frame of the keys in Avro of each topic that has any.
pub type Frames = BTreeMap<String, KeyFrame>;

/// A topic that may take the null value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub source: Source,
    pub topic: String,
    pub format: KeyFormat,
    pub partitions: i32,
    pub lifetime: Option<Lifetime>,
    /// How far its timestamps may lie ahead of now, in milliseconds, and the setting that says so.
    pub ahead: Option<(i64, &'static str)>,
}

/// A topic with the key that its source reads as the id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressed {
    pub target: Target,
    pub key: Vec<u8>,
    /// Kafka's default for the key; where the topic is compacted, that of the records with this key, which the null value
    /// then removes. keyfold reads it in any partition.
    pub partition: i32,
}

/// The sources that can erase this customer, as far as the configuration says it.
///
/// # Errors
/// If there is none, with what to change, or if no source can have this id.
pub fn sources(config: &Config, id: &str, wanted: Option<&str>) -> Result<Vec<Source>, Failure> {
    if id.trim().is_empty() {
        return Err(usage("the id is blank: no customer has such an id"));
    }
    if let Some(name) = wanted
        && config.sources.named(name).is_none()
    {
        let known: Vec<&str> = config
            .sources
            .iter()
            .map(|(source, _)| source.name())
            .collect();
        return Err(usage(format!(
            "--source: there is no source {name}; those that are configured are {}",
            known.join(", ")
        )));
    }
    let mut able = Vec::new();
    let mut why_not = Vec::new();
    for (source, settings) in config.sources.iter() {
        let name = source.name();
        if wanted.is_some_and(|wanted| wanted != name) {
            continue;
        }
        let plan = config.sources.plan(source);
        let frame = Some(KeyFrame::default());
        let reason = if settings.tombstone != Tombstone::Erase {
            match wanted {
                None => continue,
                Some(_) => format!(
                    "its null values do not erase: set sources.{name}.tombstone = \"erase\""
                ),
            }
        } else if plan.is_some_and(|plan| plan.definition.envelope.null_says_nothing()) {
            "a null value of Debezium says nothing; delete the row in the database".to_owned()
        } else if let Err(no_key) = key_of(id, settings.key_format, frame) {
            why_no_key(no_key, settings.key_format, name)
        } else {
            able.push(source);
            continue;
        };
        why_not.push(format!("\n    {name}: {reason}"));
    }
    match (able.is_empty(), why_not.is_empty()) {
        (false, _) => Ok(able),
        (true, false) => Err(usage(format!(
            "no source can erase this customer:{}",
            why_not.concat()
        ))),
        (true, true) => Err(usage(
            "no source erases: set tombstone = \"erase\" for one to whose topic you may write, such as sources.loyalty-customers",
        )),
    }
}

/// The topics of these sources that can take the null value, in their order.
///
/// # Errors
/// If there is none, with the reason of each.
pub fn topics(
    config: &Config,
    cluster: &Cluster,
    query: &LogQuery,
    sources: &[Source],
) -> Result<Vec<Target>, Failure> {
    let mut able = Vec::new();
    let mut why_not = Vec::new();
    for source in sources {
        let Some(settings) = config.sources.get(*source) else {
            continue;
        };
        for topic in &settings.topics {
            let rule = cluster.timestamp_rule(topic);
            let rule = rule.map_err(|error| Failure::Service(error.reason()))?;
            let reason = match (query.partitions(topic), rule) {
                (Err(error), _) => error.to_string(),
                (Ok(_), None) => format!(
                    "its settings cannot be read, and its message.timestamp.type must be CreateTime; this grants the permission: {}",
                    Permission::describe_configs(topic).grant(&config.kafka)
                ),
                (Ok(_), Some(rule)) if !rule.keeps => "it has message.timestamp.type=LogAppendTime: its broker would replace the timestamp, which says what the null value covers; set it to CreateTime".to_owned(),
                (Ok(partitions), Some(rule)) => {
                    let lifetimes = cluster.lifetimes_of(&[topic]);
                    let lifetimes = lifetimes.map_err(|error| Failure::Service(error.reason()))?;
                    able.push(Target {
                        source: *source,
                        topic: topic.clone(),
                        format: settings.key_format,
                        partitions,
                        lifetime: lifetimes.into_iter().next().flatten(),
                        ahead: rule.ahead,
                    });
                    continue;
                }
            };
            why_not.push(format!("\n    {topic}, of {}: {reason}", source.name()));
        }
    }
    match able.is_empty() {
        false => Ok(able),
        true => Err(usage(format!(
            "no topic can take the null value that erases a customer:{}",
            why_not.concat()
        ))),
    }
}

/// The first of these topics for which a key can be written.
///
/// # Errors
/// If there is none.
pub fn addressed(
    targets: &[Target],
    id: &str,
    frames: &Frames,
    inputs: &[(String, Copies)],
) -> Result<Addressed, Failure> {
    let mut why_not = Vec::new();
    for target in targets {
        let frame = frames.get(&target.topic).copied();
        match key_of(id, target.format, frame) {
            Ok(key) => {
                let compacted = target.lifetime.is_some_and(|one| one.is_compacted);
                let mut inputs = inputs.iter().filter(|_| compacted);
                let copies = inputs.find(|(topic, _)| *topic == target.topic);
                let beside = copies.and_then(|(_, copies)| copies.partition_of(&key));
                let default = partition::of_key(&key, target.partitions);
                return Ok(Addressed {
                    partition: beside.unwrap_or(default),
                    target: target.clone(),
                    key,
                });
            }
            Err(no_key) => {
                let reason = why_no_key(no_key, target.format, target.source.name());
                why_not.push(format!("\n    {}: {reason}", target.topic));
            }
        }
    }
    Err(usage(format!(
        "no key can be written for this customer:{}",
        why_not.concat()
    )))
}

fn why_no_key(no_key: NoKey, format: KeyFormat, source: &str) -> String {
    match no_key {
        NoKey::Blank => "the id is blank".to_owned(),
        NoKey::NoFrame => "its keys are Avro, and no record of the topic has a key of a string, which would show the id of their schema; give another source by --source".to_owned(),
        NoKey::OtherFormat => format!(
            "with key_format = \"{}\" no key may begin like this id: it would be rejected with invalid_key; set sources.{source}.key_format = \"json\" if its keys are JSON, or give another source by --source",
            format.word()
        ),
    }
}

fn usage(text: impl Into<String>) -> Failure {
    Failure::Usage(format!("nothing was written: {}", text.into()))
}
