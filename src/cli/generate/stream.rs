//! The records that are written, each with the topic that it is for.

use keyfold_generate::{GeneratedRecord, Generator, Options, OwnGenerator};

use super::own::Own;
use crate::config::Config;
use crate::model::record::Source;
use crate::sample::Samples;

/// An endless stream of records for topics.
pub(super) struct Stream {
    /// The topic of each source; none if it is off.
    topics: Vec<Option<String>>,
    records: Records,
}

enum Records {
    BuiltIn(Box<Generator>),
    Own(Box<OwnGenerator<Samples>>),
}

impl Stream {
    /// Of the four built-in sources, to the first topic of each, or of a source of one's own.
    pub(super) fn new(config: &Config, own: Option<Own>, options: Options) -> Stream {
        let topic = |source| config.sources.get(source)?.topics.first().cloned();
        match own {
            None => Stream {
                topics: Source::BUILT_IN.into_iter().map(topic).collect(),
                records: Records::BuiltIn(Box::new(Generator::new(options))),
            },
            Some(Own { samples, topic }) => Stream {
                topics: vec![Some(topic)],
                records: Records::Own(Box::new(OwnGenerator::new(&options, samples))),
            },
        }
    }

    /// From now on no record has a later time than this.
    pub(super) fn not_after(&mut self, millis: i64) {
        match &mut self.records {
            Records::BuiltIn(generator) => generator.not_after(millis),
            Records::Own(generator) => generator.not_after(millis),
        }
    }

    /// The next record, and the number of its topic. None if it is of a source that is off.
    pub(super) fn next(&mut self) -> Option<(GeneratedRecord<()>, usize)> {
        let (record, source) = match &mut self.records {
            Records::BuiltIn(generator) => {
                let (record, _) = generator.next_with_kind();
                let source = Source::from(record.source).index();
                (record.without_source(), source)
            }
            Records::Own(generator) => (generator.next_with_kind().0, 0),
        };
        let is_on = self.topics.get(source).is_some_and(Option::is_some);
        is_on.then_some((record, source))
    }

    pub(super) fn topic(&self, number: usize) -> &str {
        let topic = self.topics.get(number).and_then(Option::as_deref);
        topic.unwrap_or_default()
    }

    /// The topics of all sources that are on.
    pub(super) fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.iter().flatten().map(String::as_str)
    }

    /// How many topics there may be.
    pub(super) fn topic_count(&self) -> usize {
        self.topics.len()
    }
}
