//! Judges records under the configuration of today, as the processor does, for the commands that read them from Kafka.

use std::time::Duration;

use super::schemas::Lookup;
use crate::config::Config;
use crate::engine::received::Received;
use crate::exit::Failure;
use crate::kafka::cluster::Cluster;
use crate::source::Judged;
use crate::source::framing::Payload;

/// How long a schema registry that is away is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same for a command that goes on without the registry.
const SHORT_PATIENCE: Duration = Duration::from_secs(3);

pub struct RecordJudge<'c> {
    config: &'c Config,
    schemas: Lookup,
    max_forwarded_bytes: usize,
}

impl<'c> RecordJudge<'c> {
    /// A judge for the cluster's topics.
    ///
    /// # Errors
    /// If the cluster cannot be asked, or the registry not with the configuration's settings.
    pub fn connect(config: &'c Config, cluster: &Cluster) -> Result<RecordJudge<'c>, Failure> {
        let largest = cluster.max_record_bytes(&config.forwarded_topic());
        let largest = largest.map_err(|error| Failure::Service(error.reason()))?;
        RecordJudge::new(config, largest)
    }

    /// A judge for a command that goes on without the registry: that is waited for once, for a few seconds. If it is away,
    /// each record that needs it fails with [`Failure::RegistryAway`], and others are judged.
    ///
    /// # Errors
    /// Those of [`RecordJudge::connect`].
    pub fn impatient(config: &'c Config, cluster: &Cluster) -> Result<RecordJudge<'c>, Failure> {
        Ok(RecordJudge {
            schemas: Lookup::of_registry(config, SHORT_PATIENCE)?.giving_up(),
            ..RecordJudge::connect(config, cluster)?
        })
    }

    /// `max_forwarded_bytes` is the largest record that the forwarded topic takes.
    ///
    /// # Errors
    /// If the registry cannot be asked with the configuration's settings.
    pub fn new(config: &'c Config, max_forwarded_bytes: usize) -> Result<RecordJudge<'c>, Failure> {
        Ok(RecordJudge {
            config,
            schemas: Lookup::of_registry(config, PATIENCE)?,
            max_forwarded_bytes,
        })
    }

    /// A judge without a cluster, which finds writer schemas as it is told. The forwarded topic is taken to have no limit.
    pub fn offline(config: &'c Config, schemas: Lookup) -> RecordJudge<'c> {
        RecordJudge {
            config,
            schemas,
            max_forwarded_bytes: usize::MAX,
        }
    }

    /// Judges a record, and gives the verdict to `then`. It holds for any state of the customer: whether the state would
    /// become too large is not judged.
    ///
    /// # Errors
    /// If the registry does not answer in time.
    pub fn judge<T>(
        &mut self,
        record: &Received<'_>,
        then: impl FnOnce(Judged<'_>) -> T,
    ) -> Result<T, Failure> {
        let payload = self.open(record)?;
        Ok(then(record.judge(
            &payload,
            self.config,
            self.max_forwarded_bytes,
        )))
    }

    /// The value of a record without its frame.
    ///
    /// # Errors
    /// If the registry does not answer in time.
    pub fn open<'a>(&mut self, record: &Received<'a>) -> Result<Payload<'a>, Failure> {
        let needed = record.needed(self.config, self.schemas.found());
        self.schemas.find_all(needed.into_iter().flatten())?;
        let payload = record.open(self.config, self.schemas.found());
        payload.ok_or_else(|| Failure::Service("a writer schema was not looked up".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::origin::{Header, Omitted, Origin, Unwrapped};
    use crate::model::record::{Code, RawRecord, Source};
    use crate::source::Verdict;

    const NO_LIMIT: usize = usize::MAX;

    fn code_of(record: &Received<'_>, config: &Config, max_forwarded_bytes: usize) -> Option<Code> {
        let mut judge = RecordJudge::new(config, max_forwarded_bytes).unwrap();
        let code = judge.judge(record, |judged| match judged.verdict {
            Verdict::Rejected(rejection) => Some(rejection.code),
            Verdict::Batch { rejection, .. } => rejection.map(|rejection| rejection.code),
            Verdict::Valid(_) | Verdict::Nothing => None,
        });
        code.unwrap()
    }

    fn received<'a>(source: Source, value: &'a str, headers: &'a [Header<'a>]) -> Received<'a> {
        Received {
            topic: "input",
            partition: 1,
            offset: 7,
            raw: RawRecord {
                source,
                timestamp: Some(1_800_000_000_000),
                key: Some(b"c-1"),
                value: Some(value.as_bytes()),
            },
            headers,
            forwarded: None,
        }
    }

    #[test]
    fn a_record_is_judged_as_the_processor_does() {
        let config = Config::default();
        let (source, good) = (
            Source::ConsoleCustomers,
            r#"{"customerId":"c-1","version":1}"#,
        );
        let code = |value| code_of(&received(source, value, &[]), &config, NO_LIMIT);
        assert_eq!(code(good), None);
        assert_eq!(code(r#"{"customerId":"c-1"}"#), Some(Code::SchemaViolation));
        // key and headers are limited, where the record was read first
        let large = vec![b'h'; config.validation.max_metadata_bytes];
        let headers: [Header<'_>; 1] = [("trace", Some(&large))];
        let mut record = received(source, good, &headers);
        assert_eq!(code_of(&record, &config, NO_LIMIT), Some(Code::TooLarge));
        record.forwarded = Some(Omitted::default());
        assert_eq!(code_of(&record, &config, NO_LIMIT), None);
    }

    #[test]
    fn what_does_not_fit_into_the_forwarded_topic_is_too_large() {
        let config = Config::default();
        let good = r#"{"customerId":"c-1","version":1}"#;
        let record = received(Source::ConsoleCustomers, good, &[]);
        assert_eq!(code_of(&record, &config, 2_000), None);
        assert_eq!(code_of(&record, &config, 1_000), Some(Code::TooLarge));
        let customer = r#"{"sourceCustomerId":"c","organizationId":"5","postalCode":"7","country":"US",
            "customerCreationDate":"2017-01-01T08:00:00Z","enrollmentStartDate":"2023-01-01T08:00:00Z",
            "enrollmentOptInStatus":"A","alertOptInStatus":[],"targetingIndicator":"T","accounts":[]}"#;
        let batch = format!("{{\"customers\":[{customer}]}}");
        let record = received(Source::PublisherCustomers, &batch, &[]);
        assert_eq!(code_of(&record, &config, 2_000), None);
        assert_eq!(code_of(&record, &config, 500), Some(Code::TooLarge));
    }

    #[test]
    fn a_forwarded_record_is_judged_as_it_was_where_it_was_read_first() {
        let config = Config::default();
        let origin = Origin {
            source: Source::LoyaltyCustomers,
            topic: "input".to_owned(),
            partition: 1,
            offset: 7,
            timestamp: Some(1_800_000_000_000),
            key: Some(b"c-1".to_vec()),
            omitted: Omitted::default(),
        };
        let wrapped = origin.wrap(&[("trace", Some(b"1"))]);
        let headers: Vec<Header<'_>> = wrapped
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()))
            .collect();
        let unwrapped = Unwrapped::of(&headers, &config.sources).unwrap();
        let record = Received::forwarded(&unwrapped, None);
        assert_eq!(
            (record.topic, record.partition, record.offset),
            ("input", 1, 7)
        );
        assert_eq!(record.headers, [("trace", Some(b"1".as_slice()))]);
        assert_eq!(code_of(&record, &config, NO_LIMIT), None);
    }
}
