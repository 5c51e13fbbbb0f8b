//! Three brokers: every topic has three replicas, of which two must have a record before it counts.

use std::thread;

use crate::broker::{Broker, BrokerOptions};
use crate::client::Client;
use crate::ports::free_port;

pub struct Cluster {
    pub brokers: Vec<Broker>,
    bootstrap: String,
}

impl Cluster {
    pub fn start() -> Cluster {
        let ports: Vec<(u16, u16)> = (0..3).map(|_| (free_port(), free_port())).collect();
        let voters = ports.iter().enumerate();
        let voters =
            voters.map(|(at, (_, controller))| format!("{}@127.0.0.1:{controller}", at + 1));
        let voters = voters.collect::<Vec<_>>().join(",");
        let servers = ports
            .iter()
            .map(|(client, _)| format!("127.0.0.1:{client}"));
        let bootstrap = servers.collect::<Vec<_>>().join(",");
        // none answers before there are two
        let starting = ports.iter().enumerate().map(|(at, ports)| {
            let settings = settings(at + 1, &voters);
            let options = BrokerOptions {
                settings,
                ports: Some(*ports),
                ..BrokerOptions::default()
            };
            let named = thread::Builder::new().name(format!("node-{}", at + 1));
            named.spawn(|| Broker::start(options)).expect("a thread")
        });
        let starting: Vec<_> = starting.collect();
        let brokers = starting
            .into_iter()
            .map(|one| one.join().expect("a broker"));
        Cluster {
            brokers: brokers.collect(),
            bootstrap,
        }
    }

    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    pub fn client(&self) -> Client {
        Client::new(&self.bootstrap)
    }
}

fn settings(node: usize, voters: &str) -> Vec<(String, String)> {
    let node = node.to_string();
    let settings = [
        ("node.id", node.as_str()),
        ("controller.quorum.voters", voters),
        ("default.replication.factor", "3"),
        ("min.insync.replicas", "2"),
        ("offsets.topic.replication.factor", "3"),
        ("transaction.state.log.replication.factor", "3"),
        ("transaction.state.log.min.isr", "2"),
        ("leader.imbalance.check.interval.seconds", "2"),
        ("replica.lag.time.max.ms", "5000"),
        ("controller.quorum.election.timeout.ms", "500"),
        ("controller.quorum.fetch.timeout.ms", "1000"),
    ];
    settings
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}
