//! The first steps to a server: the addresses of its name, and a connection.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// How long the look-up of a name may take.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one address may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long all addresses of a name may take together.
const ALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unreachable {
    /// The name has no address.
    Name(String),
    /// Nobody listens there.
    Refused(String),
    /// No answer came in time.
    Silent(String),
    Other(String),
}

/// The host and the port of a server, as the client of Kafka takes it: with a protocol before it or not, and with
/// 9092 where no port is given.
pub(super) fn host_and_port(server: &str) -> (String, u16) {
    const DEFAULT_PORT: u16 = 9092;
    let server = server.trim();
    let server = server.split_once("://").map_or(server, |(_, rest)| rest);
    let (host, port) = match server.rsplit_once(':') {
        // the colons are those of an IPv6 address without a port
        Some(_) if server.ends_with(']') => (server, None),
        Some((host, port)) => (host, port.parse().ok()),
        None => (server, None),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (host.to_owned(), port.unwrap_or(DEFAULT_PORT))
}

/// Connects to the first address of a server that accepts a connection.
pub(super) fn connect(host: &str, port: u16) -> Result<TcpStream, Unreachable> {
    let addresses = resolve(host, port).map_err(Unreachable::Name)?;
    let deadline = Instant::now() + ALL_TIMEOUT;
    let mut failed = Unreachable::Name(format!("the name {host} has no address"));
    for address in addresses {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(&address, left.min(CONNECT_TIMEOUT)) {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = why(address, &error),
        }
    }
    Err(failed)
}

fn why(address: SocketAddr, error: &io::Error) -> Unreachable {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            Unreachable::Refused(format!("{address} refuses connections"))
        }
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            let seconds = CONNECT_TIMEOUT.as_secs();
            Unreachable::Silent(format!("{address} does not answer within {seconds} s"))
        }
        _ => Unreachable::Other(format!("{address} cannot be reached: {error}")),
    }
}

/// The addresses of a name. The look-up has no time limit of its own, so it is made on another thread.
fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let (sender, found) = channel();
    let server = (host.to_owned(), port);
    let looking = std::thread::Builder::new().spawn(move || {
        let addresses = server.to_socket_addrs().map(Iterator::collect::<Vec<_>>);
        // the receiver is gone when it took too long
        let _ = sender.send(addresses);
    });
    looking.map_err(|error| format!("a thread cannot be started: {error}"))?;
    match found.recv_timeout(RESOLVE_TIMEOUT) {
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(error)) => {
            let error = error.to_string();
            let error = error.trim_start_matches("failed to lookup address information: ");
            Err(format!("the name {host} has no address: {error}"))
        }
        Err(_) => {
            let seconds = RESOLVE_TIMEOUT.as_secs();
            Err(format!(
                "the name {host} is not looked up within {seconds} s"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_host_and_the_port_of_a_server() {
        for (server, host, port) in [
            ("kafka:9093", "kafka", 9093),
            (" kafka ", "kafka", 9092),
            ("SASL_SSL://kafka-1.example:1", "kafka-1.example", 1),
            ("[::1]:9093", "::1", 9093),
            ("[::1]", "::1", 9092),
        ] {
            assert_eq!(host_and_port(server), (host.to_owned(), port), "{server}");
        }
    }

    #[test]
    fn each_failure_is_told_apart() {
        let named = connect("kafka.invalid", 9092).unwrap_err();
        let expected = "the name kafka.invalid has no address";
        assert!(matches!(&named, Unreachable::Name(text) if text.starts_with(expected)));
        let port = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            assert!(connect("localhost", port).is_ok());
            port
        };
        let refused = connect("127.0.0.1", port).unwrap_err();
        let expected = format!("127.0.0.1:{port} refuses connections");
        assert_eq!(refused, Unreachable::Refused(expected));
    }
}
