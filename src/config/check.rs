//! What a single text must be.

use std::net::SocketAddr;

use super::registry::is_url;

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
