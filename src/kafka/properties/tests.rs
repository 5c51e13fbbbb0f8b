//! Which mistakes are found, and that no message shows a value.

use super::*;

const SECRET: &str = "hunter2";

fn found(set: &[(&str, &str)]) -> Vec<Finding> {
    let mut config = Config::default();
    for (name, value) in set {
        let properties = &mut config.kafka.properties;
        properties.insert((*name).to_owned(), (*value).to_owned());
    }
    let found = findings(&config);
    for (_, text) in &found {
        assert!(!text.contains(SECRET), "{text}");
    }
    found
}

/// Asserts that the only finding is about this property, and that its text contains these parts.
#[track_caller]
fn assert_found(set: &[(&str, &str)], name: &str, parts: &[&str]) {
    let found = found(set);
    let [(key, text)] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(key, &format!("kafka.properties.{name}"), "{text}");
    for part in parts {
        assert!(text.contains(part), "{part} in: {text}");
    }
}

#[test]
fn usual_settings_are_accepted() {
    for set in [
        &[][..],
        &[
            ("linger.ms", "7"),
            ("retries", "10"),
            ("max.in.flight", "5"),
        ],
        &[
            ("security.protocol", "sasl_plaintext"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.username", "ada"),
            ("sasl.password", SECRET),
        ],
        &[
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanisms", "SCRAM-SHA-512"),
            ("sasl.username", "ada"),
            ("sasl.password", SECRET),
        ],
        &[("group.protocol", "consumer")],
        &[("session.timeout.ms", "1500")],
        &[("fetch.max.bytes", "16384")],
        &[("transaction.timeout.ms", "60000")],
        &[("debug", "broker,security")],
        &[("ssl.ca.location", "/")],
        &[("compression.type", "zstd")],
    ] {
        assert_eq!(found(set), [], "{set:?}");
    }
}

#[test]
fn an_unknown_name_suggests_the_nearest_one() {
    for (name, near) in [
        ("security.protocl", "security.protocol"),
        ("sasl.passwort", "sasl.password"),
        ("sasl.user.name", "sasl.username"),
        ("Linger.Ms", "linger.ms"),
        ("compression.typ", "compression.type"),
        ("ssl.ca.locaton", "ssl.ca.location"),
    ] {
        let meant = format!("did you mean `kafka.properties.{near}`?");
        assert_found(&[(name, SECRET)], name, &[&meant]);
    }
    assert_found(&[("xyz", "1")], "xyz", &["CONFIGURATION.md"]);
    let jaas = [("sasl.jaas.config", "password=\"hunter2\"")];
    assert_found(&jaas, "sasl.jaas.config", &["sasl.username"]);
}

#[test]
fn a_wrong_value_lists_the_allowed_ones() {
    for (name, value, allowed) in [
        ("security.protocol", SECRET, "sasl_ssl"),
        ("compression.type", SECRET, "zstd"),
        ("group.protocol", SECRET, "consumer"),
        ("linger.ms", SECRET, "0 .. 900000"),
        ("socket.timeout.ms", "1", "10 .. 300000"),
        ("check.crcs", "maybe", "true, false"),
        ("retries", "0", "1 .. 2147483647"),
        ("message.send.max.retries", "0", "1 .. 2147483647"),
        ("max.in.flight", "10", "1 .. 5"),
        ("max.in.flight.requests.per.connection", "6", "1 .. 5"),
        ("message.timeout.ms", "16000", "1 .. 15000"),
        ("sasl.mechanism", SECRET, "SCRAM-SHA-256"),
        ("queuing.strategy", "lifo", "fifo"),
    ] {
        assert_found(&[(name, value)], name, &[allowed]);
    }
}

#[test]
fn conflicting_properties_are_reported() {
    let sasl = ("security.protocol", "SASL_SSL");
    assert_found(&[sasl], "security.protocol", &["sasl.mechanism", "PLAIN"]);
    let plain = [sasl, ("sasl.mechanism", "PLAIN"), ("sasl.username", "ada")];
    assert_found(&plain, "sasl.mechanism", &["sasl.password"]);
    assert_eq!(found(&plain[..2]).len(), 2, "name and password");
    let times = [
        ("session.timeout.ms", "3000"),
        ("heartbeat.interval.ms", "3000"),
    ];
    assert_found(&times, "heartbeat.interval.ms", &["session.timeout.ms"]);
    let times = [
        ("session.timeout.ms", "90000"),
        ("max.poll.interval.ms", "60000"),
    ];
    assert_found(&times, "max.poll.interval.ms", &["session.timeout.ms"]);
    let consumer = [
        ("group.protocol", "consumer"),
        ("session.timeout.ms", "6000"),
    ];
    assert_found(&consumer, "session.timeout.ms", &["group.protocol"]);
    // a rule that only librdkafka knows
    let backoff = [
        ("reconnect.backoff.ms", "5000"),
        ("reconnect.backoff.max.ms", "2000"),
    ];
    assert_found(
        &backoff,
        "reconnect.backoff.max.ms",
        &["reconnect.backoff.ms"],
    );
}

#[test]
fn a_missing_file_is_reported() {
    let file = [("ssl.ca.location", "/no/such/file.pem")];
    assert_found(&file, "ssl.ca.location", &["cannot be read"]);
    let both = [file[0], ("security.protocol", "ssl")];
    assert_found(&both, "ssl.ca.location", &["cannot be read"]);
    // the file exists, but contains no certificate
    let other = [
        ("security.protocol", "ssl"),
        ("ssl.ca.location", "Cargo.toml"),
    ];
    assert_found(&other, "ssl.ca.location", &["ssl.ca.location failed"]);
}

#[test]
fn all_is_found_at_once() {
    let found = found(&[
        ("retries", "0"),
        ("max.in.flight", "10"),
        ("security.protocl", "SSL"),
        ("ssl.ca.location", "/no/such/file.pem"),
        ("linger.ms", SECRET),
        ("reconnect.backoff.ms", "5000"),
    ]);
    assert_eq!(found.len(), 6, "{found:?}");
}

#[test]
fn a_user_in_the_bootstrap_servers_is_reported() {
    let mut config = Config::default();
    "ada:hunter2@host:9092".clone_into(&mut config.kafka.bootstrap_servers);
    let found = findings(&config);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, "kafka.bootstrap_servers");
    assert!(!found[0].1.contains(SECRET));
}
