//! What is wrong now, by the same conditions as the alerts of `config/prometheus/keyfold.rules.yml`, and with the same
//! names, so that the page, the alert and the runbook (`docs/operations.md`) speak of one thing. An alert also waits for a
//! while; the page shows at once what is the case.

use serde::Serialize;

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Problem {
    /// The name of the alert.
    pub name: &'static str,
    /// What is the case, with figures.
    pub what: String,
    /// What to do, as the runbook says.
    #[serde(rename = "do")]
    pub remedy: &'static str,
}

/// What the problems are found in.
#[derive(Debug, Clone, Default)]
pub(super) struct Findings {
    pub not_ready: Vec<String>,
    pub stuck: i64,
    pub foreign_members: i64,
    /// Partitions of the group that nobody owns.
    pub unowned: usize,
    /// The oldest unread record of each topic, in seconds.
    pub lag_seconds: Vec<(String, f64)>,
    /// Seconds since the last commit, or since the start.
    pub since_commit: f64,
    /// Records that wait in the partitions of this instance.
    pub waiting: i64,
    pub has_running_worker: bool,
    pub largest_state: i64,
    pub max_state: usize,
    /// Of each source the records of the last minutes, and how many were rejected.
    pub shares: Vec<(&'static str, u64, u64)>,
    pub max_reject_share: f64,
}

/// Each name with the sentence of its section of the runbook.
pub(super) const REMEDIES: [(&str, &str); 9] = [
    (
        "KeyfoldNotReady",
        "Wait, if it is a start or a rebalance; otherwise the reason says which service is away or what to do.",
    ),
    (
        "KeyfoldPartitionsStuck",
        "`/readyz` and the log name topic, partition, offset and the setting that helps.",
    ),
    ("KeyfoldForeignMembers", "Give it a group of its own."),
    (
        "KeyfoldPartitionsUnowned",
        "Start an instance; restart one that is silent.",
    ),
    (
        "KeyfoldLag",
        "Add workers or instances, up to one worker for each partition.",
    ),
    (
        "KeyfoldNoCommit",
        "Look at the log for aborted transactions and their cause",
    ),
    (
        "KeyfoldLargestState",
        "Raise the limit, and the `max.message.bytes` of the state and snapshot topics with it",
    ),
    (
        "KeyfoldCircuitBreakerNear",
        "Find out whether the producer, the schema or keyfold's configuration changed.",
    ),
    (
        "KeyfoldRejections",
        "They are kept, and the stream goes on.",
    ),
];

const LAG_SECONDS: f64 = 300.0;
const NO_COMMIT_SECONDS: f64 = 60.0;
const STATE_SHARE: f64 = 0.8;
const REJECTED_SHARE: f64 = 0.05;
const NEAR_BREAKER: f64 = 0.8;
/// Of fewer records a share says little.
const FEW_RECORDS: u64 = 20;

fn problem(name: &'static str, what: String) -> Problem {
    let remedy = REMEDIES.iter().find(|(known, _)| *known == name);
    Problem {
        name,
        what,
        remedy: remedy.map_or("", |(_, remedy)| remedy),
    }
}

/// The problems, the most urgent first.
pub(super) fn problems(findings: &Findings) -> Vec<Problem> {
    let mut all = Vec::new();
    for reason in &findings.not_ready {
        all.push(problem("KeyfoldNotReady", reason.clone()));
    }
    let mut add = |holds: bool, name, what: String| {
        if holds {
            all.push(problem(name, what));
        }
    };
    let stuck = findings.stuck;
    let what = format!("{stuck} partitions of this instance cannot be read");
    add(stuck > 0, "KeyfoldPartitionsStuck", what);
    let foreign = findings.foreign_members;
    let what = format!("{foreign} members of the consumer group are not keyfold");
    add(foreign > 0, "KeyfoldForeignMembers", what);
    let unowned = findings.unowned;
    let what = format!("{unowned} partitions are read by no instance");
    add(unowned > 0, "KeyfoldPartitionsUnowned", what);
    for (topic, seconds) in &findings.lag_seconds {
        let what = format!("the oldest unread record of {topic} has waited for {seconds:.0} s");
        add(*seconds > LAG_SECONDS, "KeyfoldLag", what);
    }
    let since = findings.since_commit;
    let is_silent = since > NO_COMMIT_SECONDS && findings.waiting > 0;
    let waiting = findings.waiting;
    let what = format!("{waiting} records wait, and the last commit is {since:.0} s ago");
    add(
        is_silent && findings.has_running_worker,
        "KeyfoldNoCommit",
        what,
    );
    let share = findings.largest_state as f64 / findings.max_state.max(1) as f64;
    let what = format!(
        "the largest customer is at {:.0} % of validation.max_state_bytes",
        share * 100.0
    );
    add(share > STATE_SHARE, "KeyfoldLargestState", what);
    for &(source, records, rejected) in &findings.shares {
        let share = rejected as f64 / records.max(1) as f64;
        let is_near =
            findings.max_reject_share < 1.0 && share > NEAR_BREAKER * findings.max_reject_share;
        let name = if is_near {
            "KeyfoldCircuitBreakerNear"
        } else {
            "KeyfoldRejections"
        };
        let what = format!(
            "{:.0} % of {source} was rejected in the last five minutes",
            share * 100.0
        );
        add(records >= FEW_RECORDS && share > REJECTED_SHARE, name, what);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(findings: &Findings) -> Vec<&'static str> {
        problems(findings)
            .iter()
            .map(|problem| problem.name)
            .collect()
    }

    #[test]
    fn nothing_is_wrong_with_a_process_that_works() {
        let findings = Findings {
            has_running_worker: true,
            since_commit: 3600.0,
            lag_seconds: vec![("crm".to_owned(), 299.0)],
            largest_state: 79,
            max_state: 100,
            shares: vec![("crm", 100, 5), ("web", 19, 19)],
            max_reject_share: 0.9,
            ..Findings::default()
        };
        assert_eq!(names(&findings), [""; 0]);
    }

    #[test]
    fn each_problem_is_named_like_its_alert_and_says_what_to_do() {
        let findings = Findings {
            not_ready: vec!["worker 0: no broker can be reached".to_owned()],
            stuck: 1,
            foreign_members: 1,
            unowned: 2,
            lag_seconds: vec![("crm".to_owned(), 301.0)],
            since_commit: 61.0,
            waiting: 4,
            has_running_worker: true,
            largest_state: 81,
            max_state: 100,
            shares: vec![("crm", 100, 90), ("web", 100, 6)],
            max_reject_share: 0.9,
        };
        let expected: Vec<&str> = REMEDIES.iter().map(|(name, _)| *name).collect();
        assert_eq!(names(&findings), expected);
        assert!(problems(&findings).iter().all(|one| !one.remedy.is_empty()));
    }

    #[test]
    fn the_runbook_has_the_same_names_and_sentences() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let runbook = std::fs::read_to_string(root.join("docs/operations.md")).unwrap();
        for (name, sentence) in REMEDIES
            .iter()
            .filter(|(name, _)| *name != "KeyfoldNotReady")
        {
            let (_, section) = runbook.split_once(&format!("\n### {name}\n")).expect(name);
            let section = section.split("\n### ").next().unwrap();
            let words: Vec<&str> = section.split_whitespace().collect();
            assert!(words.join(" ").contains(sentence), "{name}: {sentence}");
        }
    }

    #[test]
    fn a_breaker_that_is_off_is_never_near() {
        let findings = Findings {
            shares: vec![("crm", 100, 100)],
            max_reject_share: 1.0,
            ..Findings::default()
        };
        assert_eq!(names(&findings), ["KeyfoldRejections"]);
    }
}
