//! `keyfold doctor` before several brokers, old ones, and topics in Avro whose schema does not exist yet.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use keyfold_harness::app::App;
use keyfold_harness::cluster::Cluster;
use keyfold_harness::registry_proxy::RegistryProxy;
use keyfold_harness::slots::Slot;

use crate::doctor::{Doctor, assert_says, on_any_port};

/// Each broker has its lines; one that is away is told, and the rest is checked.
#[test]
#[ignore = "it starts three brokers, which takes a minute"]
fn every_broker_of_a_cluster_is_looked_at() {
    let slot = Slot::take();
    let mut cluster = Cluster::start();
    let mut app = App::on(cluster.bootstrap(), cluster.client(), slot);
    on_any_port(&mut app);
    app.create();
    let doctor = Doctor::of(&app);
    doctor.assert_none_bad();
    assert_eq!(doctor.named("broker").len(), 3, "{}", doctor.said);
    assert_eq!(
        doctor.named("advertised broker").len(),
        3,
        "{}",
        doctor.said
    );
    let version = doctor.named("version");
    assert_eq!(version.len(), 1, "{}", doctor.said);
    assert_eq!(version[0]["detail"], "Kafka 4.0 or newer, brokers: 3");
    assert!(
        doctor
            .named("operators")
            .iter()
            .all(|one| one["result"] == "good")
    );

    // the configuration names one of them, and the cluster the others
    let (first, _) = cluster.bootstrap().split_once(',').expect("three");
    app.set(&["kafka", "bootstrap_servers"], first);
    let doctor = Doctor::of(&app);
    doctor.assert_none_bad();
    assert_eq!(doctor.named("version")[0]["detail"], version[0]["detail"]);

    let servers = cluster.bootstrap().to_owned();
    app.set(&["kafka", "bootstrap_servers"], servers.clone());
    cluster.brokers[2].kill();
    let doctor = Doctor::of(&app);
    assert_eq!(doctor.code, Some(1), "{}", doctor.said);
    let away = doctor.named("broker");
    let away: Vec<_> = away.iter().filter(|one| one["result"] == "bad").collect();
    assert_eq!(away.len(), 1, "{}", doctor.said);
    assert!(servers.ends_with(away[0]["subject"].as_str().expect("a server")));
    assert_eq!(
        doctor
            .named("topic")
            .iter()
            .filter(|one| one["result"] == "not checkable")
            .count(),
        0
    );
    assert_says(doctor.named("version")[0], "detail", "Kafka 4.0 or newer");
}

/// Answers what a broker of Kafka 2.4 does when it is asked which requests it knows, and nothing else.
fn serve_as_old(mut stream: TcpStream) -> std::io::Result<()> {
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let mut request = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut request)?;
        if request[..2] != [0, 18] {
            return Ok(());
        }
        let mut answer = request[4..8].to_vec();
        // the first version of the request is answered, and a later one refused, with the same list: three requests, each
        // with its first and last version: produce, which versions, commit
        let refused = if request[2..4] == [0, 0] { 0 } else { 35 };
        let parts: [i16; 12] = [refused, 0, 3, 0, 0, 8, 18, 0, 0, 28, 0, 2];
        answer.extend(parts.iter().flat_map(|part| part.to_be_bytes()));
        stream.write_all(&u32::try_from(answer.len()).expect("a length").to_be_bytes())?;
        stream.write_all(&answer)?;
    }
}

#[test]
fn a_broker_that_is_too_old_is_bad() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let old = listener.local_addr().expect("its address").to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve_as_old(stream));
        }
    });
    let mut app = App::nowhere();
    on_any_port(&mut app);
    app.set(&["kafka", "bootstrap_servers"], old.clone());
    let doctor = Doctor::of(&app);
    let version = doctor.named("version");
    assert_eq!(version.len(), 1, "{}", doctor.said);
    assert_eq!(
        (&version[0]["subject"], &version[0]["result"]),
        (&old.into(), &"bad".into())
    );
    assert_says(version[0], "detail", "older than Kafka 2.5");
    assert_says(version[0], "remedy", "Kafka 2.5 or newer");
}

/// Its producers register the schema with their first record: that is not bad, and told.
#[test]
fn an_input_in_avro_may_have_no_schema_yet() {
    let proxy = RegistryProxy::start();
    let mut app = App::in_avro(&proxy);
    on_any_port(&mut app);
    app.create();
    let doctor = Doctor::of(&app);
    doctor.assert_none_bad();
    for input in app.inputs() {
        let subject = format!("{input}-value");
        let schemas = doctor.named("schema");
        let mut schemas = schemas.iter();
        let schema = schemas.find(|one| one["subject"] == subject);
        let schema = schema.unwrap_or_else(|| panic!("{subject} in: {}", doctor.said));
        assert_eq!(schema["result"], "not checkable");
        assert_says(schema, "detail", "there is no schema under this subject");
    }
}
