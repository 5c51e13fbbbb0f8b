//! The schema registry's keys, the formats that need it, and its secrets.

use std::time::Duration;

use super::{env_error, error, from_env, from_toml, load};
use crate::config::{Config, ConfigError, Format, SnapshotFormat, SubjectStrategy};
use crate::model::record::Source;

#[test]
fn urls_are_separated_by_commas() {
    let config = from_toml("[registry]\nurl = 'http://a:8081, https://b/apis/ccompat/v7/'");
    assert_eq!(
        config.registry.urls().collect::<Vec<_>>(),
        ["http://a:8081", "https://b/apis/ccompat/v7"]
    );
    let config = from_env(&[("KEYFOLD__REGISTRY__URL", "http://a,http://b")]);
    assert_eq!(
        config.registry.urls().collect::<Vec<_>>(),
        ["http://a", "http://b"]
    );
    for url in [
        "http://a,",
        ",http://a",
        "http://a,,http://b",
        "http://a,b",
        "http://a http://b",
        "ftp://a",
        "http://",
        "http://a?x=1",
    ] {
        let toml = format!("[registry]\nurl = '{url}'");
        assert_eq!(
            error(&toml),
            "`registry.url` in keyfold.toml: expected http://host:port or https://host:port, with \
             or without a path, several separated by commas, found another text"
        );
    }
}

#[test]
fn every_key_comes_from_a_variable_too() {
    let config = from_env(&[
        ("KEYFOLD__REGISTRY__URL", "https://registry"),
        ("KEYFOLD__REGISTRY__USERNAME", "ada"),
        ("KEYFOLD__REGISTRY__PASSWORD", "p:w, with spaces"),
        ("KEYFOLD__REGISTRY__CA_LOCATION", "/etc/ca.pem"),
        ("KEYFOLD__REGISTRY__TIMEOUT", "60s"),
        ("KEYFOLD__REGISTRY__UNKNOWN_IDS_FOR", "1h"),
        ("KEYFOLD__SNAPSHOT__FORMAT", "avro"),
        ("KEYFOLD__SNAPSHOT__SUBJECT_STRATEGY", "topic_record_name"),
        ("KEYFOLD__SNAPSHOT__AUTO_REGISTER", "false"),
        ("KEYFOLD__SOURCES__LOYALTY_ACTIONS__FORMAT", "json-registry"),
    ]);
    let registry = &config.registry;
    assert_eq!(registry.username, "ada");
    assert_eq!(registry.password, "p:w, with spaces");
    assert_eq!(registry.ca_location, "/etc/ca.pem");
    assert_eq!(registry.timeout, Duration::from_secs(60));
    assert_eq!(registry.unknown_ids_for, Duration::from_secs(60 * 60));
    assert_eq!(config.snapshot.format, SnapshotFormat::Avro);
    assert!(!config.snapshot.auto_register);
    let actions = config.sources.get(Source::LoyaltyActions).unwrap();
    assert_eq!(actions.format, Format::JsonRegistry);

    let config = from_env(&[("KEYFOLD__REGISTRY__TOKEN", "abc.DEF-1~+/==")]);
    assert_eq!(config.registry.token, "abc.DEF-1~+/==");
}

#[test]
fn wrong_values_name_what_is_expected_and_quote_no_secret() {
    for (toml, message) in [
        (
            "[registry]\nusername = 'ada:hunter2'",
            "`registry.username` in keyfold.toml: expected a user name without colons and control \
             characters, found another text",
        ),
        (
            "[registry]\nusername = 'ada'\npassword = \"hunter2\\n\"",
            "`registry.password` in keyfold.toml: expected a password without control characters, \
             such as the end of a line, found another text",
        ),
        (
            "[registry]\nusername = 'ada'\npassword = 12345",
            "`registry.password` in keyfold.toml: expected a password without control characters, \
             such as the end of a line, found a whole number",
        ),
        (
            "[registry]\ntoken = 'Bearer hunter2'",
            "`registry.token` in keyfold.toml: expected a token of visible ASCII characters \
             without spaces, as in \"Bearer <token>\", found another text",
        ),
        (
            "[registry]\ntimeout = '99ms'",
            "`registry.timeout` in keyfold.toml: expected a duration such as \"24h\" or \"100ms\", \
             from 100ms to 1m, found \"99ms\"",
        ),
        (
            "[registry]\nunknown_ids_for = '2h'",
            "`registry.unknown_ids_for` in keyfold.toml: expected a duration such as \"24h\" or \
             \"100ms\", from 1s to 1h, found \"2h\"",
        ),
        (
            "[snapshot]\nsubject_strategy = 'topic'",
            "`snapshot.subject_strategy` in keyfold.toml: expected \"topic_name\", \
             \"record_name\" or \"topic_record_name\", found \"topic\"",
        ),
        (
            "[snapshot]\nauto_register = 'false'",
            "`snapshot.auto_register` in keyfold.toml: expected true or false, found \"false\"",
        ),
        (
            "[registry]\npasword = 'hunter2'",
            "unknown key `registry.pasword` in keyfold.toml; did you mean `registry.password`?",
        ),
        (
            "[schema_registry]\nurl = 'http://a'",
            "unknown key `schema_registry` in keyfold.toml; did you mean `registry`?",
        ),
    ] {
        assert_eq!(error(toml), message);
    }
    assert_eq!(
        env_error("KEYFOLD__SNAPSHOT__AUTO_REGISTER", "no"),
        "`snapshot.auto_register` in environment variable KEYFOLD__SNAPSHOT__AUTO_REGISTER: \
         expected true or false, found \"no\""
    );
    for toml in [
        "[registry]\ntimeout = '61s'",
        "[registry]\nunknown_ids_for = '999ms'",
        "[registry]\nca_location = \"\\u0000\"",
    ] {
        assert!(
            matches!(load(toml, &[]), Err(ConfigError::Settings(_))),
            "{toml}"
        );
    }
}

#[test]
fn credentials_for_the_registry_are_complete_and_of_one_kind() {
    for (toml, message) in [
        (
            "[registry]\npassword = 'hunter2'",
            "`registry.password` in keyfold.toml: is given without `registry.username`",
        ),
        (
            "[registry]\nusername = 'ada'\ntoken = 'hunter2'",
            "`registry.token` in keyfold.toml: credentials are given here and in \
             `registry.username` in keyfold.toml; give one of them",
        ),
        (
            "[registry]\nurl = 'http://a,http://ada:hunter2@b'\ntoken = 'hunter2'",
            "`registry.token` in keyfold.toml: credentials are given here and in `registry.url` \
             in keyfold.toml; give one of them",
        ),
        (
            "[registry]\nurl = 'http://hunter2@b'\nusername = 'ada'",
            "`registry.username` in keyfold.toml: credentials are given here and in \
             `registry.url` in keyfold.toml; give one of them",
        ),
        // A wrong user name is one problem; that the name is missing is not reported in addition.
        (
            "[registry]\nusername = 'a:b'\npassword = 'hunter2'",
            "`registry.username` in keyfold.toml: expected a user name without colons and control \
             characters, found another text",
        ),
    ] {
        assert_eq!(error(toml), message);
    }
    let message = load(
        "[registry]\nusername = 'ada'",
        &[("KEYFOLD__REGISTRY__TOKEN", "hunter2")],
    )
    .unwrap_err()
    .to_string();
    assert_eq!(
        message,
        "`registry.token` in environment variable KEYFOLD__REGISTRY__TOKEN: credentials are given \
         here and in `registry.username` in keyfold.toml, line 2; give one of them"
    );
    // An empty variable removes a file's value.
    let config = load(
        "[registry]\nusername = 'ada'\npassword = 'pw'",
        &[
            ("KEYFOLD__REGISTRY__USERNAME", ""),
            ("KEYFOLD__REGISTRY__PASSWORD", ""),
            ("KEYFOLD__REGISTRY__TOKEN", "t"),
        ],
    )
    .unwrap();
    assert_eq!(config.registry.token, "t");
    // A registry may need only a user name.
    from_toml("[registry]\nusername = 'key'");
}

#[test]
fn avro_needs_a_registry() {
    assert!(!Config::default().needs_registry());
    for (format, needs) in [("json", false), ("json-registry", false), ("avro", true)] {
        let toml = format!("[sources.console-customers]\nformat = '{format}'");
        assert_eq!(from_toml(&toml).needs_registry(), needs, "{format}");
        let without = load(&toml, &[("KEYFOLD__REGISTRY__URL", "")]);
        assert_eq!(without.is_err(), needs, "{format}");
    }
    assert!(from_toml("[snapshot]\nformat = 'avro'").needs_registry());

    for (toml, message) in [
        (
            "[registry]\nurl = ''\n[snapshot]\nformat = 'avro'",
            "`registry.url` in keyfold.toml: is empty, but `snapshot.format` in keyfold.toml is \
             \"avro\", which needs a schema registry",
        ),
        (
            "[registry]\nurl = ''\n[sources.loyalty-actions]\nformat = 'avro'",
            "`registry.url` in keyfold.toml: is empty, but `sources.loyalty-actions.format` in \
             keyfold.toml is \"avro\", which needs a schema registry",
        ),
    ] {
        assert_eq!(error(toml), message);
    }
    let none = from_toml("[registry]\nurl = ''");
    assert!(none.registry.urls().next().is_none());
    assert_eq!(from_toml(&none.print()), none);
}

#[test]
fn subjects_follow_the_strategy() {
    let record = "keyfold.snapshot.CustomerSnapshot";
    let mut snapshot = Config::default().snapshot;
    for (strategy, subject) in [
        (SubjectStrategy::TopicName, "customers.snapshots-value"),
        (SubjectStrategy::RecordName, record),
        (
            SubjectStrategy::TopicRecordName,
            "customers.snapshots-keyfold.snapshot.CustomerSnapshot",
        ),
    ] {
        snapshot.subject_strategy = strategy;
        assert_eq!(snapshot.subject(record), subject);
    }
}

#[test]
fn secrets_are_redacted_where_shown() {
    for toml in [
        "[registry]\nurl = 'http://a,https://ada:hunter2@b/x,http://c:hunter2@d'",
        "[registry]\nusername = 'ada'\npassword = 'hunter2'",
        "[registry]\ntoken = 'hunter2'",
    ] {
        let config = from_toml(toml);
        for shown in [config.print(), format!("{config:?}")] {
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(shown.contains("********"), "{shown}");
        }
        from_toml(&config.print());
    }
    let printed = from_toml("[registry]\nurl = 'http://a,https://ada:hunter2@b/x'").print();
    assert!(
        printed.contains("url = \"http://a,https://********@b/x\"\n"),
        "{printed}"
    );
    // The output shows that a secret is missing.
    assert!(printed.contains("password = \"\"\n"), "{printed}");
    let printed = from_toml("[registry]\nusername = 'ada'\npassword = 'hunter2'").print();
    assert!(
        printed.contains("username = \"ada\"\npassword = \"********\"\ntoken = \"\"\n"),
        "{printed}"
    );
}
