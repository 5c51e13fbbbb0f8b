//! Variables that only look like keyfold's.

use crate::config::variables::meant;

#[test]
fn a_misspelt_variable_gets_a_suggestion() {
    for (name, expected) in [
        (
            "KEYFOLD_KAFKA__BOOTSTRAP_SERVERS",
            "KEYFOLD__KAFKA__BOOTSTRAP_SERVERS",
        ),
        (
            "KEYFOLD_KAFKA_BOOTSTRAP_SERVERS",
            "KEYFOLD__KAFKA__BOOTSTRAP_SERVERS",
        ),
        (
            "KEYFOLDKAFKA__BOOTSTRAP_SERVERS",
            "KEYFOLD__KAFKA__BOOTSTRAP_SERVERS",
        ),
        (
            "KEYFOLD_KAFKA__PROPERTIES__SASL_PASSWORD",
            "KEYFOLD__KAFKA__PROPERTIES__SASL_PASSWORD",
        ),
        (
            "KEYFOLD_SOURCES_LOYALTY_CUSTOMERS_TOPICS",
            "KEYFOLD__SOURCES__LOYALTY_CUSTOMERS__TOPICS",
        ),
        ("KEYFOLD_APPLICATION_ID", "KEYFOLD__APPLICATION_ID"),
        ("KEYFOLD_LOG_LEVL", "KEYFOLD__LOG__LEVEL"),
        ("KEYFOLD_CONFG", "KEYFOLD_CONFIG"),
        ("KEYFOLD_CONFIG_FILE", "KEYFOLD_CONFIG"),
    ] {
        assert_eq!(meant(name, "x").as_deref(), Some(expected), "{name}");
    }
}

#[test]
fn variables_that_are_not_for_keyfold_are_ignored() {
    for (name, value) in [
        ("KEYFOLD_CONFIG", "/etc/keyfold.toml"),
        ("KEYFOLD__LOG__LEVEL", "info"),
        ("KEYFOLD_TEST_BOOTSTRAP", "localhost:9092"),
        ("KEYFOLDER", "x"),
        ("KEYFOLDER_HOME", "x"),
        ("KEYFOLD", "x"),
        ("PATH", "x"),
        ("KEYFOLD_SERVICE_HOST", "10.0.0.1"),
        ("KEYFOLD_EU_SERVICE_PORT", "9464"),
        ("KEYFOLD_SERVICE_PORT_HTTP", "9464"),
        ("KEYFOLD_PORT", "tcp://10.0.0.1:9464"),
        ("KEYFOLD_EU_PORT_9464_TCP", "tcp://10.0.0.1:9464"),
        ("KEYFOLD_PORT_9464_TCP_ADDR", "10.0.0.1"),
        ("KEYFOLD_PORT_9464_TCP_PORT", "9464"),
        ("KEYFOLD_PORT_9464_TCP_PROTO", "tcp"),
    ] {
        assert_eq!(meant(name, value), None, "{name}");
    }
    assert!(meant("KEYFOLD_PORT", "9464").is_some());
}
