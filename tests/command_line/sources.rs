//! Declared sources: `keyfold sources`, and how `fold` and `validate` read their records.

use std::fs;
use std::path::Path;

use super::*;

const DEFINITION: &str = r#"
customer_id = "/contact/id"
updated_at = "/contact/modified"
nulls = "clear"

[fields]
firstName = "/contact/given"
emailAddress = { from = "/contact/mail", case = "lower" }
"attributes.region" = "header:region"

[[lists.addresses]]
each = "/contact/addresses"
id = "/id"
fields = { line1 = "/street", city = "/town" }

[deleted]
when = "/contact/state"
is = ["GONE"]

[[tests]]
record = '{"contact": {"id": 1, "modified": "2024-02-06T10:00:00Z", "given": "Ada "}}'
snapshot = '{"customerId": "1", "firstName": "Ada", "lastName": null}'

[[tests]]
record = '{"contact": {"modified": "2024-02-06T10:00:00Z"}}'
rejected = { code = "schema_violation", pointers = ["/contact/id"] }
"#;

const CONFIG: &str = "[sources.crm]\ndefinition = 'crm.toml'\ntopics = ['crm.contacts']\n\
                      [sources.console-customers]\n";

/// The configuration's path; the definition is beside it.
fn declared(folder: &Path, definition: &str) -> String {
    fs::write(folder.join("crm.toml"), definition).unwrap();
    with_config(folder, CONFIG)
}

/// A line of kcat's about a contact, with a header.
fn contact(offset: i64, contact: &Value) -> Vec<u8> {
    let line = json!({
        "topic": "crm.contacts", "partition": 1, "offset": offset, "tstype": "create", "ts": 1_707_220_000_000_i64,
        "headers": ["region", "EU"], "key": "k", "payload": json!({ "contact": contact }).to_string(),
    });
    format!("{line}\n").into_bytes()
}

fn lines(out: &str) -> Vec<Value> {
    out.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn the_sources_that_are_on_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let config = declared(folder.path(), DEFINITION);
    let table = keyfold(&["--config", &config, "sources", "list"], b"", &[]);
    assert_eq!(table.code, Some(0), "{}", table.err);
    let rows: Vec<Vec<&str>> = table
        .out
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows[0][0], "source");
    assert_eq!(rows[1][..3], ["console-customers", "built", "in"]);
    assert_eq!(
        rows[2],
        ["crm", "crm.toml", "crm.contacts", "json", "retract", "text"]
    );
    assert!(
        table.out.contains("  preset:segment-identify\n"),
        "{}",
        table.out
    );
    let args = ["--config", &config, "sources", "list", "--output", "json"];
    let found = lines(&keyfold(&args, b"", &[]).out);
    assert_eq!(found[0]["sources"][1]["definition"], "crm.toml");
    assert_eq!(found[0]["sources"][0]["definition"], Value::Null);
    assert!(found[0]["presets"].as_array().unwrap().len() > 3);
}

#[test]
fn a_definition_is_shown_as_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let config = declared(folder.path(), DEFINITION);
    let show = |name: &str| keyfold(&["--config", &config, "sources", "show", name], b"", &[]);
    assert_eq!(show("crm").out.trim(), DEFINITION.trim());
    let file = folder.path().join("crm.toml");
    assert_eq!(show(file.to_str().unwrap()).out.trim(), DEFINITION.trim());
    assert!(
        show("preset:loyalty-customers")
            .out
            .contains("customer_id = ")
    );
    let built_in = show("loyalty-customers");
    assert_eq!(built_in.code, Some(0));
    assert!(
        built_in.out.contains("preset:loyalty-customers"),
        "{}",
        built_in.out
    );
    for (unknown, part) in [
        ("crm-contacts", "there are console-customers, crm"),
        (
            "preset:segment",
            "did you mean \"preset:segment-identify\"?",
        ),
        ("no/such.toml", "no/such.toml"),
    ] {
        let run = show(unknown);
        assert_eq!(run.code, Some(2), "{}", run.err);
        assert!(run.err.contains(part), "{}", run.err);
    }
}

#[test]
fn the_tests_of_definitions_are_run() {
    let folder = tempfile::tempdir().unwrap();
    let config = declared(folder.path(), DEFINITION);
    let test = |more: &[&str]| {
        keyfold(
            &[&["--config", &config, "sources", "test"], more].concat(),
            b"",
            &[],
        )
    };
    let run = test(&[]);
    assert_eq!(run.code, Some(0), "{} {}", run.out, run.err);
    assert_eq!(
        run.out,
        "ok      crm.toml:20\nok      crm.toml:24\ntests: 2, failed: 0\n"
    );

    let wrong = DEFINITION
        .replace("\"Ada\"", "\"Bob\"")
        .replace("[\"/contact/id\"]", "[\"/id\"]");
    let file = folder.path().join("wrong.toml");
    fs::write(&file, wrong).unwrap();
    let path = file.to_str().unwrap();
    let run = test(&[path]);
    assert_eq!(run.code, Some(1), "{} {}", run.out, run.err);
    for part in [
        &format!("FAILED  {path}:20\n        /firstName: expected \"Bob\", found \"Ada\"\n"),
        "        /id: expected a violation, found none\n",
        "tests: 2, failed: 2\n",
    ] {
        assert!(run.out.contains(part), "{}", run.out);
    }
    let found = lines(&test(&[path, "--output", "json"]).out);
    assert_eq!(found[0]["ok"], false);
    assert_eq!(found[0]["differences"][0]["pointer"], "/firstName");

    fs::write(
        &file,
        "customer_id = '/id'\nfield = 1\n[fields]\nfirstNam = '/a'",
    )
    .unwrap();
    let run = test(&[path, "preset:segment-identify"]);
    assert_eq!(run.code, Some(2), "{}", run.err);
    assert!(run.err.contains("`fields.firstName`"), "{}", run.err);
    assert!(run.out.contains("preset:segment-identify:"), "{}", run.out);
}

#[test]
fn nothing_to_test_is_wrong_usage() {
    let run = keyfold(&["sources", "test"], b"", &[]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.err.contains("no source with a definition is on"),
        "{}",
        run.err
    );
}

/// All that ship with the program hold.
#[test]
fn the_tests_of_presets_and_examples_hold() {
    let mut all: Vec<String> = Vec::new();
    for folder in ["presets", "config/examples"] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let is_definition = path
                .extension()
                .is_some_and(|extension| extension == "toml");
            if is_definition && path.file_stem().is_none_or(|stem| stem != "keyfold") {
                all.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    assert!(all.len() > 5, "{all:?}");
    let mut args = vec!["sources", "test"];
    args.extend(all.iter().map(String::as_str));
    let run = keyfold(&args, b"", &[]);
    assert_eq!(run.code, Some(0), "{} {}", run.out, run.err);
}

#[test]
fn what_records_tell_is_shown_with_values_only_where_they_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let config = declared(folder.path(), DEFINITION);
    let time = "2024-02-06T10:00:00Z";
    let input = [
        contact(
            0,
            &json!({"id": "secret-id", "modified": time, "given": "Secret", "mail": null,
            "addresses": [{"id": "a", "street": "Secret Street"}]}),
        ),
        contact(
            1,
            &json!({"id": "secret-id", "modified": time, "state": "GONE"}),
        ),
        contact(2, &json!({"id": null, "modified": "yesterday"})),
    ]
    .concat();
    let run = |more: &[&str]| {
        keyfold(
            &[&["--config", &config, "sources", "try"], more].concat(),
            &input,
            &[],
        )
    };
    let names = run(&["crm"]);
    assert_eq!(names.code, Some(1), "{}", names.err);
    assert!(
        !names.out.to_lowercase().contains("secret"),
        "{}",
        names.out
    );
    let found = lines(&names.out);
    assert_eq!(found.len(), 3);
    assert_eq!(found[0]["verdict"], "valid");
    assert_eq!(
        found[0]["customers"],
        json!([{
            "fields": ["emailAddress", "firstName"], "attributes": ["region"],
            "addresses": [["addressId", "line1", "updatedAt"]],
        }])
    );
    assert_eq!(found[1]["customers"], json!([{"erases": "crm"}]));
    assert_eq!(found[2]["verdict"], "rejected");
    assert_eq!(found[2]["violations"][0]["pointer"], "/contact/id");
    assert_eq!(found[2]["violations"][1]["pointer"], "/contact/modified");

    let found = lines(&run(&["crm", "--values"]).out);
    assert_eq!(
        found[0]["customers"],
        json!([{
            "customerId": "secret-id", "updatedAt": time, "attributes": {"region": "EU"},
            "fields": {"emailAddress": null, "firstName": "Secret"},
            "addresses": [{"addressId": "a", "line1": "Secret Street", "updatedAt": time}],
        }])
    );
    assert_eq!(
        found[1]["customers"],
        json!([{"customerId": "secret-id", "updatedAt": time, "erases": "crm"}])
    );
    // A definition needs no configuration.
    let file = folder.path().join("crm.toml");
    let of_file = keyfold(&["sources", "try", file.to_str().unwrap()], &input, &[]);
    assert_eq!(of_file.out, names.out);
    let run = run(&["cmr"]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.err.contains("there are console-customers, crm"),
        "{}",
        run.err
    );
}

#[test]
fn what_records_of_built_in_sources_tell() {
    let input = line("any", 0, CREATED, b"\"k\"", &event("c1", "GB"));
    let names = keyfold(&["sources", "try", "loyalty-customers"], &input, &[]);
    assert_eq!(names.code, Some(0), "{}", names.err);
    let found = lines(&names.out);
    assert_eq!(found[0]["customers"], json!([{"fields": ["addresses"]}]));
    let values = keyfold(
        &["sources", "try", "loyalty-customers", "--values"],
        &input,
        &[],
    );
    assert!(values.out.contains("Secret Street"), "{}", values.out);
}

#[test]
fn fold_and_validate_read_declared_sources_with_their_headers() {
    let folder = tempfile::tempdir().unwrap();
    let config = declared(folder.path(), DEFINITION);
    let time = "2024-02-06T10:00:00Z";
    let mut input = [
        contact(
            0,
            &json!({"id": 7, "modified": time, "given": "Ada", "mail": "ADA@example.com"}),
        ),
        contact(1, &json!({"modified": time})),
    ]
    .concat();
    input.extend(line(
        "console.customers",
        2,
        CREATED,
        b"\"7\"",
        &console("7"),
    ));
    let fold = keyfold(&["--config", &config, "fold"], &input, &[]);
    assert_eq!(fold.code, Some(0), "{}", fold.err);
    let snapshot = &lines(&fold.out)[0]["value"];
    assert_eq!(snapshot["firstName"], "Ada");
    assert_eq!(snapshot["emailAddress"], "ada@example.com");
    assert_eq!(snapshot["attributes"], json!({"region": "EU"}));
    assert_eq!(snapshot["sources"]["crm"], json!({"updatedAt": time}));
    assert_eq!(snapshot["sources"]["console"]["version"], 1);

    let validate = keyfold(&["--config", &config, "validate"], &input, &[]);
    assert_eq!(validate.code, Some(1), "{}", validate.err);
    let verdicts = lines(&validate.out);
    assert_eq!(verdicts[0]["verdict"], "valid");
    assert_eq!(verdicts[1]["violations"][0]["pointer"], "/contact/id");
    // A null value retracts what is known up to its time.
    input.extend(line("crm.contacts", 3, CREATED, b"\"7\"", b"null"));
    let fold = keyfold(&["--config", &config, "fold"], &input, &[]);
    let snapshot = &lines(&fold.out)[0]["value"];
    assert_eq!(snapshot["firstName"], Value::Null);
    assert_eq!(snapshot["sources"]["console"]["version"], 1);
}

#[test]
fn a_wrong_definition_is_a_wrong_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let config = declared(
        folder.path(),
        "customer_id = '/id'\n[fields]\nfirstNam = '/a'",
    );
    for command in ["config", "run", "fold", "topics"] {
        let run = keyfold(&["--config", &config, command], b"", &[]);
        assert_eq!(run.code, Some(2), "{command} {}", run.err);
        let expected =
            "unknown key `fields.firstNam` in crm.toml, line 3; did you mean `fields.firstName`?";
        assert!(run.err.contains(expected), "{command} {}", run.err);
    }
    fs::remove_file(folder.path().join("crm.toml")).unwrap();
    let run = keyfold(&["--config", &config, "config"], b"", &[]);
    assert!(
        run.err.contains("`sources.crm.definition` in "),
        "{}",
        run.err
    );
    assert!(run.err.contains("cannot be read"), "{}", run.err);
}
