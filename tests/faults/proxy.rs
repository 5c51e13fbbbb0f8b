//! A TCP proxy between keyfold and a broker, which understands so much of Kafka's protocol as it takes to lose a
//! message of one kind.
//!
//! A message is a length of 4 bytes and as many more. A request begins with its kind (2 bytes), its version (2) and
//! a number (4), which its answer begins with.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::tally::{TALLY, add};
use keyfold_harness::broker::{Broker, BrokerOptions};
use keyfold_harness::ports::free_port;

/// Kinds of requests, by Kafka's numbers.
pub const PRODUCE: i16 = 0;
pub const FETCH: i16 = 1;
pub const LIST_OFFSETS: i16 = 2;
pub const METADATA: i16 = 3;
pub const INIT_PRODUCER_ID: i16 = 22;
pub const ADD_PARTITIONS_TO_TXN: i16 = 24;
pub const ADD_OFFSETS_TO_TXN: i16 = 25;
pub const END_TXN: i16 = 26;
pub const TXN_OFFSET_COMMIT: i16 = 28;
pub const DESCRIBE_CONFIGS: i16 = 32;

const LONGEST: usize = 128 << 20;

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Request,
    Answer,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Pass,
    /// It gets lost, and nothing else happens.
    Lose,
    /// It gets lost, and so does all that comes after it on its connection, which stays open.
    Stall,
    /// It gets lost, and its connection is cut.
    Cut,
}

type Rule = Box<dyn FnMut(i16, Way) -> Fate + Send>;

#[derive(Default)]
struct Shared {
    rule: Mutex<Option<Rule>>,
    /// Milliseconds that every message waits.
    delay: AtomicU64,
    /// New connections are cut at once.
    refuses: AtomicBool,
    links: Mutex<Vec<Arc<Link>>>,
}

/// A connection: the client's side and the broker's.
struct Link {
    client: TcpStream,
    broker: TcpStream,
    /// Nothing passes any more, and nobody is told.
    half_open: AtomicBool,
    /// Kinds of the requests whose answers are awaited, by their numbers.
    awaited: Mutex<HashMap<i32, i16>>,
    ended: AtomicBool,
}

/// It listens until the test process ends.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

impl Proxy {
    /// Passes connections on to a port of this machine.
    pub fn start(to: u16) -> Proxy {
        let port = free_port();
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("a port for the proxy");
        let shared = Arc::new(Shared::default());
        let its = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if !its.refuses.load(Ordering::Relaxed) {
                    let to = SocketAddr::from(([127, 0, 0, 1], to));
                    connect(client, to, &its);
                }
            }
        });
        Proxy { port, shared }
    }

    /// A broker with a second listener, which clients that begin with the proxy's address reach through it alone.
    pub fn before_a_broker(mut options: BrokerOptions) -> (Broker, Proxy) {
        let (client, controller, behind) = (free_port(), free_port(), free_port());
        let proxy = Proxy::start(behind);
        options.ports = Some((client, controller));
        let local = |name: &str, port: u16| format!("{name}://127.0.0.1:{port}");
        let settings = [
            (
                "listeners",
                [
                    local("CLIENT", client),
                    local("PROXIED", behind),
                    local("CONTROLLER", controller),
                ]
                .join(","),
            ),
            (
                "advertised.listeners",
                [local("CLIENT", client), local("PROXIED", proxy.port)].join(","),
            ),
            (
                "listener.security.protocol.map",
                "CLIENT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned(),
            ),
        ];
        let settings = settings.map(|(key, value)| (key.to_owned(), value));
        options.settings.extend(settings);
        (Broker::start(options), proxy)
    }

    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// From now on `rule` says what becomes of each message, given the kind of its request.
    pub fn rule(&self, rule: impl FnMut(i16, Way) -> Fate + Send + 'static) {
        *self.shared.rule.lock().expect("no panic before") = Some(Box::new(rule));
    }

    /// Cuts all connections there are.
    pub fn cut(&self) {
        let links = std::mem::take(&mut *self.shared.links.lock().expect("no panic before"));
        let open = links.iter().filter(|link| !link.ended());
        add(&TALLY.cut_connections, open.count() as u64);
        for link in links {
            link.end();
        }
    }

    /// Leaves all connections open that there are, and lets nothing through them.
    pub fn half_open(&self) {
        for link in self.shared.links.lock().expect("no panic before").iter() {
            if !link.ended() && !link.half_open.swap(true, Ordering::Relaxed) {
                add(&TALLY.half_open, 1);
            }
        }
    }

    /// Cuts all connections, and each new one at once, until it is told otherwise.
    pub fn refuse(&self, refuses: bool) {
        self.shared.refuses.store(refuses, Ordering::Relaxed);
        if refuses {
            self.cut();
        }
    }

    /// Lets every message wait.
    pub fn delay(&self, wait: Duration) {
        let millis = wait.as_millis() as u64;
        self.shared.delay.store(millis, Ordering::Relaxed);
    }

    /// Does no harm any more. What is half open is cut.
    pub fn heal(&self) {
        *self.shared.rule.lock().expect("no panic before") = None;
        self.delay(Duration::ZERO);
        self.refuse(false);
        for link in self.shared.links.lock().expect("no panic before").iter() {
            if link.half_open.load(Ordering::Relaxed) {
                link.end();
            }
        }
    }
}

impl Link {
    fn ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.broker.shutdown(Shutdown::Both);
    }

    /// The kind of a message's request.
    fn kind(&self, way: Way, message: &[u8]) -> Option<i16> {
        let mut awaited = self.awaited.lock().expect("no panic before");
        let number = |at: usize| {
            Some(i32::from_be_bytes(
                message.get(at..at + 4)?.try_into().ok()?,
            ))
        };
        match way {
            Way::Request => {
                let kind = i16::from_be_bytes(message.get(..2)?.try_into().ok()?);
                awaited.insert(number(4)?, kind);
                Some(kind)
            }
            Way::Answer => awaited.remove(&number(0)?),
        }
    }
}

fn connect(client: TcpStream, to: SocketAddr, shared: &Arc<Shared>) {
    let Ok(broker) = TcpStream::connect(to) else {
        return;
    };
    let (Ok(from_client), Ok(from_broker)) = (client.try_clone(), broker.try_clone()) else {
        return;
    };
    for side in [&client, &broker] {
        let _ = side.set_nodelay(true);
    }
    let link = Arc::new(Link {
        client,
        broker,
        half_open: AtomicBool::new(false),
        awaited: Mutex::default(),
        ended: AtomicBool::new(false),
    });
    let mut links = shared.links.lock().expect("no panic before");
    links.retain(|link| !link.ended());
    links.push(Arc::clone(&link));
    for (from, way) in [(from_client, Way::Request), (from_broker, Way::Answer)] {
        let (link, shared) = (Arc::clone(&link), Arc::clone(shared));
        std::thread::spawn(move || {
            pass_on(from, way, &link, &shared);
            link.end();
        });
    }
}

/// Passes messages on in one direction, until one side has closed.
fn pass_on(mut from: TcpStream, way: Way, link: &Link, shared: &Shared) -> Option<()> {
    let mut to = match way {
        Way::Request => &link.broker,
        Way::Answer => &link.client,
    };
    let mut message = Vec::new();
    loop {
        let mut length = [0; 4];
        from.read_exact(&mut length).ok()?;
        let size = u32::from_be_bytes(length) as usize;
        if size > LONGEST {
            return None;
        }
        message.clear();
        message.extend_from_slice(&length);
        message.resize(4 + size, 0);
        from.read_exact(&mut message[4..]).ok()?;
        let kind = link.kind(way, &message[4..]);
        let delay = shared.delay.load(Ordering::Relaxed);
        if delay > 0 {
            std::thread::sleep(Duration::from_millis(delay));
        }
        if link.half_open.load(Ordering::Relaxed) {
            continue;
        }
        let fate = match (kind, &mut *shared.rule.lock().expect("no panic before")) {
            (Some(kind), Some(rule)) => rule(kind, way),
            _ => Fate::Pass,
        };
        match fate {
            Fate::Pass => to.write_all(&message).ok()?,
            Fate::Lose => {}
            Fate::Stall => link.half_open.store(true, Ordering::Relaxed),
            Fate::Cut => return None,
        }
    }
}
