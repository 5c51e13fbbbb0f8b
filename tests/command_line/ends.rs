//! How a command ends: its exit code and its last words.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::{keyfold, with_config};

/// The last line of a log that is JSON is JSON too, also where the log has not begun, and whatever its level.
#[test]
fn the_reason_of_an_end_is_json_where_the_log_is() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = with_config(folder.path(), "[log]\nformat = \"json\"\n[merge]\nx = 3\n");
    let json = ("KEYFOLD__LOG__FORMAT", "json");
    let off = ("KEYFOLD__LOG__LEVEL", "off");
    let nowhere = ("KEYFOLD__HTTP__LISTEN", "nowhere");
    for (args, environment) in [
        (&["run", "--config", &wrong][..], &[][..]),
        (&["fold", "--config", &wrong], &[]),
        (&["run"], &[json, off, nowhere]),
        // standard error is no terminal
        (&["run"], &[off, nowhere]),
    ] {
        let run = keyfold(args, b"", environment);
        assert_eq!(run.code, Some(2), "{}", run.err);
        let line: Value = serde_json::from_str(run.err.trim()).expect(&run.err);
        assert_eq!(line["level"], "ERROR");
        assert_eq!(line["fields"]["exit_code"], 2);
        let message = line["fields"]["message"].as_str().unwrap();
        assert!(message.starts_with("keyfold: "), "{message}");
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");
    }
    // what people read stays text
    for args in [["fold"], ["topics"]] {
        let run = keyfold(&args, b"", &[("KEYFOLD__MERGE__X", "3")]);
        assert!(run.err.starts_with("keyfold: "), "{}", run.err);
    }
}

#[test]
fn wrong_usage_has_exit_code_2() {
    for args in [
        &["folt"][..],
        &["fold", "--reject"],
        &[],
        &["fold", "no-such-file"],
        &["topics", "--check", "reset", "--yes"],
    ] {
        let run = keyfold(args, b"", &[]);
        assert_eq!(run.code, Some(2), "{args:?}: {}", run.err);
        assert!(!run.err.is_empty(), "{args:?}");
    }
    let run = keyfold(&["fold", "--config", "no-such-file"], b"", &[]);
    assert_eq!(run.code, Some(2), "{}", run.err);
    assert!(run.err.contains("no-such-file"), "{}", run.err);
    for args in [&["--help"][..], &["--version"], &["fold", "--help"]] {
        assert_eq!(keyfold(args, b"", &[]).code, Some(0), "{args:?}");
    }
}

/// The version of the package and, where the sources are in a repository, the commit.
#[test]
fn the_version_names_the_commit() {
    let run = keyfold(&["--version"], b"", &[]);
    let version = concat!("keyfold ", env!("CARGO_PKG_VERSION"));
    let told = option_env!("BUILD_COMMIT").filter(|told| !told.is_empty());
    let newest = || {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        // not that of a repository around a source archive
        root.join(".git").exists().then_some(())?;
        let mut git = Command::new("git");
        let head = git.args(["rev-parse", "HEAD"]).current_dir(root);
        let head = head.output().ok()?;
        let id = String::from_utf8(head.stdout).ok()?;
        id.get(..12).map(str::to_owned)
    };
    let expected = match told.map(str::to_owned).or_else(newest) {
        Some(commit) => format!("{version} ({commit})\n"),
        None => format!("{version}\n"),
    };
    assert_eq!(run.out, expected);
    assert_eq!(keyfold(&["-V"], b"", &[]).out, expected);
}

#[test]
fn the_demo_ends_with_the_fold_of_its_records() {
    let demo = keyfold(
        &["demo"],
        b"",
        &[("KEYFOLD__LOG__LEVEL", "keyfold=info,warn")],
    );
    assert_eq!(demo.code, Some(0), "{}\n{}", demo.out, demo.err);
    // standard error is no terminal
    for line in demo.err.lines() {
        let line: Value = serde_json::from_str(line).expect(line);
        assert!(line["fields"]["message"].is_string(), "{line}");
    }
    assert!(demo.err.contains("keyfold is starting"), "{}", demo.err);
    assert!(demo.err.contains("accepted with a warning"), "{}", demo.err);
    for shown in [
        "a record was rejected",
        "the gap is filled",
        "PROVEN: ",
        "equals the offline fold",
    ] {
        assert!(demo.out.contains(shown), "{shown}: {}", demo.out);
    }
}

/// Wrong usage of `dlq` is found before anything is connected.
#[test]
fn wrong_usage_of_dlq_is_told() {
    for args in [
        &["dlq"][..],
        &["dlq", "list", "--code", "country"],
        &["dlq", "list", "--stage", "late"],
        &["dlq", "list", "--since", "yesterday"],
        &["dlq", "list", "--ids"],
        &["dlq", "show"],
        &["dlq", "show", "3:118"],
        &["dlq", "show", "-1@5"],
        &["dlq", "export"],
        &["dlq", "replay", "3@118", "--from", "x"],
        &["dlq", "replay", "3@118", "--code", "country_code"],
        &["dlq", "replay", "--wait"],
        &["dlq", "replay", "--rate", "0"],
        &["dlq", "replay", "--from", "/nowhere/at/all"],
        &["dlq", "discard", "--execute"],
    ] {
        let run = keyfold(args, b"", &[]);
        assert_eq!(run.code, Some(2), "{args:?}: {}", run.err);
        assert!(run.out.is_empty());
    }
}
