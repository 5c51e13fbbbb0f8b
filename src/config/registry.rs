//! The schema registry: where it is, who keyfold is there, and how long answers count.

use std::fmt;
use std::time::Duration;

use super::properties::{redacted, without_credentials};

/// The schema registry with Confluent's REST API. It is asked only where a format is `avro`:
/// [`Config::needs_registry`](super::Config::needs_registry).
#[derive(Clone, PartialEq, Eq)]
pub struct Registry {
    /// `http` and `https` URLs, tried in turn, without a slash at the end. Empty only where no
    /// format needs a registry. May hold credentials: never log them, `Debug` and
    /// [`Registry::shown_urls`] redact them.
    pub urls: Vec<String>,
    /// The user of basic authentication, or empty for none.
    pub username: String,
    /// The password of `username`. A secret: never log it, `Debug` redacts it.
    pub password: String,
    /// A bearer token, or empty for none; never together with `username`. A secret: never log
    /// it, `Debug` redacts it.
    pub token: String,
    /// A PEM file of authorities that are trusted for `https` beside the usual ones, or empty.
    pub ca_location: String,
    /// The longest time that one request takes, 100 ms to 60 s.
    pub timeout: Duration,
    /// How long the answer "there is no such schema" is believed, 1 s to 1 h.
    pub unknown_ids_for: Duration,
}

impl Registry {
    /// The URLs as they may be shown, without credentials.
    pub fn shown_urls(&self) -> impl Iterator<Item = String> {
        self.urls.iter().map(|url| without_credentials(url))
    }
}

impl Default for Registry {
    fn default() -> Self {
        Registry {
            urls: vec!["http://localhost:8081".to_owned()],
            username: String::new(),
            password: String::new(),
            token: String::new(),
            ca_location: String::new(),
            timeout: Duration::from_secs(5),
            unknown_ids_for: Duration::from_secs(30),
        }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("urls", &self.shown_urls().collect::<Vec<_>>())
            .field("username", &self.username)
            .field("password", &redacted("password", &self.password))
            .field("token", &redacted("token", &self.token))
            .field("ca_location", &self.ca_location)
            .field("timeout", &self.timeout)
            .field("unknown_ids_for", &self.unknown_ids_for)
            .finish()
    }
}

/// Whether `url` names a host over `http` or `https`, and nothing that paths cannot follow. The
/// characters of a host are those that names in DNS and IP addresses have.
pub(super) fn is_url(url: &str) -> bool {
    let Some(rest) = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"))
    else {
        return false;
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let is_visible = rest.bytes().all(|byte| byte.is_ascii_graphic());
    is_visible && !rest.contains(['?', '#']) && !path.contains('@') && is_host(host)
}

/// A host, with or without a port.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        // The colons of an IPv6 address, without a port.
        Some(_) if text.ends_with(']') => (text, None),
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let is_port = |port: &str| {
        port.bytes().all(|byte| byte.is_ascii_digit())
            && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    let address = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let is_named = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
        }
    };
    is_named && port.is_none_or(is_port)
}

/// Whether a URL that [`is_url`] accepts holds a user or a password.
pub(super) fn has_credentials(url: &str) -> bool {
    without_credentials(url) != url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_host() {
        for url in [
            "http://localhost",
            "http://localhost:8081",
            "https://registry.example.com/apis/ccompat/v7",
            "https://schema_registry/",
            "https://ada:pw@registry:443/x",
            "https://ada%40example.com:p%2Fw@registry",
            "http://127.0.0.1:8081",
            "http://[::1]",
            "http://[::1]:8081/x",
        ] {
            assert!(is_url(url), "{url}");
        }
        for url in [
            "",
            "localhost:8081",
            "ftp://host",
            "HTTP//host",
            "http://",
            "http:///path",
            "http://:8081",
            "http://ada:pw@",
            "http://ada:pw@/x",
            "http://host:port",
            "http://host:",
            "http://host:0",
            "http://host:+1",
            "http://host:65536",
            "http://ada:p/w@host",
            "http://host?a=b",
            "http://host/x#y",
            "http://host/a b",
            "http://hôst",
            "http://[::1",
            "http://[host]",
            "http://http://host",
        ] {
            assert!(!is_url(url), "{url}");
        }
    }
}
