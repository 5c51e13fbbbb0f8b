//! An external sort: it sorts records by key when there are more of them than memory holds. They are written to files
//! as sorted runs, which are merged at the end.
//!
//! The runs are not part of the store. They belong to one process and are useless after it; their content is in Kafka.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use xxhash_rust::xxh3::Xxh3;

use super::engine::{WriteBatch, io_failure};
use crate::store::StoreError;

/// A key with its state; none removes the key.
pub type Record = (Vec<u8>, Option<Bytes>);

/// Bytes that a buffered record needs besides its key and value.
const OVERHEAD: usize = 64;
/// The buffer of a run's file, in bytes.
const FILE_BUFFER: usize = 128 * 1024;
/// Stands in the place of a length: there is no value, or no further record.
const NONE: u32 = u32::MAX;

/// Records that a restore is loading into a store.
#[derive(Debug)]
pub struct SortedRuns {
    directory: PathBuf,
    /// A run is written when this many bytes are buffered.
    buffer_limit: usize,
    buffered: WriteBatch,
    buffered_bytes: usize,
    files: Vec<PathBuf>,
    file_bytes: u64,
}

impl SortedRuns {
    /// Starts without records. Runs go to a directory beside the store at this path; files that an earlier process left
    /// there are removed.
    pub fn beside(store: &Path, buffer_limit: u64) -> Result<SortedRuns, StoreError> {
        let directory = store.with_extension("loading");
        super::directory::remove(&directory)?;
        Ok(SortedRuns {
            directory,
            buffer_limit: usize::try_from(buffer_limit).unwrap_or(usize::MAX),
            buffered: Vec::new(),
            buffered_bytes: 0,
            files: Vec::new(),
            file_bytes: 0,
        })
    }

    pub fn is_empty(&self) -> bool {
        self.buffered.is_empty() && self.files.is_empty()
    }

    pub fn has_files(&self) -> bool {
        !self.files.is_empty()
    }

    /// The size of the run files in bytes.
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Adds a record, which is newer than all records before it.
    pub fn add(&mut self, key: Vec<u8>, value: Option<Bytes>) -> Result<(), StoreError> {
        self.buffered_bytes += key.len() + value.as_ref().map_or(0, Bytes::len) + OVERHEAD;
        self.buffered.push((key, value));
        if self.buffered_bytes < self.buffer_limit {
            return Ok(());
        }
        let written = self.write_run();
        written.map_err(|error| io_failure(&self.directory, &error))
    }

    /// Discards everything.
    pub fn clear(&mut self) {
        self.buffered.clear();
        self.buffered_bytes = 0;
        self.file_bytes = 0;
        for file in self.files.drain(..) {
            // A file that cannot be removed now is removed at the next start.
            let _ = fs::remove_file(file);
        }
    }

    /// Takes the records in memory, sorted; of several records with the same key only the last, which is the newest.
    pub fn take_buffered(&mut self) -> impl Iterator<Item = Record> + use<> {
        self.buffered_bytes = 0;
        let mut records = std::mem::take(&mut self.buffered);
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
            file: BufWriter::with_capacity(FILE_BUFFER, file),
            checksum: Xxh3::new(),
            bytes: 0,
        };
        for (key, value) in self.take_buffered() {
            let length = value.as_ref().map_or(NONE, |value| value.len() as u32);
            run.write(&(key.len() as u32).to_le_bytes())?;
            run.write(&length.to_le_bytes())?;
            run.write(&key)?;
            run.write(&value.unwrap_or_default())?;
        }
        self.file_bytes += run.finish()?;
        Ok(())
    }

    /// All records, sorted, each key once.
    pub fn merge(&mut self) -> Result<Merge, StoreError> {
        let buffered = self.take_buffered();
        let merge = || {
            let mut merge = Merge {
                runs: Vec::with_capacity(self.files.len() + 1),
                heads: BinaryHeap::with_capacity(self.files.len() + 1),
                last_key: None,
            };
            for path in &self.files {
                merge.add(Box::new(RunReader::open(path)?))?;
            }
            merge.add(Box::new(buffered.map(Ok)))?;
            Ok(merge)
        };
        merge().map_err(|error| io_failure(&self.directory, &error))
    }
}

impl Drop for SortedRuns {
    fn drop(&mut self) {
        self.clear();
        let _ = fs::remove_dir(&self.directory);
    }
}

struct RunWriter {
    file: BufWriter<File>,
    checksum: Xxh3,
    bytes: u64,
}

impl RunWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.checksum.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    /// Returns the size of its records in bytes.
    fn finish(mut self) -> io::Result<u64> {
        self.file.write_all(&NONE.to_le_bytes())?;
        self.file.write_all(&self.checksum.digest().to_le_bytes())?;
        self.file.flush()?;
        Ok(self.bytes)
    }
}

struct RunReader {
    file: BufReader<File>,
    checksum: Xxh3,
}

impl RunReader {
    fn open(path: &Path) -> io::Result<RunReader> {
        Ok(RunReader {
            file: BufReader::with_capacity(FILE_BUFFER, File::open(path)?),
            checksum: Xxh3::new(),
        })
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn bytes(&mut self, length: u32) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length as usize];
        self.file.read_exact(&mut bytes)?;
        self.checksum.update(&bytes);
        Ok(bytes)
    }

    /// The next record. At the end it checks that everything that was written has been read.
    fn read(&mut self) -> io::Result<Option<Record>> {
        let key = self.array()?;
        if u32::from_le_bytes(key) == NONE {
            if u64::from_le_bytes(self.array()?) == self.checksum.digest() {
                return Ok(None);
            }
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a file of records that were being loaded has changed",
            ));
        }
        let value = self.array()?;
        self.checksum.update(&key);
        self.checksum.update(&value);
        let key = self.bytes(u32::from_le_bytes(key))?;
        let value = match u32::from_le_bytes(value) {
            NONE => None,
            length => Some(Bytes::from(self.bytes(length)?)),
        };
        Ok(Some((key, value)))
    }
}

impl Iterator for RunReader {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<io::Result<Record>> {
        self.read().transpose()
    }
}

/// The next record of a run. Smaller keys order first; for the same key, the newest run does.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    key: Vec<u8>,
    /// The index of the run; a higher one is newer.
    run: Reverse<usize>,
    value: Option<Bytes>,
}

/// All records in the order of their keys, each key once.
pub struct Merge {
    /// What follows the heads in each run, from the oldest run to the newest.
    runs: Vec<Box<dyn Iterator<Item = io::Result<Record>>>>,
    /// A min-heap.
    heads: BinaryHeap<Reverse<Head>>,
    last_key: Option<Vec<u8>>,
}

impl Merge {
    /// Adds a run that is newer than those before.
    fn add(&mut self, mut run: Box<dyn Iterator<Item = io::Result<Record>>>) -> io::Result<()> {
        if let Some((key, value)) = run.next().transpose()? {
            let run = Reverse(self.runs.len());
            self.heads.push(Reverse(Head { key, run, value }));
        }
        self.runs.push(run);
        Ok(())
    }

    /// The next record of all runs; records with the same key come from the newest to the oldest.
    fn next_of_all(&mut self) -> io::Result<Option<Record>> {
        let Some(mut head) = self.heads.peek_mut() else {
            return Ok(None);
        };
        let Reverse(run) = head.0.run;
        let next = self.runs.get_mut(run).and_then(Iterator::next);
        Ok(Some(match next.transpose()? {
            Some((key, value)) => {
                let head = &mut head.0;
                let key = std::mem::replace(&mut head.key, key);
                (key, std::mem::replace(&mut head.value, value))
            }
            None => {
                let Reverse(head) = PeekMut::pop(head);
                (head.key, head.value)
            }
        }))
    }
}

impl Iterator for Merge {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<io::Result<Record>> {
        loop {
            match self.next_of_all() {
                Err(error) => return Some(Err(error)),
                Ok(None) => return None,
                // An older record with the same key.
                Ok(Some((key, _))) if self.last_key.as_ref() == Some(&key) => {}
                Ok(Some(record)) => {
                    self.last_key = Some(record.0.clone());
                    return Some(Ok(record));
                }
            }
        }
    }
}
