//! Where settings come from, what is printed of them, and what is said of a wrong one.

use keyfold::cli::arguments;

use crate::{CREATED, console, event, keyfold, line, with_config};

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

/// Before and behind each command, and each command inside of one.
#[test]
fn every_command_takes_the_configuration_file() {
    fn check(command: &clap::Command) -> usize {
        let mut options = command.get_arguments();
        let config = options.find(|option| option.get_long() == Some("config"));
        let short = config.and_then(clap::Arg::get_short);
        assert_eq!(short, Some('c'), "{}", command.get_name());
        1 + command.get_subcommands().map(check).sum::<usize>()
    }
    let mut all = arguments::definition().disable_help_subcommand(true);
    all.build();
    assert!(check(&all) > 20);
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

    // what it prints is a configuration again, and the same but for where it is set
    let folder = tempfile::tempdir().unwrap();
    let plain = keyfold(&["config"], b"", &[]);
    let file = with_config(folder.path(), &plain.out);
    let again = keyfold(&["config", "--config", &file], b"", &[]);
    assert_eq!(again.code, Some(0), "{}", again.err);
    let values = |out: &str| -> Vec<String> {
        let lines = out.lines().map(|line| line.split("  # ").next());
        lines.flatten().map(str::to_owned).collect()
    };
    assert_eq!(values(&again.out), values(&plain.out));
    assert!(
        again.out.contains(&format!("  # {file}, line 2\n")),
        "{}",
        again.out
    );
}

/// Secrets as files, as containers get them.
#[test]
fn a_variable_may_name_a_file_with_the_value() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let run = |variable: &str, path: &str| keyfold(&["config"], b"", &[(variable, path)]);
    let level = "KEYFOLD__LOG__LEVEL__FILE";

    for content in ["debug", "debug\n", "debug\r\n"] {
        let path = file("level", content.as_bytes());
        let shown = run(level, &path);
        assert_eq!(shown.code, Some(0), "{}", shown.err);
        let line =
            format!("level = \"debug\"  # the file {path} of environment variable {level}\n");
        assert!(shown.out.contains(&line), "{}", shown.out);
    }
    let password = "KEYFOLD__KAFKA__PROPERTIES__SASL_PASSWORD__FILE";
    let shown = run(password, &file("password", b"hunter2\n"));
    assert_eq!(shown.code, Some(0), "{}", shown.err);
    assert!(
        shown.out.contains("\"sasl.password\" = \"********\""),
        "{}",
        shown.out
    );
    assert!(!shown.out.contains("hunter2"), "{}", shown.out);
    // only the last end of a line is taken away
    let shown = run(
        "KEYFOLD__KAFKA__PROPERTIES__CLIENT_ID__FILE",
        &file("id", b"a\n\n"),
    );
    assert!(
        shown.out.contains("\"client.id\" = \"\"\"\na\n\"\"\""),
        "{}",
        shown.out
    );

    let large = vec![b'a'; 1024 * 1024 + 1];
    for (path, why) in [
        (
            "/no/such/file",
            "cannot read the file /no/such/file: No such file",
        ),
        (folder.path().to_str().unwrap(), "cannot read the file"),
        (&file("binary", b"hunter2\xff"), "is not UTF-8"),
        (&file("large", &large), "holds more than 1048576 bytes"),
        (&file("level", b"hunter2\n"), "what was found is not shown"),
        ("", "expected the path of a file"),
    ] {
        let run = run(level, path);
        assert_eq!(run.code, Some(2), "{}", run.out);
        for part in [level, path, why] {
            assert!(run.err.contains(part), "{part} in: {}", run.err);
        }
        assert!(!run.err.contains("hunter2"), "{}", run.err);
    }
}
