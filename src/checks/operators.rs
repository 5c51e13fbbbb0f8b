//! The permissions that the commands for operators need and `run` does not. Whoever gives such a command may have other
//! credentials than `run`, so nothing here is bad: it is told what this client lacks.

use super::Check;
use crate::config::Config;
use crate::kafka::cluster::Cluster;
use crate::kafka::operators::Needed;
use crate::kafka::permissions::Permission;

const CHECK: &str = "operators";

/// A line for each kind of command.
pub fn check(config: &Config, cluster: &Cluster) -> Vec<Check> {
    let commands = [
        ("dlq list, show, export", Needed::to_read_letters(config)),
        ("dlq discard", Needed::to_settle_letters(config)),
        ("dlq replay", Needed::to_replay_letters(config)),
        ("audit, explain", Needed::to_audit(config)),
        ("erase", Needed::to_erase(config)),
    ];
    let all = commands.each_ref().map(|(_, needed)| needed);
    match cluster.denied(&Needed::union(&all)) {
        Ok(denied) => commands
            .iter()
            .map(|(command, needed)| of_command(config, command, needed, &denied))
            .collect(),
        Err(error) => {
            let reason = config.kafka.without_secrets(&error.to_string());
            vec![Check::not_checkable(CHECK, "", reason)]
        }
    }
}

fn of_command(config: &Config, command: &str, needed: &Needed, denied: &[Permission]) -> Check {
    let denied = denied.iter().filter(|one| needed.has(one));
    let grants: Vec<String> = denied.map(|one| one.grant(&config.kafka)).collect();
    match grants.len() {
        0 => Check::good(CHECK, command, "this client has the permissions for it"),
        count => Check::not_checkable(
            CHECK,
            command,
            format!(
                "`run` does not need it, and this client lacks {count} permissions for it; whoever gives the command may have other credentials"
            ),
        )
        .with_remedy(grants.join("\n")),
    }
}
