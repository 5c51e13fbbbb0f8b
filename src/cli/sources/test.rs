//! `keyfold sources test`.

use std::sync::Arc;

use serde::Serialize;

use super::resolve;
use crate::cli::output::{Output, say, say_json};
use crate::config::Config;
use crate::definition::{Plan, Problem};
use crate::exit::{Done, Failure};
use crate::fold::examples::{self, Difference, Outcome};
use crate::model::record::DeclaredSource;

/// How many tests there were, and how many failed.
#[derive(Default)]
struct Tally {
    tests: usize,
    failed: usize,
}

#[derive(Debug, Serialize)]
struct TestLine<'t> {
    file: &'t str,
    line: usize,
    ok: bool,
    differences: &'t [Difference],
}

pub fn run(config: &Config, files: &[String], output: Output) -> Result<Done, Failure> {
    let mut tally = Tally::default();
    let mut problems: Vec<Problem> = Vec::new();
    for file in files {
        match resolve::load(file) {
            Ok((source, plan)) => test(file, source, &plan, output, &mut tally)?,
            Err(wrong) => problems.extend(wrong),
        }
    }
    if files.is_empty() {
        for (source, settings, plan) in config.sources.declared() {
            let file = settings.definition.as_deref().unwrap_or_default();
            test(file, source, plan, output, &mut tally)?;
        }
        if config.sources.declared().next().is_none() {
            return Err(Failure::Usage(
                "no source with a definition is on: name a definition, or preset:NAME".to_owned(),
            ));
        }
    }
    if output == Output::Table && tally.tests > 0 {
        let Tally { tests, failed } = tally;
        say(&format!("tests: {tests}, failed: {failed}"))?;
    }
    match (problems.as_slice(), tally.failed) {
        ([], 0) => Ok(Done::Clean),
        ([], _) => Ok(Done::Found),
        (problems, _) => Err(resolve::wrong(problems)),
    }
}

/// Runs the tests of one definition.
fn test(
    file: &str,
    source: DeclaredSource,
    plan: &Arc<Plan>,
    output: Output,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let outcomes = examples::run(source, plan);
    if outcomes.is_empty() && output == Output::Table {
        say(&format!("        {file} has no tests"))?;
    }
    for outcome in outcomes {
        tally.tests += 1;
        tally.failed += usize::from(!outcome.differences.is_empty());
        match output {
            Output::Table => report(file, &outcome)?,
            Output::Json => say_json(&TestLine {
                file,
                line: outcome.line,
                ok: outcome.differences.is_empty(),
                differences: &outcome.differences,
            })?,
        }
    }
    Ok(())
}

fn report(file: &str, outcome: &Outcome) -> Result<(), Failure> {
    let result = if outcome.differences.is_empty() {
        "ok"
    } else {
        "FAILED"
    };
    say(&format!("{result:8}{file}:{}", outcome.line))?;
    for difference in &outcome.differences {
        let pointer = match difference.pointer.as_str() {
            "" => "the whole",
            pointer => pointer,
        };
        say(&format!("        {pointer}: {}", difference.message))?;
    }
    Ok(())
}
