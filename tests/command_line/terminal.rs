//! What people see on a terminal, and programs do not.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use keyfold_harness::terminal::Terminal;
use keyfold_harness::wait::wait_until;

use crate::{CREATED, console, event, keyfold, line};

/// Three records: a valid one, one with a warning, and one that is rejected.
fn records() -> Vec<u8> {
    let record = |topic, offset, payload: &[u8]| line(topic, offset, CREATED, b"\"k\"", payload);
    [
        record("loyalty.customers", 1, &event("a", "GB")),
        record("console.customers", 2, &console("b")),
        record("loyalty.customers", 3, &event("c", "Atlantis")),
    ]
    .concat()
}

/// What validate writes to a terminal, with this environment, and its exit code.
fn validated(args: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let terminal = Terminal::open();
    let input = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(input.path(), records()).unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_keyfold"))
        .arg("validate")
        .args(args)
        .arg(input.path())
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(terminal.stdio())
        .status()
        .unwrap();
    (status.code(), terminal.closed())
}

const ON_TERMINAL: &str = "\
valid     loyalty.customers[3]@1
valid     console.customers[3]@2
          warning /addresses/0/country  country_code: a country is not one of ISO 3166-1
rejected  loyalty.customers[3]@3  semantic country_code: a country is not one of ISO 3166-1
          /body/addresses/0/countryCode

3 records: 2 valid (1 with warnings), 1 rejected
       1  semantic country_code
";

#[test]
fn validate_speaks_to_people_on_a_terminal() {
    let (code, shown) = validated(&[], &[("NO_COLOR", "1")]);
    assert_eq!(code, Some(1));
    assert_eq!(shown, ON_TERMINAL);
    let (_, coloured) = validated(&[], &[("TERM", "xterm")]);
    let red = "\u{1b}[1m\u{1b}[31mrejected\u{1b}[0m  loyalty.customers[3]@3";
    assert!(coloured.contains(red), "{coloured:?}");
    let (_, dumb) = validated(&[], &[("TERM", "dumb")]);
    assert_eq!(dumb, ON_TERMINAL);
    // asked for, each goes anywhere
    let piped = keyfold(&["validate"], &records(), &[]);
    let (_, json) = validated(&["--output", "json"], &[]);
    assert_eq!(json, piped.out);
    let table = keyfold(&["validate", "--output", "table"], &records(), &[]);
    assert_eq!((table.code, table.out.as_str()), (Some(1), ON_TERMINAL));
    // what the documentation shows is what is written
    assert!(include_str!("../../docs/fold.md").contains(ON_TERMINAL));
}

/// To the byte: programs read it.
#[test]
fn validate_writes_json_lines_into_a_pipe() {
    let run = keyfold(&["validate"], &records(), &[]);
    let warning = r#"{"pointer":"/addresses/0/country","keyword":"country_code","message":"a country is not one of ISO 3166-1"}"#;
    let violation = warning.replace("/addresses/0/country", "/body/addresses/0/countryCode");
    let valid = |topic, offset, warnings| {
        format!(
            r#"{{"topic":"{topic}","partition":3,"offset":{offset},"verdict":"valid","stage":null,"code":null,"message":null,"violations":[],"warnings":[{warnings}]}}"#
        )
    };
    let rejected = format!(
        r#"{{"topic":"loyalty.customers","partition":3,"offset":3,"verdict":"rejected","stage":"semantic","code":"country_code","message":"a country is not one of ISO 3166-1","violations":[{violation}],"warnings":[]}}"#
    );
    let expected = [
        valid("loyalty.customers", 1, ""),
        valid("console.customers", 2, warning),
        rejected,
    ];
    assert_eq!(run.out, expected.join("\n") + "\n");
    assert_eq!((run.code, run.err.as_str()), (Some(1), ""));
}

/// `keyfold fold` with its standard error on a terminal.
fn fold(terminal: &Terminal, file: Option<&std::path::Path>) -> Child {
    Command::new(env!("CARGO_BIN_EXE_keyfold"))
        .arg("fold")
        .args(file)
        .env_clear()
        .env("TERM", "xterm")
        .stdin(if file.is_some() {
            Stdio::null()
        } else {
            Stdio::piped()
        })
        .stdout(Stdio::piped())
        .stderr(terminal.stdio())
        .spawn()
        .unwrap()
}

fn snapshots(child: &mut Child) -> String {
    let mut text = String::new();
    let mut out = child.stdout.take().unwrap();
    out.read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    text
}

/// A share of a file; a count of what somebody else writes.
#[test]
fn fold_shows_how_far_it_is_on_a_terminal_only() {
    let one = line("loyalty.customers", 1, CREATED, b"\"k\"", &event("a", "GB"));
    let run = keyfold(&["fold"], &one, &[]);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), one.repeat(30_000)).unwrap();
    let terminal = Terminal::open();
    assert_eq!(snapshots(&mut fold(&terminal, Some(file.path()))), run.out);
    let shown = terminal.closed();
    assert!(shown.contains("reading records "), "{shown:?}");
    assert!(shown.contains("%, "), "{shown:?}");
    assert_cleared(&shown);

    let terminal = Terminal::open();
    let mut child = fold(&terminal, None);
    let mut input = child.stdin.take().unwrap();
    wait_until(Duration::from_secs(60), "a bar", || {
        input.write_all(&one).unwrap();
        terminal.shown().contains("reading records ").then_some(())
    });
    drop(input);
    assert_eq!(snapshots(&mut child), run.out);
    let shown = terminal.closed();
    assert!(!shown.contains('%'), "{shown:?}");
    assert_cleared(&shown);
}

/// Behind the last bar its line is erased.
fn assert_cleared(shown: &str) {
    let end = shown.rsplit_once("reading records ").unwrap().1;
    let (_, end) = end.rsplit_once("\u{1b}[2K").expect(shown);
    assert_eq!(end.trim(), "", "{shown:?}");
}
