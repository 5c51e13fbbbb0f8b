//! The records are judged by the reader that will read them, before the first one is used: what the recipe does not know
//! of a schema, such as a pattern, shows here.

use std::collections::BTreeSet;

use keyfold_generate::{Content, Kind, Options, OwnGenerator};

use super::Samples;
use super::compile::Unmakeable;
use crate::model::record::{Rejection, Violation};
use crate::source::Verdict;

/// How many records are judged.
const RECORDS: usize = 400;
/// How many problems are told.
const MAX_PROBLEMS: usize = 20;

/// Why records are rejected that should be valid.
pub(super) fn violations(samples: &Samples) -> Vec<Unmakeable> {
    let options = Options {
        invalid: 0.0,
        null: 0.05,
        late: 0.2,
        repeated: 0.0,
        customers: 200,
        ..Options::default()
    };
    let mut stream = OwnGenerator::new(&options, samples.clone());
    let mut found = BTreeSet::new();
    for _ in 0..RECORDS {
        let (record, kind) = stream.next_with_kind();
        if matches!(kind, Kind::Invalid(_)) {
            continue;
        }
        let content = Content {
            key: record.key,
            value: record.value,
            headers: record.headers,
        };
        if let Some(rejection) = rejection(samples, &content, record.timestamp) {
            found.extend(problems(&rejection));
        }
        if found.len() >= MAX_PROBLEMS {
            break;
        }
    }
    found.into_iter().take(MAX_PROBLEMS).collect()
}

/// Why a record is rejected, or a part of it.
pub(super) fn rejection(samples: &Samples, content: &Content, timestamp: i64) -> Option<Rejection> {
    samples.judge(content, timestamp, |judged| match judged.verdict {
        Verdict::Rejected(rejection) => Some(rejection),
        Verdict::Batch { rejection, .. } => rejection,
        Verdict::Valid(_) | Verdict::Nothing => None,
    })
}

fn problems(rejection: &Rejection) -> Vec<Unmakeable> {
    let code = rejection.code.name();
    if rejection.violations.is_empty() {
        return vec![Unmakeable {
            pointer: String::new(),
            message: format!("records that are made are rejected with {code}"),
        }];
    }
    let each = |violation: &Violation| Unmakeable {
        pointer: without_positions(&violation.pointer),
        message: format!(
            "values that are made are rejected with {code}: {}",
            violation.message
        ),
    };
    rejection.violations.iter().map(each).collect()
}

/// The same pointer for all elements of a list.
fn without_positions(pointer: &str) -> String {
    let parts = pointer.split('/').map(|part| match part.parse::<usize>() {
        Ok(_) => "*",
        Err(_) => part,
    });
    parts.collect::<Vec<_>>().join("/")
}
