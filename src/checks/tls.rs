//! The certificate of a broker. The client of Kafka says only that it does not trust it; here the reason is found out, by a
//! handshake that accepts every certificate. Nothing is sent over such a connection that anybody may not know.

use std::collections::BTreeMap;
use std::net::{IpAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::ssl::{HandshakeError, Ssl, SslContext, SslMethod, SslStream, SslVerifyMode};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::{X509, X509NameRef, X509Ref, X509VerifyResult};

/// How long the server may be silent during the handshake.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What OpenSSL calls the failures that are told apart (`X509_V_ERR_…`).
const NOT_YET_VALID: i32 = 9;
const EXPIRED: i32 = 10;
const HOST_MISMATCH: i32 = 62;
const IP_MISMATCH: i32 = 64;

/// The certificate of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Until when it is valid.
    pub until: String,
    /// Why it is not trusted.
    pub fault: Option<Fault>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub what: String,
    pub remedy: &'static str,
}

/// Makes a handshake with a server, which is called `host` here, with the client's settings. The error is that of the
/// handshake: the server speaks no TLS, say.
///
/// # Errors
/// There is no certificate to look at.
pub fn look(
    stream: TcpStream,
    host: &str,
    properties: &BTreeMap<String, String>,
) -> Result<Certificate, String> {
    let stream = connect(stream, host, properties)?;
    let shown = stream.ssl().peer_certificate();
    let shown = shown.ok_or("the server shows no certificate")?;
    let fault = fault(stream.ssl().verify_result(), host, &shown);
    Ok(Certificate {
        until: shown.not_after().to_string(),
        fault,
    })
}

/// Makes the handshake, and accepts every certificate: no secret may be sent over it.
///
/// # Errors
/// Those of the handshake.
pub fn connect(
    stream: TcpStream,
    host: &str,
    properties: &BTreeMap<String, String>,
) -> Result<SslStream<TcpStream>, String> {
    let limits = stream
        .set_read_timeout(Some(TIMEOUT))
        .and_then(|()| stream.set_write_timeout(Some(TIMEOUT)));
    limits.map_err(|error| error.to_string())?;
    let ssl = prepared(host, properties).map_err(|error| essence(&error))?;
    ssl.connect(stream).map_err(|error| match &error {
        HandshakeError::SetupFailure(stack) => essence(stack),
        HandshakeError::Failure(broken) | HandshakeError::WouldBlock(broken) => {
            match broken.error().ssl_error() {
                Some(stack) => essence(stack),
                None => match broken.error().io_error() {
                    Some(error) => error.to_string(),
                    None => "the connection ended".to_owned(),
                },
            }
        }
    })
}

/// A connection that verifies as the client of Kafka does, and accepts the certificate whatever comes of it.
fn prepared(host: &str, properties: &BTreeMap<String, String>) -> Result<Ssl, ErrorStack> {
    let given = |name: &str| {
        let value = properties.get(name).map(String::as_str);
        value.filter(|value| !value.is_empty())
    };
    let mut context = SslContext::builder(SslMethod::tls_client())?;
    context.set_verify(SslVerifyMode::NONE);
    match given("ssl.ca.location").filter(|place| *place != "probe") {
        Some(place) if Path::new(place).is_dir() => {
            context.load_verify_locations(None, Some(Path::new(place)))?;
        }
        Some(place) => context.set_ca_file(place)?,
        None => {
            let mut store = X509StoreBuilder::new()?;
            let authorities: Vec<X509> = match given("ssl.ca.pem") {
                Some(pem) => X509::stack_from_pem(pem.as_bytes())?,
                None => of_the_system(),
            };
            for authority in authorities {
                store.add_cert(authority)?;
            }
            context.set_cert_store(store.build());
        }
    }
    let mut ssl = Ssl::new(&context.build())?;
    let address: Option<IpAddr> = host.parse().ok();
    if address.is_none() {
        ssl.set_hostname(host)?;
    }
    if given("ssl.endpoint.identification.algorithm") != Some("none") {
        match address {
            Some(address) => ssl.param_mut().set_ip(address)?,
            None => ssl.param_mut().set_host(host)?,
        }
    }
    Ok(ssl)
}

fn of_the_system() -> Vec<X509> {
    let found = rustls_native_certs::load_native_certs().certs.into_iter();
    found
        .filter_map(|der| X509::from_der(der.as_ref()).ok())
        .collect()
}

fn fault(result: X509VerifyResult, host: &str, shown: &X509Ref) -> Option<Fault> {
    if result == X509VerifyResult::OK {
        return None;
    }
    let (what, remedy) = match result.as_raw() {
        EXPIRED => (
            format!(
                "the certificate, or one that it was signed with, has expired; its own end is {}",
                shown.not_after()
            ),
            "renew the certificate of the broker; if its end lies in the future, look at the clock of this machine",
        ),
        NOT_YET_VALID => (
            format!("the certificate is valid from {} on", shown.not_before()),
            "look at the clock of this machine",
        ),
        HOST_MISMATCH | IP_MISMATCH => (
            format!(
                "the certificate is not for {host}, but for {}",
                names(shown)
            ),
            "name the broker as its certificate does, in kafka.bootstrap_servers or in advertised.listeners of the broker, or give it a certificate for this name",
        ),
        _ => (
            format!(
                "the certificate is not trusted ({}): it was issued by {}",
                result.error_string(),
                common_name(shown.issuer_name())
            ),
            "let kafka.properties.ssl.ca.location name a file with the certificate (PEM) of the authority that issued it",
        ),
    };
    Some(Fault { what, remedy })
}

/// The names that a certificate is for.
fn names(certificate: &X509Ref) -> String {
    let all = certificate.subject_alt_names().into_iter().flatten();
    let names: Vec<String> = all
        .filter_map(|name| match (name.dnsname(), name.ipaddress()) {
            (Some(name), _) => Some(name.to_owned()),
            (None, Some(bytes)) => address(bytes).map(|address| address.to_string()),
            (None, None) => None,
        })
        .collect();
    match names.is_empty() {
        true => common_name(certificate.subject_name()),
        false => names.join(", "),
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        _ => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
    }
}

fn common_name(name: &X509NameRef) -> String {
    let entry = name.entries_by_nid(Nid::COMMONNAME).next();
    let text = entry.and_then(|entry| entry.data().to_string().ok());
    text.unwrap_or_else(|| "somebody without a name".to_owned())
}

/// The reason of the first error.
fn essence(stack: &ErrorStack) -> String {
    let first = stack.errors().first();
    let reason = first.and_then(|error| error.reason());
    reason.map_or_else(|| "the handshake failed".to_owned(), str::to_owned)
}

#[cfg(test)]
mod tests;
