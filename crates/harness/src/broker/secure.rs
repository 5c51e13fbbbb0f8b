//! A broker whose users authenticate by SCRAM, over TLS.

use std::fs;
use std::path::{Path, PathBuf};

use super::Security;
use crate::certificates::{Certified, Validity};

const MECHANISM: &str = "SCRAM-SHA-512";

/// The file with the certificate of the authority.
pub fn authority(home: &Path) -> PathBuf {
    home.join("authority.pem")
}

fn key_store(home: &Path) -> PathBuf {
    home.join("broker.pem")
}

/// Writes the certificates that a broker needs.
pub fn write_certificates(home: &Path, security: Security) -> Result<(), String> {
    if security == Security::Plain {
        return Ok(());
    }
    let signing = Certified::authority("authority of the tests");
    let broker = signing.signs("broker of the tests", Validity::Now);
    fs::write(authority(home), signing.pem())
        .and_then(|()| fs::write(key_store(home), broker.key_store()))
        .map_err(|e| format!("the broker's certificates: {e}"))
}

/// The arguments of Kafka's storage tool that make users.
pub fn users<'u>(users: impl Iterator<Item = (&'u str, &'u str)>) -> Vec<String> {
    users
        .flat_map(|(user, password)| {
            let user = format!("{MECHANISM}=[name={user},password={password}]");
            ["--add-scram".to_owned(), user]
        })
        .collect()
}

/// The settings of the broker; the super user is the one that brokers are to each other.
pub fn settings(
    home: &Path,
    security: Security,
    (user, password): (&str, &str),
) -> Vec<(&'static str, String)> {
    if security == Security::Plain {
        return Vec::new();
    }
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    let jaas = format!(
        "org.apache.kafka.common.security.scram.ScramLoginModule required \
         username=\"{user}\" password=\"{password}\";"
    );
    vec![
        ("sasl.enabled.mechanisms", MECHANISM.into()),
        ("sasl.mechanism.inter.broker.protocol", MECHANISM.into()),
        ("listener.name.client.scram-sha-512.sasl.jaas.config", jaas),
        ("ssl.keystore.type", "PEM".into()),
        ("ssl.keystore.location", text(key_store(home))),
        ("ssl.truststore.type", "PEM".into()),
        ("ssl.truststore.location", text(authority(home))),
    ]
}

/// librdkafka's properties for a user.
pub fn properties(user: &str, password: &str, authority: &Path) -> Vec<(&'static str, String)> {
    vec![
        ("security.protocol", "SASL_SSL".into()),
        ("sasl.mechanism", MECHANISM.into()),
        ("sasl.username", user.into()),
        ("sasl.password", password.into()),
        ("ssl.ca.location", authority.to_string_lossy().into_owned()),
    ]
}
