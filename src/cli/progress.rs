//! How far a command is, on standard error: a bar on a terminal, else a line now and then.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};

use crate::kafka::range_reader::Progress;

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// After this time the command says that it waits for a transaction.
const TELL_WAIT_AFTER: Duration = Duration::from_secs(3);

/// With a known end.
const BAR: &str = "{msg} {bar:30} {percent}%{left}";
/// With an end that nobody knows.
const COUNT: &str = "{msg} {human_pos}, {elapsed}";

/// The bar that is shown, which a line of the log must not be written into.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Shows how much of something is done.
pub struct Bar {
    what: &'static str,
    bar: ProgressBar,
    /// Whether lines are written, because there is no terminal.
    has_lines: bool,
    told: Instant,
    has_told_wait: bool,
}

impl Bar {
    /// `what` says what is done, such as "reading dead letters".
    pub fn new(what: &'static str) -> Bar {
        let is_terminal = io::stderr().is_terminal();
        Bar::of(what, BAR, is_terminal, !is_terminal)
    }

    /// A bar that is shown on a terminal only: elsewhere nothing is written.
    pub fn on_terminal(what: &'static str) -> Bar {
        Bar::of(what, BAR, io::stderr().is_terminal(), false)
    }

    /// The same without an end: [`Bar::count`] says how far it is.
    pub fn counting_on_terminal(what: &'static str) -> Bar {
        Bar::of(what, COUNT, io::stderr().is_terminal(), false)
    }

    fn of(what: &'static str, template: &str, is_shown: bool, has_lines: bool) -> Bar {
        let bar = match is_shown {
            true => ProgressBar::new(0),
            false => ProgressBar::hidden(),
        };
        let bar = match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style.with_key("left", write_left)),
            Err(_) => bar,
        };
        let bar = bar.with_message(what);
        if is_shown {
            set_shown(Some(bar.clone()));
        }
        Bar {
            what,
            bar,
            has_lines,
            told: Instant::now(),
            has_told_wait: false,
        }
    }

    pub fn show(&mut self, done: u64, all: u64) {
        self.bar.set_length(all);
        self.bar.set_position(done);
        if self.has_lines && self.told.elapsed() >= LINE_EVERY {
            self.told = Instant::now();
            let percent = done.saturating_mul(100) / all.max(1);
            eprintln!("{}: {percent} % of {all}", self.what);
        }
    }

    /// Shows how much is done of what has no known end.
    pub fn count(&self, done: u64) {
        self.bar.set_position(done);
    }

    /// Shows how far logs are read.
    pub fn reading(&mut self, progress: &Progress) {
        self.show(progress.read, progress.offsets);
        let waits = progress.waits_for_transaction;
        if waits.is_some_and(|waits| waits >= TELL_WAIT_AFTER) && !self.has_told_wait {
            self.has_told_wait = true;
            self.say("waiting for a transaction that is open to end: its records are part of what is read");
        }
    }

    /// Writes a line, above the bar.
    pub fn say(&self, text: &str) {
        self.bar.suspend(|| eprintln!("{text}"));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        if !self.bar.is_hidden() {
            set_shown(None);
        }
    }
}

/// Writes how long it will take, once something is done: nothing is known before.
fn write_left(state: &ProgressState, out: &mut dyn fmt::Write) {
    if state.pos() > 0 {
        // a bar that cannot be drawn is no reason to fail
        let _ = write!(out, ", {:#} left", HumanDuration(state.eta()));
    }
}

/// Writes a line to standard error, above the bar where one is shown.
pub fn say(text: &str) {
    // where that fails nobody is left to tell
    let _ = AboveBar.write_all(format!("{text}\n").as_bytes());
}

fn set_shown(bar: Option<ProgressBar>) {
    *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = bar;
}

/// Standard error, above the bar where one is shown: for the log, each line of which is written at once.
#[derive(Debug, Clone, Copy)]
pub struct AboveBar;

impl Write for AboveBar {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
        match shown.clone() {
            None => io::stderr().write(bytes),
            Some(bar) => bar.suspend(|| io::stderr().write(bytes)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
