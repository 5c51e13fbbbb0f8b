//! `keyfold doctor`: whether keyfold is set up right, a line a check.

use serde::Serialize;

use super::output::{Output, plain, say, say_json, table};
use super::steps::Steps;
use crate::checks::{self, Check, Outcome};
use crate::config::Config;
use crate::exit::{Done, Failure};

/// Check the set-up: brokers, TLS, credentials, permissions, topics, registry, definitions, disk, clock.
///
/// Each check is good, bad (with what mends it), or not checkable (with the reason). Nothing is written to a topic. Exits
/// with 1 where something is bad.
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {
    /// A table for people, or a JSON object
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

#[derive(Debug, Serialize)]
struct Report<'c> {
    checks: &'c [Check],
    counts: Counts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Counts {
    good: usize,
    bad: usize,
    #[serde(rename = "not checkable")]
    not_checkable: usize,
}

impl Counts {
    fn of(checks: &[Check]) -> Counts {
        let count = |result| checks.iter().filter(|one| one.result == result).count();
        Counts {
            good: count(Outcome::Good),
            bad: count(Outcome::Bad),
            not_checkable: count(Outcome::NotCheckable),
        }
    }
}

pub fn run(config: &Config, args: &DoctorArgs) -> Result<Done, Failure> {
    let mut steps = Steps::new();
    let checks = checks::all(config, |step| steps.begin(step));
    drop(steps);
    let counts = Counts::of(&checks);
    match args.output {
        Output::Table => say(&report(&checks, counts))?,
        Output::Json => say_json(&Report {
            checks: &checks,
            counts,
        })?,
    }
    Ok(match counts.bad {
        0 => Done::Clean,
        _ => Done::Found,
    })
}

/// The table, with what mends each bad line below it, and the counts.
fn report(checks: &[Check], counts: Counts) -> String {
    let heading = ["RESULT", "CHECK", "SUBJECT", "DETAIL"].map(str::to_owned);
    let rows = checks.iter().map(|one| {
        let subject = one.subject.as_deref().unwrap_or_default();
        let cells = [one.result.word(), one.check, subject, &one.detail];
        cells.map(|cell| plain(cell).into_owned())
    });
    let rows: Vec<[String; 4]> = std::iter::once(heading).chain(rows).collect();
    let table = table(&rows);
    let mut lines = table.lines().map(str::to_owned);
    let mut text: Vec<String> = lines.by_ref().take(1).collect();
    for (check, line) in checks.iter().zip(lines) {
        text.push(line);
        let remedy = check.remedy.as_deref().unwrap_or_default();
        text.extend(remedy.lines().map(|line| format!("    {}", plain(line))));
    }
    let Counts {
        good,
        bad,
        not_checkable,
    } = counts;
    text.push(String::new());
    text.push(format!(
        "good: {good}, bad: {bad}, not checkable: {not_checkable}"
    ));
    text.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checks() -> Vec<Check> {
        vec![
            Check::good("broker", "kafka:9092", "it answers"),
            Check::bad(
                "topic",
                "a\u{1b}b",
                "it does not exist",
                "create it\nor not",
            ),
            Check::not_checkable("clock", "", "nobody tells the time"),
        ]
    }

    #[test]
    fn what_mends_a_line_stands_below_it() {
        let checks = checks();
        let text = report(&checks, Counts::of(&checks));
        assert_eq!(
            text,
            "RESULT         CHECK   SUBJECT     DETAIL
good           broker  kafka:9092  it answers
bad            topic   a\\u{1b}b    it does not exist
    create it
    or not
not checkable  clock               nobody tells the time

good: 1, bad: 1, not checkable: 1"
        );
    }

    #[test]
    fn the_names_in_json_are_stable() {
        let checks = checks();
        let report = Report {
            checks: &checks,
            counts: Counts::of(&checks),
        };
        assert_eq!(
            serde_json::to_value(&report).unwrap(),
            serde_json::json!({
                "checks": [
                    {"check": "broker", "subject": "kafka:9092", "result": "good", "detail": "it answers"},
                    {"check": "topic", "subject": "a\u{1b}b", "result": "bad", "detail": "it does not exist", "remedy": "create it\nor not"},
                    {"check": "clock", "result": "not checkable", "detail": "nobody tells the time"},
                ],
                "counts": {"good": 1, "bad": 1, "not checkable": 1},
            })
        );
    }
}
