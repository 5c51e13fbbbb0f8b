//! What a single text must be, and what must hold between keys.

use std::net::SocketAddr;

use super::Config;
use super::read::Reader;

/// What a text must be.
pub(super) struct Check {
    /// In words, after "expected".
    pub(super) expected: &'static str,
    pub(super) holds: fn(&str) -> bool,
    /// Whether an error may quote the text: not where it may hold a secret.
    pub(super) quoted: bool,
}

pub(super) const APPLICATION_ID: Check = Check {
    expected: "1 to 200 characters of A-Z a-z 0-9 . _ -",
    holds: |text| is_name(text, 1, 200),
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

pub(super) const HTTP_URL: Check = Check {
    expected: "a URL that begins with http:// or https://",
    holds: is_http_url,
    quoted: false,
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

fn is_http_url(text: &str) -> bool {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| {
        !rest.is_empty()
            && !rest.starts_with('/')
            && !rest
                .chars()
                .any(|char| char.is_whitespace() || char.is_control())
    })
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
