//! Programs of Debian that tests need and cargo cannot fetch. They are installed where that is possible.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use crate::downloads;

/// The path of a program. If it is missing, its Debian package is installed, which only root can do; otherwise the error
/// says what to install.
pub fn program(name: &str, package: &str) -> Result<PathBuf, String> {
    // Tests of one process ask at the same time, and of several processes too: apt takes only one at a time.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock();
    if let Some(found) = find(name) {
        return Ok(found);
    }
    let lock = downloads::dir().join("apt.lock");
    let lock = std::fs::File::create(lock).map_err(|error| format!("lock apt: {error}"))?;
    lock.lock().map_err(|error| format!("lock apt: {error}"))?;
    if find(name).is_none() {
        install(package)?;
    }
    find(name).ok_or_else(|| format!("the package {package} has no program {name}"))
}

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

fn install(package: &str) -> Result<(), String> {
    // A package may start a service when it is installed. The policy that forbids it is `.ci/run`'s, see there.
    for args in [
        &["update", "-q"][..],
        &["install", "-y", "-q", "--no-install-recommends", package],
    ] {
        let done = Command::new("apt-get")
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("RUNLEVEL", "1")
            .output();
        let is_done = done.as_ref().is_ok_and(|done| done.status.success());
        if !is_done {
            return Err(format!(
                "the Debian package {package} is missing, and only root can install it here: apt-get install {package}"
            ));
        }
    }
    Ok(())
}
