//! The binary on what `kcat -C -J` prints, its exit codes and its messages (docs/contract.md, section 7).

mod healthcheck;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

fn keyfold(args: &[&str], input: &[u8], environment: &[(&str, &str)]) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_keyfold"))
        .args(args)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // one that stops at a wrong setting reads nothing
    let _ = child.stdin.take().unwrap().write_all(input);
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().unwrap();
    Run {
        code: status.code(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

/// A line as kcat prints it. Key and payload are JSON strings as raw bytes, for kcat does not check them.
fn line(topic: &str, offset: i64, time: &str, key: &[u8], payload: &[u8]) -> Vec<u8> {
    let head = format!(
        r#"{{"topic":"{topic}","partition":3,"offset":{offset},{time},"broker":1,"headers":["#
    );
    [
        head.as_bytes(),
        b"\"trace\",\"a\xffb\",\"empty\",null],\"key\":",
        key,
        b",\"payload\":",
        payload,
        b"}\n",
    ]
    .concat()
}

const CREATED: &str = r#""tstype":"create","ts":1707220000000"#;
const APPENDED: &str = r#""tstype":"logappend","ts":1707220000000"#;
const UNKNOWN: &str = r#""tstype":"unknown","ts":0"#;

fn quoted(value: &Value) -> Vec<u8> {
    Value::from(value.to_string()).to_string().into_bytes()
}

fn event(customer: &str, country: &str) -> Vec<u8> {
    quoted(
        &json!({"eventType": "CUSTOMER", "eventAction": "CREATED", "version": 1.0, "body": {
            "customerId": customer, "createdAt": "2024-02-06T10:00:00Z", "updatedAt": "2024-02-06T10:00:00Z",
            "addresses": [{"addressId": "a", "line1": "Secret Street", "city": "x", "zipCode": "1", "countryCode": country}],
        }}),
    )
}

fn console(customer: &str) -> Vec<u8> {
    quoted(
        &json!({"customerId": customer, "version": 1, "addresses": [{"key": "k", "country": "Atlantis"}]}),
    )
}

/// Records of every kind that kcat can print.
fn mixed() -> Vec<u8> {
    [
        line("loyalty.customers", 0, CREATED, b"\"b\"", &event("b", "gb")),
        line(
            "loyalty.customers",
            1,
            CREATED,
            b"null",
            &event("c", "Nowhere"),
        ),
        line(
            "loyalty.customers",
            2,
            APPENDED,
            b"\"k\xfe\"",
            b"\"{\\\"a\\\": \\\"\xff\xfe\\\"}\"",
        ),
        line("console.customers", 0, UNKNOWN, b"\"a\"", &console("a")),
        line("console.customers", 1, APPENDED, b"\"a\"", &console("a")),
        line("loyalty.customer-actions", 0, CREATED, b"\"b\"", b"null"),
        line("loyalty.customers", 3, CREATED, b"\"\\u00e9\"", b"null"),
        line("loyalty.customers", 4, CREATED, b"\"\xff\"", b"null"),
        line("loyalty.customers", 5, CREATED, b"\"\"", b"\"\""),
    ]
    .concat()
}

#[test]
fn fold_reads_what_kcat_prints() {
    let folder = tempfile::tempdir().unwrap();
    let rejected = folder.path().join("rejected");
    let rejected_text = rejected.to_str().unwrap();
    let run = keyfold(&["fold", "--rejected", rejected_text], &mixed(), &[]);
    assert_eq!(run.code, Some(0), "{}", run.err);

    let lines: Vec<&str> = run.out.lines().collect();
    assert_eq!(lines.len(), 3, "{}", run.out);
    let console = concat!(
        r#"{"key":"a","value":{"schemaVersion":1,"customerId":"a","phones":[],"#,
        r#""addresses":[{"source":"console","addressId":"k","country":"Atlantis"}],"dependents":[],"attributes":{},"#,
        r#""accounts":[],"sources":{"console":{"version":1,"updatedAt":"2024-02-06T11:46:40Z"}},"#,
        r#""updatedAt":"2024-02-06T11:46:40Z"}}"#
    );
    assert_eq!(lines[0], console);
    assert!(
        lines[1].starts_with(r#"{"key":"b","value":{"#),
        "{}",
        lines[1]
    );
    // a customer that only an erasure speaks of
    assert_eq!(lines[2], r#"{"key":"é","value":null}"#);

    let rejected = fs::read_to_string(rejected).unwrap();
    let codes: Vec<String> = rejected
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| line[name].as_str().unwrap().to_owned();
            assert_eq!(line["partition"], 3);
            format!(
                "{} {} {} {}",
                text("source"),
                line["offset"],
                text("stage"),
                text("code")
            )
        })
        .collect();
    assert_eq!(
        codes,
        [
            "loyalty-customers 1 semantic country_code",
            "loyalty-customers 2 decode invalid_utf8",
            "console-customers 0 semantic no_timestamp",
            "loyalty-actions 0 decode null_value",
            "loyalty-customers 4 semantic blank_id",
            "loyalty-customers 5 decode invalid_json",
        ]
    );
    let first = concat!(
        r#"{"topic":"loyalty.customers","partition":3,"offset":1,"key":null,"source":"loyalty-customers","#,
        r#""stage":"semantic","code":"country_code","message":"a country is not one of ISO 3166-1","violations":"#,
        r#"[{"pointer":"/body/addresses/0/countryCode","keyword":"country_code","#,
        r#""message":"a country is not one of ISO 3166-1"}]}"#
    );
    assert_eq!(rejected.lines().next(), Some(first));
    for text in ["Secret", "Nowhere"] {
        assert!(!rejected.contains(text) && !run.err.contains(text));
    }
}

#[test]
fn files_and_standard_input_are_one_input() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("records");
    let name = file.to_str().unwrap();
    let last = line("loyalty.customers", 9, CREATED, b"null", &event("z", "GB"));
    // the last line may lack its line feed, and blank lines say nothing
    fs::write(&file, [b"\n", last.trim_ascii_end()].concat()).unwrap();
    let all = keyfold(&["fold", name, "-"], &mixed(), &[]);
    assert_eq!(all.code, Some(0), "{}", all.err);
    let keys: Vec<&str> = all.out.lines().map(|line| &line[..10]).collect();
    assert_eq!(keys.len(), 4, "{}", all.out);
    assert_eq!(keys[2], r#"{"key":"z""#);

    let nothing = keyfold(&["fold"], b"", &[]);
    assert_eq!((nothing.code, nothing.out.as_str()), (Some(0), ""));
}

#[test]
fn validate_says_what_it_thinks_of_each_record() {
    let run = keyfold(&["validate"], &mixed(), &[]);
    assert_eq!(run.code, Some(1), "{}", run.err);
    let lines: Vec<&str> = run.out.lines().collect();
    assert_eq!(lines.len(), 9);
    let valid = concat!(
        r#"{"topic":"loyalty.customers","partition":3,"offset":0,"verdict":"valid","stage":null,"code":null,"#,
        r#""message":null,"violations":[],"warnings":[]}"#
    );
    assert_eq!(lines[0], valid);
    let rejected = concat!(
        r#"{"topic":"loyalty.customers","partition":3,"offset":2,"verdict":"rejected","stage":"decode","#,
        r#""code":"invalid_utf8","message":"the value is not UTF-8","violations":[],"warnings":[]}"#
    );
    assert_eq!(lines[2], rejected);
    let warned: Value = serde_json::from_str(lines[4]).unwrap();
    assert_eq!(warned["verdict"], "valid");
    assert_eq!(warned["warnings"][0]["pointer"], "/addresses/0/country");
    assert_eq!(warned["warnings"][0]["keyword"], "country_code");

    let good = line("loyalty.customers", 0, CREATED, b"null", &event("b", "GB"));
    let run = keyfold(&["validate", "-"], &good, &[]);
    assert_eq!(run.code, Some(0), "{}", run.err);
}

#[test]
fn a_wrong_line_is_named() {
    let good = line("loyalty.customers", 0, CREATED, b"null", &event("b", "GB"));
    let elsewhere = line("some.topic", 0, CREATED, b"null", &event("Secret", "GB"));
    let broken = b"{\"topic\":\"loyalty.customers\",\"payload\":\"Secret\n".to_vec();
    let no_record = b"[\"Secret\"]\n".to_vec();
    for command in ["fold", "validate"] {
        for wrong in [&elsewhere, &broken, &no_record] {
            let input = [&good[..], wrong].concat();
            let run = keyfold(&[command], &input, &[]);
            assert_eq!(run.code, Some(2), "{command}: {}", run.err);
            assert!(run.err.contains("standard input, line 2"), "{}", run.err);
            assert!(!run.err.contains("Secret"), "{}", run.err);
        }
    }
    let run = keyfold(&["fold"], &elsewhere, &[]);
    assert!(run.err.contains("topics"), "{}", run.err);
}

fn with_config(folder: &Path, text: &str) -> String {
    let file = folder.join("keyfold.toml");
    fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

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
fn a_wrong_setting_is_named_with_the_nearest_known_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = with_config(folder.path(), "[merge]\nmax_action = 3\n");
    for args in [["--config", &file, "fold"], ["fold", "--config", &file]] {
        let run = keyfold(&args, b"", &[]);
        assert_eq!(run.code, Some(2));
        for part in ["merge.max_action", "merge.max_actions", "keyfold.toml"] {
            assert!(run.err.contains(part), "{}", run.err);
        }
    }
    let run = keyfold(
        &["validate"],
        b"",
        &[("KEYFOLD__SNAPSHOT__RECENT_ACTION", "3")],
    );
    assert_eq!(run.code, Some(2));
    assert!(
        run.err.contains("KEYFOLD__SNAPSHOT__RECENT_ACTION"),
        "{}",
        run.err
    );
    assert!(
        run.err.to_lowercase().contains("recent_actions"),
        "{}",
        run.err
    );

    let file = with_config(folder.path(), "[merge]\nmax_actions = \"many\"\n");
    let run = keyfold(&["fold", "--config", &file], b"", &[]);
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("merge.max_actions"), "{}", run.err);
}

#[test]
fn a_property_that_the_client_does_not_take_is_named_without_its_value() {
    for (name, variable) in [
        ("sasl.passwort", "KEYFOLD__KAFKA__PROPERTIES__SASL_PASSWORT"),
        (
            "compression.type",
            "KEYFOLD__KAFKA__PROPERTIES__COMPRESSION_TYPE",
        ),
    ] {
        for command in ["run", "topics"] {
            let run = keyfold(&[command], b"", &[(variable, "hunter2")]);
            assert_eq!(run.code, Some(2), "{}", run.err);
            assert!(run.err.contains(name), "{}", run.err);
            assert!(!run.err.contains("hunter2"), "{}", run.err);
        }
    }
}

/// All at once, each with its place, the nearest name and what is allowed; and only where a cluster is needed.
#[test]
fn all_that_is_wrong_with_the_client_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = with_config(
        folder.path(),
        "[kafka.properties]\nretries = 0\nmax.in.flight = 10\nsecurity.protocl = 'SSL'\n\
         ssl.ca.location = '/no/such/ca.pem'\nsasl.jaas.config = 'password=hunter2'\n",
    );
    let security = (
        "KEYFOLD__KAFKA__PROPERTIES__SECURITY_PROTOCOL",
        "SASL_PLAINTEXT",
    );
    let generate = ["generate", "--kafka", "--config", &file];
    for args in [
        &["-c", &file, "run"][..],
        &["topics", "-c", &file],
        &["topics", "reset", "--yes", "-c", &file],
        &generate,
    ] {
        let run = keyfold(args, b"", &[security]);
        assert_eq!(run.code, Some(2), "{}", run.err);
        for part in [
            "6 settings are wrong",
            "`kafka.properties.retries` in",
            "1 .. 2147483647",
            "`kafka.properties.max.in.flight` in",
            "1 .. 5",
            "`kafka.properties.security.protocl` in",
            "did you mean `kafka.properties.security.protocol`?",
            "`kafka.properties.ssl.ca.location` in",
            "`kafka.properties.sasl.jaas.config` in",
            "in environment variable KEYFOLD__KAFKA__PROPERTIES__SECURITY_PROTOCOL",
            "sasl.mechanism",
            "SCRAM-SHA-512",
        ] {
            assert!(run.err.contains(part), "{part} in: {}", run.err);
        }
        assert!(!run.err.contains("hunter2"), "{}", run.err);
    }
    for args in [
        &["fold", "-c", &file][..],
        &["config", "-c", &file],
        &["generate", "--records", "1", "-c", &file],
    ] {
        let run = keyfold(args, b"", &[security]);
        assert_eq!(run.code, Some(0), "{args:?}: {}", run.err);
        assert!(!run.out.contains("hunter2"), "{}", run.out);
    }
}

#[test]
fn the_environment_may_name_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let file = with_config(folder.path(), "[merge]\nmax_actions = 7\n");
    let named = ("KEYFOLD_CONFIG", file.as_str());
    let run = keyfold(&["config"], b"", &[named]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert!(run.out.contains("max_actions = 7"), "{}", run.out);
    // the command line comes first
    let other = tempfile::tempdir().unwrap();
    let other = with_config(other.path(), "[merge]\nmax_actions = 8\n");
    let run = keyfold(&["config", "-c", &other], b"", &[named]);
    assert!(run.out.contains("max_actions = 8"), "{}", run.out);
    let run = keyfold(&["config"], b"", &[("KEYFOLD_CONFIG", "/no/such/file")]);
    assert_eq!(run.code, Some(2), "{}", run.out);
    assert!(run.err.contains("/no/such/file"), "{}", run.err);
    let run = keyfold(&["config"], b"", &[("KEYFOLD_CONFIG", "")]);
    assert_eq!(run.code, Some(0), "{}", run.err);

    for (name, meant) in [
        (
            "KEYFOLD_KAFKA__BOOTSTRAP_SERVERS",
            "KEYFOLD__KAFKA__BOOTSTRAP_SERVERS",
        ),
        ("KEYFOLD__CONFIG", "KEYFOLD_CONFIG"),
    ] {
        let run = keyfold(&["config"], b"", &[(name, "hunter2")]);
        assert_eq!(run.code, Some(2), "{}", run.out);
        assert!(
            run.err.contains(name) && run.err.contains(meant),
            "{}",
            run.err
        );
        assert!(!run.err.contains("hunter2"), "{}", run.err);
    }
}

#[test]
fn no_secret_is_printed() {
    let secrets = [
        ("KEYFOLD__KAFKA__BOOTSTRAP_SERVERS", "ada:hunter2@host:9092"),
        ("KEYFOLD__REGISTRY__URL", "http://ada:hunter2@host:8081"),
        ("KEYFOLD__KAFKA__PROPERTIES__SASL_JAAS_CONFIG", "hunter2"),
        ("KEYFOLD__KAFKA__PROPERTIES__MY_PASS", "hunter2"),
        ("KEYFOLD__KAFKA__PROPERTIES__MY_TOKEN", "hunter2"),
        ("KEYFOLD__KAFKA__PROPERTIES__MY_KEY", "hunter2"),
    ];
    let run = keyfold(&["config"], b"", &secrets);
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert!(!run.out.contains("hunter2"), "{}", run.out);
    for part in [
        "********@host:9092",
        "my.token",
        "http://********@host:8081",
    ] {
        assert!(run.out.contains(part), "{part} in: {}", run.out);
    }
    for command in ["run", "topics"] {
        let run = keyfold(&[command], b"", &secrets);
        assert_eq!(run.code, Some(2), "{}", run.out);
        assert!(run.err.contains("kafka.bootstrap_servers"), "{}", run.err);
        assert!(!run.err.contains("hunter2"), "{}", run.err);
    }
    for url in ["http://ada:hunter2@host:8081", "hunter2@host"] {
        let run = keyfold(&["fold", "--registry", url], b"", &[]);
        assert_eq!(run.code, Some(2), "{}", run.out);
        assert!(run.err.contains("KEYFOLD__REGISTRY__URL"), "{}", run.err);
        assert!(!run.err.contains("hunter2"), "{}", run.err);
    }
}

#[test]
fn settings_are_obeyed() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[sources.loyalty-customers]\ntopics = [\"here\"]\n[validation.rules]\ncountry_code = \"off\"\n";
    let file = with_config(folder.path(), config);
    let record = line("here", 0, CREATED, b"null", &event("c", " Nowhere "));
    let run = keyfold(&["fold", "--config", &file], &record, &[]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert!(run.out.contains(r#""country":"Nowhere""#), "{}", run.out);

    // the other sources are off now
    let record = line("console.customers", 0, CREATED, b"null", &console("c"));
    let run = keyfold(&["fold", "--config", &file], &record, &[]);
    assert_eq!(run.code, Some(2));

    // the environment comes over the file
    let record = line("there", 0, CREATED, b"null", &event("c", "GB"));
    let topics = ("KEYFOLD__SOURCES__LOYALTY_CUSTOMERS__TOPICS", "there,here");
    let run = keyfold(&["fold", "--config", &file], &record, &[topics]);
    assert_eq!(run.code, Some(0), "{}", run.err);
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

#[test]
fn config_prints_what_is_in_force() {
    let secret = ("KEYFOLD__KAFKA__PROPERTIES__SASL_PASSWORD", "hunter22");
    let run = keyfold(
        &["config"],
        b"",
        &[secret, ("KEYFOLD__MERGE__MAX_ACTIONS", "7")],
    );
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert!(run.out.contains("max_actions = 7"), "{}", run.out);
    assert!(run.out.contains("sasl.password"), "{}", run.out);
    assert!(!run.out.contains("hunter22"), "{}", run.out);

    // what it prints is a configuration again, and the same
    let folder = tempfile::tempdir().unwrap();
    let plain = keyfold(&["config"], b"", &[]);
    let file = with_config(folder.path(), &plain.out);
    let again = keyfold(&["config", "--config", &file], b"", &[]);
    assert_eq!(again.code, Some(0), "{}", again.err);
    assert_eq!(again.out, plain.out);
}

/// Avro in base64, framed by a number and named by a GUID, with the schemas from a folder.
#[test]
fn avro_is_read_with_schemas_from_a_folder() {
    const GUID: [u8; 16] = *b"0123456789abcdef";
    const AVRO: &[(&str, &str)] = &[("KEYFOLD__SOURCES__CONSOLE_CUSTOMERS__FORMAT", "avro")];
    let folder = tempfile::tempdir().unwrap();
    let schema = json!({"type": "record", "name": "Customer", "fields": [
        {"name": "customerId", "type": "string"}, {"name": "version", "type": "long"},
        {"name": "firstName", "type": ["null", "string"]}]});
    for name in ["7", "30313233-3435-3637-3839-616263646566"] {
        fs::write(
            folder.path().join(format!("{name}.avsc")),
            schema.to_string(),
        )
        .unwrap();
    }
    let line = |payload: &str, headers: &Value| {
        format!(
            r#"{{"topic":"console.customers","ts":1707220000000,"payload_base64":"{payload}","headers":{headers}}}"#
        )
    };
    // the id `c`, version 1, and the name `Ada` or `Bob`
    let guid = format!("\u{1}{}", String::from_utf8_lossy(&GUID));
    let lines = [
        line("AAAAAAcCYwICBkFkYQ==", &json!([])),
        line("AmQCAgZCb2I=", &json!(["__value_schema_id", guid])),
        line("AmQCAgZCb2I=", &json!([])),
    ]
    .join("\n");
    let schemas = ["--schemas", folder.path().to_str().unwrap()];
    let validate = [&["validate"][..], &schemas].concat();
    let run = keyfold(&validate, lines.as_bytes(), AVRO);
    assert_eq!(run.code, Some(1), "{}", run.err);
    let verdicts: Vec<Value> = run
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let codes: Vec<&Value> = verdicts.iter().map(|verdict| &verdict["code"]).collect();
    assert_eq!(codes, [&Value::Null, &Value::Null, &json!("invalid_avro")]);

    let fold = [&["fold"][..], &schemas].concat();
    let run = keyfold(&fold, lines.as_bytes(), AVRO);
    assert_eq!(run.code, Some(0), "{}", run.err);
    for (line, name) in run.out.lines().zip(["Ada", "Bob"]) {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["value"]["firstName"], name);
    }
    assert_eq!(run.out.lines().count(), 2);

    // what is not there is not the record's fault
    let unknown = line("AAAAAAgCYwICBkFkYQ==", &json!([]));
    let run = keyfold(&validate, unknown.as_bytes(), AVRO);
    assert_eq!(run.code, Some(2), "{}", run.out);
    assert!(run.err.contains("8.avsc"), "{}", run.err);
    let both = [&validate[..], &["--registry", "http://127.0.0.1:1"]].concat();
    assert_eq!(keyfold(&both, b"", AVRO).code, Some(2));
    let away = ["validate", "--registry", "http://127.0.0.1:1"];
    let run = keyfold(&away, unknown.as_bytes(), AVRO);
    assert_eq!(run.code, Some(3), "{}", run.out);
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

/// A null value whose key is framed or quoted erases nobody, unless `key_format` says how to read it.
#[test]
fn a_null_value_erases_whom_its_key_names() {
    let event = br#"{"topic":"loyalty.customers","ts":1700000000000,"key":"c1","payload":"{\"eventType\":\"CUSTOMER\",\"eventAction\":\"CREATED\",\"version\":1,\"body\":{\"customerId\":\"c1\",\"addresses\":[],\"createdAt\":\"2023-11-01T00:00:00Z\",\"updatedAt\":\"2023-11-01T00:00:00Z\"}}"}"#;
    let folded = |key: &[u8], millis: i64, format: &str| {
        let end = format!(r#"","ts":{millis},"offset":7,"payload":null}}"#);
        let null = [
            br#"{"topic":"loyalty.customers","key":""#,
            key,
            end.as_bytes(),
        ]
        .concat();
        let input = [&event[..], &null].join(&b'\n');
        let set = [("KEYFOLD__SOURCES__LOYALTY_CUSTOMERS__KEY_FORMAT", format)];
        let folded = keyfold(&["fold"], &input, &set);
        let verdicts = keyfold(&["validate"], &input, &set);
        let erased = folded.out == "{\"key\":\"c1\",\"value\":null}\n";
        let rejected = verdicts
            .out
            .contains(r#""stage":"decode","code":"invalid_key""#);
        assert_eq!(folded.out.lines().count(), 1, "{}", folded.out);
        (erased, rejected, folded.err)
    };
    let later = 1_700_000_000_000;
    let quiet = |erased, rejected| (erased, rejected, String::new());
    let framed: &[u8] = b"\\u0000\\u0000\\u0000\\u0000\\u0001\\u0004c1";
    assert_eq!(folded(b"c1", later, "text"), quiet(true, false));
    assert_eq!(folded(b"\\\"c1\\\"", later, "text"), quiet(false, true));
    assert_eq!(folded(framed, later, "text"), quiet(false, true));
    assert_eq!(folded(b"\\\"c1\\\"", later, "json"), quiet(true, false));
    assert_eq!(folded(b"c1", later, "json"), quiet(false, true));
    assert_eq!(folded(framed, later, "avro"), quiet(true, false));
    assert_eq!(folded(b"c1", later, "avro"), quiet(false, true));
    // the customer claims a later time than the erasure
    let (erased, _, warning) = folded(b"c1", 1_690_000_000_000, "text");
    assert!(!erased);
    assert!(
        warning.contains("outlives_erasure: loyalty.customers 0 7"),
        "{warning}"
    );
}

/// Where schemas can be looked up, that of an Avro key must be string: other bytes may look like one.
#[test]
fn the_key_of_a_null_value_is_a_string_of_avro() {
    let folder = tempfile::tempdir().unwrap();
    for (id, schema) in [
        (1, r#""string""#),
        (2, r#"{"type":"string","avro.java.string":"String"}"#),
        (3, r#""bytes""#),
        (4, r#"["null","string"]"#),
        (
            5,
            r#"{"type":"record","name":"Key","fields":[{"name":"id","type":"string"}]}"#,
        ),
    ] {
        fs::write(folder.path().join(format!("{id}.avsc")), schema).unwrap();
    }
    let set = [("KEYFOLD__SOURCES__LOYALTY_CUSTOMERS__KEY_FORMAT", "avro")];
    let schemas = ["--schemas", folder.path().to_str().unwrap()];
    for id in 1..=5 {
        let line = format!(
            r#"{{"topic":"loyalty.customers","key":"\u0000\u0000\u0000\u0000\u000{id}\u0004c1","ts":1700000000000,"payload":null}}"#
        );
        let run = keyfold(
            &[&["validate"][..], &schemas].concat(),
            line.as_bytes(),
            &set,
        );
        let is_string = id <= 2;
        assert_eq!(run.code, Some(i32::from(!is_string)), "{id}: {}", run.err);
        let verdict: Value = serde_json::from_str(&run.out).unwrap();
        if !is_string {
            assert_eq!(verdict["code"], "invalid_key", "{verdict}");
            let message =
                format!("the writer schema {id} of the key of a null value is not string");
            assert_eq!(verdict["message"], message);
        }
    }
}

/// A line of the dead-letter topic, which was written at another time than its record.
fn letter(offset: i64, more: &[&str], payload: Option<&Value>) -> Vec<u8> {
    let mut headers = vec![
        "trace",
        "1",
        "__keyfold.errors.topic",
        "publisher.customers",
        "__keyfold.errors.timestamp",
        "1707220000000",
        "__keyfold.errors.code",
        "schema_violation",
    ];
    headers.extend(more);
    let line = json!({
        "topic": "customers.dead-letters", "partition": 1, "offset": offset, "tstype": "create", "ts": 1795788000000_i64,
        "headers": headers, "key": null, "payload": payload.map(Value::to_string),
    });
    format!("{line}\n").into_bytes()
}

#[test]
fn dead_letters_are_judged_as_the_records_that_they_were() {
    let batch = json!({"customers": [{
        "sourceCustomerId": "c1", "organizationId": "1", "postalCode": "1", "country": "US",
        "customerCreationDate": "2017-01-01T08:00:00Z", "enrollmentStartDate": "2023-01-01T08:00:00Z",
        "enrollmentOptInStatus": "ACTIVE", "alertOptInStatus": ["ALL"], "targetingIndicator": "TARGET",
        "accounts": [],
    }]});
    let omitted = ["__keyfold.errors.value.omitted", "true"];
    let letters = [
        letter(1, &[], Some(&batch)),
        letter(2, &[], Some(&json!({"customers": 1}))),
        letter(3, &omitted, None),
        letter(4, &[], None),
    ]
    .concat();
    let judged = keyfold(&["validate"], &letters, &[]);
    assert_eq!(judged.code, Some(1), "{}", judged.err);
    let codes: Vec<Value> = judged
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|verdict| {
            assert_eq!(verdict["topic"], "customers.dead-letters");
            verdict["code"].clone()
        })
        .collect();
    let expected = [
        json!(null),
        json!("schema_violation"),
        json!("schema_violation"),
        json!("null_value"),
    ];
    assert_eq!(codes, expected, "{}", judged.out);

    let folded = keyfold(&["fold"], &letters, &[]);
    assert_eq!(folded.code, Some(0), "{}", folded.err);
    let line: Value = serde_json::from_str(&folded.out).unwrap();
    let time = &line["value"]["sources"]["publisher"]["updatedAt"];
    assert_eq!(
        time, "2024-02-06T11:46:40Z",
        "the record's own time orders it"
    );
}

#[test]
fn key_and_headers_are_bounded_together() {
    let line = |key: usize, name: usize, value: usize| {
        let (key, name, value) = ("k".repeat(key), "n".repeat(name), "v".repeat(value));
        format!(
            r#"{{"topic":"console.customers","ts":1707220000000,"key":"{key}","headers":["{name}","{value}","null",null],"payload":"{{\"customerId\":\"c\",\"version\":1}}"}}"#
        ) + "\n"
    };
    let most = line(536, 5_000, 60_000 - 4);
    let run = keyfold(&["validate"], most.as_bytes(), &[]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    let null = r#"{"topic":"loyalty.customers","ts":1707220000000,"key":"HHH","headers":["h","x"],"payload":null}"#;
    let null = null.replace("HHH", &"k".repeat(65_535));
    for more in [
        line(537, 5_000, 60_000 - 4),
        line(536, 5_001, 60_000 - 4),
        line(536, 5_000, 60_000 - 3),
        null,
    ] {
        let run = keyfold(&["validate"], more.as_bytes(), &[]);
        assert_eq!(run.code, Some(1), "{}", run.err);
        let verdict: Value = serde_json::from_str(&run.out).unwrap();
        assert_eq!(verdict["stage"], "decode");
        assert_eq!(verdict["code"], "too_large");
        let run = keyfold(&["fold"], more.as_bytes(), &[]);
        assert_eq!((run.code, run.out.as_str()), (Some(0), ""));
    }
}
