//! The address of the HTTP server: free, or that of a keyfold of the same application.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use serde::Deserialize;
use ureq::Agent;

use super::Check;
use crate::config::Config;

const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest `/status` that is read, in bytes.
const MAX_STATUS: u64 = 16 * 1024 * 1024;

#[derive(Deserialize)]
struct Status {
    application: String,
}

pub fn check(config: &Config) -> Check {
    const CHECK: &str = "http";
    let subject = &config.http.listen;
    let remedy = "set http.listen";
    let Ok(listen) = subject.parse::<SocketAddr>() else {
        return Check::bad(CHECK, subject, "it is no address with a port", remedy);
    };
    let error = match TcpListener::bind(listen) {
        Ok(_) => return Check::good(CHECK, subject, "the address is free"),
        Err(error) => error,
    };
    if error.kind() != ErrorKind::AddrInUse {
        let detail = format!("keyfold cannot listen there: {error}");
        return Check::bad(CHECK, subject, detail, remedy);
    }
    let url = format!("http://{}/status", reachable(listen));
    let answer = get(&url, TIMEOUT, MAX_STATUS).ok();
    let status: Option<Status> = answer.and_then(|(_, text)| serde_json::from_str(&text).ok());
    match status {
        Some(status) if status.application == config.application_id => Check::good(
            CHECK,
            subject,
            "a keyfold of this application answers there",
        ),
        Some(status) => {
            let detail = format!("a keyfold of the application {} has it", status.application);
            Check::bad(CHECK, subject, detail, remedy)
        }
        None => Check::bad(CHECK, subject, "another program has it", remedy),
    }
}

/// The address at which a server that listens on `listen` is reachable from its own machine.
pub fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// Asks a server of this machine: the status, and the text, of which at most so many bytes are read.
pub fn get(url: &str, timeout: Duration, max_bytes: u64) -> Result<(u16, String), ureq::Error> {
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(timeout))
        .max_redirects(0)
        // A proxy from the environment must not be used for this machine.
        .proxy(None)
        .build()
        .into();
    let mut answer = agent.get(url).call()?;
    let text = answer
        .body_mut()
        .with_config()
        .limit(max_bytes)
        .read_to_string()?;
    Ok((answer.status().as_u16(), text))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;
    use crate::checks::Outcome;

    #[test]
    fn a_server_on_all_addresses_is_asked_on_the_loopback() {
        let reachable = |listen: &str| reachable(listen.parse().unwrap()).to_string();
        assert_eq!(reachable("0.0.0.0:9464"), "127.0.0.1:9464");
        assert_eq!(reachable("[::]:9464"), "[::1]:9464");
        assert_eq!(reachable("10.1.2.3:80"), "10.1.2.3:80");
    }

    /// What is found where somebody listens who gives this answer.
    fn found(body: &'static str) -> Check {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut config = Config::default();
        config.http.listen = server.local_addr().unwrap().to_string();
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]).unwrap();
            let length = body.len();
            let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
            stream.write_all(text.as_bytes()).unwrap();
        });
        let check = check(&config);
        answering.join().unwrap();
        check
    }

    #[test]
    fn an_address_is_free_or_that_of_a_keyfold() {
        let own = found(r#"{"application":"keyfold","more":1}"#);
        assert_eq!(own.result, Outcome::Good, "{own:?}");
        let other = found(r#"{"application":"other"}"#);
        assert_eq!(other.detail, "a keyfold of the application other has it");
        let stranger = found("hello");
        assert_eq!(stranger.detail, "another program has it");
        let mut config = Config::default();
        config.http.listen = "127.0.0.1:0".to_owned();
        assert_eq!(check(&config).result, Outcome::Good);
    }
}
