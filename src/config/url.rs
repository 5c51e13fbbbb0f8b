//! The URL of a schema registry.

use super::secrets::without_credentials;

/// Whether `url` names a host over `http` or `https`, and paths can be appended to it. Hosts may have the characters of
/// DNS names and IP addresses.
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
        // The colons are those of an IPv6 address without a port.
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

/// Whether a URL that [`is_url`] accepts contains a user or a password.
pub(super) fn has_credentials(url: &str) -> bool {
    without_credentials(url) != url
}
