//! The certificate authorities that `https` trusts: those of the system, and those of `registry.ca_location`.

use std::path::Path;

use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

use super::RegistryError;

/// The system's authorities (`SSL_CERT_FILE` and `SSL_CERT_DIR`, or the places where distributions keep them), and
/// those of the PEM file. A system without any is no error, as long as the file has one.
pub(super) fn trusted(further: &str) -> Result<RootCerts, RegistryError> {
    let system = rustls_native_certs::load_native_certs();
    let mut trusted: Vec<Certificate<'static>> = system
        .certs
        .iter()
        .map(|certificate| Certificate::from_der(certificate.as_ref()).to_owned())
        .collect();
    for error in system.errors {
        tracing::debug!(%error, "a certificate authority of the system cannot be read");
    }
    if !further.is_empty() {
        trusted.extend(read_pem_file(Path::new(further))?);
    }
    if trusted.is_empty() {
        return Err(RegistryError::NoAuthorities);
    }
    Ok(RootCerts::from(trusted))
}

/// The certificates of a PEM file. A key in it is skipped, a broken certificate is an error.
pub(super) fn read_pem_file(path: &Path) -> Result<Vec<Certificate<'static>>, RegistryError> {
    let pem = std::fs::read(path).map_err(|error| RegistryError::Authorities {
        path: path.to_owned(),
        error: error.to_string(),
    })?;
    let wrong = |error: &str| RegistryError::Authorities {
        path: path.to_owned(),
        error: error.to_owned(),
    };
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(_) => return Err(wrong("it is not a sound PEM file")),
        }
    }
    if certificates.is_empty() {
        return Err(wrong("there is no certificate in it"));
    }
    Ok(certificates)
}
