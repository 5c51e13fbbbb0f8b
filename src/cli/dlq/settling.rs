//! The transactions in which letters are settled, and their records sent: both or nothing.
//!
//! The transactional id is that of the application's `dlq` commands. Taking it over aborts what a command that died has
//! left open, and stops one that still runs; only then are the settlements read. So no letter is sent twice.
//!
//! Where a topic refuses a record, the transaction is aborted, and each half of its letters sent by itself, until only the
//! refused ones are left.

use std::time::Instant;

use super::pace::Pace;
use crate::cli::{permissions, when};
use crate::config::Config;
use crate::exit::Failure;
use crate::inspect::letter::LetterId;
use crate::inspect::letter::settled::{How, SentTo, Settlement, key};
use crate::kafka::client::ClientSettings;
use crate::kafka::cluster::Cluster;
use crate::kafka::one_shot::{OneShotProducer, SendError};
use crate::kafka::operators::{Needed, transactional_id};
use crate::kafka::producer::Record;

/// The most letters and bytes of one transaction.
const MAX_RECORDS: usize = 2_000;
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// The largest record that the client may send; the topics have limits of their own.
const MAX_RECORD_BYTES: usize = 100_000_000;
/// How long the brokers may take to abort what a predecessor has left open.
const TAKE_OVER: u32 = 60;

/// A letter to be settled.
pub struct Settling {
    pub letter: LetterId,
    /// What is sent of it; none: it is discarded.
    pub record: Option<Outgoing>,
}

/// A record to be sent.
pub struct Outgoing {
    pub topic: String,
    pub partition: Option<i32>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// None: the record had none.
    pub timestamp: Option<i64>,
}

/// A record that was sent.
pub struct SentRecord {
    pub letter: LetterId,
    pub topic: String,
    pub partition: i32,
    /// None: it is not known.
    pub offset: Option<i64>,
    /// Whether its value is null.
    pub is_null: bool,
}

/// A letter whose record its topic refused.
pub struct Refused {
    pub letter: LetterId,
    pub topic: String,
    /// The brokers' reason.
    pub reason: String,
}

/// What became of letters.
#[derive(Default)]
pub struct Settled {
    pub sent: Vec<SentRecord>,
    pub refused: Vec<Refused>,
}

/// How letters are sent.
pub struct Sending {
    /// Letters a second.
    pub rate: Option<u32>,
    /// The largest batch of records that all of the topics take, in bytes.
    pub batch_bytes: usize,
}

pub struct Settler<'c> {
    config: &'c Config,
    producer: OneShotProducer,
    settled_topic: String,
    topic_id: Option<String>,
    note: Option<String>,
    pending: Vec<Settling>,
    bytes: usize,
    pace: Pace,
}

impl<'c> Settler<'c> {
    /// Takes the transactional id over.
    pub fn take_over(
        config: &'c Config,
        topic_id: Option<String>,
        note: Option<String>,
        sending: &Sending,
    ) -> Result<Settler<'c>, Failure> {
        let id = transactional_id(config);
        let client = ClientSettings::from(config);
        let client = client.one_shot(&id, MAX_RECORD_BYTES, sending.batch_bytes);
        let mut waited = 0;
        let producer = OneShotProducer::take_over(&client, |_| {
            waited += 1;
            waited < TAKE_OVER
        });
        Ok(Settler {
            producer: producer.map_err(failure)?,
            settled_topic: config.settled_topic(),
            config,
            topic_id,
            note,
            pending: Vec::new(),
            bytes: 0,
            pace: Pace::new(sending.rate),
        })
    }

    /// Settles a letter with the next transaction.
    pub fn add(&mut self, settling: Settling) -> Result<Settled, Failure> {
        if let Some(record) = &settling.record {
            let header = |(name, value): &(String, Option<Vec<u8>>)| {
                name.len() + value.as_ref().map_or(0, Vec::len)
            };
            self.bytes += record.value.as_ref().map_or(0, Vec::len)
                + record.key.as_ref().map_or(0, Vec::len)
                + record.headers.iter().map(header).sum::<usize>();
        }
        self.pending.push(settling);
        if self.pending.len() >= self.pace.portion(MAX_RECORDS) || self.bytes >= MAX_BYTES {
            return self.commit();
        }
        Ok(Settled::default())
    }

    /// Commits what is left.
    pub fn commit(&mut self) -> Result<Settled, Failure> {
        self.bytes = 0;
        let pending = std::mem::take(&mut self.pending);
        let mut settled = Settled::default();
        let mut parts: Vec<&[Settling]> = vec![&pending];
        while let Some(part) = parts.pop() {
            match (self.send(part), part) {
                (Ok(sent), _) => settled.sent.extend(sent),
                (Err(error), [one]) if self.is_of_letter(&error) => {
                    let record = one.record.as_ref();
                    settled.refused.push(Refused {
                        letter: one.letter,
                        topic: record
                            .map(|record| record.topic.clone())
                            .unwrap_or_default(),
                        reason: error.to_string(),
                    });
                }
                (Err(error), part) if part.len() > 1 && error.is_of_a_record() => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
                (Err(error), _) => return Err(failure(error)),
            }
        }
        Ok(settled)
    }

    /// Whether the topic of a letter's record refuses it, and not the topic of the settlements.
    fn is_of_letter(&self, error: &SendError) -> bool {
        let of_settled = format!("{}[", self.settled_topic);
        error.is_of_a_record() && !error.to_string().starts_with(&of_settled)
    }

    /// Sends letters in one transaction.
    fn send(&mut self, part: &[Settling]) -> Result<Vec<SentRecord>, SendError> {
        if part.is_empty() {
            return Ok(Vec::new());
        }
        std::thread::sleep(self.pace.wait(Instant::now()));
        let notes: Vec<(String, Vec<u8>)> = part.iter().map(|one| self.note(one)).collect();
        let mut letters = Vec::new();
        let mut records = Vec::new();
        for (settling, (key, value)) in part.iter().zip(&notes) {
            if let Some(outgoing) = &settling.record {
                let record = Record {
                    topic: &outgoing.topic,
                    partition: outgoing.partition,
                    key: outgoing.key.as_deref(),
                    value: outgoing.value.as_deref(),
                    headers: &outgoing.headers,
                };
                records.push((record, Some(outgoing.timestamp.unwrap_or(-1))));
                letters.push(Some((settling.letter, outgoing)));
            }
            records.push((self.settlement(key, Some(value)), None));
            letters.push(None);
        }
        let delivered = self.producer.send(records);
        self.pace.sent(part.len(), Instant::now());
        let sent = delivered?.into_iter().filter_map(|delivered| {
            let (letter, outgoing) = letters.get(delivered.tag).copied().flatten()?;
            Some(SentRecord {
                letter,
                topic: outgoing.topic.clone(),
                partition: delivered.partition,
                offset: delivered.offset,
                is_null: outgoing.value.is_none(),
            })
        });
        Ok(sent.collect())
    }

    /// Forgets the settlements of letters that are not in the topic any more.
    pub fn forget(&mut self, letters: &[LetterId]) -> Result<(), Failure> {
        let topic = &self.config.dead_letters.topic;
        for chunk in letters.chunks(MAX_RECORDS) {
            let keys: Vec<String> = chunk.iter().map(|id| key(topic, *id)).collect();
            let nulls = keys.iter().map(|key| (self.settlement(key, None), None));
            self.producer.send(nulls).map_err(failure)?;
        }
        Ok(())
    }

    fn settlement<'r>(&'r self, key: &'r str, value: Option<&'r [u8]>) -> Record<'r> {
        Record {
            topic: &self.settled_topic,
            partition: None,
            key: Some(key.as_bytes()),
            value,
            headers: &[],
        }
    }

    /// The key and the value of the settlement.
    fn note(&self, settling: &Settling) -> (String, Vec<u8>) {
        let record = settling.record.as_ref();
        let settlement = Settlement {
            settled: record.map_or(How::Discarded, |_| How::Replayed),
            at: when::text(when::now_millis()),
            note: self.note.clone(),
            sent: record.map(|record| SentTo {
                topic: record.topic.clone(),
                partition: record.partition,
            }),
            topic_id: self.topic_id.clone(),
        };
        let key = key(&self.config.dead_letters.topic, settling.letter);
        (key, serde_json::to_vec(&settlement).unwrap_or_default())
    }
}

/// Checks that letters can be settled, before any is: this client has the permissions, and the settled topic keeps what is
/// noted. With `executes` the topic is created if it is missing.
pub fn ready(
    cluster: &Cluster,
    config: &Config,
    needed: &Needed,
    executes: bool,
) -> Result<(), Failure> {
    permissions::check(cluster, config, needed)?;
    let topic = config.settled_topic();
    if executes && cluster.create_settled(&topic)? {
        permissions::check(cluster, config, needed)?;
    }
    match cluster.partitions(&topic)? {
        Some(_) => check_settled_topic(cluster, config),
        None => Ok(()),
    }
}

/// Checks that the settled topic, which exists, keeps all that is noted in it: where notes are removed, what they settle
/// would be sent again.
fn check_settled_topic(cluster: &Cluster, config: &Config) -> Result<(), Failure> {
    let topic = config.settled_topic();
    let differences = cluster.settled_differences(&topic);
    let differences = differences.map_err(|error| Failure::Service(error.reason()))?;
    let Some(differences) = differences else {
        return Err(Failure::Service(format!(
            "nothing was written: the settings of {topic} cannot be read, and it must be compacted; grant DescribeConfigs on it (docs/topics-and-permissions.md)"
        )));
    };
    match differences.first() {
        None => Ok(()),
        Some(one) => Err(Failure::Usage(format!(
            "nothing was written: the topic {topic} would forget which letters are settled, and they would be sent again: {}. To fix it: {}",
            one.what, one.remedy
        ))),
    }
}

fn failure(error: SendError) -> Failure {
    let hint = match error {
        SendError::Fenced => {
            ": another `keyfold dlq` of this application runs; what this one has sent is settled"
        }
        _ => "; run the command again: what was sent is settled, and is not sent again",
    };
    Failure::Service(format!("{error}{hint}"))
}
