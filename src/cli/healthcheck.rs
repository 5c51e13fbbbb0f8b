//! `keyfold healthcheck`: asks the `keyfold run` on the same machine, for containers without curl.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use crate::checks::listen;
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
    let address: SocketAddr = config
        .http
        .listen
        .parse()
        .map_err(|_| Failure::Usage("http.listen is no address with a port".to_owned()))?;
    let path = if args.ready { "readyz" } else { "healthz" };
    let url = format!("http://{}/{path}", listen::reachable(address));
    let (text, done) = match listen::get(&url, args.timeout, MAX_ANSWER) {
        Ok((200, text)) => (text, Done::Clean),
        Ok((status, text)) => (format!("{status}: {text}"), Done::Found),
        Err(error) => (format!("{url}: {error}"), Done::Found),
    };
    let written = writeln!(io::stdout(), "{}", text.trim_end());
    unless_closed(written, "standard output").map(|()| done)
}
