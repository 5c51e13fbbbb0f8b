//! Properties that are refused, and what is a secret.

use crate::config::properties::refusal;
use crate::config::secrets::{REDACTED, redacted, without_credentials, without_user};

#[test]
fn properties_that_delivery_depends_on_are_refused() {
    for name in [
        "group.id",
        "transactional.id",
        "enable.auto.commit",
        "enable.auto.offset.store",
        "isolation.level",
        "auto.offset.reset",
        "enable.idempotence",
        "acks",
        "request.required.acks",
        "partitioner",
        "partition.assignment.strategy",
        "group.remote.assignor",
        "delivery.report.only.error",
        "enable.partition.eof",
        "group.instance.id",
        "bootstrap.servers",
        "metadata.broker.list",
        "Group.Id",
    ] {
        assert!(refusal(name).is_some(), "{name}");
    }
    for name in [
        "group.protocol",
        "session.timeout.ms",
        "linger.ms",
        "client.id",
        "sasl.password",
    ] {
        assert!(refusal(name).is_none(), "{name}");
    }
}

#[test]
fn secrets_are_recognised_by_their_names() {
    for name in [
        "sasl.password",
        "ssl.key.password",
        "ssl.keystore.password",
        "ssl.key.pem",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.client.credentials.client.secret",
        "sasl.oauthbearer.assertion.private.key.passphrase",
        "sasl.oauthbearer.assertion.private.key.pem",
        "sasl.oauthbearer.config",
        "SASL.PASSWORD",
        "sasl.jaas.config",
        "sasl.passwd",
        "my.token",
        "api.key",
        "ssl.truststore.key.location",
    ] {
        assert_eq!(redacted(name, "hunter2"), REDACTED, "{name}");
    }
    let jaas = "PlainLoginModule required username=\"a\" password=\"hunter2\";";
    assert_eq!(redacted("client.rack", jaas), REDACTED);
    for name in [
        "sasl.username",
        "ssl.ca.pem",
        "ssl.certificate.pem",
        "ssl.key.location",
        "sasl.oauthbearer.token.endpoint.url",
    ] {
        assert_eq!(redacted(name, "plain"), "plain", "{name}");
    }
}

#[test]
fn credentials_in_urls_are_redacted() {
    for (value, shown) in [
        ("http://ada:pw@host:8081/x", "http://********@host:8081/x"),
        ("https://ada:p/w@1@host", "https://********@host"),
        ("http://host:8081", "http://host:8081"),
        ("ada@example.com", "ada@example.com"),
    ] {
        assert_eq!(without_credentials(value), shown);
    }
    for (value, shown) in [
        ("a:9092,b:9092", "a:9092,b:9092"),
        ("ada:pw@host:9092", "********@host:9092"),
        (
            "SASL_SSL://ada:pw@host:9092",
            "SASL_SSL://********@host:9092",
        ),
        ("a:1,ada:p,w@host:9092", "********@host:9092"),
        ("ada:p://w@host:9092", "********@host:9092"),
    ] {
        assert_eq!(without_user(value), shown);
    }
}
