//! Errors in the configuration, in the words that the user sees.

use std::io::Write;
use std::path::Path;

use super::{READS, env_error, error, load};
use crate::config::load::assemble;
use crate::config::{Config, ConfigError};

#[test]
fn unknown_keys_name_their_path_the_file_and_the_nearest_key() {
    for (toml, unknown, nearest) in [
        ("[snapshot]\ntopc = 1", "snapshot.topc", "snapshot.topic"),
        ("[snapshots]\ntopic = 'a'", "snapshots", "snapshot"),
        ("aplication_id = 'a'", "aplication_id", "application_id"),
        (
            "[snapshot]\nmax_actions = 1",
            "snapshot.max_actions",
            "merge.max_actions",
        ),
        ("max_actions = 1", "max_actions", "merge.max_actions"),
        (
            "[sources.loyalty_customers]",
            "sources.loyalty_customers",
            "sources.loyalty-customers",
        ),
        (
            "[sources.loyalty-actions]\ntopic = 'a'",
            "sources.loyalty-actions.topic",
            "sources.loyalty-actions.topics",
        ),
        (
            "[validation.rules]\nblank-id = 'reject'",
            "validation.rules.blank-id",
            "validation.rules.blank_id",
        ),
        ("[kafka.property]", "kafka.property", "kafka.properties"),
    ] {
        assert_eq!(
            error(toml),
            format!("unknown key `{unknown}` in keyfold.toml; did you mean `{nearest}`?")
        );
    }
}

#[test]
fn unknown_variables_name_the_nearest_one() {
    for (unknown, nearest) in [
        ("KEYFOLD__SNAPSHOT__TOPC", "KEYFOLD__SNAPSHOT__TOPIC"),
        ("KEYFOLD__SNAPSHOT", "KEYFOLD__SNAPSHOT__TOPIC"),
        (
            "KEYFOLD__SOURCES__LOYALTY_CUSTOMER__TOPICS",
            "KEYFOLD__SOURCES__LOYALTY_CUSTOMERS__TOPICS",
        ),
        (
            "KEYFOLD__KAFKA_BOOTSTRAP_SERVERS",
            "KEYFOLD__KAFKA__BOOTSTRAP_SERVERS",
        ),
        (
            "KEYFOLD__KAFK__BOOTSTRAP_SERVERS",
            "KEYFOLD__KAFKA__BOOTSTRAP_SERVERS",
        ),
        (
            "KEYFOLD__SOURCES__CONSOLE_CUSTOMER__TOPICS",
            "KEYFOLD__SOURCES__CONSOLE_CUSTOMERS__TOPICS",
        ),
        (
            "KEYFOLD__SOURCE__LOYALTY_ACTIONS__FORMAT",
            "KEYFOLD__SOURCES__LOYALTY_ACTIONS__FORMAT",
        ),
        (
            "KEYFOLD__VALIDATION__RULE__BLANK_ID",
            "KEYFOLD__VALIDATION__RULES__BLANK_ID",
        ),
        (
            "KEYFOLD__DEAD_LETTER__TOPIC",
            "KEYFOLD__DEAD_LETTERS__TOPIC",
        ),
        ("KEYFOLD__LOGS__FORMAT", "KEYFOLD__LOG__FORMAT"),
        ("KEYFOLD__REGISTRY__PASWORD", "KEYFOLD__REGISTRY__PASSWORD"),
        ("KEYFOLD__REGISTRI__TOKEN", "KEYFOLD__REGISTRY__TOKEN"),
        ("KEYFOLD__REGISTRY__URLS", "KEYFOLD__REGISTRY__URL"),
        (
            "KEYFOLD__KAFK__PROPERTIES__SASL_PASSWORD",
            "KEYFOLD__KAFKA__PROPERTIES__SASL_PASSWORD",
        ),
        (
            "KEYFOLD__KAFKA__PROPERTY__SECURITY_PROTOCOL",
            "KEYFOLD__KAFKA__PROPERTIES__SECURITY_PROTOCOL",
        ),
        (
            "KEYFOLD__KAFKA_PROPERTIES__LINGER_MS",
            "KEYFOLD__KAFKA__PROPERTIES__LINGER_MS",
        ),
    ] {
        assert_eq!(
            env_error(unknown, "x"),
            format!("unknown environment variable {unknown}; did you mean {nearest}?")
        );
    }
    assert!(env_error("KEYFOLD__", "x").starts_with("unknown environment variable KEYFOLD__;"));
}

#[test]
fn wrong_values_name_the_key_the_place_and_what_is_expected() {
    for (toml, message) in [
        (
            "application_id = 'a b'",
            "`application_id` in keyfold.toml: expected 1 to 200 characters of A-Z a-z 0-9 . _ -, not only dots, \
             found \"a b\"",
        ),
        (
            "[snapshot]\ntopic = 7",
            "`snapshot.topic` in keyfold.toml: expected a topic name of 1 to 249 characters of \
             A-Z a-z 0-9 . _ -, found a whole number",
        ),
        (
            "snapshot = 7",
            "`snapshot` in keyfold.toml: expected a table of keys",
        ),
        (
            "[merge]\nlists = 'join'",
            "`merge.lists` in keyfold.toml: expected \"replace\" or \"union\", found \"join\"",
        ),
        (
            "[merge]\nmax_actions = 0",
            "`merge.max_actions` in keyfold.toml: expected a whole number from 1 to 1000000, \
             found 0",
        ),
        (
            "[merge]\nmax_actions = '5'",
            "`merge.max_actions` in keyfold.toml: expected a whole number from 1 to 1000000, \
             found \"5\"",
        ),
        (
            "[processing]\ncommit_interval = '2m'",
            "`processing.commit_interval` in keyfold.toml: expected a duration such as \"24h\" or \
             \"100ms\", from 1ms to 1m, found \"2m\"",
        ),
        (
            "[processing]\nmax_reject_share = 0",
            "`processing.max_reject_share` in keyfold.toml: expected a number above 0, at most 1, \
             found 0",
        ),
        (
            "[sources.loyalty-actions]\ntombstone = 'drop'",
            "`sources.loyalty-actions.tombstone` in keyfold.toml: expected \"erase\", \"retract\" \
             or \"reject\", found \"drop\"",
        ),
        (
            "[sources.loyalty-actions]\nformat = 'protobuf'",
            "`sources.loyalty-actions.format` in keyfold.toml: expected \"json\", \"avro\" or \
             \"json-registry\", found \"protobuf\"",
        ),
        (
            "[snapshot]\nformat = 'json-registry'",
            "`snapshot.format` in keyfold.toml: expected \"json\" or \"avro\", found \
             \"json-registry\"",
        ),
        (
            "[state]\nstore = 'disk'",
            "`state.store` in keyfold.toml: \"disk\" needs a folder: set `state.directory`",
        ),
        (
            "[validation.rules]\nblank_id = 'warn'",
            "`validation.rules.blank_id` in keyfold.toml: is always \"reject\" and cannot be \
             relaxed",
        ),
        (
            "[sources]",
            "`sources` in keyfold.toml: no source is on; name at least one, or leave the table \
             out to have all four",
        ),
        (
            "[http]\nlisten = 'localhost'",
            "`http.listen` in keyfold.toml: expected an IP address and a port such as \
             \"127.0.0.1:9464\" or \"[::1]:9464\", found \"localhost\"",
        ),
    ] {
        assert_eq!(error(toml), message);
    }
}

#[test]
fn all_problems_are_shown_at_once() {
    let message = load(
        "topc = 1\n[merge]\nlists = 'x'",
        &[("KEYFOLD__LOG__LEVEL", "loud")],
    )
    .unwrap_err()
    .to_string();
    assert!(
        message.starts_with("3 settings are wrong:\n  - unknown key `topc`"),
        "{message}"
    );
    assert!(message.contains("KEYFOLD__LOG__LEVEL"), "{message}");
}

#[test]
fn values_at_the_bounds() {
    for toml in [
        "application_id = ''",
        "[kafka]\nbootstrap_servers = ''",
        "[kafka]\nbootstrap_servers = 'a:9092,'",
        "[kafka]\nbootstrap_servers = 'host:port'",
        "[snapshot]\ntopic = '..'",
        "[validation]\nmax_future_skew = '-1s'",
        "[validation]\nmax_future_skew = 5",
        "[validation]\nmax_record_bytes = 100",
        "[processing]\nmax_reject_share = nan",
        "[processing]\nmax_batch_records = 0",
        "[registry]\nurl = 'localhost:8081'",
        "[log]\nlevel = 'inof'",
        "[log]\nlevel = 'keyfold='",
        "[topics]\npartitions = 0",
        "[topics]\nreplication_factor = 40000",
        "[sources.loyalty-actions]\ntopics = []",
        "[sources.loyalty-actions]\ntopics = ['a', 'a']",
        "[sources.loyalty-actions]\ntopics = 'a'",
    ] {
        assert!(
            matches!(load(toml, &[]), Err(ConfigError::Settings(_))),
            "{toml}"
        );
    }
    for toml in [
        "[kafka]\nbootstrap_servers = 'a, b:9092,[::1]:9092,PLAINTEXT://c:1'",
        "[validation]\nmax_future_skew = '0s'",
        "[processing]\nmax_reject_share = 1",
        "[processing]\ncommit_interval = '60s'",
        "[log]\nlevel = 'info,rdkafka=debug'",
        "[http]\nlisten = '[::]:0'",
        "[registry]\nurl = 'https://ada:pw@registry/x'",
    ] {
        assert!(load(toml, &[]).is_ok(), "{toml}");
    }
}

#[test]
fn a_file_that_is_not_toml_or_not_there() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"[kafka.properties]\n\"sasl.password\" = \"hunter2\n")
        .unwrap();
    let message = Config::load(Some(file.path())).unwrap_err().to_string();
    let start = format!(
        "{} is not valid TOML: line 2, column ",
        file.path().display()
    );
    assert!(message.starts_with(&start), "{message}");
    assert!(!message.contains("hunter2"), "{message}");

    let missing = Path::new("no/such/keyfold.toml");
    let error = Config::load(Some(missing)).unwrap_err();
    assert!(matches!(error, ConfigError::Read { .. }));
    let message = error.to_string();
    assert!(message.starts_with("cannot read the configuration file no/such/keyfold.toml: "));
}

#[test]
fn a_topic_has_one_purpose() {
    for (toml, part) in [
        (
            "[sources.console-customers]\ntopics = ['a']\n[sources.loyalty-actions]\ntopics = ['a']",
            "`sources.loyalty-actions.topics` in keyfold.toml: topic \"a\" is also \
             `sources.console-customers.topics` in keyfold.toml; a topic may feed one source only",
        ),
        (
            "[snapshot]\ntopic = 'console.customers'",
            "`sources.console-customers.topics` (default): topic \"console.customers\" is also \
             `snapshot.topic` in keyfold.toml; a topic may serve one purpose only",
        ),
        (
            "application_id = 'x'\n[dead_letters]\ntopic = 'x.forwarded'",
            "`dead_letters.topic` in keyfold.toml: topic \"x.forwarded\" is also an internal \
             topic of `application_id`; a topic may serve one purpose only",
        ),
    ] {
        assert_eq!(error(toml), part);
    }
}

#[test]
fn a_variable_that_only_looks_like_keyfolds_is_an_error() {
    for (name, nearest) in [
        (
            "KEYFOLD_KAFKA__BOOTSTRAP_SERVERS",
            "KEYFOLD__KAFKA__BOOTSTRAP_SERVERS",
        ),
        ("KEYFOLD__CONFIG", "KEYFOLD_CONFIG"),
        ("KEYFOLD_CONF", "KEYFOLD_CONFIG"),
    ] {
        assert_eq!(
            env_error(name, "hunter2"),
            format!("unknown environment variable {name}; did you mean {nearest}?")
        );
    }
}

#[test]
fn an_application_id_cannot_name_a_parent_folder() {
    for id in [".", "..", "..."] {
        let message = env_error("KEYFOLD__APPLICATION_ID", id);
        assert!(message.contains("not only dots"), "{message}");
    }
    assert!(load("application_id = '.a'", &[]).is_ok());
}

#[test]
fn users_in_the_servers_are_not_shown() {
    for servers in [
        "ada:hunter2@host:9092",
        "SASL_SSL://ada:hunter2@host",
        "a:1,ada:hun,hunter2@b:2",
    ] {
        match load("", &[("KEYFOLD__KAFKA__BOOTSTRAP_SERVERS", servers)]) {
            Ok(config) => {
                assert!(!config.print().contains("hun"), "{}", config.print());
                assert!(!format!("{config:?}").contains("hun"));
            }
            Err(error) => assert!(!error.to_string().contains("hun"), "{error}"),
        }
    }
}

#[test]
fn further_findings_are_reported_with_the_others_and_their_places() {
    let further = |_: &Config| {
        let finding = |path: &str| (path.to_owned(), "is wrong".to_owned());
        vec![finding("kafka.properties.linger.ms"), finding("log.level")]
    };
    let toml = "x = 1\n[kafka.properties]\nlinger.ms = 1";
    let file = (Path::new("keyfold.toml"), toml);
    let message = assemble(Some(file), Vec::new(), READS, further)
        .unwrap_err()
        .to_string();
    for part in [
        "unknown key `x`",
        "`kafka.properties.linger.ms` in keyfold.toml, line 3: is wrong",
        "`log.level` (default): is wrong",
    ] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_key_given_by_two_variables_is_an_error() {
    let message = load(
        "",
        &[
            ("KEYFOLD__HTTP__LISTEN", "127.0.0.1:1"),
            ("KEYFOLD__http__listen", "127.0.0.1:2"),
        ],
    )
    .unwrap_err()
    .to_string();
    assert_eq!(
        message,
        "environment variable KEYFOLD__http__listen: `http.listen` is given by another variable too, KEYFOLD__HTTP__LISTEN"
    );
}

#[test]
fn properties_that_cannot_be_set() {
    assert_eq!(
        error("[kafka.properties]\ngroup.id = 'x'"),
        "`kafka.properties.group.id` in keyfold.toml: cannot be set: it is the application id; \
         set `application_id` instead"
    );
    assert_eq!(
        env_error("KEYFOLD__KAFKA__PROPERTIES__BOOTSTRAP_SERVERS", "x"),
        "`kafka.properties.bootstrap.servers` in environment variable \
         KEYFOLD__KAFKA__PROPERTIES__BOOTSTRAP_SERVERS: cannot be set: set \
         `kafka.bootstrap_servers` instead"
    );
    assert_eq!(
        error("[kafka.properties]\nsasl.password = ['hunter2']"),
        "`kafka.properties.sasl.password` in keyfold.toml: expected a text without NUL \
         characters, a number, true or false"
    );
    assert_eq!(
        error("[kafka.properties]\n\"linger.ms\" = 1\nlinger.ms = 2"),
        "`kafka.properties.linger.ms` in keyfold.toml is given twice, with and without quotes"
    );
    for toml in [
        "[kafka.properties]\n\"a b\" = 1",
        "[kafka.properties]\n\"\" = 1",
        "[kafka.properties]\nsasl.password = \"\\u0000\"",
        "[kafka]\nproperties = 'x'",
    ] {
        assert!(
            matches!(load(toml, &[]), Err(ConfigError::Settings(_))),
            "{toml}"
        );
    }
    assert!(load("", &[("KEYFOLD__KAFKA__PROPERTIES__", "x")]).is_err());
}

#[test]
fn no_error_quotes_a_registrys_credentials() {
    let message = error("[registry]\nurl = 'ftp://ada:hunter2@host'");
    assert!(message.contains("`registry.url`"), "{message}");
    assert!(!message.contains("hunter2"), "{message}");
}

/// If an unknown key is not near to any known one, those of its own table still count as nearer than others.
#[test]
fn an_unknown_key_gets_a_suggestion_from_its_own_table() {
    for (text, expected) in [
        ("[snapshot]\nx = 1\n", "snapshot."),
        ("[http]\nfoo = 1\n", "http."),
        ("[validation.rules]\nfoo = \"warn\"\n", "validation.rules."),
        ("[sources.console]\n", "sources."),
        // The right name in the wrong table.
        ("[merge]\nrecent_actions = 1\n", "snapshot.recent_actions"),
    ] {
        let shown = error(text);
        let suggestion = shown.split("did you mean").nth(1).unwrap_or_default();
        assert!(suggestion.contains(expected), "{shown}");
    }
}

#[test]
fn every_error_in_a_file_names_its_line() {
    let toml = "# a comment\n[merge]\nmax_actions = 0\n\n[sources.loyalty-actions]\n\
                topics = [\n  'a',\n  7,\n]\n\n[kafka]\nproperties.acks = 1\n[snapshots]\ntopic = 'a'";
    let message = load(toml, &[]).unwrap_err().to_string();
    for part in [
        "`merge.max_actions` in keyfold.toml, line 3: ",
        "`sources.loyalty-actions.topics` in keyfold.toml, line 6: ",
        "`kafka.properties.acks` in keyfold.toml, line 12: ",
        "unknown key `snapshots` in keyfold.toml, line 13; did you mean `snapshot`?",
    ] {
        assert!(message.contains(part), "{message}");
    }
}
