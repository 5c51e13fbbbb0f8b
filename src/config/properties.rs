//! librdkafka's properties: their names in TOML, those that are refused, and their secrets. What
//! is a secret here is one in other settings too.

use figment::value::{Dict, Value};

/// What stands in the place of a secret.
pub(super) const REDACTED: &str = "********";

/// Makes one level of nested tables: TOML reads an unquoted `security.protocol = "SSL"` as a
/// table in a table, a quoted one as a key with a dot. Names given twice go to `repeated`.
pub(super) fn flatten(properties: Dict, repeated: &mut Vec<String>) -> Dict {
    let mut flat = Dict::new();
    flatten_into(&mut flat, "", properties, repeated);
    flat
}

fn flatten_into(flat: &mut Dict, prefix: &str, properties: Dict, repeated: &mut Vec<String>) {
    for (name, value) in properties {
        let name = format!("{prefix}{name}");
        match value {
            Value::Dict(_, nested) => flatten_into(flat, &format!("{name}."), nested, repeated),
            value => {
                if flat.insert(name.clone(), value).is_some() {
                    repeated.push(name);
                }
            }
        }
    }
}

/// Whether this can be the name of a property at all.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// Whether a property cannot be set.
#[must_use]
pub fn is_refused(name: &str) -> bool {
    refusal(name).is_some()
}

/// Why a property cannot be set, with what to set instead where there is such a key. Delivery
/// rests on these, so that keyfold sets them itself.
pub(super) fn refusal(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    Some(match name.as_str() {
        "group.id" => "it is the application id; set `application_id` instead",
        "transactional.id" => {
            "it is made from the application id, the instance id and the worker; set `instance_id` instead"
        }
        "group.instance.id" => "it is made from the instance id; set `instance_id` instead",
        "bootstrap.servers" | "metadata.broker.list" => "set `kafka.bootstrap_servers` instead",
        "isolation.level" => "aborted records must never be read",
        "auto.offset.reset" => {
            "a lost offset must never skip records; set `kafka.on_lost_offset` instead"
        }
        "enable.idempotence" | "acks" | "request.required.acks" => {
            "without idempotence and all acknowledgements records could be lost or repeated; \
             the guarantee is `processing.guarantee`"
        }
        "partitioner" => "a customer's partition is that of Kafka's default partitioner (murmur2)",
        "partition.assignment.strategy" | "group.remote.assignor" => {
            "only the range assignor gives the same partitions of all topics to one worker"
        }
        "enable.partition.eof" => "catching up with the state topic rests on it",
        "auto.commit.enable" => "offsets are committed with the results",
        _ if name.starts_with("enable.auto.") => "offsets are committed with the results",
        _ if name.starts_with("delivery.report.") => {
            "a commit rests on the delivery reports that keyfold asks for"
        }
        _ => return None,
    })
}

/// The value of a property, or of another setting, as it may be shown. That a secret is empty may
/// be: it is the mistake to find.
pub(super) fn redacted(name: &str, value: &str) -> String {
    if (is_secret(name) || holds_secret(value)) && !value.is_empty() {
        REDACTED.to_owned()
    } else {
        without_credentials(value)
    }
}

/// Properties of librdkafka whose names sound like secrets. Where a secret is kept is none: paths and
/// addresses are needed to find a mistake.
const NO_SECRETS: [&str; 7] = [
    "ssl.key.location",
    "ssl.keystore.location",
    "sasl.kerberos.keytab",
    "sasl.oauthbearer.token.endpoint.url",
    "sasl.oauthbearer.assertion.private.key.file",
    "sasl.oauthbearer.client.credentials.client.id",
    // of the configuration itself
    "key_format",
];

/// Whether the value of a property is a secret, judged by its name: of one that librdkafka does not have, too.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let sounds_so = ["pass", "secret", "token", "jaas", "key", "credential"]
        .iter()
        .any(|word| name.contains(word));
    // free text, which may hold a token or a secret
    (sounds_so || name == "sasl.oauthbearer.config") && !NO_SECRETS.contains(&name.as_str())
}

/// Whether a value holds a secret, whatever its name is, as a line of JAAS does.
fn holds_secret(value: &str) -> bool {
    let value: String = value.split_whitespace().collect();
    let value = value.to_ascii_lowercase();
    ["password=", "secret=", "privatekey-----"]
        .iter()
        .any(|word| value.contains(word))
}

/// A text with the user and password of a URL in it redacted. An `@` in the path counts too:
/// rather too much is hidden than part of a password.
pub(super) fn without_credentials(value: &str) -> String {
    let Some((scheme, rest)) = value.split_once("://") else {
        return value.to_owned();
    };
    match rest.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://{REDACTED}@{host}"),
        None => value.to_owned(),
    }
}

/// A list of servers with the users and passwords in it redacted, with and without a scheme. All before the last `@` is
/// hidden, for a password may hold anything.
pub(super) fn without_user(servers: &str) -> String {
    let Some((_, host)) = servers.rsplit_once('@') else {
        return servers.to_owned();
    };
    let is_scheme = |scheme: &str| {
        scheme
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
    };
    let scheme = servers
        .split_once("://")
        .filter(|(scheme, _)| is_scheme(scheme));
    let scheme = scheme.map_or(String::new(), |(scheme, _)| format!("{scheme}://"));
    format!("{scheme}{REDACTED}@{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_delivery_rests_on_is_refused() {
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
    fn secrets_are_known_by_their_names() {
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
}
