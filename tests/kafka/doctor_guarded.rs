//! `keyfold doctor` before a broker with SCRAM, TLS and ACLs.

use std::collections::BTreeSet;
use std::fs;
use std::slice;

use keyfold_harness::acls::{Acl, DELETE, DESCRIBE_CONFIGS, READ, WRITE, grant};
use keyfold_harness::app::{App, text_of};
use keyfold_harness::broker::{Broker, Security};
use keyfold_harness::certificates::Certified;

use crate::doctor::{Doctor, assert_says, on_any_port};
use crate::guarded_broker::{app_with_users, password};
use crate::permissions::all_of;

/// A broker with users, a keyfold with all its topics there, and `count` users to whom nothing is granted yet.
fn guarded(count: usize) -> (&'static Broker, App, Vec<String>) {
    let (broker, mut app, users) = app_with_users(Security::ScramOverTls, count);
    on_any_port(&mut app);
    app.create_inputs();
    log_in(&mut app, broker, "admin");
    app.create_outputs();
    (broker, app, users)
}

fn log_in(app: &mut App, broker: &Broker, user: &str) {
    for (name, value) in broker.login(user, &password(user)) {
        app.set(&["kafka", "properties", name], value);
    }
}

/// The settings with which Kafka's own tools work as the super user.
fn admin_properties(app: &App, broker: &Broker) -> String {
    let file = app.file("admin.properties");
    let text = format!(
        "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\n\
         sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username=\"admin\" password=\"admin-secret\";\n\
         ssl.truststore.type=PEM\nssl.truststore.location={}\n",
        broker.authority().display()
    );
    fs::write(&file, text).expect("a file");
    file.to_str().expect("a path of text").to_owned()
}

/// Runs a line that grants a permission, as somebody who may.
fn execute(broker: &Broker, line: &str, properties: &str) {
    let mut words = line.split(' ');
    assert_eq!(words.next(), Some("kafka-acls.sh"), "{line}");
    let args: Vec<&str> = words.chain(["--command-config", properties]).collect();
    broker.tool("org.apache.kafka.tools.AclCommand", &args);
}

/// Each permission in turn is missing: it is the only bad line, with the command that grants it, and that command mends
/// it. Kafka's tool takes seconds to start, so of the commands that differ in names only it runs the first, and what the
/// others say is granted without it.
#[test]
fn each_missing_permission_is_mended_by_its_line() {
    let count = 14;
    let (broker, mut app, users) = guarded(count);
    let properties = admin_properties(&app, broker);
    let all = all_of(&app);
    // of the inputs one is enough
    let inputs = &app.inputs()[1..];
    let missing: Vec<&Acl> = all
        .iter()
        .filter(|one| !inputs.contains(&one.name))
        .collect();
    assert_eq!(missing.len(), count);
    let mut executed = BTreeSet::new();
    for (missing, user) in missing.into_iter().zip(&users) {
        let rest: Vec<Acl> = all.iter().filter(|one| *one != missing).cloned().collect();
        grant(&app.client, user, &rest);
        log_in(&mut app, broker, user);
        let doctor = Doctor::of(&app);
        let bad = doctor.only_bad("permission");
        let line = bad["remedy"].as_str().expect("a line");
        let arguments = missing.arguments();
        let server = broker.bootstrap();
        let expected = format!(
            "kafka-acls.sh --bootstrap-server {server} --add --allow-principal User:{user} {arguments}"
        );
        assert_eq!(line, expected, "{}", doctor.said);
        match executed.insert(arguments.replace(&missing.name, "")) {
            true => execute(broker, line, &properties),
            false => grant(&app.client, user, slice::from_ref(missing)),
        }
        let doctor = Doctor::of(&app);
        doctor.assert_none_bad();
        assert!(!doctor.said.contains("-secret"), "{}", doctor.said);
    }
}

/// A user with all permissions has no bad line; one with none has a line for each that is missing.
#[test]
fn all_permissions_or_none() {
    let (broker, mut app, users) = guarded(2);
    let (shop, stranger) = (&users[0], &users[1]);
    let all = all_of(&app);
    grant(&app.client, shop, &all);
    log_in(&mut app, broker, shop);
    let doctor = Doctor::of(&app);
    doctor.assert_none_bad();
    let server = broker.bootstrap();
    let credentials = format!("SCRAM-SHA-512 as {shop}");
    for (name, part) in [
        ("tls", "valid until"),
        ("credentials", credentials.as_str()),
    ] {
        let check = doctor.named(name)[0];
        assert_eq!(
            (&check["subject"], &check["result"]),
            (&server.into(), &"good".into())
        );
        assert_says(check, "detail", part);
    }
    // the settings of inputs need not be readable
    let timestamps = doctor.named("timestamps");
    assert_eq!(timestamps.len(), 1, "{}", doctor.said);
    assert_eq!(timestamps[0]["result"], "not checkable");
    let acl = Acl::topic(&app.inputs()[0], DESCRIBE_CONFIGS);
    assert_says(timestamps[0], "remedy", &acl.arguments());

    log_in(&mut app, broker, stranger);
    let doctor = Doctor::of(&app);
    assert_eq!(doctor.code, Some(1));
    let bad = doctor.with("bad");
    assert_eq!(bad.len(), all.len(), "{}", doctor.said);
    for acl in &all {
        let line = acl.arguments();
        let is_told = bad.iter().any(|one| {
            let remedy = one["remedy"].as_str().expect("a line");
            one["check"] == "permission" && remedy.ends_with(&line)
        });
        assert!(is_told, "{line} in: {}", doctor.said);
    }
    for operation in [READ, WRITE, DELETE] {
        assert!(all.iter().any(|one| one.operation == operation));
    }
}

/// What the client calls a failure is told apart, each with the setting that mends it.
#[test]
fn credentials_and_certificates_are_told_apart() {
    let (broker, mut app, users) = guarded(1);
    let shop = &users[0];
    grant(&app.client, shop, &all_of(&app));
    log_in(&mut app, broker, shop);
    app.set(&["kafka", "properties", "sasl.password"], "hunter2-wrong");
    let doctor = Doctor::of(&app);
    let credentials = doctor.only_bad("credentials");
    assert_says(credentials, "detail", "invalid credentials");
    assert_says(credentials, "remedy", "sasl.password");
    assert_eq!(doctor.named("tls")[0]["result"], "good", "{}", doctor.said);
    assert_eq!(doctor.named("permission")[0]["result"], "not checkable");
    let said = text_of(&app.command(&["doctor"], b""));
    assert!(!(said + &doctor.said).contains("hunter2"));

    log_in(&mut app, broker, shop);
    let other = app.file("other.pem");
    fs::write(&other, Certified::authority("somebody else").pem()).expect("a file");
    let other = other.to_str().expect("a path of text");
    app.set(&["kafka", "properties", "ssl.ca.location"], other);
    let doctor = Doctor::of(&app);
    let tls = doctor.only_bad("tls");
    assert_says(tls, "detail", "it was issued by authority of the tests");
    assert_says(tls, "remedy", "ssl.ca.location");
    assert_eq!(doctor.named("credentials")[0]["result"], "not checkable");

    log_in(&mut app, broker, shop);
    app.set(
        &["kafka", "properties", "security.protocol"],
        "SASL_PLAINTEXT",
    );
    let doctor = Doctor::of(&app);
    let protocol = doctor.only_bad("broker");
    assert_says(protocol, "remedy", "security.protocol");
}
