//! How far a command is that reads the lines of files, on a terminal.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::line::Line;
use super::progress::Bar;

/// Time between two changes of the bar: more often nobody sees it.
const SHOW_EVERY: Duration = Duration::from_millis(50);
const WHAT: &str = "reading records";

/// Shows how much of the files is read; how many records, where somebody else writes and the end is not known.
pub struct Reading {
    /// None where somebody types the records.
    bar: Option<Bar>,
    /// The bytes of all files.
    all: Option<u64>,
    bytes: u64,
    records: u64,
    shown: Instant,
}

impl Reading {
    /// Of these files, or of standard input without any.
    pub fn of(files: &[PathBuf]) -> Reading {
        let is_stdin = |file: &PathBuf| file == Path::new("-");
        let reads_stdin = files.is_empty() || files.iter().any(is_stdin);
        let all = match files.is_empty() {
            true => length(None),
            false => {
                let lengths = files.iter();
                let lengths = lengths.map(|file| length((!is_stdin(file)).then_some(file)));
                lengths.sum()
            }
        };
        let bar = match (reads_stdin && io::stdin().is_terminal(), all) {
            (true, _) => None,
            (false, Some(_)) => Some(Bar::on_terminal(WHAT)),
            (false, None) => Some(Bar::counting_on_terminal(WHAT)),
        };
        Reading {
            bar,
            all,
            bytes: 0,
            records: 0,
            shown: Instant::now(),
        }
    }

    /// Counts a line that is read.
    pub fn passed(&mut self, line: &Line) {
        self.records += 1;
        self.bytes += line.bytes;
        let Some(bar) = &mut self.bar else {
            return;
        };
        if self.shown.elapsed() >= SHOW_EVERY {
            self.shown = Instant::now();
            match self.all {
                Some(all) => bar.show(self.bytes, all),
                None => bar.count(self.records),
            }
        }
    }
}

/// The bytes of a file, or of standard input for none; none where that is no file with an end.
fn length(file: Option<&PathBuf>) -> Option<u64> {
    let metadata = match file {
        Some(path) => std::fs::metadata(path).ok()?,
        None => {
            let stdin = io::stdin().as_fd().try_clone_to_owned().ok()?;
            File::from(stdin).metadata().ok()?
        }
    };
    metadata.is_file().then_some(metadata.len())
}
