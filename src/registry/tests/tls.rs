//! Tests of `https`: which servers the client trusts. Each test creates its certificates.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;

use keyfold_harness::certificates::{Certified, Validity};
use tempfile::NamedTempFile;

use super::config;
use crate::registry::Registry;
use crate::source::framing::SchemaId;

/// A certificate for 127.0.0.1, signed by `issuer` or by itself.
fn certified(name: &str, issuer: Option<&Certified>) -> Certified {
    match issuer {
        None => Certified::authority(name),
        Some(issuer) => issuer.signs(name, Validity::Now),
    }
}

/// A registry behind TLS, for one connection.
fn serve(certified: &Certified) -> (SocketAddr, JoinHandle<()>) {
    let acceptor = certified.acceptor();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        // A client that does not trust this server closes the connection.
        let Ok(mut stream) = acceptor.accept(stream) else {
            return;
        };
        let mut head = Vec::new();
        let mut chunk = [0; 1024];
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            match stream.read(&mut chunk) {
                Ok(length) if length > 0 => head.extend_from_slice(&chunk[..length]),
                _ => return,
            }
        }
        let body = r#"{"schema":"\"string\""}"#;
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        let _ = stream.write_all(answer.as_bytes());
        let _ = stream.shutdown();
    });
    (address, serving)
}

/// A PEM file, which exists as long as the value is held.
fn pem_file(certified: &[&Certified]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(b"# Authorities of the tests\n").unwrap();
    for one in certified {
        file.write_all(&one.pem()).unwrap();
    }
    file
}

fn ask(address: SocketAddr, ca: &NamedTempFile) -> Result<bool, String> {
    let mut config = config(&[&format!("https://{address}")]);
    config.ca_location = ca.path().to_str().unwrap().to_owned();
    let registry = Registry::new(&config).map_err(|error| error.to_string())?;
    let fetched = registry.schema(SchemaId::Number(7));
    fetched
        .map(|fetched| fetched.is_some())
        .map_err(|error| error.to_string())
}

#[test]
fn an_authority_of_the_file_is_trusted() {
    let authority = certified("authority", None);
    let other = certified("other", None);
    let file = pem_file(&[&other, &authority]);
    let (address, serving) = serve(&certified("registry", Some(&authority)));
    assert_eq!(ask(address, &file), Ok(true));
    serving.join().unwrap();
}

#[test]
fn a_certificate_that_signs_itself_is_trusted_when_it_is_in_the_file() {
    let registry = certified("registry", None);
    let file = pem_file(&[&registry]);
    let (address, serving) = serve(&registry);
    assert_eq!(ask(address, &file), Ok(true));
    serving.join().unwrap();
}

#[test]
fn a_server_that_is_not_trusted_counts_as_away() {
    let authority = certified("authority", None);
    let other = certified("other", None);
    let file = pem_file(&[&other]);
    let (address, serving) = serve(&certified("registry", Some(&authority)));
    let text = ask(address, &file).unwrap_err();
    for expected in ["cannot be trusted", "registry.ca_location", "verify failed"] {
        assert!(text.contains(expected), "{text}");
    }
    serving.join().unwrap();
}

#[test]
fn a_port_without_tls_counts_as_away() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let authority = certified("authority", None);
    let file = pem_file(&[&authority]);
    let serving = std::thread::spawn(move || {
        let (mut stream, _): (TcpStream, _) = listener.accept().unwrap();
        let mut chunk = [0; 1024];
        let _ = stream.read(&mut chunk);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
    });
    let text = ask(address, &file).unwrap_err();
    assert!(text.contains("speaks no TLS"), "{text}");
    serving.join().unwrap();
}

#[test]
fn a_file_without_a_certificate_is_a_wrong_configuration() {
    let file = pem_file(&[]);
    let text = ask("127.0.0.1:1".parse().unwrap(), &file);
    assert!(text.unwrap_err().ends_with("there is no certificate in it"));
}
