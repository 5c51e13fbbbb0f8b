//! Says where `src/main.rs` finds the commit that it is built from, and makes the program smaller.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    // Not after each commit: that would recompile the library. The program itself includes the log.
    println!("cargo:rerun-if-changed=build.rs");
    let log = is_repository()
        .then(|| git(&["rev-parse", "--git-path", "logs/HEAD"]))
        .flatten();
    let log = log.map(PathBuf::from);
    let log = log.and_then(|log| log.canonicalize().ok());
    let log = log.unwrap_or_else(|| {
        let empty = Path::new(&std::env::var_os("OUT_DIR").unwrap_or_default()).join("no-commits");
        // where that fails the program does not compile, and says why
        let _ = std::fs::write(&empty, "");
        empty
    });
    println!("cargo:rustc-env=COMMIT_LOG={}", log.display());
    let is = |name, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("PROFILE", "release") {
        // line tables, which take more room than the code
        println!("cargo:rustc-link-arg-bins=-Wl,--compress-debug-sections=zlib");
    }
}

/// Whether the repository that git finds is keyfold's own: a source archive may be unpacked below another one.
fn is_repository() -> bool {
    let top = git(&["rev-parse", "--show-toplevel"]).map(PathBuf::from);
    let own = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let paths = top.zip(own);
    paths.is_some_and(|(top, own)| top.canonicalize().ok() == own.canonicalize().ok())
}

/// What git says; none where there is no git, or no repository, as in a source archive.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| text.to_owned())
}
