//! File permissions: only this user may read the stores, because they hold personal data.

use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The mode bits of everybody except this user.
const OTHERS: u32 = 0o077;

/// Makes files that this process creates from now on inaccessible to others. The engine creates its files itself, so
/// this can only be set for the whole process.
pub fn restrict_new_files() {
    // SAFETY: `umask` only sets a number of the process.
    unsafe { libc::umask(OTHERS as libc::mode_t) };
}

/// Removes the permissions of others on a folder and everything in it. Files of another user stay as they are, with a
/// warning.
pub fn restrict_existing(base: &Path) -> io::Result<()> {
    let refused = restrict(base, &fs::symlink_metadata(base)?)?;
    if refused {
        tracing::warn!(
            directory = %base.display(),
            "others may read the state store, and keyfold cannot change that: some of it belongs to another user"
        );
    }
    Ok(())
}

/// Returns whether others may still read or write the file.
fn restrict(path: &Path, found: &Metadata) -> io::Result<bool> {
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
            refused |= restrict(&entry.path(), &entry.metadata()?)?;
        }
    }
    Ok(refused)
}
