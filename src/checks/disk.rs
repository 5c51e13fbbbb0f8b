//! The directory of the state, and the room in it.

use std::path::Path;

use super::Check;
use crate::config::{Config, Store};
use crate::store::disk::{self, FoundDirectory};

/// The least free room, in bytes.
const LEAST_ROOM: u64 = 1024 * 1024 * 1024;

pub fn check(config: &Config) -> Vec<Check> {
    const DIRECTORY: &str = "directory";
    let (Store::Disk, Some(directory)) = (config.state.store, &config.state.directory) else {
        let detail = "the state is kept in memory (state.store)";
        return vec![Check::good(DIRECTORY, "", detail)];
    };
    let directory = Path::new(directory);
    let subject = directory.display().to_string();
    match disk::look(directory, &config.application_id) {
        Err(error) => {
            let remedy = "let the user that keyfold runs as write there, or set state.directory";
            let detail = format!("the state cannot be written there: {error}");
            let reason = "the directory cannot be written to";
            vec![
                Check::bad(DIRECTORY, &subject, detail, remedy),
                Check::not_checkable("disk space", &subject, reason),
            ]
        }
        Ok(found) => {
            let detail = match &found {
                found if found.in_use => "it is in use, by a keyfold that runs here".to_owned(),
                found if found.exists => "it can be written to".to_owned(),
                found => format!(
                    "a folder for the application will be made in {}",
                    found.place.display()
                ),
            };
            vec![
                Check::good(DIRECTORY, &subject, detail),
                room(&subject, &found),
            ]
        }
    }
}

/// When tables are merged, all of a store is written again before the old tables are removed.
fn room(subject: &str, found: &FoundDirectory) -> Check {
    const CHECK: &str = "disk space";
    let needed = found.bytes.max(LEAST_ROOM);
    let detail = format!(
        "free: {}, stores: {}",
        shown(found.room.free),
        shown(found.bytes)
    );
    if !found.room.has_files {
        let detail = "no more files can be made (inodes)";
        let remedy = "remove files from this file system, or set state.directory";
        return Check::bad(CHECK, subject, detail, remedy);
    }
    match found.room.free >= needed {
        true => Check::good(CHECK, subject, detail),
        false => Check::bad(
            CHECK,
            subject,
            format!("{detail}; merging tables may need {}", shown(needed)),
            "make room, or set state.directory to a larger disk",
        ),
    }
}

/// Bytes for people.
fn shown(bytes: u64) -> String {
    let mebibytes = bytes / (1024 * 1024);
    match mebibytes {
        0..10_240 => format!("{mebibytes} MiB"),
        _ => format!("{} GiB", mebibytes / 1024),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::checks::Outcome;
    use crate::store::disk::Room;

    #[test]
    fn there_must_be_room_to_merge_all_that_is_there() {
        const GIB: u64 = LEAST_ROOM;
        let check = |free, bytes, has_files| {
            let found = FoundDirectory {
                place: PathBuf::from("/x"),
                exists: true,
                in_use: false,
                bytes,
                room: Room { free, has_files },
            };
            room("/x", &found)
        };
        assert_eq!(check(GIB, 0, true).result, Outcome::Good);
        assert_eq!(check(GIB - 1, 0, true).result, Outcome::Bad);
        let few = check(GIB, 2 * GIB, true);
        assert_eq!(few.result, Outcome::Bad);
        let expected = "free: 1024 MiB, stores: 2048 MiB; merging tables may need 2048 MiB";
        assert_eq!(few.detail, expected);
        assert_eq!(check(100 * GIB, 0, false).result, Outcome::Bad);
        assert_eq!(
            check(100 * GIB, 0, true).detail,
            "free: 100 GiB, stores: 0 MiB"
        );
    }
}
