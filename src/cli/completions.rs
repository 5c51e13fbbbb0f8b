//! `keyfold completions`: the scripts with which shells complete keyfold's commands and options.

use std::io;

use clap_complete::Shell as Generator;

use crate::exit::{Done, Failure, unless_closed};

/// Print the script with which a shell completes keyfold's commands and options.
///
/// It goes to standard output; docs/operations.md says where each shell looks for it. It is that of this version: make it
/// anew after an upgrade.
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// `definition` is that of the whole command line. No configuration is needed, so that a wrong one does not keep a shell
/// from starting.
pub fn run(mut definition: clap::Command, args: &CompletionsArgs) -> Result<Done, Failure> {
    let generator = match args.shell {
        Shell::Bash => Generator::Bash,
        Shell::Zsh => Generator::Zsh,
        Shell::Fish => Generator::Fish,
    };
    let mut script = Vec::new();
    let name = definition.get_name().to_owned();
    clap_complete::generate(generator, &mut definition, name, &mut script);
    let written = io::Write::write_all(&mut io::stdout(), &script);
    unless_closed(written, "standard output").map(|()| Done::Clean)
}
