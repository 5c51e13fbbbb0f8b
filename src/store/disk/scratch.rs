//! A folder for what a command sorts on disk. It is removed at the end; what a killed process left is removed by the next
//! one that uses the same folder.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::engine::io_failure;
use super::permissions;
use super::runs::SortedRuns;
use crate::store::StoreError;

/// Values by keys, more than memory holds. No other process can use its folder while this value lives.
#[derive(Debug)]
pub struct Scratch {
    runs: SortedRuns,
    folder: PathBuf,
    // held until the runs are removed
    _lock: File,
}

impl Scratch {
    /// Uses the folder `name` in the directory, and creates both where they are missing. About `memory` bytes stay in
    /// memory.
    pub fn open(directory: &Path, name: &str, memory: u64) -> Result<Scratch, StoreError> {
        permissions::restrict_new_files();
        let folder = directory.join(name);
        let failed = |error: io::Error| io_failure(&folder, &error);
        fs::create_dir_all(&folder).map_err(failed)?;
        permissions::restrict_existing(&folder).map_err(failed)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let lock = options.open(folder.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(failed(error)),
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::InUse {
                    directory: folder.display().to_string(),
                });
            }
        }
        Ok(Scratch {
            runs: SortedRuns::beside(&folder.join("sorted"), memory)?,
            folder,
            _lock: lock,
        })
    }

    /// Sets the value of a key.
    pub fn put(&mut self, key: Vec<u8>, value: Bytes) -> Result<(), StoreError> {
        self.runs.add(key, Some(value))
    }

    /// Calls `each` with every key, in order, and its newest value. What is in memory is gone afterwards.
    pub fn scan<E: From<StoreError>>(
        &mut self,
        mut each: impl FnMut(Vec<u8>, Bytes) -> Result<(), E>,
    ) -> Result<(), E> {
        let folder = self.folder.clone();
        for record in self.runs.merge()? {
            let (key, value) = record.map_err(|error| io_failure(&folder, &error))?;
            if let Some(value) = value {
                each(key, value)?;
            }
        }
        Ok(())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.runs.clear();
        // what cannot be removed now, the next one removes
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_sorted_and_the_folder_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let mut scratch = Scratch::open(home.path(), "app.audit", 1_000).unwrap();
        let in_use = Scratch::open(home.path(), "app.audit", 1_000);
        assert!(
            matches!(in_use, Err(StoreError::InUse { .. })),
            "{in_use:?}"
        );
        for number in (0..100_u8).rev() {
            scratch.put(vec![number], Bytes::from(vec![0; 40])).unwrap();
            scratch
                .put(vec![number], Bytes::from(vec![number]))
                .unwrap();
        }
        let mut found = Vec::new();
        let done: Result<(), StoreError> = scratch.scan(|key, value| {
            assert_eq!(key, value);
            found.push(key[0]);
            Ok(())
        });
        done.unwrap();
        assert_eq!(found, (0..100).collect::<Vec<u8>>());
        drop(scratch);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_process_left_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let left = home.path().join("app.audit").join("sorted.loading");
        fs::create_dir_all(&left).unwrap();
        fs::write(left.join("0"), b"personal data").unwrap();
        let scratch = Scratch::open(home.path(), "app.audit", 1_000).unwrap();
        assert!(!left.exists());
        drop(scratch);
    }
}
