//! Reads whole topics for what they have of one customer.

use std::collections::BTreeMap;

use super::progress::Bar;
use crate::config::Config;
use crate::engine::origin::Unwrapped;
use crate::exit::Failure;
use crate::kafka::client::{ClientSettings, Isolation};
use crate::kafka::range_reader::{LogQuery, Range, RangeReader, RangeRecord};
use crate::model::partition;

/// The committed offset of each partition; none if there is none.
pub type Committed = BTreeMap<(String, i32), Option<i64>>;

pub struct CustomerLogs<'c> {
    pub config: &'c Config,
    pub id: &'c str,
    settings: ClientSettings<'c>,
    pub query: LogQuery,
}

impl<'c> CustomerLogs<'c> {
    pub fn connect(config: &'c Config, id: &'c str) -> Result<CustomerLogs<'c>, Failure> {
        let settings = ClientSettings::from(config);
        Ok(CustomerLogs {
            config,
            id,
            settings,
            query: LogQuery::connect(settings, Isolation::Committed)?,
        })
    }

    /// Reads ranges to their ends.
    pub fn each(
        &self,
        what: &'static str,
        ranges: &[Range],
        each: impl FnMut(&RangeRecord<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut bar = Bar::new(what);
        let mut reader = RangeReader::open(self.settings, Isolation::Committed, ranges.to_vec())?;
        reader.read(each, |progress| {
            bar.reading(progress);
            Ok(())
        })?;
        if reader.lost() > 0 {
            bar.say(&format!(
                "{what}: retention has taken {} offsets meanwhile",
                reader.lost()
            ));
        }
        Ok(())
    }

    /// Reads the customer's forwarded records.
    pub fn each_forwarded(
        &self,
        ranges: &[Range],
        mut each: impl FnMut(&RangeRecord<'_>, &Unwrapped<'_, '_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.each("reading forwarded records", ranges, |record| {
            if record.key() != Some(self.id.as_bytes()) {
                return Ok(());
            }
            let headers = record.headers();
            match Unwrapped::of(&headers, &self.config.sources) {
                Ok(unwrapped) => each(record, &unwrapped),
                // Of a source that is not configured any more.
                Err(_) => Ok(()),
            }
        })
    }

    pub fn committed(&self, ranges: &[Range]) -> Result<Committed, Failure> {
        let places = ranges.iter();
        let places: Vec<(String, i32)> = places
            .map(|range| (range.topic.clone(), range.partition))
            .collect();
        let committed = self.query.committed(&places)?;
        let of = |place: (String, i32)| {
            let offset = committed.get(&place).copied();
            (place, offset)
        };
        Ok(places.into_iter().map(of).collect())
    }

    /// The partition that a topic of keyfold's has for the customer.
    pub fn of_customer(&self, ranges: &[Range]) -> Vec<Range> {
        let partitions = i32::try_from(ranges.len()).unwrap_or(i32::MAX);
        let own = partition::of_key(self.id.as_bytes(), partitions);
        let ranges = ranges.iter().filter(|range| range.partition == own);
        ranges.cloned().collect()
    }
}
