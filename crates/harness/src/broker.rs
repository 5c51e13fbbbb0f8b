//! A real Apache Kafka for the tests: one process, KRaft, jars from Maven Central.

mod java;
mod secure;

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tempfile::TempDir;

use crate::child::Guarded;
use crate::client::Client;
use crate::downloads;
use crate::ports::free_port;
use crate::wait::within;

use java::Flags;
pub(crate) use java::SHORT_LIVED;

const POM: &str = include_str!("pom.xml");
const CLUSTER_ID: &str = "a2V5Zm9sZC10ZXN0cy0wMA";
const SUPER_USER: (&str, &str) = ("admin", "admin-secret");
const UP_LIMIT: Duration = Duration::from_secs(60);
const OUTSIDE_LIMIT: Duration = Duration::from_secs(15);
const DOWN_LIMIT: Duration = Duration::from_secs(30);

/// One node does all. Time limits are short, so that the loss of a member or an open transaction
/// is noticed within a test. Records with old timestamps must not vanish by retention.
const SETTINGS: &str = "\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
inter.broker.listener.name=CLIENT
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
auto.create.topics.enable=false
log.retention.ms=-1
offsets.topic.num.partitions=3
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=3
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.coordinator.rebalance.protocols=classic,consumer
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.min.session.timeout.ms=1000
group.consumer.session.timeout.ms=6000
group.consumer.min.heartbeat.interval.ms=100
group.consumer.heartbeat.interval.ms=500
log.cleaner.dedupe.buffer.size=8388608
log.index.size.max.bytes=1048576
num.network.threads=2
num.io.threads=4
";

/// The bootstrap servers of the broker that all tests of this process share:
/// `KEYFOLD_TEST_BOOTSTRAP` where it is set, else one that is started now.
pub fn bootstrap() -> &'static str {
    static SHARED: OnceLock<Result<Shared, String>> = OnceLock::new();
    match SHARED.get_or_init(Shared::find) {
        Ok(Shared::Outside(servers)) => servers,
        Ok(Shared::Own(broker)) => broker.bootstrap(),
        Err(reason) => panic!("no Kafka for the tests: {reason}"),
    }
}

enum Shared {
    Outside(String),
    Own(Box<Broker>),
}

impl Shared {
    fn find() -> Result<Shared, String> {
        match std::env::var("KEYFOLD_TEST_BOOTSTRAP") {
            Ok(servers) if !servers.is_empty() => {
                let client = Client::new(&servers);
                let up = within(OUTSIDE_LIMIT, || answers(&client.config()).then_some(()));
                up.map(|()| Shared::Outside(servers))
                    .ok_or_else(|| "KEYFOLD_TEST_BOOTSTRAP names none that answers".to_owned())
            }
            _ => Broker::try_start(BrokerOptions::default(), "shared", &[])
                .map(|broker| Shared::Own(Box::new(broker))),
        }
    }
}

/// What a test's own broker does differently.
#[derive(Clone, Debug, Default)]
pub struct BrokerOptions {
    /// Names and passwords. When there are any, clients must authenticate, and
    /// an authorizer refuses them everything that no ACL allows.
    pub users: Vec<(String, String)>,
    /// How they authenticate.
    pub security: Security,
    /// Further broker settings, which win over the usual ones.
    pub settings: Vec<(String, String)>,
    /// The ports of the clients' and of the controllers' listener; none: free ones.
    pub ports: Option<(u16, u16)>,
}

/// How users authenticate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Security {
    /// SASL/PLAIN, without TLS.
    #[default]
    Plain,
    /// SCRAM-SHA-512 over TLS, with a certificate that [`Broker::authority`] has signed.
    ScramOverTls,
}

/// A broker that keeps its port and its data over restarts. Dropping it removes both.
pub struct Broker {
    libs: PathBuf,
    home: TempDir,
    log: PathBuf,
    servers: String,
    options: BrokerOptions,
    /// Further flags of the JVM that it runs in.
    flags: Flags,
    process: Option<Guarded>,
}

impl Broker {
    /// Starts a broker for one test and waits until it answers.
    pub fn start(options: BrokerOptions) -> Broker {
        let thread = std::thread::current();
        let label = thread.name().unwrap_or("own").replace("::", "-");
        Broker::try_start(options, &label, SHORT_LIVED)
            .unwrap_or_else(|reason| panic!("no Kafka for the test: {reason}"))
    }

    fn try_start(options: BrokerOptions, label: &str, flags: Flags) -> Result<Broker, String> {
        java::check()?;
        let libs = downloads::filled("libs", POM, java::fetch_jars)?;
        let home = tempfile::Builder::new()
            .prefix("keyfold-kafka-")
            .tempdir()
            .map_err(|e| format!("a directory for the broker's data: {e}"))?;
        let ports = options.ports;
        let (client, controller) = ports.unwrap_or_else(|| (free_port(), free_port()));
        secure::write_certificates(home.path(), options.security)?;
        let settings = home.path().join("server.properties");
        fs::write(
            &settings,
            server_properties(&options, home.path(), client, controller),
        )
        .map_err(|e| format!("the broker's settings: {e}"))?;
        let log = downloads::dir().join(format!("broker-{label}.log"));
        fs::write(&log, "").map_err(|e| format!("the broker's log: {e}"))?;
        let mut broker = Broker {
            libs,
            home,
            log,
            servers: format!("127.0.0.1:{client}"),
            options,
            flags,
            process: None,
        };
        broker.format()?;
        broker.run()?;
        Ok(broker)
    }

    /// The bootstrap servers.
    pub fn bootstrap(&self) -> &str {
        &self.servers
    }

    /// A client that may do everything here.
    pub fn client(&self) -> Client {
        let client = Client::new(&self.servers);
        if self.options.users.is_empty() {
            client
        } else {
            client.with(&self.login(SUPER_USER.0, SUPER_USER.1))
        }
    }

    /// librdkafka's properties for a user of it.
    pub fn login(&self, user: &str, password: &str) -> Vec<(&'static str, String)> {
        match self.options.security {
            Security::Plain => sasl_properties(user, password).into(),
            Security::ScramOverTls => secure::properties(user, password, &self.authority()),
        }
    }

    /// The file with the certificate of the authority that signed the broker's.
    pub fn authority(&self) -> PathBuf {
        secure::authority(self.home.path())
    }

    /// What it has said since it was made.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Where its logs are.
    pub fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// Runs one of Kafka's command-line tools to its end.
    #[track_caller]
    pub fn tool(&self, class: &str, args: &[&str]) {
        let mut command = self.java(SHORT_LIVED, class);
        let output = command.args(args).output().expect("java");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{class} {args:?}: {text}");
    }

    /// Stops the broker in good order.
    pub fn stop(&mut self) {
        self.end("TERM");
    }

    /// Kills the broker, as a crash would.
    pub fn kill(&mut self) {
        self.end("KILL");
    }

    /// Starts the broker again with the port and the data it had, and waits until it answers.
    pub fn restart(&mut self) {
        if self.process.is_some() {
            self.stop();
        }
        self.run().unwrap_or_else(|reason| panic!("{reason}"));
    }

    fn end(&mut self, signal: &str) {
        if let Some(mut process) = self.process.take() {
            process.signal(signal);
            process.wait(DOWN_LIMIT);
        }
    }

    fn format(&self) -> Result<(), String> {
        let output = self
            .java(SHORT_LIVED, "kafka.tools.StorageTool")
            .args(["format", "--cluster-id", CLUSTER_ID, "--config"])
            .arg(self.home.path().join("server.properties"))
            .args(self.scram_users())
            .output()
            .map_err(|e| format!("run java: {e}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!(
            "the broker's storage could not be formatted:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ))
    }

    /// The arguments that give a broker its users of SCRAM.
    fn scram_users(&self) -> Vec<String> {
        let users = self.options.users.iter();
        let users = users.map(|(user, password)| (user.as_str(), password.as_str()));
        match self.options.security {
            Security::Plain => Vec::new(),
            Security::ScramOverTls => secure::users(users.chain([SUPER_USER])),
        }
    }

    fn run(&mut self) -> Result<(), String> {
        let mut command = self.java(self.flags, "kafka.Kafka");
        command.arg(self.home.path().join("server.properties"));
        let mut process = Guarded::spawn(&command, &self.log, self.home.path());
        let config = self.client().config();
        let servers = self.servers.clone();
        let up = within(UP_LIMIT, || {
            if let Some(status) = process.ended() {
                return Some(Err(format!(
                    "the broker ended ({status}):\n{}",
                    process.log_tail()
                )));
            }
            let open = TcpStream::connect(&servers).is_ok();
            (open && answers(&config)).then_some(Ok(()))
        });
        let up = up.unwrap_or_else(|| {
            Err(format!(
                "the broker did not answer within {UP_LIMIT:?}:\n{}",
                process.log_tail()
            ))
        });
        self.process = Some(process);
        up
    }

    fn java(&self, flags: Flags, class: &str) -> Command {
        let mut command = java::command(flags);
        command
            .arg("-cp")
            .arg(self.libs.join("*"))
            .arg(class)
            .current_dir(self.home.path());
        command
    }
}

/// librdkafka's properties for SASL/PLAIN.
pub fn sasl_properties(user: &str, password: &str) -> [(&'static str, String); 4] {
    [
        ("security.protocol", "SASL_PLAINTEXT".into()),
        ("sasl.mechanism", "PLAIN".into()),
        ("sasl.username", user.into()),
        ("sasl.password", password.into()),
    ]
}

fn server_properties(options: &BrokerOptions, home: &Path, client: u16, controller: u16) -> String {
    let protocol = match options.security {
        _ if options.users.is_empty() => "PLAINTEXT",
        Security::Plain => "SASL_PLAINTEXT",
        Security::ScramOverTls => "SASL_SSL",
    };
    let mut text = String::from(SETTINGS);
    let mut set = |key: &str, value: &str| text.push_str(&format!("{key}={value}\n"));
    set(
        "listeners",
        &format!("CLIENT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}"),
    );
    set(
        "advertised.listeners",
        &format!("CLIENT://127.0.0.1:{client}"),
    );
    set(
        "listener.security.protocol.map",
        &format!("CLIENT:{protocol},CONTROLLER:PLAINTEXT"),
    );
    set(
        "controller.quorum.voters",
        &format!("1@127.0.0.1:{controller}"),
    );
    set("log.dirs", &home.join("data").to_string_lossy());
    if !options.users.is_empty() {
        let (name, password) = SUPER_USER;
        for (key, value) in secure::settings(home, options.security, SUPER_USER) {
            set(key, &value);
        }
        let mut jaas = format!(
            "org.apache.kafka.common.security.plain.PlainLoginModule required \
             username=\"{name}\" password=\"{password}\" user_{name}=\"{password}\""
        );
        for (user, password) in &options.users {
            jaas.push_str(&format!(" user_{user}=\"{password}\""));
        }
        jaas.push(';');
        if options.security == Security::Plain {
            set("sasl.enabled.mechanisms", "PLAIN");
            set("sasl.mechanism.inter.broker.protocol", "PLAIN");
            set("listener.name.client.plain.sasl.jaas.config", &jaas);
        }
        set(
            "authorizer.class.name",
            "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        );
        // The controller's listener knows no users: the node itself comes as ANONYMOUS there.
        set("super.users", &format!("User:{name};User:ANONYMOUS"));
    }
    for (key, value) in &options.settings {
        set(key, value);
    }
    text
}

fn answers(config: &ClientConfig) -> bool {
    let consumer: BaseConsumer = config.create().expect("a client");
    consumer
        .fetch_metadata(None, Duration::from_secs(2))
        .is_ok_and(|metadata| !metadata.brokers().is_empty())
}
