//! `keyfold audit --directory` of more customers than it keeps in memory.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use keyfold::model::record::Source;

use keyfold_harness::app::App;
use keyfold_harness::record::Record;

fn customers(app: &App, from: usize, to: usize) -> Vec<Record> {
    let customer = |n: usize| {
        let id = format!("customer-{n:09}");
        let note = format!("{n:x}").repeat(40);
        let value = format!(
            r#"{{"customerId":"{id}","version":1,"firstName":"Ada","lastName":"Example","emailAddress":"ada-{n}@example.com",
            "addresses":[{{"key":"home","address1":"{n} Example Street","suburb":"Leeds","postcode":"LS1 1AA","country":"GB"}}],
            "attributes":{{"note":"{note}"}}}}"#
        );
        app.record(Source::ConsoleCustomers).key(id).value(value)
    };
    (from..to).map(customer).collect()
}

/// The exit code of an audit, what it said, and the most memory that it had, in bytes.
fn measured(app: &App, args: &[&str]) -> (Option<i32>, String, u64) {
    let mut command = Command::new(keyfold_harness::program_path());
    command.args(["audit", "--output", "json"]).args(args);
    command.env_remove("KEYFOLD_AUDIT_CUSTOMERS");
    command.arg("--config").arg(app.config_file());
    let out = app.file("audit.json");
    command.stdout(fs::File::create(&out).expect("a file"));
    command.stderr(Stdio::inherit());
    let mut child = command.spawn().expect("keyfold");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let code = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status.code();
        }
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        peak = peak.max(kilobytes.and_then(|text| text.parse().ok()).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(100));
    };
    let text = fs::read_to_string(&out).expect("a file");
    (code, text, peak * 1024)
}

/// With more customers (`KEYFOLD_AUDIT_CUSTOMERS`) it needs no more memory.
#[test]
#[ignore = "it takes minutes"]
fn memory_is_bounded_by_a_directory() {
    let all = std::env::var("KEYFOLD_AUDIT_CUSTOMERS").ok();
    let all = all.map_or(300_000, |text| text.parse().expect("a number"));
    let mut app = App::new();
    app.set_partitions([4; 4]);
    app.set(&["state", "store"], "disk");
    let store = app.file("store").to_str().expect("a path").to_owned();
    app.set(&["state", "directory"], store);
    app.create();
    let mut keyfold = app.run_ready();
    for from in (0..all).step_by(20_000) {
        app.client
            .produce(&customers(&app, from, all.min(from + 20_000)));
    }
    app.wait_drained(&mut keyfold);
    assert_eq!(keyfold.terminate(), 0);
    let folder = app.file("sorted");
    let directory = ["--directory", folder.to_str().expect("a path")];
    let began = Instant::now();
    let (code, said, peak) = measured(&app, &directory);
    println!("on disk: {} MB, {:?}", peak >> 20, began.elapsed());
    println!("{}", said.lines().last().unwrap_or_default());
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("\"equal\":{all},")), "{said}");
    assert!(peak < 400 << 20, "{} MB", peak >> 20);
    assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 0);
    let began = Instant::now();
    let (code, _, peak) = measured(&app, &[]);
    println!("in memory: {} MB, {:?}", peak >> 20, began.elapsed());
    assert_eq!(code, Some(0));
}
