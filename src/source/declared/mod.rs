//! A record of a declared source, judged by its definition (docs/contract.md, section 9).

use super::form::Form;
use super::{Headers, Judged};
use crate::config::{Tombstone, Validation};
use crate::definition::Plan;
use crate::model::record::{Code, DeclaredSource, RawRecord, Rejection};

/// How the records of a source are judged.
pub(super) struct Following<'c> {
    pub source: DeclaredSource,
    pub plan: &'c Plan,
    pub tombstone: Tombstone,
    pub validation: &'c Validation,
}

/// Judges a record with a value.
pub(super) fn judge<'a>(
    form: Form<'a>,
    record: &RawRecord<'a>,
    headers: Headers<'_>,
    following: &Following<'_>,
) -> Judged<'a> {
    let _ = (form, record, headers, following.source, following.plan);
    let _ = (following.tombstone, following.validation);
    Rejection::new(Code::SchemaViolation).into()
}
