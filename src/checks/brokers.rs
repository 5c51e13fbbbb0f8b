//! Each broker by its address: those of the configuration, and those that the cluster names. A client that reaches one
//! broker may still not work: it is told the addresses of all others, and must reach these too.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::network::{self, Unreachable};
use super::{Check, tls, versions};
use crate::config::Config;
use crate::kafka::probe::{self, AdvertisedBroker, ProbeError, Probed};

/// How long the client of Kafka may take for a broker that accepts connections.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);
/// How many brokers are looked at side by side.
const AT_ONCE: usize = 16;
/// How many addresses of a cluster are looked at; others are like them.
const MAX_ADVERTISED: usize = 64;

/// How far one gets with one broker, step by step.
struct Look {
    server: String,
    host: String,
    port: u16,
    connected: Result<(), Unreachable>,
    /// None without TLS, or without a connection.
    certificate: Option<Result<tls::Certificate, String>>,
    /// None without a connection.
    probed: Option<Result<Probed, ProbeError>>,
    /// None if it does not answer as a broker.
    known: Option<Result<versions::Known, String>>,
}

pub struct Brokers<'c> {
    config: &'c Config,
    bootstrap: Vec<Look>,
    /// The brokers that the cluster names, each with what a look at its address gave; none: it is one of the
    /// configuration.
    advertised: Vec<(AdvertisedBroker, Option<Look>)>,
}

impl<'c> Brokers<'c> {
    /// Looks at all brokers, which takes at most half a minute for each 16 of them.
    pub fn look(config: &'c Config) -> Brokers<'c> {
        let servers = config.kafka.bootstrap_servers.split(',');
        let servers: Vec<String> = servers
            .map(|server| server.trim().to_owned())
            .filter(|server| !server.is_empty())
            .collect();
        let bootstrap = look_at_all(config, &servers);
        let named: BTreeSet<AdvertisedBroker> = bootstrap
            .iter()
            .filter_map(|look| look.probed.as_ref()?.as_ref().ok())
            .flat_map(|probed| probed.brokers.iter().cloned())
            .take(MAX_ADVERTISED)
            .collect();
        let is_known = |broker: &AdvertisedBroker| {
            let mut known = bootstrap.iter();
            known.any(|look| look.host == broker.host && look.port == broker.port)
        };
        let unknown: Vec<&AdvertisedBroker> =
            named.iter().filter(|broker| !is_known(broker)).collect();
        let servers: Vec<String> = unknown.iter().map(|broker| address(broker)).collect();
        let looks = look_at_all(config, &servers).into_iter();
        let mut looks: BTreeMap<&AdvertisedBroker, Look> = unknown.into_iter().zip(looks).collect();
        let advertised = named
            .iter()
            .map(|broker| (broker.clone(), looks.remove(broker)));
        Brokers {
            config,
            advertised: advertised.collect(),
            bootstrap,
        }
    }

    /// Why nothing that rests on Kafka is checkable; `None` if a broker answers.
    pub fn unreached(&self) -> Option<&'static str> {
        let mut all = self.bootstrap.iter();
        let answers = all.any(|look| matches!(look.probed, Some(Ok(_))));
        (!answers).then_some("no broker answers this client")
    }

    pub fn checks(&self) -> Vec<Check> {
        let mut checks: Vec<Check> = Vec::new();
        for look in &self.bootstrap {
            checks.extend(self.of_bootstrap(look));
        }
        checks.push(self.cluster());
        for (broker, look) in &self.advertised {
            checks.push(self.of_advertised(broker, look.as_ref()));
        }
        checks.extend(versions::checks(&self.known()));
        checks
    }

    /// Which requests each broker knows, by its address.
    fn known(&self) -> Vec<(String, Result<versions::Known, String>)> {
        let advertised = self.advertised.iter();
        let looks = advertised.filter_map(|(_, look)| look.as_ref());
        // Of the servers of the configuration, those that are no names of other brokers.
        let is_broker = |look: &&Look| {
            let mut brokers = self.advertised.iter();
            let is_one = brokers.any(|(one, _)| one.host == look.host && one.port == look.port);
            is_one || !matches!(look.probed, Some(Ok(_)))
        };
        let looks = self.bootstrap.iter().filter(is_broker).chain(looks);
        let known = looks.filter_map(|look| {
            let server = self.config.kafka.without_secrets(&look.server);
            Some((server, look.known.clone()?))
        });
        known.collect()
    }

    /// A line for each step: name and connection, TLS, credentials.
    fn of_bootstrap(&self, look: &Look) -> Vec<Check> {
        let server = self.config.kafka.without_secrets(&look.server);
        let mut lines = vec![self.of_connection(look, &server)];
        lines.extend(uses_tls(self.config).then(|| of_tls(look, &server)));
        lines.extend(self.of_credentials(look, &server));
        lines
    }

    fn of_connection(&self, look: &Look, server: &str) -> Check {
        const CHECK: &str = "broker";
        if let Err(unreachable) = &look.connected {
            let (detail, remedy) = in_words(unreachable);
            return Check::bad(CHECK, server, detail, remedy);
        }
        match &look.probed {
            Some(Err(ProbeError::Silent(text))) if look.tls_fault().is_none() => {
                let detail =
                    format!("it accepts connections, but does not answer this client: {text}");
                Check::bad(CHECK, server, detail, PROTOCOL)
            }
            Some(Err(ProbeError::Client(text))) => {
                let detail = format!("no client can be made: {text}");
                Check::bad(
                    CHECK,
                    server,
                    detail,
                    "mend the property in [kafka.properties]",
                )
            }
            Some(Err(ProbeError::Credentials(text))) if mechanism(self.config).is_none() => {
                Check::bad(CHECK, server, text, CREDENTIALS)
            }
            Some(Ok(_)) => Check::good(CHECK, server, "it answers"),
            _ => Check::good(CHECK, server, "it accepts connections"),
        }
    }

    /// None where clients do not authenticate.
    fn of_credentials(&self, look: &Look, server: &str) -> Option<Check> {
        const CHECK: &str = "credentials";
        let mechanism = mechanism(self.config)?;
        let user = self.config.kafka.properties.get("sasl.username");
        let user = user.map_or(String::new(), |user| format!(" as {user}"));
        let reason = match &look.probed {
            Some(Ok(_)) => {
                return Some(Check::good(CHECK, server, format!("{mechanism}{user}")));
            }
            Some(Err(ProbeError::Credentials(text))) => {
                return Some(Check::bad(CHECK, server, text, CREDENTIALS));
            }
            _ if look.tls_fault().is_some() => "TLS does not come about",
            Some(Err(_)) => "the broker does not answer",
            None => NO_CONNECTION,
        };
        Some(Check::not_checkable(CHECK, server, reason))
    }

    /// Which cluster it is, and whether all servers of the configuration belong to it.
    fn cluster(&self) -> Check {
        let probed = self.bootstrap.iter();
        let probed = probed.filter_map(|look| look.probed.as_ref()?.as_ref().ok());
        let answers: Vec<&Probed> = probed.collect();
        if let Some(reason) = self.unreached() {
            return Check::not_checkable("cluster", "", reason);
        }
        let ids = answers.iter().filter_map(|one| one.cluster_id.as_deref());
        let ids: BTreeSet<&str> = ids.collect();
        let ids: Vec<&str> = ids.into_iter().collect();
        let count = self.advertised.len();
        match ids.as_slice() {
            [] => Check::good("cluster", "", format!("brokers: {count}")),
            [id] => Check::good("cluster", "", format!("id {id}, brokers: {count}")),
            ids => Check::bad(
                "cluster",
                "",
                format!(
                    "the servers of the configuration belong to different clusters: {}",
                    ids.join(", ")
                ),
                "name brokers of one cluster in kafka.bootstrap_servers",
            ),
        }
    }

    /// One line with the first step that fails.
    fn of_advertised(&self, broker: &AdvertisedBroker, look: Option<&Look>) -> Check {
        const CHECK: &str = "advertised broker";
        let subject = format!("{} {}", broker.id, address(broker));
        let Some(look) = look else {
            return Check::good(CHECK, subject, "it is one of kafka.bootstrap_servers");
        };
        let advertised = |detail: &str| {
            format!(
                "the cluster gives this address to its clients (advertised.listeners): {detail}"
            )
        };
        if let Err(unreachable) = &look.connected {
            let remedy = "let advertised.listeners of this broker name an address that is reachable from this machine, or make it reachable: keyfold needs every broker";
            return Check::bad(CHECK, subject, advertised(in_words(unreachable).0), remedy);
        }
        if let Some((detail, remedy)) = look.tls_fault() {
            return Check::bad(CHECK, subject, advertised(&detail), remedy);
        }
        match &look.probed {
            None | Some(Ok(_)) => Check::good(CHECK, subject, "it answers"),
            Some(Err(ProbeError::Credentials(text))) => {
                Check::bad(CHECK, subject, text, CREDENTIALS)
            }
            Some(Err(
                ProbeError::Silent(text) | ProbeError::Tls(text) | ProbeError::Client(text),
            )) => {
                let detail = format!("it accepts connections, but does not answer: {text}");
                Check::bad(CHECK, subject, advertised(&detail), PROTOCOL)
            }
        }
    }
}

const CREDENTIALS: &str = "look at kafka.properties.sasl.username, sasl.password and sasl.mechanism; kafka-configs.sh --describe --entity-type users lists the users of SCRAM";
const PROTOCOL: &str = "look at kafka.properties.security.protocol, which must be that of the listener at this port, and at the log of the broker";

const NO_CONNECTION: &str = "there is no connection to it";

fn of_tls(look: &Look, server: &str) -> Check {
    const CHECK: &str = "tls";
    match (&look.certificate, look.tls_fault()) {
        (None, _) => Check::not_checkable(CHECK, server, NO_CONNECTION),
        (_, Some((detail, remedy))) => Check::bad(CHECK, server, detail, remedy),
        (Some(Ok(shown)), None) => {
            let detail = format!(
                "the certificate is trusted, and valid until {}",
                shown.until
            );
            Check::good(CHECK, server, detail)
        }
        (Some(Err(_)), None) => Check::good(CHECK, server, "the connection is encrypted"),
    }
}

impl Look {
    /// What is wrong with TLS, and what mends it. The client of Kafka decides; why, its own words do not always say.
    fn tls_fault(&self) -> Option<(String, &'static str)> {
        const CLIENT_CERTIFICATE: &str = "if the broker asks its clients for a certificate, let kafka.properties.ssl.certificate.location and ssl.key.location name one that it trusts; look at the log of the broker too";
        const NO_TLS: &str = "look at kafka.properties.security.protocol: the listener at this port may not speak TLS";
        let shown = self.certificate.as_ref()?;
        match self.probed.as_ref()? {
            Ok(_) | Err(ProbeError::Credentials(_) | ProbeError::Client(_)) => None,
            Err(ProbeError::Tls(text)) => Some(match shown {
                Ok(certificate) => match &certificate.fault {
                    Some(fault) => (fault.what.clone(), fault.remedy),
                    None => (text.clone(), CLIENT_CERTIFICATE),
                },
                Err(_) => (text.clone(), NO_TLS),
            }),
            Err(ProbeError::Silent(_)) => match shown {
                Err(reason) => Some((format!("no TLS connection comes about: {reason}"), NO_TLS)),
                Ok(certificate) => {
                    let fault = certificate.fault.as_ref()?;
                    Some((fault.what.clone(), fault.remedy))
                }
            },
        }
    }
}

fn in_words(unreachable: &Unreachable) -> (&str, &'static str) {
    match unreachable {
        Unreachable::Name(text) => (
            text,
            "look at the host in kafka.bootstrap_servers, and whether this machine knows the name (DNS, /etc/hosts)",
        ),
        Unreachable::Refused(text) => (
            text,
            "no process listens there: look at the port in kafka.bootstrap_servers, and whether the broker runs",
        ),
        Unreachable::Silent(text) | Unreachable::Other(text) => (
            text,
            "look at the host in kafka.bootstrap_servers, and whether a firewall stands between this machine and the broker",
        ),
    }
}

fn address(broker: &AdvertisedBroker) -> String {
    match broker.host.contains(':') {
        true => format!("[{}]:{}", broker.host, broker.port),
        false => format!("{}:{}", broker.host, broker.port),
    }
}

fn protocol(config: &Config) -> String {
    let protocol = config.kafka.properties.get("security.protocol");
    protocol.map_or(String::new(), |protocol| protocol.to_ascii_lowercase())
}

fn uses_tls(config: &Config) -> bool {
    matches!(protocol(config).as_str(), "ssl" | "sasl_ssl")
}

/// The mechanism of SASL, if it is used.
fn mechanism(config: &Config) -> Option<&str> {
    let properties = &config.kafka.properties;
    let names = ["sasl.mechanism", "sasl.mechanisms"].into_iter();
    let mut given = names.filter_map(|name| properties.get(name));
    let authenticates = protocol(config).starts_with("sasl");
    given.next().map(String::as_str).filter(|_| authenticates)
}

/// Looks at servers, some of them side by side.
fn look_at_all(config: &Config, servers: &[String]) -> Vec<Look> {
    let mut looks = Vec::new();
    for some in servers.chunks(AT_ONCE) {
        std::thread::scope(|scope| {
            let looking: Vec<_> = some
                .iter()
                .map(|server| scope.spawn(|| look_at(config, server)))
                .collect();
            for (server, looking) in some.iter().zip(looking) {
                // a thread that has panicked has said so on standard error
                looks.push(looking.join().unwrap_or_else(|_| Look::failed(server)));
            }
        });
    }
    looks
}

impl Look {
    fn failed(server: &str) -> Look {
        let (host, port) = network::host_and_port(server);
        Look {
            server: server.to_owned(),
            host,
            port,
            connected: Err(Unreachable::Other("the check itself has failed".to_owned())),
            certificate: None,
            probed: None,
            known: None,
        }
    }
}

fn look_at(config: &Config, server: &str) -> Look {
    let (host, port) = network::host_and_port(server);
    let (connected, certificate) = match network::connect(&host, port) {
        Err(unreachable) => (Err(unreachable), None),
        Ok(stream) => {
            let properties = &config.kafka.properties;
            let certificate = uses_tls(config).then(|| tls::look(stream, &host, properties));
            (Ok(()), certificate)
        }
    };
    let probed = connected
        .is_ok()
        .then(|| probe::probe(config, server, CLIENT_TIMEOUT));
    // What accepts connections and does not answer at all is waited for once.
    let answers = match &probed {
        Some(Err(ProbeError::Silent(_) | ProbeError::Tls(_))) => certificate.is_none(),
        Some(_) => true,
        None => false,
    };
    let known = answers.then(|| versions::ask(config, &host, port, uses_tls(config)));
    // A broker that answers its clients is one; of others only an answer counts.
    let known = known.filter(|known| known.is_ok() || matches!(probed, Some(Ok(_))));
    Look {
        server: server.to_owned(),
        host,
        port,
        connected,
        certificate,
        probed,
        known,
    }
}
