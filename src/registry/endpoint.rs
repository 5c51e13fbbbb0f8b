//! One URL of the registry, with its credentials.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use ureq::http::{HeaderValue, Uri};

use super::RegistryError;

/// One URL of the registry. Neither `Debug` nor `Display` shows credentials.
pub(super) struct Endpoint {
    /// Without credentials and without a slash at the end; shown in texts.
    base: String,
    /// The value of the header `Authorization`.
    authorization: Option<HeaderValue>,
    /// Texts that no message may contain.
    secrets: Vec<String>,
}

/// The credentials for an [`Endpoint`] whose URL has none.
pub(super) enum Credentials<'a> {
    None,
    Basic {
        username: &'a str,
        password: &'a str,
    },
    Bearer(&'a str),
}

impl Endpoint {
    /// `number` counts the URLs from 1: an error names the URL by it, because the URL may hold a password.
    /// Percent-encoded credentials in the URL take precedence over the given ones.
    pub fn new(
        url: &str,
        number: usize,
        credentials: &Credentials<'_>,
    ) -> Result<Endpoint, RegistryError> {
        let invalid = |what| RegistryError::Url { number, what };
        let (scheme, rest) = url
            .trim()
            .split_once("://")
            .ok_or_else(|| invalid("begins with neither http:// nor https://"))?;
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "http" && scheme != "https" {
            return Err(invalid("begins with neither http:// nor https://"));
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if path.contains(['?', '#']) {
            return Err(invalid("holds a query or a fragment"));
        }
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let base = format!("{scheme}://{host}{}", path.trim_end_matches('/'));
        // An `@` in the path is part of a password with a slash that is not encoded.
        if !has_host(&base) || path.contains('@') {
            return Err(invalid(
                "is not valid; special characters of a user or a password in it must be percent-encoded",
            ));
        }
        let (authorization, secrets) = match user {
            Some(user) => {
                let decoded = |text: &str| {
                    percent_decode_str(text)
                        .decode_utf8()
                        .map(|text| text.into_owned())
                        .map_err(|_| invalid("holds a user or a password that is not UTF-8"))
                };
                let (username, password) = user.split_once(':').unwrap_or((user, ""));
                basic(&decoded(username)?, &decoded(password)?)?
            }
            None => match credentials {
                Credentials::None => (None, Vec::new()),
                Credentials::Basic { username, password } => basic(username, password)?,
                Credentials::Bearer(token) => bearer(token)?,
            },
        };
        Ok(Endpoint {
            base,
            authorization,
            secrets,
        })
    }

    pub fn is_https(&self) -> bool {
        self.base.starts_with("https:")
    }

    /// The URL of a path, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    /// Whether a text of the server quotes the credentials that it received.
    pub fn is_quoted_in(&self, text: &str) -> bool {
        self.secrets.iter().any(|secret| text.contains(secret))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)
    }
}

/// Whether a URL has a host, and a port that is a number if it has one.
fn has_host(url: &str) -> bool {
    let parsed: Option<Uri> = url.parse().ok();
    parsed.is_some_and(|uri| {
        let host = uri.host().unwrap_or_default();
        let is_alone = uri.authority().is_some_and(|whole| whole.as_str() == host);
        !host.is_empty() && (is_alone || uri.port_u16().is_some())
    })
}

type Header = (Option<HeaderValue>, Vec<String>);

fn basic(username: &str, password: &str) -> Result<Header, RegistryError> {
    let encoded = BASE64_STANDARD.encode(format!("{username}:{password}"));
    header(&format!("Basic {encoded}"), &[&encoded, password])
}

fn bearer(token: &str) -> Result<Header, RegistryError> {
    header(&format!("Bearer {token}"), &[token])
}

fn header(text: &str, secrets: &[&str]) -> Result<Header, RegistryError> {
    // Only a token can be invalid here, because the other texts are base64.
    let mut value = HeaderValue::from_str(text).map_err(|_| RegistryError::Token)?;
    value.set_sensitive(true);
    let secrets = secrets.iter().filter(|secret| !secret.is_empty());
    Ok((
        Some(value),
        secrets.map(|secret| secret.to_string()).collect(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str) -> Result<Endpoint, RegistryError> {
        Endpoint::new(url, 1, &Credentials::None)
    }

    fn sent(endpoint: &Endpoint) -> Option<&str> {
        endpoint
            .authorization()
            .map(|value| value.to_str().unwrap())
    }

    #[test]
    fn a_path_and_slashes_at_the_end() {
        for (url, base) in [
            ("http://localhost:8081", "http://localhost:8081"),
            (" HTTP://localhost:8081/ ", "http://localhost:8081"),
            (
                "https://host/apis/ccompat/v7/",
                "https://host/apis/ccompat/v7",
            ),
            ("http://[::1]:8081", "http://[::1]:8081"),
        ] {
            assert_eq!(endpoint(url).unwrap().to_string(), base, "{url}");
        }
        let endpoint = endpoint("https://host/base/").unwrap();
        assert_eq!(
            endpoint.url("/schemas/ids/7"),
            "https://host/base/schemas/ids/7"
        );
        assert!(endpoint.is_https());
    }

    #[test]
    fn credentials_in_the_url_take_precedence() {
        let configured = Credentials::Basic {
            username: "ada",
            password: "pw",
        };
        let plain = Endpoint::new("http://host", 1, &configured).unwrap();
        assert_eq!(sent(&plain), Some("Basic YWRhOnB3"));
        // bob:s/@:x
        let own = Endpoint::new("http://bob:s%2F%40%3ax@host:1", 1, &configured).unwrap();
        assert_eq!(sent(&own), Some("Basic Ym9iOnMvQDp4"));
        assert_eq!(format!("{own} {own:?}"), "http://host:1 http://host:1");
        assert!(own.is_quoted_in("it is s/@:x"));
        assert!(!own.is_quoted_in("it is not"));
        let token = Endpoint::new("http://host", 1, &Credentials::Bearer("t0k")).unwrap();
        assert_eq!(sent(&token), Some("Bearer t0k"));
        assert_eq!(sent(&endpoint("http://host").unwrap()), None);
    }

    #[test]
    fn an_invalid_url_is_refused_without_being_quoted() {
        for url in [
            "",
            "host:8081",
            "ftp://secret@host",
            "http://",
            "http://ada:secret@",
            "http://ada:secret/x@host",
            "http://host:port",
            "http://host?secret",
            "http://host/#secret",
            "http://host name",
            "http://ada:%ff@host",
        ] {
            let error = endpoint(url)
                .err()
                .unwrap_or_else(|| panic!("{url} passed"));
            let text = error.to_string();
            assert!(text.starts_with("registry.url: the URL no. 1 "), "{text}");
            assert!(!text.contains("secret"), "{text}");
        }
        let error = Endpoint::new("http://host", 1, &Credentials::Bearer("a\nb"));
        assert_eq!(error.err(), Some(RegistryError::Token));
    }
}
