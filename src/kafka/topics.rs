//! Creates the topics that are missing.

use std::time::{Duration, Instant};

use rdkafka::admin::{NewTopic, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;

use super::cluster::{CheckError, Cluster, ClusterError, options};
use super::description::{Operation, TopicDescription};
use super::permissions::Permission;
use super::retry::REQUEST_TIMEOUT;
use super::topic_specs::{Difference, Need, TopicSpec};

impl Cluster {
    /// Creates the topics that are missing; returns their names and partitions.
    pub fn create_missing(&self) -> Result<Vec<(String, i32)>, ClusterError> {
        let requirements = self.requirements();
        let largest = self.largest_input()?;
        let configured = requirements.creation.partitions;
        let configured = configured.and_then(|configured| i32::try_from(configured).ok());
        let internal = requirements.topics.internal();
        let mut created = Vec::new();
        for spec in requirements.topics.all() {
            if self.partitions(&spec.name)?.is_some() {
                continue;
            }
            let mut partitions = configured.unwrap_or(largest);
            if internal.contains(&spec) {
                // both internal topics have the same number of partitions
                for other in internal {
                    if let Some(found) = self.partitions(&other.name)? {
                        partitions = found;
                    }
                }
            }
            self.create(spec, partitions)?;
            created.push((spec.name.clone(), partitions));
        }
        Ok(created)
    }

    /// Creates the topic in which `keyfold dlq` notes what became of dead letters, if it is missing.
    pub fn create_settled(&self, name: &str) -> Result<bool, ClusterError> {
        if self.partitions_with_retries(name)?.is_some() {
            return Ok(false);
        }
        self.create(&TopicSpec::settled(name), 1)?;
        Ok(true)
    }

    /// What must be mended of that topic; `None` if its settings cannot be read.
    pub fn settled_differences(&self, name: &str) -> Result<Option<Vec<Difference>>, CheckError> {
        let Some(settings) = self.settings(&[name])?.pop().flatten() else {
            return Ok(None);
        };
        let mut differences =
            TopicSpec::settled(name).differences(&settings, self.requirements().servers());
        differences.retain(|one| one.need == Need::Required);
        Ok(Some(differences))
    }

    /// The largest number of partitions of the inputs, all of which must exist.
    fn largest_input(&self) -> Result<i32, ClusterError> {
        let mut largest = 1;
        let mut missing = Vec::new();
        for (_, topic) in &self.requirements().inputs {
            match self.partitions_with_retries(topic)? {
                Some(partitions) => largest = largest.max(partitions),
                None => {
                    let missed = self.missing(topic, &[]);
                    missing.push(format!("{}. {}", missed.what, missed.remedy));
                }
            }
        }
        if missing.is_empty() {
            return Ok(largest);
        }
        Err(ClusterError(missing.join("\n")))
    }

    fn create(&self, spec: &TopicSpec, partitions: i32) -> Result<(), ClusterError> {
        let replication = self.requirements().creation.replication_factor;
        let replication = TopicReplication::Fixed(replication.map_or(-1, i32::from));
        let mut topic = NewTopic::new(&spec.name, partitions, replication);
        for (name, value) in spec.to_create() {
            topic = topic.set(name, value);
        }
        let what = format!("cannot create the topic {}", spec.name);
        let options = options();
        let created = self.admin().create_topics([&topic], &options);
        for result in self.wait_for(&what, created)? {
            if let Err((_, code)) = result
                && code != RDKafkaErrorCode::TopicAlreadyExists
            {
                let hint = match code {
                    RDKafkaErrorCode::TopicAuthorizationFailed => {
                        let create = Permission::on_topic(&spec.name, Operation::Create);
                        let grant = create.grant(&self.requirements().kafka);
                        format!("; this grants it:\n    {grant}")
                    }
                    _ => String::new(),
                };
                return Err(ClusterError(format!("{what}: {code}{hint}")));
            }
        }
        // wait until the topic has leaders, because without them it is not ready
        self.wait_until(&what, || {
            Ok(matches!(self.partitions(&spec.name), Ok(Some(_))))
        })
    }

    pub(super) fn wait_until(
        &self,
        what: &str,
        done: impl Fn() -> Result<bool, ClusterError>,
    ) -> Result<(), ClusterError> {
        let deadline = Instant::now() + REQUEST_TIMEOUT;
        while !done()? {
            if Instant::now() >= deadline {
                return Err(ClusterError(format!(
                    "{what}: the cluster did not do so in time"
                )));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// A topic that does not exist, with the command that creates it.
    pub(super) fn missing(&self, name: &str, described: &[TopicDescription]) -> Difference {
        let requirements = self.requirements();
        let create = |partitions: &str| {
            format!(
                "kafka-topics.sh --bootstrap-server {} --create --topic {name} --partitions {partitions}",
                requirements.servers()
            )
        };
        let (what, remedy) = if let Some(source) = requirements.source_of(name) {
            (
                format!("the input topic {name} of the source {source} does not exist"),
                format!(
                    "Create it ({}), or take it out of [sources.{source}] in the configuration",
                    create("<partitions>")
                ),
            )
        } else {
            let inputs = described
                .iter()
                .filter(|topic| requirements.source_of(&topic.name).is_some());
            let largest = inputs.filter_map(|topic| topic.partitions.ok()).max();
            let configured = requirements.creation.partitions;
            let partitions = configured.map(|configured| configured.to_string());
            let partitions = partitions.or_else(|| largest.map(|largest| largest.to_string()));
            let mut command = create(partitions.as_deref().unwrap_or("<partitions>"));
            let mut specs = requirements.topics.all().into_iter();
            if let Some(spec) = specs.find(|spec| spec.name == name) {
                for (setting, value) in spec.to_create() {
                    command.push_str(&format!(" --config {setting}={value}"));
                }
            }
            (
                "it does not exist".to_owned(),
                format!("`keyfold topics` creates it, or this: {command}"),
            )
        };
        Difference {
            topic: name.to_owned(),
            what,
            remedy,
            need: Need::Required,
        }
    }
}
