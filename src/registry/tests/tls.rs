//! Tests of `https`: which servers the client trusts. Each test creates its certificates.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;

use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};
use tempfile::NamedTempFile;

use super::config;
use crate::registry::Registry;
use crate::source::framing::SchemaId;

struct Certified {
    key: PKey<Private>,
    certificate: X509,
}

/// A certificate for 127.0.0.1, signed by `issuer` or by itself.
fn certified(name: &str, issuer: Option<&Certified>) -> Certified {
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&curve).unwrap()).unwrap();
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&subject).unwrap();
    let issued_by = issuer.map_or(&*subject, |issuer| issuer.certificate.subject_name());
    builder.set_issuer_name(issued_by).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder
        .set_not_before(&Asn1Time::days_from_now(0).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::days_from_now(1).unwrap())
        .unwrap();
    let context = builder.x509v3_context(None, None);
    let names = SubjectAlternativeName::new()
        .ip("127.0.0.1")
        .build(&context)
        .unwrap();
    let mut constraints = BasicConstraints::new();
    if issuer.is_none() {
        constraints.ca();
    }
    builder.append_extension(names).unwrap();
    builder
        .append_extension(constraints.build().unwrap())
        .unwrap();
    let signs = issuer.map_or(&key, |issuer| &issuer.key);
    builder.sign(signs, MessageDigest::sha256()).unwrap();
    let certificate = builder.build();
    Certified { key, certificate }
}

/// A registry behind TLS, for one connection.
fn serve(certified: &Certified) -> (SocketAddr, JoinHandle<()>) {
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
    acceptor.set_private_key(&certified.key).unwrap();
    acceptor.set_certificate(&certified.certificate).unwrap();
    let acceptor = acceptor.build();
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
        file.write_all(&one.certificate.to_pem().unwrap()).unwrap();
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
