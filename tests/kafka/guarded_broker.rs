//! Brokers with users, who may do there only what an ACL grants them. To start one takes seconds, so the tests share one
//! for each way to authenticate. They do not meet there: an ACL is for one user, and for topics, groups and transactional
//! ids of one application, and each test has users and an application of its own.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use keyfold_harness::app::App;
use keyfold_harness::broker::{Broker, BrokerOptions, Security};
use keyfold_harness::slots::Slot;

/// How many users a broker has: at least as many as its tests take together.
const USERS: usize = 48;

struct Shared {
    broker: Broker,
    /// How many of its users the tests have taken.
    taken: AtomicUsize,
}

/// The password of a user, also of `admin`, who may do everything.
pub fn password(user: &str) -> String {
    format!("{user}-secret")
}

/// A keyfold on the broker whose users authenticate so, without topics yet, and `count` users to whom nothing is granted
/// yet. No other test gets them.
pub fn app_with_users(security: Security, count: usize) -> (&'static Broker, App, Vec<String>) {
    let slot = Slot::take();
    let Shared { broker, taken } = shared(security);
    let first = taken.fetch_add(count, Ordering::Relaxed);
    let taken = first..first + count;
    assert!(taken.end <= USERS, "the tests need more than {USERS} users");
    let app = App::on(broker.bootstrap(), broker.client(), slot);
    (broker, app, taken.map(name).collect())
}

fn name(number: usize) -> String {
    format!("user{number}")
}

fn shared(security: Security) -> &'static Shared {
    static PLAIN: OnceLock<Option<Shared>> = OnceLock::new();
    static SCRAM_OVER_TLS: OnceLock<Option<Shared>> = OnceLock::new();
    let (shared, label) = match security {
        Security::Plain => (&PLAIN, "guarded-plain"),
        Security::ScramOverTls => (&SCRAM_OVER_TLS, "guarded-scram"),
    };
    let shared = shared.get_or_init(|| start(security, label));
    let shared = shared.as_ref();
    shared.expect("a broker with users: the test that came first says why there is none")
}

/// Starts a broker, or says on the standard error why not. Its log is named after the thread that starts it: that of the
/// test that comes first would be misleading.
fn start(security: Security, label: &str) -> Option<Shared> {
    let users = (0..USERS).map(name);
    let options = BrokerOptions {
        users: users.map(|user| (user.clone(), password(&user))).collect(),
        security,
        ..BrokerOptions::default()
    };
    let thread = thread::Builder::new().name(label.to_owned());
    let starting = thread.spawn(move || Broker::start(options));
    let broker = starting.expect("a thread").join().ok()?;
    Some(Shared {
        broker,
        taken: AtomicUsize::new(0),
    })
}
