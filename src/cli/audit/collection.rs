//! What is known of all customers: in memory, or sorted on disk.

use std::collections::HashMap;
use std::path::Path;

use bytes::Bytes;

use super::entry::{self, Datum};
use crate::customer::bounded::Limits;
use crate::exit::Failure;
use crate::inspect::audit::evidence::{At, Evidence};
use crate::inspect::audit::partials::EncodedPart;
use crate::store::StoreError;
use crate::store::disk::Scratch;

/// How many bytes may stay in memory of a part of the fold, and of what is to be sorted.
pub const MEMORY: usize = 64 * 1024 * 1024;

/// The data of customers by their ids.
type InMemory = HashMap<Box<[u8]>, Vec<(Datum, Bytes)>>;

pub struct Collection {
    limits: Limits,
    place: Place,
}

enum Place {
    Memory(InMemory),
    /// With the number of the next part.
    Disk(Scratch, u64),
}

fn failed(error: StoreError) -> Failure {
    Failure::Service(error.to_string())
}

impl Collection {
    pub fn in_memory(limits: Limits) -> Collection {
        Collection {
            limits,
            place: Place::Memory(InMemory::default()),
        }
    }

    /// On disk, in a folder of this directory.
    pub fn on_disk(directory: &Path, name: &str, limits: Limits) -> Result<Collection, Failure> {
        let scratch = Scratch::open(directory, name, MEMORY as u64).map_err(failed)?;
        Ok(Collection {
            limits,
            place: Place::Disk(scratch, 0),
        })
    }

    /// Adds a part of the fold.
    pub fn part(&mut self, id: &str, part: EncodedPart) -> Result<(), Failure> {
        match &mut self.place {
            Place::Memory(all) => {
                let data = all.entry(id.as_bytes().into()).or_default();
                let known = data.iter_mut().find(|(of, _)| *of == Datum::Part(0));
                match known {
                    None => data.push((Datum::Part(0), entry::part(&part))),
                    Some((_, known)) => {
                        let whole = entry::parse_part(known);
                        let joined = whole.map(|whole| whole.joined(&part, &self.limits));
                        *known = entry::part(&joined.unwrap_or(part));
                    }
                }
                Ok(())
            }
            Place::Disk(scratch, number) => {
                *number += 1;
                let key = entry::key(id.as_bytes(), Datum::Part(*number));
                scratch.put(key, entry::part(&part)).map_err(failed)
            }
        }
    }

    /// Adds a record of the state or the snapshot topic, which is newer than those before.
    pub fn record(
        &mut self,
        id: &[u8],
        datum: Datum,
        place: At,
        value: Option<&[u8]>,
    ) -> Result<(), Failure> {
        let value = entry::record(place, value);
        match &mut self.place {
            Place::Memory(all) => {
                let data = all.entry(id.into()).or_default();
                match data.iter_mut().find(|(of, _)| *of == datum) {
                    Some((_, known)) => *known = value,
                    None => data.push((datum, value)),
                }
                Ok(())
            }
            Place::Disk(scratch, _) => scratch.put(entry::key(id, datum), value).map_err(failed),
        }
    }

    /// Calls `each` with every customer and all that is known of it, and ends the collection.
    pub fn scan(
        self,
        mut each: impl FnMut(&[u8], Evidence) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let limits = self.limits;
        match self.place {
            Place::Memory(all) => {
                for (id, data) in all {
                    let mut evidence = Evidence::default();
                    for (datum, value) in data {
                        datum.add_to(&mut evidence, &value, &limits);
                    }
                    each(&id, evidence)?;
                }
                Ok(())
            }
            Place::Disk(mut scratch, _) => {
                let mut grouped: Option<(Vec<u8>, Evidence)> = None;
                let done: Result<(), ScanError> = scratch.scan(|key, value| {
                    let Some((id, datum)) = entry::parse(&key) else {
                        return Ok(());
                    };
                    if grouped.as_ref().is_none_or(|(known, _)| known != id) {
                        let before = grouped.replace((id.to_vec(), Evidence::default()));
                        if let Some((id, evidence)) = before {
                            each(&id, evidence)?;
                        }
                    }
                    if let Some((_, evidence)) = &mut grouped {
                        datum.add_to(evidence, &value, &limits);
                    }
                    Ok(())
                });
                done.map_err(|error| error.0)?;
                match grouped {
                    Some((id, evidence)) => each(&id, evidence),
                    None => Ok(()),
                }
            }
        }
    }
}

/// A failure of the store, or of what is done with its content.
struct ScanError(Failure);

impl From<StoreError> for ScanError {
    fn from(error: StoreError) -> ScanError {
        ScanError(failed(error))
    }
}

impl From<Failure> for ScanError {
    fn from(failure: Failure) -> ScanError {
        ScanError(failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::customer::Customer;

    /// Id, the offsets of state and snapshot, whether there is a fold, and how many stray snapshots.
    type Known = (String, Option<i64>, Option<i64>, bool, usize);

    /// What is known of each customer, by id.
    fn found(mut collection: Collection) -> Vec<Known> {
        let mut encoded = Vec::new();
        Customer::default().encode(&mut encoded);
        let part = EncodedPart {
            fold: Some(encoded.into()),
            ..EncodedPart::default()
        };
        for id in ["a", "b"] {
            collection.part(id, part.clone()).unwrap();
        }
        collection.part("a", part).unwrap();
        let mut put = |id: &str, datum, offset, value| {
            let partition = match datum {
                Datum::StrayState(partition) | Datum::StraySnapshot(partition) => partition,
                _ => 0,
            };
            let at = At { partition, offset };
            collection.record(id.as_bytes(), datum, at, value).unwrap();
        };
        let value = Some(b"x".as_slice());
        put("a", Datum::State, 1, value);
        put("a", Datum::State, 2, value);
        put("a", Datum::Snapshot, 3, value);
        put("a", Datum::Snapshot, 4, None);
        put("c", Datum::Snapshot, 5, value);
        put("c", Datum::StraySnapshot(1), 6, value);
        put("c", Datum::StraySnapshot(2), 7, None);
        let mut all = Vec::new();
        let scanned = collection.scan(|id, evidence| {
            let offset = |found: &Option<(At, Bytes)>| found.as_ref().map(|(at, _)| at.offset);
            all.push((
                String::from_utf8(id.to_vec()).unwrap(),
                offset(&evidence.state),
                offset(&evidence.snapshot),
                evidence.fold.is_some(),
                evidence.stray_snapshots.len(),
            ));
            Ok(())
        });
        scanned.unwrap();
        all.sort();
        all
    }

    #[test]
    fn memory_and_disk_collect_the_same() {
        let limits = Limits::of(&Config::default());
        let home = tempfile::tempdir().unwrap();
        let disk = Collection::on_disk(home.path(), "audit", limits.clone()).unwrap();
        let expected = vec![
            ("a".to_owned(), Some(2), None, true, 0),
            ("b".to_owned(), None, None, true, 0),
            ("c".to_owned(), None, Some(5), false, 1),
        ];
        assert_eq!(found(disk), expected);
        assert_eq!(found(Collection::in_memory(limits)), expected);
    }
}
