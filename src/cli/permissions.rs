//! Whether this client may do what a command is about to do: it is looked at before anything is written.

use crate::config::Config;
use crate::exit::Failure;
use crate::kafka::cluster::Cluster;
use crate::kafka::operators::Needed;
use crate::kafka::permissions::{Permission, refusal};

/// Checks permissions.
///
/// # Errors
/// With a line for each that is missing, which grants it.
pub fn check(cluster: &Cluster, config: &Config, needed: &Needed) -> Result<(), Failure> {
    told(config, &cluster.denied(needed)?)
}

/// The failure that names what is denied, if anything is.
pub fn told(config: &Config, denied: &[Permission]) -> Result<(), Failure> {
    match denied.is_empty() {
        true => Ok(()),
        false => Err(Failure::Service(refusal(denied, &config.kafka))),
    }
}
