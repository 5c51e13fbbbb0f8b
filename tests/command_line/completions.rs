//! `keyfold completions`: what the shells make of its scripts.

use std::fs;
use std::process::Command;

use keyfold::cli::arguments;

use crate::keyfold;

fn script(shell: &str) -> String {
    // a configuration that is wrong does not matter
    let run = keyfold(
        &["completions", shell],
        b"",
        &[
            ("KEYFOLD__MERGE__X", "3"),
            ("KEYFOLD_CONFIG", "no-such-file"),
        ],
    );
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert_eq!(run.err, "");
    run.out
}

/// What bash offers behind a line whose last word the cursor is at.
fn offered(line: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keyfold.bash");
    fs::write(&file, script("bash")).unwrap();
    // as bash does it behind TAB: the command's function, with the words of the line
    let ask = r#"
        source "$1"; shift
        function=$(complete -p keyfold | sed 's/.* -F \([^ ]*\) .*/\1/')
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE} COMP_TYPE=9
        "$function" keyfold "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let output = Command::new("bash")
        .args(["--norc", "-c", ask, "bash"])
        .arg(&file)
        .args(line)
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_options_and_their_values() {
    assert_eq!(offered(&["keyfold", "dl"]), ["dlq"]);
    assert_eq!(offered(&["keyfold", "dlq", "rep"]), ["replay"]);
    assert_eq!(
        offered(&["keyfold", "dlq", "replay", "--allow"]),
        ["--allow-erasure"]
    );
    assert_eq!(
        offered(&["keyfold", "audit", "--output", ""]),
        ["table", "json"]
    );
    assert_eq!(
        offered(&["keyfold", "completions", ""])
            .iter()
            .filter(|word| !word.starts_with('-'))
            .collect::<Vec<_>>(),
        ["bash", "zsh", "fish"]
    );
    // files, behind an option that takes one: here there is only the script
    assert_eq!(offered(&["keyfold", "-c", "key"]), ["keyfold.bash"]);
    let all = offered(&["keyfold", ""]);
    for command in arguments::definition().get_subcommands() {
        let name = command.get_name();
        assert!(all.iter().any(|word| word == name), "{name}: {all:?}");
    }
}

/// Each script names every command, and the shell itself reads it, where that is installed.
#[test]
fn every_shell_gets_a_script_with_all_commands() {
    for (shell, check) in [
        ("bash", &["-n"][..]),
        ("zsh", &["-n"]),
        ("fish", &["--no-execute"]),
    ] {
        let script = script(shell);
        for command in arguments::definition().get_subcommands() {
            assert!(script.contains(command.get_name()), "{shell}");
            for inner in command.get_subcommands() {
                assert!(script.contains(inner.get_name()), "{shell}");
            }
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), &script).unwrap();
        match Command::new(shell).args(check).arg(file.path()).output() {
            Ok(output) => assert!(output.status.success(), "{shell}: {output:?}"),
            Err(error) => println!("{shell} is not here, so it does not read its script: {error}"),
        }
    }
    let run = keyfold(&["completions", "csh"], b"", &[]);
    assert_eq!(run.code, Some(2), "{}", run.out);
}
