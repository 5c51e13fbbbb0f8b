//! Certificates for tests: an authority, and servers on the loopback that it has signed.

use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder, X509NameRef};

const DAY: i64 = 24 * 60 * 60;

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Until tomorrow.
    Now,
    /// Until yesterday.
    Expired,
}

/// A certificate with its key.
pub struct Certified {
    pub key: PKey<Private>,
    pub certificate: X509,
}

impl Certified {
    /// One that signs others, and itself.
    pub fn authority(name: &str) -> Certified {
        certified(name, None, Validity::Now)
    }

    /// The certificate of a server on the loopback: `127.0.0.1` and `localhost`.
    pub fn signs(&self, name: &str, validity: Validity) -> Certified {
        certified(name, Some(self), validity)
    }

    /// The certificate as PEM.
    pub fn pem(&self) -> Vec<u8> {
        self.certificate.to_pem().expect("a certificate")
    }

    /// The key and the certificate as PEM, as Kafka's brokers read them.
    pub fn key_store(&self) -> Vec<u8> {
        let key = self.key.private_key_to_pem_pkcs8().expect("a key");
        [key, self.pem()].concat()
    }

    /// What a server accepts connections with.
    pub fn acceptor(&self) -> SslAcceptor {
        let mut acceptor =
            SslAcceptor::mozilla_intermediate(SslMethod::tls_server()).expect("an acceptor");
        acceptor.set_private_key(&self.key).expect("a key");
        acceptor
            .set_certificate(&self.certificate)
            .expect("a certificate");
        acceptor.build()
    }
}

fn certified(name: &str, issuer: Option<&Certified>, validity: Validity) -> Certified {
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("a curve");
    let key = PKey::from_ec_key(EcKey::generate(&curve).expect("a key")).expect("a key");
    let mut subject = X509NameBuilder::new().expect("a name");
    subject.append_entry_by_text("CN", name).expect("a name");
    let subject = subject.build();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.expect("a time").as_secs() as i64;
    let until = match validity {
        Validity::Now => now + DAY,
        Validity::Expired => now - DAY,
    };
    let time = |seconds| Asn1Time::from_unix(seconds).expect("a time");
    let valid = [time(now - 2 * DAY), time(until)];
    let certificate = built(&subject, &key, issuer, valid).expect("a certificate");
    Certified { key, certificate }
}

fn built(
    subject: &X509NameRef,
    key: &PKey<Private>,
    issuer: Option<&Certified>,
    [from, until]: [Asn1Time; 2],
) -> Result<X509, ErrorStack> {
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_subject_name(subject)?;
    let issued_by = issuer.map_or(subject, |issuer| issuer.certificate.subject_name());
    builder.set_issuer_name(issued_by)?;
    builder.set_pubkey(key)?;
    builder.set_not_before(&from)?;
    builder.set_not_after(&until)?;
    let context = builder.x509v3_context(None, None);
    let names = SubjectAlternativeName::new()
        .ip("127.0.0.1")
        .dns("localhost")
        .build(&context)?;
    let mut constraints = BasicConstraints::new();
    if issuer.is_none() {
        constraints.ca();
    }
    builder.append_extension(names)?;
    builder.append_extension(constraints.build()?)?;
    builder.sign(
        issuer.map_or(key, |issuer| &issuer.key),
        MessageDigest::sha256(),
    )?;
    Ok(builder.build())
}
