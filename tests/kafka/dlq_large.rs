//! `keyfold dlq list` of more letters than anybody wants to keep in memory.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use keyfold::model::record::Source;
use keyfold_harness::app::App;
use keyfold_harness::record::Record;

use crate::dlq::json_lines;

/// Letters as keyfold writes them, whose pointers are all different and long.
fn letters(app: &App, from: usize, to: usize) -> Vec<Record> {
    let topic = app.input(Source::ConsoleCustomers);
    let letter = |n: usize| {
        let pointer = format!("/attributes/{}{n}", "x".repeat(400));
        let violations =
            format!(r#"[{{"pointer":"{pointer}","keyword":"type","message":"must be a string"}}]"#);
        let offset = n.to_string();
        let headers = [
            ("topic", topic.as_str()),
            ("partition", "0"),
            ("offset", &offset),
            ("timestamp", "1800000000000"),
            ("source", Source::ConsoleCustomers.name()),
            ("stage", "schema"),
            ("code", "schema_violation"),
            ("message", "must be a string"),
            ("violations", &violations),
            ("application", &app.id),
            ("version", "1"),
            ("attempts", "1"),
        ];
        let record = Record::to(&app.dead_letters())
            .key(format!("c-{n}"))
            .value("{}");
        headers.into_iter().fold(record, |record, (name, value)| {
            record.header(&format!("__keyfold.errors.{name}"), value)
        })
    };
    (from..to).map(letter).collect()
}

/// The most memory that a process had, in bytes, as long as it lives.
fn peak(process: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// Half a million letters, each with a fault of its own (`KEYFOLD_DLQ_LETTERS` for another number).
#[test]
#[ignore = "it takes minutes"]
fn memory_is_bounded_whatever_the_letters_are() {
    let all = std::env::var("KEYFOLD_DLQ_LETTERS").ok();
    let all = all.map_or(500_000, |text| text.parse().expect("a number"));
    let app = App::new();
    app.create();
    for from in (0..all).step_by(20_000) {
        app.client
            .produce(&letters(&app, from, all.min(from + 20_000)));
    }
    let out = app.file("list.json");
    let mut command = Command::new(keyfold_harness::program_path());
    command.args(["dlq", "list", "--output", "json", "--config"]);
    command.env_remove("KEYFOLD_DLQ_LETTERS");
    command.arg(app.config_file()).stderr(Stdio::inherit());
    command.stdout(fs::File::create(&out).expect("a file"));
    let began = Instant::now();
    let mut child = command.spawn().expect("keyfold");
    let mut most = 0;
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        most = most.max(peak(child.id()).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(status.code(), Some(0));
    println!("{all} letters: {} MB, {:?}", most >> 20, began.elapsed());
    let groups = json_lines(&fs::read_to_string(&out).expect("a file"));
    let letters: u64 = groups
        .iter()
        .filter_map(|one| one["letters"].as_u64())
        .sum();
    assert_eq!(letters, all as u64);
    assert!(groups.len() <= 10_001, "{}", groups.len());
    assert!(most < 250 << 20, "{} MB", most >> 20);
}
