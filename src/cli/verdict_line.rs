//! What the commands that judge records write of each: a line of JSON with the verdict.

use serde::Serialize;

use super::line::Line;
use crate::model::record::{Rejection, Violation};

#[derive(Debug, Serialize)]
pub struct VerdictLine<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    verdict: &'static str,
    stage: Option<&'static str>,
    code: Option<&'static str>,
    message: Option<&'a str>,
    violations: &'a [Violation],
    warnings: &'a [Violation],
}

impl<'a> VerdictLine<'a> {
    pub fn of(
        line: &'a Line,
        verdict: &'static str,
        rejection: Option<&'a Rejection>,
        warnings: &'a [Violation],
    ) -> VerdictLine<'a> {
        VerdictLine {
            topic: &line.topic,
            partition: line.partition,
            offset: line.offset,
            verdict,
            stage: rejection.map(|rejection| rejection.code.stage().name()),
            code: rejection.map(|rejection| rejection.code.name()),
            message: rejection.map(|rejection| rejection.message.as_str()),
            violations: rejection.map_or(&[], |rejection| &rejection.violations),
            warnings,
        }
    }
}
