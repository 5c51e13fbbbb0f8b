//! The rules for single texts: topics, addresses, user names, secrets.

use std::net::SocketAddr;

use super::secrets::{REDACTED, without_credentials, without_user};
use super::url::is_url;
use crate::model::record::Source;

/// What a text must be.
pub(super) struct Rule {
    /// The requirement in words that follow "expected".
    pub(super) expected: &'static str,
    pub(super) holds: fn(&str) -> bool,
    pub(super) secrecy: Secrecy,
}

/// The rule for a text that may be shown.
const fn public(expected: &'static str, holds: fn(&str) -> bool) -> Rule {
    Rule {
        expected,
        holds,
        secrecy: Secrecy::Public,
    }
}

/// Whether a text may be shown.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Secrecy {
    /// It may be shown.
    Public,
    /// It is not a secret, but a mistyped one may contain a secret: errors do not quote it.
    Unquoted,
    /// Servers, which contain a user and a password only by mistake.
    Servers,
    /// URLs, which may contain a user and a password.
    Urls,
    /// It is never shown.
    Secret,
}

impl Secrecy {
    /// Whether an error may quote a text that breaks the rule.
    pub(super) fn is_quoted(self) -> bool {
        matches!(self, Secrecy::Public | Secrecy::Servers)
    }

    /// The text as it may be shown. An empty secret is shown as empty, because this may be the mistake that the user is
    /// looking for.
    pub(super) fn redacted(self, text: &str) -> String {
        match self {
            Secrecy::Public | Secrecy::Unquoted => text.to_owned(),
            Secrecy::Servers => without_user(text),
            Secrecy::Urls => {
                let urls: Vec<String> = text.split(',').map(without_credentials).collect();
                urls.join(",")
            }
            Secrecy::Secret if text.is_empty() => String::new(),
            Secrecy::Secret => REDACTED.to_owned(),
        }
    }
}

pub(super) static APPLICATION_ID: Rule = public(
    // It names a folder, and must not refer to a parent folder.
    "1 to 200 characters of A-Z a-z 0-9 . _ -, not only dots",
    |text| is_name(text, 1, 200) && text.bytes().any(|byte| byte != b'.'),
);

pub(super) static INSTANCE_ID: Rule =
    public("at most 200 characters of A-Z a-z 0-9 . _ -", |text| {
        is_name(text, 0, 200)
    });

/// Kafka's own rule for topic names.
pub(super) static TOPIC: Rule = public(
    "a topic name of 1 to 249 characters of A-Z a-z 0-9 . _ -",
    |text| is_name(text, 1, 249) && text != "." && text != "..",
);

pub(super) static DEFINITION: Rule = public(
    "the path of a definition, or \"preset:NAME\" for one that comes with keyfold",
    |text| !text.is_empty() && !text.contains('\0'),
);

// Whether there is such a source is a rule between keys.
pub(super) static SOURCE: Rule = public("the name of a source", |text| !text.is_empty());

/// The names that keyfold uses itself where sources are named.
pub(super) const RESERVED: [&str; 5] = ["loyalty", "actions", "console", "publisher", "forwarded"];

/// What the name of a declared source must be, in words that follow "is".
pub(super) const DECLARABLE: &str =
    "1 to 64 of a-z 0-9 -, and none of loyalty, actions, console, publisher, forwarded";

/// Whether a declared source may have this name.
pub(super) fn is_declarable(name: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=64).contains(&name.len())
        && name.bytes().all(is_known)
        && !RESERVED.contains(&name)
        && Source::built_in(name).is_none()
}

pub(super) static SERVERS: Rule = Rule {
    expected: "host:port, several separated by commas",
    holds: |text| text.split(',').all(is_server),
    secrecy: Secrecy::Servers,
};

pub(super) static SOCKET_ADDRESS: Rule = public(
    "an IP address and a port such as \"127.0.0.1:9464\" or \"[::1]:9464\"",
    |text| text.parse::<SocketAddr>().is_ok(),
);

pub(super) static HTTP_URLS: Rule = Rule {
    expected: "http://host:port or https://host:port, with or without a path, several separated \
               by commas",
    // Empty: there is no registry.
    holds: |text| text.is_empty() || text.split(',').all(|url| is_url(url.trim())),
    secrecy: Secrecy::Urls,
};

/// The user of basic authentication (RFC 7617, section 2): a colon would end the name.
pub(super) static USERNAME: Rule = Rule {
    expected: "a user name without colons and control characters",
    holds: |text| !text.contains(|char: char| char == ':' || char.is_control()),
    secrecy: Secrecy::Unquoted,
};

/// The password of basic authentication (RFC 7617, section 2).
pub(super) static PASSWORD: Rule = Rule {
    expected: "a password without control characters, such as the end of a line",
    holds: |text| !text.contains(char::is_control),
    secrecy: Secrecy::Secret,
};

/// What an HTTP header can carry as one word.
pub(super) static TOKEN: Rule = Rule {
    expected: "a token of visible ASCII characters without spaces, as in \"Bearer <token>\"",
    holds: |text| text.bytes().all(|byte| byte.is_ascii_graphic()),
    secrecy: Secrecy::Secret,
};

pub(super) static FILE: Rule = public("the path of a file, or an empty text for none", |text| {
    !text.contains('\0')
});

pub(super) static LEVEL: Rule = public(
    "error, warn, info, debug, trace or off, or several target=level separated by commas",
    |text| text.split(',').all(is_directive),
);

pub(super) static DIRECTORY: Rule = public("the path of a folder", |text| {
    !text.is_empty() && !text.contains('\0')
});

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
        // An IPv6 address in brackets, without a port.
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

/// `level` or `target=level`. The parser of the logging library would take a mistyped level for a target.
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
