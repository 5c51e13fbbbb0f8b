//! Records in the order of their keys, more of them than memory holds: sorted runs in files, merged in the end.
//!
//! The runs are no part of the store. They are of one process, and go with it; what they held is in Kafka.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use xxhash_rust::xxh3::Xxh3;

use super::engine::{Batch, of_io};
use crate::store::StoreError;

/// A key with its state, or none to remove it.
pub type Record = (Vec<u8>, Option<Bytes>);

/// What a gathered record takes beside its bytes.
const OVERHEAD: usize = 64;
/// What is read ahead and written behind of a run, in bytes.
const BUFFER: usize = 128 * 1024;
/// In the place of a length: there is no value.
const NONE: u32 = u32::MAX;

/// Records on their way into a store.
#[derive(Debug)]
pub struct Runs {
    directory: PathBuf,
    /// What is gathered before a run is written, in bytes.
    memory: usize,
    gathered: Batch,
    gathered_bytes: usize,
    files: Vec<PathBuf>,
    written: u64,
}

impl Runs {
    /// Nothing yet. Runs go to a directory beside the store at this path; what an earlier process left there is
    /// removed.
    pub fn beside(store: &Path, memory: u64) -> Result<Runs, StoreError> {
        let directory = store.with_extension("loading");
        super::directory::remove(&directory)?;
        Ok(Runs {
            directory,
            memory: usize::try_from(memory).unwrap_or(usize::MAX),
            gathered: Vec::new(),
            gathered_bytes: 0,
            files: Vec::new(),
            written: 0,
        })
    }

    pub fn is_empty(&self) -> bool {
        self.gathered.is_empty() && self.files.is_empty()
    }

    /// Whether there are runs in files.
    pub fn are_on_disk(&self) -> bool {
        !self.files.is_empty()
    }

    /// Bytes in files.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Takes a record, which is newer than those before.
    pub fn add(&mut self, key: Vec<u8>, value: Option<Bytes>) -> Result<(), StoreError> {
        self.gathered_bytes += key.len() + value.as_ref().map_or(0, Bytes::len) + OVERHEAD;
        self.gathered.push((key, value));
        if self.gathered_bytes < self.memory {
            return Ok(());
        }
        let written = self.write_run();
        written.map_err(|error| of_io(&self.directory, &error))
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.gathered.clear();
        self.gathered_bytes = 0;
        self.written = 0;
        for file in self.files.drain(..) {
            // what stays is removed at the next start
            let _ = fs::remove_file(file);
        }
    }

    /// What is in memory, sorted; of several records of a key the last, which is the newest.
    pub fn take_gathered(&mut self) -> impl Iterator<Item = Record> + use<> {
        self.gathered_bytes = 0;
        let mut records = std::mem::take(&mut self.gathered);
        records.sort_by(|one, other| one.0.cmp(&other.0));
        let mut rest = records.into_iter().peekable();
        std::iter::from_fn(move || {
            loop {
                let record = rest.next()?;
                if rest.peek().is_none_or(|(next, _)| *next != record.0) {
                    return Some(record);
                }
            }
        })
    }

    fn write_run(&mut self) -> io::Result<()> {
        fs::create_dir_all(&self.directory)?;
        let path = self.directory.join(self.files.len().to_string());
        let file = File::create(&path)?;
        self.files.push(path);
        let mut run = RunWriter {
            file: BufWriter::with_capacity(BUFFER, file),
            sum: Xxh3::new(),
            bytes: 0,
        };
        for (key, value) in self.take_gathered() {
            let length = value.as_ref().map_or(NONE, |value| value.len() as u32);
            run.write(&(key.len() as u32).to_le_bytes())?;
            run.write(&length.to_le_bytes())?;
            run.write(&key)?;
            run.write(&value.unwrap_or_default())?;
        }
        self.written += run.end()?;
        Ok(())
    }

    /// Everything, sorted, each key once.
    pub fn merge(&mut self) -> Result<Merge, StoreError> {
        let failed = |error| of_io(&self.directory, &error);
        let mut merge = Merge {
            heads: BinaryHeap::with_capacity(self.files.len() + 1),
            last: None,
        };
        for (age, path) in self.files.iter().enumerate() {
            let rest = Run::open(path).map_err(failed)?;
            merge
                .take_up(age, Rest::File(Box::new(rest)))
                .map_err(failed)?;
        }
        let newest = self.files.len();
        let gathered = Rest::Memory(Box::new(self.take_gathered()));
        let failed = |error| of_io(&self.directory, &error);
        merge.take_up(newest, gathered).map_err(failed)?;
        Ok(merge)
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        self.clear();
        let _ = fs::remove_dir(&self.directory);
    }
}

struct RunWriter {
    file: BufWriter<File>,
    sum: Xxh3,
    bytes: u64,
}

impl RunWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sum.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    /// Its bytes.
    fn end(mut self) -> io::Result<u64> {
        let sum = self.sum.digest();
        self.file.write_all(&NONE.to_le_bytes())?;
        self.file.write_all(&sum.to_le_bytes())?;
        self.file.flush()?;
        Ok(self.bytes)
    }
}

/// A run that is being read.
struct Run {
    file: BufReader<File>,
    sum: Xxh3,
}

impl Run {
    fn open(path: &Path) -> io::Result<Run> {
        Ok(Run {
            file: BufReader::with_capacity(BUFFER, File::open(path)?),
            sum: Xxh3::new(),
        })
    }

    fn number(&mut self) -> io::Result<u32> {
        let mut bytes = [0; 4];
        self.file.read_exact(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn bytes(&mut self, length: u32) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length as usize];
        self.file.read_exact(&mut bytes)?;
        self.sum.update(&bytes);
        Ok(bytes)
    }

    /// The next record; at the end everything must have been what was written.
    fn next(&mut self) -> io::Result<Option<Record>> {
        let key = self.number()?;
        if key == NONE {
            let mut sum = [0; 8];
            self.file.read_exact(&mut sum)?;
            return if u64::from_le_bytes(sum) == self.sum.digest() {
                Ok(None)
            } else {
                Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a file of records that were being loaded has changed",
                ))
            };
        }
        let value = self.number()?;
        self.sum.update(&key.to_le_bytes());
        self.sum.update(&value.to_le_bytes());
        let key = self.bytes(key)?;
        let value = match value {
            NONE => None,
            length => Some(Bytes::from(self.bytes(length)?)),
        };
        Ok(Some((key, value)))
    }
}

enum Rest {
    File(Box<Run>),
    Memory(Box<dyn Iterator<Item = Record>>),
}

impl Rest {
    fn next(&mut self) -> io::Result<Option<Record>> {
        match self {
            Rest::File(run) => run.next(),
            Rest::Memory(records) => Ok(records.next()),
        }
    }
}

/// The next record of a run, and what follows it.
struct Head {
    key: Vec<u8>,
    value: Option<Bytes>,
    /// The higher, the newer.
    age: usize,
    rest: Rest,
}

impl Head {
    /// The smallest key comes first, and of one key the newest record.
    fn order(&self) -> (Reverse<&[u8]>, usize) {
        (Reverse(&self.key), self.age)
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Head) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Head) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Head) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Head {}

/// All records in the order of their keys, each key once.
pub struct Merge {
    heads: BinaryHeap<Head>,
    last: Option<Vec<u8>>,
}

impl Merge {
    fn take_up(&mut self, age: usize, mut rest: Rest) -> io::Result<()> {
        if let Some((key, value)) = rest.next()? {
            self.heads.push(Head {
                key,
                value,
                age,
                rest,
            });
        }
        Ok(())
    }

    fn next_of_all(&mut self) -> io::Result<Option<Record>> {
        let Some(mut head) = self.heads.peek_mut() else {
            return Ok(None);
        };
        match head.rest.next()? {
            Some((key, value)) => {
                let key = std::mem::replace(&mut head.key, key);
                let value = std::mem::replace(&mut head.value, value);
                Ok(Some((key, value)))
            }
            None => {
                let head = PeekMut::pop(head);
                Ok(Some((head.key, head.value)))
            }
        }
    }
}

impl Iterator for Merge {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<io::Result<Record>> {
        loop {
            match self.next_of_all() {
                Err(error) => return Some(Err(error)),
                Ok(None) => return None,
                // an older record of the same key
                Ok(Some((key, _))) if self.last.as_ref() == Some(&key) => {}
                Ok(Some(record)) => {
                    self.last = Some(record.0.clone());
                    return Some(Ok(record));
                }
            }
        }
    }
}
