//! Tables for people, and JSON lines for programs.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::exit::{Failure, unless_closed};

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people
    Table,
    /// A JSON value a line
    Json,
}

/// Writes a text to standard output, with a line end.
pub fn say(text: &str) -> Result<(), Failure> {
    unless_closed(writeln!(io::stdout(), "{text}"), "standard output")
}

/// Writes a value as a line of JSON.
pub fn say_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(io::Error::from);
    say(&text.map_err(Failure::writing("standard output"))?)
}

/// Whether what is written is coloured: on a terminal, unless `NO_COLOR` is set (<https://no-color.org>) or the terminal
/// has no colours.
pub fn is_coloured(is_terminal: bool) -> bool {
    let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    is_terminal && !is_refused && !is_dumb
}

/// A text from outside for a terminal: control characters, which could steer it, are escaped.
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return text.into();
    }
    let escape = |char: char| match char.is_control() {
        true => char.escape_default().to_string(),
        false => char.to_string(),
    };
    text.chars().map(escape).collect()
}

/// The lines of a table: columns of equal width, two spaces apart. The first row is the heading.
pub fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths);
        let cells = cells.map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_outside_does_not_steer_the_terminal() {
        assert_eq!(plain("é x"), "é x");
        assert_eq!(plain("a\u{1b}[31m\nb"), "a\\u{1b}[31m\\nb");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned);
        let rows = [row(["name", "x", ""]), row(["é", "", "y"])];
        assert_eq!(table(&rows), "name  x\né        y");
    }
}
