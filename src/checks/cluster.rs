//! Permissions, topics and their settings: what `run` looks at before it starts, and what `keyfold topics` shows.

use super::{Check, Outcome, operators};
use crate::config::Config;
use crate::kafka::cluster::{Cluster, ClusterError};
use crate::kafka::permissions::{Permission, Resource};
use crate::kafka::survey::{DescribedTopic, Difference, HIDDEN, Need, Survey};

/// What was found, and the inputs that are there.
#[derive(Debug, Default)]
pub struct ClusterChecks {
    pub checks: Vec<Check>,
    /// Each with its number of partitions.
    pub inputs: Vec<(String, i32)>,
}

/// `unreached`: why the cluster is not asked.
pub fn check(config: &Config, unreached: Option<&str>) -> ClusterChecks {
    let survey = match unreached {
        Some(reason) => Err(reason.to_owned()),
        None => Cluster::open(config.into())
            .and_then(|cluster| Ok((cluster.survey_with_retries(&[])?, cluster)))
            .map_err(|error| config.kafka.without_secrets(&error.to_string())),
    };
    match survey {
        Ok((survey, cluster)) => ClusterChecks {
            checks: [
                of_survey(config, &survey),
                operators::check(config, &cluster),
            ]
            .concat(),
            inputs: survey
                .topics
                .into_iter()
                .filter(|topic| topic.source.is_some())
                .map(|topic| (topic.name, topic.partitions))
                .collect(),
        },
        Err(reason) => ClusterChecks {
            checks: ["permission", "topic", "transactions"]
                .map(|check| Check::not_checkable(check, "", &reason))
                .into(),
            inputs: Vec::new(),
        },
    }
}

/// The inputs that are there, each with its number of partitions; none where the cluster does not answer.
pub fn inputs(config: &Config) -> Vec<(String, i32)> {
    let Ok(cluster) = Cluster::open(config.into()) else {
        return Vec::new();
    };
    let topics = config.sources.iter().flat_map(|(_, source)| &source.topics);
    let found: Result<Vec<_>, _> = topics
        .map(|topic| {
            let partitions = cluster.partitions(topic)?;
            Ok::<_, ClusterError>(partitions.map(|partitions| (topic.clone(), partitions)))
        })
        .collect();
    found.unwrap_or_default().into_iter().flatten().collect()
}

fn of_survey(config: &Config, survey: &Survey) -> Vec<Check> {
    let mut checks = permissions(config, survey);
    checks.extend(topics(survey));
    checks.extend(timestamps(config, survey));
    checks.push(transactions(survey));
    checks
}

/// What is checked of the permissions on one resource.
fn subject(permission: &Permission) -> String {
    match permission.resource {
        Resource::Topic => format!("topic {}", permission.name),
        Resource::Group => format!("group {}", permission.name),
        Resource::TransactionalIds => format!("transactional ids {}*", permission.name),
    }
}

/// A line for each resource whose permissions are all there, and one for each that is missing.
fn permissions(config: &Config, survey: &Survey) -> Vec<Check> {
    const CHECK: &str = "permission";
    let mut checks = Vec::new();
    let mut asked: Vec<&Permission> = survey.asked.iter().collect();
    while let Some(&first) = asked.first() {
        let is_same = |one: &Permission| one.resource == first.resource && one.name == first.name;
        let denied: Vec<&Permission> = survey.denied.iter().filter(|one| is_same(one)).collect();
        let mut unknown = survey.unknown.iter().filter(|one| is_same(&one.permission));
        if let Some(unknown) = unknown.next() {
            checks.push(Check::not_checkable(CHECK, subject(first), &unknown.reason));
        } else if denied.is_empty() && !survey.missing.iter().any(|one| one.topic == first.name) {
            let of_resource = asked.iter().filter(|one| is_same(one));
            let operations: Vec<String> = of_resource
                .map(|one| format!("{:?}", one.operation))
                .collect();
            checks.push(Check::good(CHECK, subject(first), operations.join(", ")));
        } else if denied.is_empty() {
            let reason = "the topic does not exist";
            checks.push(Check::not_checkable(CHECK, subject(first), reason));
        }
        checks.extend(denied.into_iter().map(|one| denial(config, one)));
        asked.retain(|one| !is_same(one));
    }
    checks
}

/// A permission that is missing. That on the transactional ids is asked for with an id that no instance uses: asking with
/// one of an instance that runs would take it over.
fn denial(config: &Config, permission: &Permission) -> Check {
    let is_of_ids = permission.resource == Resource::TransactionalIds;
    let (result, detail) = match permission.need {
        _ if is_of_ids && !config.instance_id.is_empty() => (
            Outcome::NotCheckable,
            format!(
                "{:?} is not granted for all of them; whether it is for those of the instance {} is seen at its start only",
                permission.operation, config.instance_id
            ),
        ),
        Need::Required => (
            Outcome::Bad,
            format!("{:?} is missing (must be fixed)", permission.operation),
        ),
        Need::Recommended => (
            Outcome::Bad,
            format!(
                "{:?} is missing: the topic grows, for what is done with cannot be deleted (should be fixed)",
                permission.operation
            ),
        ),
    };
    Check::new("permission", subject(permission), result, detail)
        .with_remedy(permission.grant(&config.kafka))
}

/// A line for each topic that is as it should be, and one for each difference.
fn topics(survey: &Survey) -> Vec<Check> {
    const CHECK: &str = "topic";
    let bad = |one: &Difference| {
        let weight = match one.need {
            Need::Required => "must be fixed",
            Need::Recommended => "should be fixed",
        };
        let detail = format!("{} ({weight})", one.what);
        Check::bad(CHECK, &one.topic, detail, &one.remedy)
    };
    let mut checks = Vec::new();
    for topic in &survey.topics {
        // the setting of an input that is looked at has a line of its own
        let of_settings = match topic.source {
            Some(_) => &[],
            None => survey.differences.as_slice(),
        };
        let differences = of_settings.iter().chain(&survey.placement);
        let differences: Vec<Check> = differences
            .filter(|one| one.topic == topic.name)
            .map(bad)
            .collect();
        match differences.is_empty() {
            true => checks.push(as_it_should_be(topic)),
            false => checks.extend(differences),
        }
    }
    checks.extend(survey.missing.iter().map(bad));
    let is_hidden = |one: &&Difference| survey.hidden.contains(&one.topic);
    checks.extend(survey.differences.iter().filter(is_hidden).map(bad));
    let hidden = survey.hidden.iter();
    checks.extend(hidden.map(|topic| Check::not_checkable(CHECK, topic, HIDDEN)));
    checks
}

fn as_it_should_be(topic: &DescribedTopic) -> Check {
    let partitions = topic.partitions;
    match topic.source {
        Some(source) => Check::good(
            "topic",
            &topic.name,
            format!("input of {source}, partitions: {partitions}"),
        ),
        None if topic.has_settings => Check::good(
            "topic",
            &topic.name,
            format!("its settings are as they should be, partitions: {partitions}"),
        ),
        None => Check::not_checkable(
            "topic",
            &topic.name,
            format!("it exists, but its settings cannot be read, partitions: {partitions}"),
        ),
    }
}

/// Whether the records of the inputs keep the timestamps of their producers. Their settings may be read only with a
/// permission that `run` does not need.
fn timestamps(config: &Config, survey: &Survey) -> Vec<Check> {
    const CHECK: &str = "timestamps";
    let mut checks = Vec::new();
    let mut unread: Vec<&DescribedTopic> = Vec::new();
    for topic in survey.topics.iter().filter(|topic| topic.source.is_some()) {
        let mut differences = survey.differences.iter();
        match differences.find(|one| one.topic == topic.name) {
            _ if !topic.has_settings => unread.push(topic),
            Some(one) => {
                let detail = format!("{} (should be fixed)", one.what);
                checks.push(Check::bad(CHECK, &topic.name, detail, &one.remedy));
            }
            None => checks.push(Check::good(CHECK, &topic.name, "CreateTime")),
        }
    }
    if !unread.is_empty() {
        let names: Vec<&str> = unread.iter().map(|topic| topic.name.as_str()).collect();
        let grants: Vec<String> = names
            .iter()
            .map(|name| Permission::describe_configs(name).grant(&config.kafka))
            .collect();
        let reason = "this client may not read the settings of the inputs, and need not, so it is not known whether records keep the timestamps of their producers";
        // the remedies name them
        let subject = match names.as_slice() {
            [only] => (*only).to_owned(),
            all => format!("{} inputs", all.len()),
        };
        let check = Check::not_checkable(CHECK, subject, reason);
        checks.push(check.with_remedy(grants.join("\n")));
    }
    checks
}

/// Whether the brokers take transactions as long as keyfold's.
fn transactions(survey: &Survey) -> Check {
    const CHECK: &str = "transactions";
    let is_of_ids = |one: &&Permission| one.resource == Resource::TransactionalIds;
    if let Some(problem) = survey.broker_problems.first() {
        let (what, remedy) = problem.split_once(": ").unwrap_or((problem, ""));
        return Check::bad(CHECK, "", what, remedy);
    }
    let unknown = survey.unknown.iter();
    let mut unknown = unknown.filter(|one| is_of_ids(&&one.permission));
    if let Some(unknown) = unknown.next() {
        return Check::not_checkable(CHECK, "", &unknown.reason);
    }
    if survey.denied.iter().any(|one| is_of_ids(&one)) {
        return Check::not_checkable(
            CHECK,
            "",
            "a permission on the transactional ids is missing",
        );
    }
    match survey.asked.iter().any(|one| is_of_ids(&one)) {
        true => Check::good(CHECK, "", "the brokers take those of keyfold"),
        false => Check::good(
            CHECK,
            "",
            "none are used, for processing.guarantee is at_least_once",
        ),
    }
}
