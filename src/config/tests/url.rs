//! Which URLs of a registry are accepted.

use crate::config::url::is_url;

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
