//! What a single text must be, and what must hold between keys.

use std::net::SocketAddr;

use super::read::Reader;
use super::registry::{has_credentials, is_url};
use super::{Config, Format, SnapshotFormat, Store};

/// What a text must be.
pub(super) struct Check {
    /// In words, after "expected".
    pub(super) expected: &'static str,
    pub(super) holds: fn(&str) -> bool,
    /// Whether an error may quote the text: not where it may hold a secret.
    pub(super) quoted: bool,
}

pub(super) const APPLICATION_ID: Check = Check {
    expected: "1 to 200 characters of A-Z a-z 0-9 . _ -, not only dots",
    // it is the name of a folder, and must not be one above it
    holds: |text| is_name(text, 1, 200) && text.bytes().any(|byte| byte != b'.'),
    quoted: true,
};

pub(super) const INSTANCE_ID: Check = Check {
    expected: "at most 200 characters of A-Z a-z 0-9 . _ -",
    holds: |text| is_name(text, 0, 200),
    quoted: true,
};

/// Kafka's own rule for topic names.
pub(super) const TOPIC: Check = Check {
    expected: "a topic name of 1 to 249 characters of A-Z a-z 0-9 . _ -",
    holds: |text| is_name(text, 1, 249) && text != "." && text != "..",
    quoted: true,
};

pub(super) const SERVERS: Check = Check {
    expected: "host:port, several separated by commas",
    holds: |text| text.split(',').all(is_server),
    quoted: true,
};

pub(super) const SOCKET_ADDRESS: Check = Check {
    expected: "an IP address and a port such as \"127.0.0.1:9464\" or \"[::1]:9464\"",
    holds: |text| text.parse::<SocketAddr>().is_ok(),
    quoted: true,
};

pub(super) const HTTP_URLS: Check = Check {
    expected: "http://host:port or https://host:port, with or without a path, several separated \
               by commas",
    // Empty: there is no registry.
    holds: |text| text.is_empty() || text.split(',').all(|url| is_url(url.trim())),
    quoted: false,
};

/// Of basic authentication (RFC 7617, section 2): a colon would end the name.
pub(super) const USERNAME: Check = Check {
    expected: "a user name without colons and control characters",
    holds: |text| !text.contains(|char: char| char == ':' || char.is_control()),
    quoted: false,
};

/// Of basic authentication (RFC 7617, section 2).
pub(super) const PASSWORD: Check = Check {
    expected: "a password without control characters, such as the end of a line",
    holds: |text| !text.contains(char::is_control),
    quoted: false,
};

/// What a header of HTTP can carry as one word.
pub(super) const TOKEN: Check = Check {
    expected: "a token of visible ASCII characters without spaces, as in \"Bearer <token>\"",
    holds: |text| text.bytes().all(|byte| byte.is_ascii_graphic()),
    quoted: false,
};

pub(super) const FILE: Check = Check {
    expected: "the path of a file, or an empty text for none",
    holds: |text| !text.contains('\0'),
    quoted: true,
};

pub(super) const LEVEL: Check = Check {
    expected: "error, warn, info, debug, trace or off, or several target=level separated by commas",
    holds: |text| text.split(',').all(is_directive),
    quoted: true,
};

pub(super) const DIRECTORY: Check = Check {
    expected: "the path of a folder",
    holds: |text| !text.is_empty() && !text.contains('\0'),
    quoted: true,
};

fn is_name(text: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

fn is_server(text: &str) -> bool {
    let text = text.trim();
    let address = text.split_once("://").map_or(text, |(_, address)| address);
    let host = match address.rsplit_once(':') {
        // An IPv6 address in brackets without a port.
        Some(_) if address.ends_with(']') => address,
        Some((host, port)) if port.parse::<u16>().is_ok() => host,
        Some(_) => return false,
        None => address,
    };
    !host.is_empty()
        && !host
            .chars()
            .any(|char| char.is_whitespace() || char.is_control() || char == '/')
}

/// `level` or `target=level`. The log's own parser would take a mistyped level for a target.
fn is_directive(text: &str) -> bool {
    let (target, level) = match text.trim().rsplit_once('=') {
        Some((target, level)) => (Some(target), level),
        None => (None, text.trim()),
    };
    target != Some("")
        && ["error", "warn", "info", "debug", "trace", "off"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(level))
}

/// Each topic has one purpose: it feeds one source, or is one of the outputs, or is internal.
pub(super) fn topics(reader: &mut Reader, config: &Config) {
    let mut uses: Vec<(String, String)> = config
        .sources
        .iter()
        .flat_map(|(source, settings)| {
            let path = format!("sources.{}.topics", source.name());
            settings
                .topics
                .iter()
                .map(move |topic| (topic.clone(), path.clone()))
        })
        .collect();
    uses.push((config.snapshot.topic.clone(), "snapshot.topic".into()));
    uses.push((
        config.dead_letters.topic.clone(),
        "dead_letters.topic".into(),
    ));
    uses.push((config.state_topic(), "application_id".into()));
    uses.push((config.forwarded_topic(), "application_id".into()));

    for (index, (topic, path)) in uses.iter().enumerate() {
        for (other_topic, other_path) in uses.iter().skip(index + 1) {
            if topic != other_topic {
                continue;
            }
            let rule = if other_path.starts_with("sources.") {
                "a topic may feed one source only"
            } else {
                "a topic may serve one purpose only"
            };
            let other = match other_path.as_str() {
                "application_id" => "an internal topic of `application_id`".to_owned(),
                path => reader.place(path),
            };
            reader.problem(path, format!("topic {topic:?} is also {other}; {rule}"));
        }
    }
}

/// A store on disk has a folder.
pub(super) fn state(reader: &mut Reader, config: &Config) {
    // A wrong path is not in `config`, but is a problem already; one is enough.
    if config.state.store == Store::Disk && !reader.is_set("state.directory") {
        reader.problem(
            "state.store",
            "\"disk\" needs a folder: set `state.directory`",
        );
    }
}

/// What needs a registry has one, and who keyfold is to it is said once.
pub(super) fn registry(reader: &mut Reader, config: &Config) {
    let registry = &config.registry;
    if registry.urls.is_empty()
        && let Some(path) = first_avro(config)
    {
        let other = reader.place(&path);
        reader.problem(
            "registry.url",
            format!("is empty, but {other} is \"avro\", which needs a schema registry"),
        );
    }
    // A wrong user name is not in `config`, but is a problem already; one is enough.
    if !registry.password.is_empty() && !reader.is_set("registry.username") {
        reader.problem("registry.password", "is given without `registry.username`");
    }
    let in_url = registry.urls.iter().any(|url| has_credentials(url));
    let mut given = [
        ("registry.url", in_url),
        ("registry.username", !registry.username.is_empty()),
        ("registry.token", !registry.token.is_empty()),
    ]
    .into_iter()
    .filter_map(|(path, given)| given.then_some(path));
    if let Some(first) = given.next() {
        for path in given {
            let other = reader.place(first);
            reader.problem(
                path,
                format!("credentials are given here and in {other}; give one of them"),
            );
        }
    }
}

/// The first key whose format needs a registry.
fn first_avro(config: &Config) -> Option<String> {
    config
        .sources
        .iter()
        .find(|(_, source)| source.format == Format::Avro)
        .map(|(source, _)| format!("sources.{}.format", source.name()))
        .or_else(|| {
            (config.snapshot.format == SnapshotFormat::Avro).then(|| "snapshot.format".to_owned())
        })
}
