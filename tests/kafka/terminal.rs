//! What `keyfold run` shows to somebody who watches it on a terminal.

use rdkafka::producer::Producer;

use keyfold_harness::app::{App, LIMIT};
use keyfold_harness::foreign_clients::open_transaction;
use keyfold_harness::program::Keyfold;
use keyfold_harness::record::Record;
use keyfold_harness::terminal::Terminal;

const BAR: &str = "restoring the state ";
/// What erases the line that the cursor is on.
const ERASE: &str = "\u{1b}[2K";

/// The restore lasts until a transaction on the state topic ends.
#[test]
fn a_bar_shows_a_restore_and_no_line_of_the_log_is_written_into_it() {
    let app = App::new();
    app.create();
    let record = Record::to(&app.state()).partition(0);
    let open = open_transaction(&app, &[record.key("nobody").value("nothing")]);
    let terminal = Terminal::open();
    let mut keyfold = Keyfold::start_on(&terminal, &app.config());
    keyfold.wait_for(LIMIT, "to show a bar, and to log beside it", |_| {
        let shown = terminal.shown();
        let (_, behind) = shown.split_once(BAR)?;
        // the line that it logs every few seconds of a restore
        behind
            .contains("keyfold::telemetry::reporter")
            .then_some(())
    });
    open.abort_transaction(LIMIT).expect("it ends");
    keyfold.wait_ready(LIMIT);
    assert_eq!(keyfold.terminate(), 0, "{}", terminal.shown());

    let shown = terminal.closed();
    for line in shown.lines().filter(|line| line.contains("INFO")) {
        assert!(begins_with_its_time(line), "{line:?} in {shown:?}");
    }
    // nothing is known of how long it takes while nothing is done
    assert!(shown.contains("░ 0% "), "{shown:?}");
    // it is gone when the restore is done
    let (_, end) = shown.rsplit_once(BAR).expect("a bar");
    let (_, end) = end.split_once(ERASE).expect("it is erased");
    assert!(end.contains("keyfold has stopped"), "{shown:?}");
}

/// Whether a line of the log begins at the beginning of a line, where nothing else is.
fn begins_with_its_time(line: &str) -> bool {
    let text = line.rsplit_once(ERASE).map_or(line, |(_, text)| text);
    let dimmed = "\u{1b}[2m";
    let text = text.strip_prefix(dimmed).unwrap_or(text);
    text.starts_with(|first: char| first.is_ascii_digit())
}
