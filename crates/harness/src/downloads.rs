//! What the tests fetch once and keep below the build directory.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::build_directory;

/// `target/test-kafka`, wherever Cargo was told to build.
pub fn dir() -> PathBuf {
    let build = build_directory();
    let dir = build.parent().unwrap_or(&build).join("test-kafka");
    fs::create_dir_all(&dir).expect("the build directory is writable");
    dir
}

/// The subdirectory `name` of [`dir`], filled by `fill` unless it is there already.
///
/// `recipe` says how it is filled: when it differs from that of the last time, the directory is
/// filled anew. A lock file keeps test processes that run side by side from doing so at once, and
/// the recipe is noted last, so that an interrupted attempt is not taken for a complete one.
pub fn filled(
    name: &str,
    recipe: &str,
    fill: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let failed = |what: &str, error: std::io::Error| format!("{what} {name}: {error}");
    let path = dir().join(name);
    let lock = File::create(dir().join(format!("{name}.lock"))).map_err(|e| failed("lock", e))?;
    lock.lock().map_err(|e| failed("lock", e))?;
    let note = dir().join(format!("{name}.recipe"));
    if path.is_dir() && fs::read_to_string(&note).is_ok_and(|noted| noted == recipe) {
        return Ok(path);
    }
    if path.exists() {
        fs::remove_dir_all(&path).map_err(|e| failed("empty", e))?;
    }
    fs::create_dir_all(&path).map_err(|e| failed("create", e))?;
    fill(&path)?;
    fs::write(&note, recipe).map_err(|e| failed("complete", e))?;
    Ok(path)
}
