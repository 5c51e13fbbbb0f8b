//! What is a secret, and how texts that contain one are shown.

/// Replaces a secret.
pub(super) const REDACTED: &str = "********";

/// The value of a property as it may be shown. An empty secret is shown as empty, because this may be the mistake that
/// the user is looking for.
pub(super) fn redacted(name: &str, value: &str) -> String {
    if (is_secret(name) || holds_secret(value)) && !value.is_empty() {
        REDACTED.to_owned()
    } else {
        without_credentials(value)
    }
}

/// Properties of librdkafka whose names sound like secrets but are not. The place where a secret is stored is not one:
/// paths and addresses are needed to find a mistake.
const NO_SECRETS: [&str; 6] = [
    "ssl.key.location",
    "ssl.keystore.location",
    "sasl.kerberos.keytab",
    "sasl.oauthbearer.token.endpoint.url",
    "sasl.oauthbearer.assertion.private.key.file",
    "sasl.oauthbearer.client.credentials.client.id",
];

/// Whether the value of a property is a secret, judged by its name, even if librdkafka has no such property.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let sounds_secret = ["pass", "secret", "token", "jaas", "key", "credential"]
        .iter()
        .any(|word| name.contains(word));
    // Free text that may contain a token or a secret.
    (sounds_secret || name == "sasl.oauthbearer.config") && !NO_SECRETS.contains(&name.as_str())
}

/// Whether a value contains a secret, whatever its name is, for example a line of JAAS.
fn holds_secret(value: &str) -> bool {
    let value: String = value.split_whitespace().collect();
    let value = value.to_ascii_lowercase();
    ["password=", "secret=", "privatekey-----"]
        .iter()
        .any(|word| value.contains(word))
}

/// A text in which the user and password of a URL are redacted. An `@` in the path counts too, because hiding too much
/// is better than showing part of a password.
pub(super) fn without_credentials(value: &str) -> String {
    let Some((scheme, rest)) = value.split_once("://") else {
        return value.to_owned();
    };
    match rest.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://{REDACTED}@{host}"),
        None => value.to_owned(),
    }
}

/// A list of servers in which users and passwords are redacted, with and without a scheme. Everything before the last
/// `@` is hidden, because a password may contain any character.
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
