//! Who may read the stores: this user only, for they hold personal data.

use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What others may do with a file or a folder, as bits of its mode.
const OTHERS: u32 = 0o077;

/// Whatever this process makes from now on, others may not read. The engine makes its files by itself, so that it can only
/// be said for all of them.
pub fn from_now_on() {
    // SAFETY: it only sets a number of the process.
    unsafe { libc::umask(OTHERS as libc::mode_t) };
}

/// Takes from others what was there before: a folder with all that is in it. What belongs to another user is left, with a
/// warning.
pub fn what_is_there(base: &Path) -> io::Result<()> {
    let refused = shut(base, &fs::symlink_metadata(base)?)?;
    if refused {
        tracing::warn!(
            directory = %base.display(),
            "others may read the state store, and this user may not change that: it belongs to another one"
        );
    }
    Ok(())
}

/// Whether something could not be taken from others.
fn shut(path: &Path, found: &Metadata) -> io::Result<bool> {
    if found.is_symlink() {
        return Ok(false);
    }
    let mut refused = false;
    let mode = found.permissions().mode();
    if mode & OTHERS != 0 {
        match fs::set_permissions(path, Permissions::from_mode(mode & !OTHERS)) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => refused = true,
            done => done?,
        }
    }
    if found.is_dir() {
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            refused |= shut(&entry.path(), &entry.metadata()?)?;
        }
    }
    Ok(refused)
}
