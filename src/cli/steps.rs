//! What a command does now, on standard error: a line that moves on a terminal, else a line for each step.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

pub struct Steps {
    /// None where there is no terminal.
    line: Option<ProgressBar>,
}

impl Steps {
    pub fn new() -> Steps {
        if !std::io::stderr().is_terminal() {
            return Steps { line: None };
        }
        let bar = ProgressBar::new_spinner();
        let bar = match ProgressStyle::with_template("{msg} … {elapsed}") {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        };
        bar.enable_steady_tick(Duration::from_millis(250));
        Steps { line: Some(bar) }
    }

    pub fn begin(&mut self, step: &'static str) {
        match &self.line {
            Some(line) => line.set_message(step),
            None => eprintln!("{step}"),
        }
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        if let Some(line) = &self.line {
            line.finish_and_clear();
        }
    }
}
