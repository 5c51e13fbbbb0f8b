//! The manual page `docs/keyfold.1`: one page for all commands, written from the definition of the command line.
//! `just manual` rewrites it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use keyfold::cli::arguments;

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/keyfold.1")
}

/// It defines the apostrophe, for each program that renders manual pages.
const HEAD: &str = r#".\" Written from the definition of the command line: just manual
.ie \n(.g .ds Aq \(aq
.el .ds Aq '
"#;

const DESCRIPTION: &str = r"
.PP
All commands take the configuration of
.BR run .
Those for operators only show what they would do: they write to Kafka only with
.BR \-\-execute .
Payloads and ids are shown only where they were given or asked for.
";

/// What holds for all commands.
const TAIL: &str = r"
.SH ENVIRONMENT
.TP
.B KEYFOLD_CONFIG
The configuration file, where
.B \-\-config
does not name one.
.TP
.BI KEYFOLD__ SECTION __ KEY
A key of the configuration, such as KEYFOLD__KAFKA__BOOTSTRAP_SERVERS. It takes precedence over the file.
.TP
.BI KEYFOLD__ SECTION __ KEY __FILE
The path of a file that holds the value.
.TP
.B NO_COLOR
If it is set and not empty, nothing is printed in colour.
.SH EXIT STATUS
.TP
.B 0
Done.
.TP
.B 1
The command found what it was asked to look for: invalid records, differences, settings that differ.
.TP
.B 2
Wrong usage, wrong configuration, or a wrong input line.
.TP
.B 3
A service failed, or the stream cannot go on.
.SH EXAMPLES
.TP
.B keyfold topics && keyfold doctor && keyfold run
Creates the topics of keyfold, checks the set-up, and starts the processor.
.TP
.B kcat \-C \-J \-e \-b localhost:9092 \-t loyalty.customers | keyfold validate
Judges the records of a topic.
.SH SEE ALSO
.BR kcat (1)
.PP
The documentation is in the folder docs of the sources: operations.md for everyday work, configuration.md for every key,
contract.md for what keyfold promises.
";

/// The whole page.
fn page() -> String {
    let mut definition = arguments::definition().disable_help_subcommand(true);
    definition.build();
    let man = Man::new(definition.clone());
    let mut out = HEAD.to_owned();
    let version = env!("CARGO_PKG_VERSION");
    // without a date, which each build would change
    out += &format!(".TH KEYFOLD 1 \"\" \"keyfold {version}\" \"User Commands\"\n");
    out += &written(|to| man.render_name_section(to));
    out += ".SH SYNOPSIS\n";
    out += &usage(&mut definition);
    out += &written(|to| man.render_description_section(to));
    out += DESCRIPTION.trim_start();
    out += &written(|to| man.render_options_section(to));
    out += ".SH COMMANDS\n";
    for command in definition.get_subcommands() {
        add_command(command.clone(), &mut out);
    }
    out + TAIL.trim_start()
}

/// A part that `clap_mangen` writes, without what belongs to a whole document.
fn written(write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let mut bytes = Vec::new();
    write(&mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    // each part begins with the same definition of an apostrophe
    let lines = text
        .lines()
        .filter(|line| !line.starts_with(".ie ") && !line.starts_with(".el "));
    let lines = lines.map(str::trim_end).filter(|line| !line.is_empty());
    lines.map(|line| format!("{line}\n")).collect()
}

/// Adds a command, and those inside of it.
fn add_command(command: clap::Command, out: &mut String) {
    // what all commands have is described once
    let global = ["config", "help"];
    let mut own = command.clone();
    for argument in global {
        own = own.mut_arg(argument, |argument| argument.hide(true));
    }
    let name = command.get_bin_name().unwrap().to_owned();
    *out += &format!(".SS {name}\n");
    *out += &usage(&mut command.clone());
    let man = Man::new(own.clone());
    for line in written(|to| man.render_description_section(to)).lines() {
        *out += &match line {
            ".SH DESCRIPTION" => ".PP\n".to_owned(),
            line => format!("{line}\n"),
        };
    }
    if own.get_arguments().any(|argument| !argument.is_hide_set()) {
        for line in written(|to| man.render_options_section(to)).lines() {
            *out += &match line.strip_prefix(".SH ") {
                Some("OPTIONS") => String::new(),
                Some(heading) => format!(".PP\n{heading}:\n"),
                None => format!("{line}\n"),
            };
        }
    }
    for inner in command.get_subcommands() {
        add_command(inner.clone(), out);
    }
}

/// How a command is called, a line for each form.
fn usage(command: &mut clap::Command) -> String {
    let usage = command.render_usage().to_string();
    let forms = usage.trim_start_matches("Usage:").lines();
    let forms: Vec<String> = forms
        .map(|form| {
            written(|to| {
                Roff::new()
                    .text([bold(form.trim()), roman("")])
                    .to_writer(to)
            })
        })
        .collect();
    forms.join(".br\n")
}

#[test]
fn the_manual_page_is_that_of_the_command_line() {
    let page = page();
    if std::env::var_os("KEYFOLD_TEST_REWRITE").is_some() {
        fs::write(file(), &page).unwrap();
    }
    let found = fs::read_to_string(file()).unwrap_or_default();
    assert!(
        found == page,
        "docs/keyfold.1 is not what the command line says; `just manual` rewrites it"
    );
}

/// Each command has its heading, and each of its options is there.
#[test]
fn the_manual_page_has_every_command_and_every_option() {
    fn check(command: &clap::Command, page: &str) -> usize {
        let name = command.get_bin_name().unwrap();
        let heading = format!("\n.SS {name}\n");
        let (_, section) = page
            .split_once(&heading)
            .unwrap_or_else(|| panic!("{name}"));
        let section = section.split("\n.S").next().unwrap();
        for option in command.get_arguments().filter_map(clap::Arg::get_long) {
            let is_global = ["config", "help"].contains(&option);
            let escaped = format!(r"\-\-{}", option.replace('-', r"\-"));
            assert_eq!(section.contains(&escaped), !is_global, "{name} {option}");
        }
        let inner = command.get_subcommands().map(|inner| check(inner, page));
        1 + inner.sum::<usize>()
    }
    let page = page();
    let mut definition = arguments::definition().disable_help_subcommand(true);
    definition.build();
    let commands = definition
        .get_subcommands()
        .map(|command| check(command, &page));
    assert!(commands.sum::<usize>() > 20);
}

/// As `man` renders it, with every warning on.
#[test]
fn the_manual_page_renders_without_a_warning() {
    let page_file = tempfile::NamedTempFile::new().unwrap();
    fs::write(page_file.path(), page()).unwrap();
    let mut groff = Command::new("groff");
    groff.args(["-man", "-ww", "-Kutf8", "-Tutf8", "-P-cbou"]);
    let output = match groff.arg(page_file.path()).output() {
        Ok(output) => output,
        Err(error) => {
            println!("groff is not here, so the page is not rendered: {error}");
            return;
        }
    };
    let warnings = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && warnings.is_empty(), "{warnings}");
    let text = String::from_utf8(output.stdout).unwrap();
    for shown in ["SYNOPSIS", "keyfold dlq replay", "EXIT STATUS"] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
}
