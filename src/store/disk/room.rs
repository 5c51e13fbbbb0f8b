//! What the directory of the stores is like, without taking it over.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The free room of a file system, as this user may use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// In bytes.
    pub free: u64,
    /// Whether more files can be made.
    pub has_files: bool,
}

/// What was found of the directory of one application.
#[derive(Debug)]
pub struct Found {
    /// The folder that is written to; or, while it is not there, the one in which it would be made.
    pub place: PathBuf,
    /// Whether it is there already.
    pub exists: bool,
    /// Whether a running process uses it.
    pub in_use: bool,
    /// The bytes of the stores in it.
    pub bytes: u64,
    pub room: Room,
}

/// Looks at the directory of the stores of an application, and writes a file of no content that is removed at once.
///
/// # Errors
/// The stores cannot be written there.
pub fn look(directory: &Path, application_id: &str) -> io::Result<Found> {
    let base = directory.join(application_id);
    let exists = base.is_dir();
    let place = nearest(&base)?;
    try_to_write(&place)?;
    let in_use = match File::open(base.join("lock")) {
        Ok(lock) => match lock.try_lock() {
            Ok(()) => false,
            Err(TryLockError::WouldBlock) => true,
            Err(TryLockError::Error(error)) => return Err(error),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(error),
    };
    Ok(Found {
        bytes: if exists { bytes_in(&base) } else { 0 },
        room: room(&place)?,
        place,
        exists,
        in_use,
    })
}

/// The path itself, or the nearest folder above it that exists.
fn nearest(path: &Path) -> io::Result<PathBuf> {
    let mut current = path;
    loop {
        match fs::metadata(current) {
            Ok(found) if found.is_dir() => return Ok(current.to_owned()),
            Ok(_) => {
                let reason = format!("{} is no folder", current.display());
                return Err(io::Error::new(io::ErrorKind::NotADirectory, reason));
            }
            // a file in the way is found above
            Err(error)
                if [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory]
                    .contains(&error.kind()) =>
            {
                current = match current.parent() {
                    Some(parent) if !parent.as_os_str().is_empty() => parent,
                    _ => return Ok(PathBuf::from(".")),
                };
            }
            Err(error) => return Err(error),
        }
    }
}

fn try_to_write(folder: &Path) -> io::Result<()> {
    let file = folder.join(format!(".keyfold-check-{}", std::process::id()));
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&file)?;
    fs::remove_file(&file)
}

/// The bytes of all files below a folder; what vanishes meanwhile is not counted.
fn bytes_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => bytes_in(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}

fn room(folder: &Path) -> io::Result<Room> {
    let path = CString::new(folder.as_os_str().as_bytes())?;
    let mut found = MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: the path is a C string, and `found` has room for the answer, for which zeros are a value.
    let found = unsafe {
        if libc::statvfs(path.as_ptr(), found.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        found.assume_init()
    };
    // some file systems do not count files
    let counts_files = found.f_files > 0;
    Ok(Room {
        free: found.f_bavail.saturating_mul(found.f_frsize),
        has_files: !counts_files || found.f_favail > 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_looked_at_without_a_trace() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("not/there");
        let found = look(&directory, "app").unwrap();
        assert_eq!((found.exists, found.in_use), (false, false));
        assert_eq!(found.place, home.path());
        assert!(found.room.free > 0 && found.room.has_files);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);

        let base = directory.join("app");
        fs::create_dir_all(&base).unwrap();
        fs::write(base.join("table"), "12345").unwrap();
        let lock = File::create(base.join("lock")).unwrap();
        assert!(!look(&directory, "app").unwrap().in_use);
        lock.try_lock().unwrap();
        let found = look(&directory, "app").unwrap();
        assert_eq!((found.exists, found.in_use, found.bytes), (true, true, 5));
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        fs::write(&file, "").unwrap();
        let error = look(&file, "app").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotADirectory);
        let error = look(&file.join("below"), "app").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotADirectory);
    }
}
