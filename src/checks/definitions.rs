//! The definitions of declared sources. One that cannot be read is a fault of the configuration, which ends every command;
//! here their own tests are run.

use super::Check;
use crate::config::Config;
use crate::fold::examples::{self, Outcome};

pub fn check(config: &Config) -> Vec<Check> {
    let declared = config.sources.declared();
    declared
        .map(|(source, settings, plan)| {
            let file = settings.definition.as_deref().unwrap_or_default();
            let subject = format!("{} ({file})", source.name());
            of_tests(&subject, &examples::run(source, plan))
        })
        .collect()
}

fn of_tests(subject: &str, outcomes: &[Outcome]) -> Check {
    const CHECK: &str = "definition";
    let failed: Vec<String> = outcomes
        .iter()
        .filter(|outcome| !outcome.differences.is_empty())
        .map(|outcome| outcome.line.to_string())
        .collect();
    if failed.is_empty() {
        let detail = match outcomes.len() {
            0 => "it is read; it has no tests".to_owned(),
            count => format!("it is read; its tests ({count}) pass"),
        };
        return Check::good(CHECK, subject, detail);
    }
    let detail = format!(
        "of its tests ({}) those at these lines fail: {}",
        outcomes.len(),
        failed.join(", ")
    );
    let remedy = "keyfold sources test says what each of them gives";
    Check::bad(CHECK, subject, detail, remedy)
}
