//! The store on disk: restarts, other topics, other processes and damage.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyfold_harness::app::{App, LIMIT, faulty, text_of};
use keyfold_harness::expected::Repeats;
use keyfold_harness::metrics::sum;
use keyfold_harness::program::Keyfold;
use keyfold_harness::record::Record;

const CUSTOMERS: &str = "keyfold_state_customers";
const BYTES: &str = "keyfold_state_bytes";

fn on_disk() -> App {
    let mut app = App::new();
    let directory = app.file("state");
    app.set(&["state", "store"], "disk");
    app.set(&["state", "directory"], directory.to_str().expect("a path"));
    app.set(&["processing", "workers"], 2);
    app
}

fn restored(keyfold: &Keyfold) -> f64 {
    sum(&keyfold.metrics(), "keyfold_restore_records_total", &[])
}

fn customers(keyfold: &Keyfold) -> f64 {
    sum(&keyfold.metrics(), CUSTOMERS, &[])
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}

/// Killed under load, again and again, an instance takes its state up where it was.
fn kill_and_restart(guarantee: &str, protocol: &str, repeats: Repeats) {
    let mut app = on_disk();
    app.set_protocol(protocol);
    app.set(&["processing", "guarantee"], guarantee);
    app.set(&["processing", "max_batch_records"], 500);
    app.create();
    let mut stream = app.stream(faulty(43, 5_000));
    let load: Vec<Record> = stream.by_ref().take(20_000).collect();
    app.client.produce(&load);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    let [known] = keyfold.steady([CUSTOMERS]);
    assert!(known > 2_000.0, "{known}");
    for _ in 0..3 {
        let some: Vec<Record> = stream.by_ref().take(4_000).collect();
        let before = sum(&keyfold.metrics(), "keyfold_records_total", &[]);
        app.client.produce(&some);
        keyfold.wait_for(LIMIT, "to commit", |keyfold| {
            let (_, _) = keyfold.http_get("/metrics")?;
            let now = sum(&keyfold.metrics(), "keyfold_records_total", &[]);
            (now > before).then_some(())
        });
        keyfold.kill9();
        keyfold = app.run_ready();
        // at the most what the last batches committed and the store had not taken over
        let restored = restored(&keyfold);
        assert!(restored < known / 2.0, "{restored} of {known}");
    }
    app.wait_drained(&mut keyfold);
    app.assert_folded(repeats);
    let known = keyfold.steady([CUSTOMERS, BYTES]);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());

    // the store in memory reads it all back, and has the same
    drop(stream);
    app.set(&["state", "store"], "memory");
    let mut keyfold = app.run_ready();
    // ready is who has restored what it owns: while the second worker joins, no worker may own some partitions
    keyfold.wait_for(LIMIT, "the whole state in memory", |keyfold| {
        let metrics = keyfold.metrics();
        let in_memory = [CUSTOMERS, BYTES].map(|name| sum(&metrics, name, &[]));
        (in_memory == known).then_some(())
    });
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}

#[test]
fn a_state_on_disk_survives_kill_9() {
    kill_and_restart("exactly_once", "classic", Repeats::Forbidden);
}

#[test]
fn a_state_on_disk_survives_kill_9_with_the_consumer_protocol() {
    kill_and_restart("exactly_once", "consumer", Repeats::Forbidden);
}

#[test]
fn a_state_on_disk_survives_kill_9_at_least_once() {
    kill_and_restart("at_least_once", "classic", Repeats::Allowed);
}

/// Runs to the end of the inputs, which must give the fold, and says how much was restored, and the log.
fn run_to_the_end(app: &App) -> (f64, String) {
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    let restored = restored(&keyfold);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
    app.assert_folded(Repeats::Forbidden);
    (restored, keyfold.log())
}

#[test]
fn a_store_of_a_recreated_state_topic_is_rebuilt() {
    let app = on_disk();
    app.create();
    let records: Vec<Record> = app.stream(faulty(44, 500)).take(3_000).collect();
    app.client.produce(&records);
    run_to_the_end(&app);
    let (again, log) = run_to_the_end(&app);
    // a checkpoint lags by the markers of some transactions
    assert!(again < 100.0, "{again}\n{log}");
    assert!(!log.contains("deleted and rebuilt"), "{log}");

    let output = app.command(&["topics", "reset", "--yes"], b"");
    assert_eq!(output.status.code(), Some(0), "{}", text_of(&output));
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    let log = keyfold.log();
    assert!(
        log.contains("the state store is deleted and rebuilt"),
        "{log}"
    );
    let [of_log] = keyfold.steady([CUSTOMERS]);
    assert!(of_log > 0.0);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}

#[test]
fn a_directory_of_another_application_is_rebuilt() {
    let app = on_disk();
    app.create();
    let records: Vec<Record> = app.stream(faulty(45, 500)).take(3_000).collect();
    app.client.produce(&records);
    run_to_the_end(&app);

    let mut other = on_disk();
    let from = app.file("state").join(&app.id);
    let to = other.file("state").join(&other.id);
    for file in files_below(&from) {
        let to = to.join(file.strip_prefix(&from).expect("a file below it"));
        fs::create_dir_all(to.parent().expect("a directory")).expect("a directory");
        fs::copy(file, to).expect("a copy");
    }
    other.set(&["processing", "workers"], 1);
    other.create();
    let records: Vec<Record> = other.stream(faulty(46, 500)).take(3_000).collect();
    other.client.produce(&records);
    let (_, log) = run_to_the_end(&other);
    assert!(
        log.contains("the state store is deleted and rebuilt"),
        "{log}"
    );
}

#[test]
fn a_second_process_on_the_directory_is_refused() {
    let app = on_disk();
    app.create();
    let records: Vec<Record> = app.stream(faulty(47, 500)).take(3_000).collect();
    app.client.produce(&records);
    let mut keyfold = app.run_ready();
    let log = app.run_refused();
    assert!(log.contains("is in use by another process"), "{log}");
    app.wait_drained(&mut keyfold);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
    app.assert_folded(Repeats::Forbidden);
}

#[test]
fn a_damaged_store_is_set_aside_and_rebuilt() {
    let app = on_disk();
    app.create();
    let mut stream = app.stream(faulty(48, 500));
    let records: Vec<Record> = stream.by_ref().take(3_000).collect();
    app.client.produce(&records);
    run_to_the_end(&app);

    let mut journals = 0;
    for file in files_below(&app.file("state")) {
        if file.extension().is_some_and(|extension| extension == "jnl") {
            let mut bytes = fs::read(&file).expect("a journal");
            let written = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0);
            bytes[written / 2] ^= 0x55;
            fs::write(&file, bytes).expect("a journal");
            journals += 1;
        }
    }
    assert!(journals > 0);
    let records: Vec<Record> = stream.take(1_000).collect();
    app.client.produce(&records);
    let (restored, log) = run_to_the_end(&app);
    assert!(restored > 0.0, "{log}");
    assert!(log.contains("set aside"), "{log}");
}

/// Partitions that go to another instance and come back are caught up from where their stores were.
#[test]
fn stores_outlive_a_rebalance() {
    let app = on_disk();
    app.create();
    let mut stream = app.stream(faulty(49, 3_000));
    let records: Vec<Record> = stream.by_ref().take(15_000).collect();
    app.client.produce(&records);
    let mut first = app.run_ready();
    app.wait_drained(&mut first);
    let [known] = first.steady([CUSTOMERS]);

    let elsewhere = app.file("elsewhere");
    let elsewhere = elsewhere.to_str().expect("a path");
    let env = [("KEYFOLD__STATE__DIRECTORY", elsewhere)];
    let mut second = Keyfold::start(&app.config(), &env);
    second.wait_for(LIMIT, "to take some partitions", |keyfold| {
        let (status, _) = keyfold.http_get("/readyz")?;
        (status == 200 && customers(keyfold) > 0.0).then_some(())
    });
    let records: Vec<Record> = stream.take(2_000).collect();
    app.client.produce(&records);
    app.wait_drained(&mut second);
    assert_eq!(second.terminate(), 0, "{}", second.log());
    first.wait_for(LIMIT, "to have all partitions again", |keyfold| {
        let (status, _) = keyfold.http_get("/readyz")?;
        (status == 200 && customers(keyfold) >= known).then_some(())
    });
    app.wait_drained(&mut first);
    let restored = restored(&first);
    assert!(restored < known, "{restored} of {known}");
    app.assert_folded(Repeats::Forbidden);
    assert_eq!(first.terminate(), 0, "{}", first.log());
}

/// A limit on the size of files stands in for a full disk.
#[test]
fn a_full_disk_stops_the_process_and_loses_nothing() {
    let mut app = on_disk();
    app.set(&["processing", "workers"], 1);
    app.create();
    let mut stream = app.stream(faulty(50, 3_000));
    let records: Vec<Record> = stream.by_ref().take(1_000).collect();
    app.client.produce(&records);
    run_to_the_end(&app);
    let records: Vec<Record> = stream.take(12_000).collect();
    app.client.produce(&records);
    let mut keyfold = Keyfold::start_limited(&app.config(), "trap '' XFSZ; ulimit -f 1024");
    let code = keyfold.wait_exit(Duration::from_secs(90));
    let log = keyfold.log();
    assert_eq!(code, 3, "{log}");
    assert!(log.contains("no room for the state"), "{log}");
    run_to_the_end(&app);
}
