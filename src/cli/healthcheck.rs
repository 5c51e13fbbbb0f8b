//! `keyfold healthcheck`: asks the `keyfold run` on the same machine, for containers without curl.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ureq::Agent;

use crate::config::Config;
use crate::exit::{Done, Failure, unless_closed};

/// The longest answer that is printed, in bytes.
const MAX_ANSWER: u64 = 16 * 1024;

/// Ask the `keyfold run` of this configuration on this machine whether it works.
///
/// Exits with 0 if it does, and with 1 if it does not, or does not answer.
#[derive(Debug, clap::Args)]
pub struct HealthcheckArgs {
    /// Ask whether it is ready (`/readyz`), and not only whether it works (`/healthz`)
    #[arg(long)]
    ready: bool,
    /// How long to wait for the answer
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

pub fn run(config: &Config, args: &HealthcheckArgs) -> Result<Done, Failure> {
    let listen: SocketAddr = config
        .http
        .listen
        .parse()
        .map_err(|_| Failure::Usage("http.listen is no address with a port".to_owned()))?;
    let path = if args.ready { "readyz" } else { "healthz" };
    let url = format!("http://{}/{path}", reachable(listen));
    let (text, done) = match ask(&url, args.timeout) {
        Ok((200, text)) => (text, Done::Clean),
        Ok((status, text)) => (format!("{status}: {text}"), Done::Found),
        Err(error) => (format!("{url}: {error}"), Done::Found),
    };
    let written = writeln!(io::stdout(), "{}", text.trim_end());
    unless_closed(written, "standard output").map(|()| done)
}

/// The address at which a server that listens on `listen` is reachable from its own machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

fn ask(url: &str, timeout: Duration) -> Result<(u16, String), ureq::Error> {
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
        .limit(MAX_ANSWER)
        .read_to_string()?;
    Ok((answer.status().as_u16(), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_all_addresses_is_asked_on_the_loopback() {
        let reachable = |listen: &str| reachable(listen.parse().unwrap()).to_string();
        assert_eq!(reachable("0.0.0.0:9464"), "127.0.0.1:9464");
        assert_eq!(reachable("[::]:9464"), "[::1]:9464");
        assert_eq!(reachable("10.1.2.3:80"), "10.1.2.3:80");
    }
}
