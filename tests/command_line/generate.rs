//! `keyfold generate --definition`: records of a declared source.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::*;

const DEFINITION: &str = r#"
schema = "members.schema.json"
customer_id = "/member/no"
updated_at = { from = "/at", unit = "seconds" }

[fields]
displayName = "/member/name"
marketingOptIn = { from = "/member/news", map = { yes = true, no = false } }

[deleted]
when = "/event"
is = ["left"]
"#;

const SCHEMA: &str = r#"{
  "type": "object",
  "properties": {
    "event": {"enum": ["joined", "changed", "left"]},
    "at": {"type": "integer"},
    "club": {"type": "string", "minLength": 3},
    "member": {"type": "object", "properties": {"no": {"type": ["string", "integer"]}}}
  },
  "required": ["event", "at", "club", "member"]
}"#;

/// A folder with the definition, its schema, and a configuration in which it is the source `gym`.
fn folder(schema: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("members.toml"), DEFINITION).unwrap();
    fs::write(folder.path().join("members.schema.json"), schema).unwrap();
    with_config(
        folder.path(),
        "[sources.gym]\ndefinition = 'members.toml'\ntopics = ['gym.members']\n",
    );
    folder
}

fn generate(folder: &Path, more: &[&str]) -> Run {
    let config = folder.join("keyfold.toml");
    let args = ["--config", config.to_str().unwrap(), "generate"];
    keyfold(&[&args, more].concat(), b"", &[])
}

fn lines(run: &Run) -> Vec<Value> {
    assert_eq!(run.code, Some(0), "{}", run.err);
    let lines = run.out.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn records_of_a_definition_are_those_of_its_source() {
    let folder = folder(SCHEMA);
    let file = folder.path().join("members.toml");
    let file = file.to_str().unwrap();
    let some = ["--records", "300", "--invalid", "0", "--wrongly-keyed", "0"];
    let by_name = generate(
        folder.path(),
        &[&["--definition", "gym"], &some[..]].concat(),
    );
    let by_file = generate(
        folder.path(),
        &[&["--definition", file], &some[..]].concat(),
    );
    assert_eq!(by_name.out, by_file.out);
    let records = lines(&by_name);
    assert_eq!(records.len(), 300);
    assert!(
        records
            .iter()
            .all(|record| record["topic"] == "gym.members")
    );
    let config = folder.path().join("keyfold.toml");
    let config = config.to_str().unwrap();
    // from a file: a pipe holds less than this comes to
    let made = folder.path().join("made.jsonl");
    fs::write(&made, &by_name.out).unwrap();
    let made = made.to_str().unwrap();
    let judged = keyfold(&["-c", config, "validate", made], b"", &[]);
    assert_eq!(judged.code, Some(0), "{}", judged.out);
    let folded = keyfold(&["-c", config, "fold", made], b"", &[]);
    assert!(folded.out.contains("\"displayName\":"), "{}", folded.out);
    assert!(
        folded.out.contains("\"marketingOptIn\":true"),
        "{}",
        folded.out
    );
    let of_topic = ["--definition", file, "--topic", "t", "--records", "1"];
    let other = generate(folder.path(), &of_topic);
    assert_eq!(lines(&other)[0]["topic"], "t");
    let seed = [&["--definition", "gym", "--seed", "2"], &some[..]].concat();
    assert_ne!(generate(folder.path(), &seed).out, by_name.out);
}

#[test]
fn as_many_records_are_invalid_as_asked_for() {
    let folder = folder(SCHEMA);
    let args = [
        "--definition",
        "gym",
        "--records",
        "1000",
        "--invalid",
        "0.1",
    ];
    let config = folder.path().join("keyfold.toml");
    // some of the bytes are no text
    let made = Command::new(env!("CARGO_BIN_EXE_keyfold"))
        .env_clear()
        .arg("--config")
        .arg(&config)
        .arg("generate")
        .args(args)
        .output()
        .unwrap();
    let file = folder.path().join("made.jsonl");
    fs::write(&file, &made.stdout).unwrap();
    let [config, file] = [&config, &file].map(|path| path.to_str().unwrap());
    let judged = keyfold(&["-c", config, "validate", file], b"", &[]);
    assert_eq!(judged.code, Some(1), "{}", judged.err);
    let verdicts: Vec<Value> = judged
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let rejected: Vec<&Value> = verdicts
        .iter()
        .filter(|one| one["verdict"] == "rejected")
        .collect();
    assert!((80..120).contains(&rejected.len()), "{}", rejected.len());
    let codes: BTreeSet<&str> = rejected
        .iter()
        .filter_map(|one| one["code"].as_str())
        .collect();
    for code in [
        "invalid_json",
        "invalid_utf8",
        "duplicate_field",
        "schema_violation",
        "blank_id",
    ] {
        assert!(codes.contains(code), "{codes:?}");
    }
}

/// Those that the built-in sources speak of.
#[test]
fn the_customers_are_those_of_the_seed() {
    let folder = folder(SCHEMA);
    let keys = |run: &Run| -> BTreeSet<String> {
        let keys = lines(run).into_iter();
        keys.filter_map(|line| line["key"].as_str().map(str::to_owned))
            .collect()
    };
    let few = [
        "--customers",
        "20",
        "--wrongly-keyed",
        "0",
        "--invalid",
        "0",
        "--records",
        "500",
    ];
    let own = generate(
        folder.path(),
        &[&["--definition", "gym"], &few[..]].concat(),
    );
    let built_in = keyfold(&[&["generate", "--null", "0"], &few[..]].concat(), b"", &[]);
    let (own, built_in) = (keys(&own), keys(&built_in));
    assert_eq!(own.len(), 20);
    assert!(own.is_subset(&built_in), "{own:?} {built_in:?}");
}

#[test]
fn what_cannot_be_made_is_told_with_its_place() {
    let of_club = |schema: &str| SCHEMA.replace(r#""minLength": 3"#, schema);
    for (schema, messages) in [
        (
            of_club(r#""not": {"type": "string"}"#),
            &[
                "members.toml: no valid records can be made of it",
                "`/club`: ",
                "schema_violation",
            ][..],
        ),
        (
            SCHEMA.replace(r#"["string", "integer"]"#, r#""boolean""#),
            &[
                "members.toml",
                "`/member/no`: it must be a text or a whole number",
            ],
        ),
        (
            SCHEMA.replace(r#"["joined", "changed", "left"]"#, r#"["left"]"#),
            &["`/event`: it must be there, but only says that a customer is gone"],
        ),
    ] {
        let folder = folder(&schema);
        let file = folder.path().join("members.toml");
        let run = generate(folder.path(), &["--definition", file.to_str().unwrap()]);
        assert_eq!(run.code, Some(2), "{}", run.err);
        assert_eq!(run.out, "");
        for message in messages {
            assert!(run.err.contains(message), "{message}: {}", run.err);
        }
    }
}

#[test]
fn what_cannot_be_asked_for_is_wrong_usage() {
    let folder = folder(SCHEMA);
    for (args, message) in [
        (
            &["--definition", "gmy"][..],
            "no source that is on is called \"gmy\"",
        ),
        (
            &["--definition", "no/such.toml"],
            "no/such.toml: cannot be read",
        ),
        (
            &["--definition", "preset:strip-customer"],
            "preset:stripe-customer",
        ),
        (&["--topic", "t"], "--definition <DEFINITION>"),
        (
            &["--definition", "preset:stripe-customer", "--kafka"],
            "name the topic with --topic",
        ),
        (&[], "no built-in source is on; --definition"),
    ] {
        let run = generate(folder.path(), args);
        assert_eq!(run.code, Some(2), "{args:?}: {}", run.err);
        assert!(run.err.contains(message), "{args:?}: {}", run.err);
    }
    let built_in = keyfold(&["generate", "--definition", "loyalty-customers"], b"", &[]);
    assert_eq!(built_in.code, Some(2));
    assert!(built_in.err.contains("is built in"), "{}", built_in.err);
}
