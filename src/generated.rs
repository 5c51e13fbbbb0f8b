//! What the records of the generator mean to keyfold. The generator (`crates/generate`) knows nothing of keyfold.

use keyfold_generate::GeneratedRecord;

use crate::model::record::{RawRecord, Source, usable_timestamp};

impl From<keyfold_generate::Source> for Source {
    fn from(source: keyfold_generate::Source) -> Source {
        match source {
            keyfold_generate::Source::LoyaltyCustomers => Source::LoyaltyCustomers,
            keyfold_generate::Source::LoyaltyActions => Source::LoyaltyActions,
            keyfold_generate::Source::ConsoleCustomers => Source::ConsoleCustomers,
            keyfold_generate::Source::PublisherCustomers => Source::PublisherCustomers,
        }
    }
}

/// The record as the core would get it from a topic of its source.
pub fn raw(record: &GeneratedRecord) -> RawRecord<'_> {
    RawRecord {
        source: record.source.into(),
        timestamp: usable_timestamp(record.timestamp),
        key: record.key.as_deref(),
        value: record.value.as_deref(),
    }
}

#[cfg(test)]
mod tests {
    use keyfold_generate::{Expected, FAULTS, Generator, Kind, Options};

    use super::*;
    use crate::config::Config;
    use crate::model::record::{Code, Rejection};
    use crate::source::{Verdict, judge};

    /// The codes of the rejection and of the warning that a record is made for.
    fn made_for(
        record: &GeneratedRecord,
        kind: Kind,
    ) -> (Option<&'static str>, Option<&'static str>) {
        match kind {
            Kind::Invalid(name) => {
                let fault = FAULTS.iter().find(|fault| fault.name == name).unwrap();
                match fault.expected {
                    Expected::Rejected(code) => (Some(code), None),
                    Expected::Warned(code) => (None, Some(code)),
                }
            }
            Kind::Null => match Source::from(record.source) {
                Source::LoyaltyActions | Source::PublisherCustomers | Source::Declared(_) => {
                    (Some(Code::NullValue.name()), None)
                }
                Source::LoyaltyCustomers | Source::ConsoleCustomers => {
                    let key = std::str::from_utf8(record.key.as_deref().unwrap_or_default());
                    let has_id = key.is_ok_and(|key| !key.trim().is_empty());
                    ((!has_id).then_some(Code::BlankId.name()), None)
                }
            },
            _ => (None, None),
        }
    }

    #[test]
    fn every_record_gets_the_verdict_that_it_is_made_for() {
        let config = Config::default();
        let mut generator = Generator::new(Options::default());
        for _ in 0..50_000 {
            let (record, kind) = generator.next_with_kind();
            let judged = judge(&raw(&record), &config);
            let code = |rejection: Rejection| rejection.code.name();
            let rejected = match judged.verdict {
                Verdict::Valid(_) | Verdict::Nothing => None,
                Verdict::Batch { rejection, .. } => rejection.map(code),
                Verdict::Rejected(rejection) => Some(code(rejection)),
            };
            let warned = judged.warnings.first().map(|warning| warning.keyword);
            let text = String::from_utf8_lossy(record.value.as_deref().unwrap_or_default());
            let expected = made_for(&record, kind);
            assert_eq!((rejected, warned), expected, "{kind:?}: {text}");
        }
    }
}
