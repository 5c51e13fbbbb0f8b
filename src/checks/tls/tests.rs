use std::io::{Read, Write};
use std::net::TcpListener;

use keyfold_harness::certificates::{Certified, Validity};

use super::*;

/// What is found of a server that shows this certificate, by a client with these properties.
fn shown(
    server: &Certified,
    host: &str,
    properties: &[(&str, &str)],
) -> Result<Certificate, String> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = server.acceptor();
    let accepting = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        if let Ok(mut stream) = acceptor.accept(stream) {
            let _ = stream.read(&mut [0]);
        }
    });
    let properties = properties.iter();
    let properties = properties.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let found = look(
        TcpStream::connect(address).unwrap(),
        host,
        &properties.collect(),
    );
    accepting.join().unwrap();
    found
}

fn fault_of(found: Result<Certificate, String>) -> String {
    let fault = found.unwrap().fault;
    fault.expect("a fault").what
}

#[test]
fn each_fault_of_a_certificate_is_told_apart() {
    let authority = Certified::authority("shop authority");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), authority.pem()).unwrap();
    let trusting = [("ssl.ca.location", file.path().to_str().unwrap())];
    let good = authority.signs("broker", Validity::Now);
    let found = shown(&good, "127.0.0.1", &trusting).unwrap();
    assert_eq!(found.fault, None);
    assert!(found.until.ends_with("GMT"), "{}", found.until);
    let pem = String::from_utf8(authority.pem()).unwrap();
    let found = shown(&good, "127.0.0.1", &[("ssl.ca.pem", &pem)]);
    assert_eq!(found.unwrap().fault, None);

    let other = Certified::authority("somebody else");
    let foreign = other.signs("broker", Validity::Now);
    let what = fault_of(shown(&foreign, "127.0.0.1", &trusting));
    assert!(
        what.contains("not trusted") && what.ends_with("issued by somebody else"),
        "{what}"
    );

    let old = authority.signs("broker", Validity::Expired);
    let what = fault_of(shown(&old, "127.0.0.1", &trusting));
    assert!(what.contains("has expired"), "{what}");

    let what = fault_of(shown(&good, "kafka.example", &trusting));
    assert_eq!(
        what,
        "the certificate is not for kafka.example, but for 127.0.0.1, localhost"
    );
    let careless = [
        trusting[0],
        ("ssl.endpoint.identification.algorithm", "none"),
    ];
    assert_eq!(
        shown(&good, "kafka.example", &careless).unwrap().fault,
        None
    );
}

#[test]
fn a_server_without_tls_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 64]);
        let _ = stream.write_all(b"hello, this is no TLS at all");
    });
    let stream = TcpStream::connect(address).unwrap();
    let error = look(stream, "127.0.0.1", &BTreeMap::new()).unwrap_err();
    assert!(error.contains("wrong version number"), "{error}");
    answering.join().unwrap();
}
