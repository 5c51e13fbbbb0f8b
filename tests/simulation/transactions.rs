//! The simulated transaction coordinator and the logs: fencing by epochs, two-phase commits, timeouts.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use keyfold::engine::Place;

use crate::group::{Group, Membership};
use crate::log::{Log, Record, TransactionNumber};

/// A partition of any topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogId {
    Place(Place),
    State(i32),
    Snapshot(i32),
    DeadLetter,
}

/// Why the broker refused a request of a producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Another producer has the transactional id, or the broker has aborted the transaction after its timeout.
    Fenced,
    /// The markers of the previous transaction are still being written; the client must retry.
    Busy,
    /// The member is unknown to the group, or its generation is over.
    Member,
}

/// What a worker declares about a transaction that it commits, for the audit.
#[derive(Debug, Default, Clone)]
pub struct Intent {
    /// The records that the batch took.
    pub taken: Vec<(Place, i64)>,
    /// For each changed customer, the committed state from which the change started.
    pub bases: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// The number of records that the batch produced.
    pub produced: usize,
}

/// A transaction whose commit is decided.
#[derive(Debug)]
pub struct Decision {
    pub records: Vec<(LogId, Rc<Record>)>,
    pub offsets: Vec<(Place, i64, String)>,
    pub intent: Intent,
}

#[derive(Debug)]
struct Open {
    number: TransactionNumber,
    since: Duration,
    records: Vec<(LogId, Rc<Record>)>,
    offsets: Vec<(Place, i64, String)>,
}

#[derive(Debug)]
enum Status {
    Idle,
    Open(Open),
    /// The outcome is decided, but markers must still be written to these logs and to the group's offsets.
    Ending {
        number: TransactionNumber,
        committed: bool,
        logs: Vec<LogId>,
        offsets: bool,
    },
}

#[derive(Debug)]
struct Producer {
    epoch: i32,
    status: Status,
}

/// The cluster: logs, transactions and the group.
#[derive(Debug)]
pub struct Cluster {
    logs: BTreeMap<LogId, Log>,
    producers: BTreeMap<u64, Producer>,
    next_number: TransactionNumber,
    /// Whether each decided transaction was committed.
    outcomes: BTreeMap<TransactionNumber, bool>,
    timeout: Duration,
    pub group: Group,
    /// The commits since the last audit.
    pub decisions: Vec<Decision>,
    /// The states that were written without a transaction since the last audit, each with the customer's newest
    /// snapshot at that moment.
    pub plain_states: Vec<(Rc<Record>, Option<Rc<Record>>)>,
}

impl Cluster {
    pub fn new(group: Group, timeout: Duration) -> Cluster {
        Cluster {
            logs: BTreeMap::new(),
            producers: BTreeMap::new(),
            next_number: 1,
            outcomes: BTreeMap::new(),
            timeout,
            group,
            decisions: Vec::new(),
            plain_states: Vec::new(),
        }
    }

    pub fn log(&mut self, id: LogId) -> &mut Log {
        self.logs.entry(id).or_default()
    }

    /// The log; none if nothing was ever written to it.
    pub fn existing_log(&self, id: LogId) -> Option<&Log> {
        self.logs.get(&id)
    }

    pub fn logs(&self) -> impl Iterator<Item = (LogId, &Log)> {
        self.logs.iter().map(|(id, log)| (*id, log))
    }

    /// Deletes a partition and creates it again.
    pub fn recreate(&mut self, id: LogId) {
        self.logs.insert(id, Log::default());
    }

    /// InitProducerId: aborts the open transaction of a transactional id, and fences its producer.
    pub fn init(&mut self, id: u64) -> Result<i32, Refused> {
        let producer = self.producers.entry(id).or_insert(Producer {
            epoch: 0,
            status: Status::Idle,
        });
        match producer.status {
            Status::Idle => {
                producer.epoch += 1;
                Ok(producer.epoch)
            }
            Status::Ending { .. } => Err(Refused::Busy),
            Status::Open(_) => {
                producer.epoch += 1;
                self.abort(id);
                Err(Refused::Busy)
            }
        }
    }

    fn producer(&mut self, id: u64, epoch: i32) -> Result<&mut Producer, Refused> {
        let producer = self.producers.get_mut(&id).ok_or(Refused::Fenced)?;
        if producer.epoch == epoch {
            Ok(producer)
        } else {
            Err(Refused::Fenced)
        }
    }

    /// The open transaction of a producer; the first request begins it.
    fn open(&mut self, id: u64, epoch: i32, now: Duration) -> Result<&mut Open, Refused> {
        let number = self.next_number;
        let producer = self.producer(id, epoch)?;
        if let Status::Idle = producer.status {
            producer.status = Status::Open(Open {
                number,
                since: now,
                records: Vec::new(),
                offsets: Vec::new(),
            });
            self.next_number += 1;
        }
        match &mut self.producer(id, epoch)?.status {
            Status::Open(open) => Ok(open),
            _ => Err(Refused::Busy),
        }
    }

    pub fn produce(
        &mut self,
        id: u64,
        epoch: i32,
        log: LogId,
        record: Rc<Record>,
        now: Duration,
    ) -> Result<(), Refused> {
        let open = self.open(id, epoch, now)?;
        let number = open.number;
        open.records.push((log, Rc::clone(&record)));
        self.log(log).append(record, Some(number));
        Ok(())
    }

    /// Writes a record without a transaction.
    pub fn produce_plain(&mut self, log: LogId, record: Rc<Record>) {
        if let LogId::State(_) = log {
            let snapshot = self.newest_snapshot(record.key.as_deref());
            self.plain_states.push((Rc::clone(&record), snapshot));
        }
        self.log(log).append(record, None);
    }

    fn newest_snapshot(&self, key: Option<&[u8]>) -> Option<Rc<Record>> {
        let snapshots = self
            .logs
            .iter()
            .filter(|(id, _)| matches!(id, LogId::Snapshot(_)));
        let records = snapshots.flat_map(|(_, log)| log.committed());
        let of_key = records.filter(|(_, record)| record.key.as_deref() == key);
        of_key.last().map(|(_, record)| Rc::clone(record))
    }

    /// Commits offsets without a transaction.
    pub fn commit_offsets(
        &mut self,
        offsets: &[(Place, i64, String)],
        taken: Vec<(Place, i64)>,
    ) -> Result<(), String> {
        self.decisions.push(Decision {
            records: Vec::new(),
            offsets: offsets.to_vec(),
            intent: Intent {
                taken,
                ..Intent::default()
            },
        });
        self.group.commit(offsets.to_vec())
    }

    pub fn send_offsets(
        &mut self,
        id: u64,
        epoch: i32,
        membership: Membership,
        offsets: &[(Place, i64, String)],
        now: Duration,
    ) -> Result<(), Refused> {
        let accepted = self.group.accepts(membership);
        let open = self.open(id, epoch, now)?;
        if !accepted {
            return Err(Refused::Member);
        }
        open.offsets.extend_from_slice(offsets);
        let number = open.number;
        self.group.hold(number, offsets);
        Ok(())
    }

    /// EndTxn: decides a transaction, and returns its number if there was one. The markers are written later.
    pub fn end(
        &mut self,
        id: u64,
        epoch: i32,
        commit: Option<Intent>,
    ) -> Result<Option<TransactionNumber>, Refused> {
        let producer = self.producer(id, epoch)?;
        match &producer.status {
            Status::Idle => Ok(None),
            Status::Ending { .. } => Err(Refused::Busy),
            Status::Open(open) => {
                let number = open.number;
                match commit {
                    Some(intent) => self.commit(id, intent),
                    None => self.abort(id),
                }
                Ok(Some(number))
            }
        }
    }

    fn commit(&mut self, id: u64, intent: Intent) {
        if let Some(open) = self.decide(id, true) {
            self.decisions.push(Decision {
                records: open.records,
                offsets: open.offsets,
                intent,
            });
        }
    }

    fn abort(&mut self, id: u64) {
        self.decide(id, false);
    }

    fn decide(&mut self, id: u64, committed: bool) -> Option<Open> {
        let producer = self.producers.get_mut(&id)?;
        let Status::Open(open) = std::mem::replace(&mut producer.status, Status::Idle) else {
            return None;
        };
        let mut logs: Vec<LogId> = open.records.iter().map(|(log, _)| *log).collect();
        logs.sort();
        logs.dedup();
        self.outcomes.insert(open.number, committed);
        producer.status = Status::Ending {
            number: open.number,
            committed,
            logs,
            offsets: true,
        };
        Some(open)
    }

    /// The state records of a producer's open transaction.
    pub fn states_of(&self, id: u64) -> Vec<Rc<Record>> {
        match self.producers.get(&id).map(|producer| &producer.status) {
            Some(Status::Open(open)) => open
                .records
                .iter()
                .filter(|(log, _)| matches!(log, LogId::State(_)))
                .map(|(_, record)| Rc::clone(record))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Whether a transaction was committed.
    pub fn was_committed(&self, number: TransactionNumber) -> bool {
        self.outcomes.get(&number) == Some(&true)
    }

    /// Whether markers must still be written.
    pub fn is_ending(&self) -> bool {
        let mut producers = self.producers.values();
        producers.any(|producer| matches!(producer.status, Status::Ending { .. }))
    }

    /// Whether no transaction is open or waits for its markers.
    pub fn is_quiet(&self) -> bool {
        let mut producers = self.producers.values();
        producers.all(|producer| matches!(producer.status, Status::Idle))
    }

    /// Writes one of the markers that are due; `choice` selects it.
    pub fn write_marker(&mut self, choice: u64) -> Result<(), String> {
        let mut due = Vec::new();
        for (id, producer) in &self.producers {
            if let Status::Ending { logs, offsets, .. } = &producer.status {
                due.extend((0..logs.len()).map(|at| (*id, Some(at))));
                if *offsets {
                    due.push((*id, None));
                }
            }
        }
        let Some(&(id, which)) = due.get((choice % due.len().max(1) as u64) as usize) else {
            return Ok(());
        };
        let Some(producer) = self.producers.get_mut(&id) else {
            return Ok(());
        };
        let Status::Ending {
            number,
            committed,
            logs,
            offsets,
        } = &mut producer.status
        else {
            return Ok(());
        };
        let (number, committed) = (*number, *committed);
        let log = which.map(|at| logs.remove(at));
        *offsets &= log.is_some();
        if logs.is_empty() && !*offsets {
            producer.status = Status::Idle;
        }
        match log {
            Some(log) => {
                self.log(log).mark(number, committed);
                Ok(())
            }
            None => self.group.decide(number, committed),
        }
    }

    /// Aborts transactions whose timeout is over, and lets the group check its sessions.
    pub fn tick(&mut self, now: Duration) {
        self.group.tick(now);
        let timeout = self.timeout;
        let overdue: Vec<u64> = self
            .producers
            .iter()
            .filter(|(_, producer)| {
                matches!(&producer.status, Status::Open(open) if now >= open.since + timeout)
            })
            .map(|(id, _)| *id)
            .collect();
        for id in overdue {
            if let Some(producer) = self.producers.get_mut(&id) {
                producer.epoch += 1;
            }
            self.abort(id);
        }
    }

    /// The time of the next timeout.
    pub fn due(&self) -> Option<Duration> {
        let open = self
            .producers
            .values()
            .filter_map(|producer| match &producer.status {
                Status::Open(open) => Some(open.since + self.timeout),
                _ => None,
            });
        open.chain(self.group.due()).min()
    }
}
