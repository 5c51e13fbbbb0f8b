//! A child process that does not outlive the tests, however they end.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::wait::wait_until;

/// Leaves a watcher behind and becomes the program (so the process id stays). The watcher holds
/// the reading end of a pipe from the test process. Its end without a word means that the test
/// process is gone: the program is killed and its directory removed.
const SCRIPT: &str = r#"
exec 3<&0
(
    read -r word <&3 && exit
    kill -KILL $$
    i=0
    while ! rm -rf -- "$0" && [ $i -lt 50 ]; do i=$((i + 1)); sleep 0.1; done
) >/dev/null 2>&1 &
exec "$@" </dev/null 3<&-
"#;

/// A running program. Dropping it kills it.
pub struct Guarded {
    name: String,
    child: Child,
    watcher: Option<ChildStdin>,
    log: PathBuf,
}

impl Guarded {
    /// Runs `command` with both its outputs appended to `log`. `home` is removed if the test
    /// process ends without stopping it.
    pub fn spawn(command: &Command, log: &Path, home: &Path) -> Guarded {
        let name = command.get_program().to_string_lossy().into_owned();
        let output = OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .unwrap_or_else(|e| panic!("open {}: {e}", log.display()));
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(SCRIPT).arg(home);
        shell.arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(key, value),
                None => shell.env_remove(key),
            };
        }
        if let Some(dir) = command.get_current_dir() {
            shell.current_dir(dir);
        }
        // A process group of its own: a Ctrl-C in the terminal ends the tests, and the watcher
        // then ends the program.
        std::os::unix::process::CommandExt::process_group(&mut shell, 0);
        let mut child = shell
            .stdin(Stdio::piped())
            .stdout(output.try_clone().expect("a second handle of the log"))
            .stderr(output)
            .spawn()
            .unwrap_or_else(|e| panic!("run {name}: {e}"));
        Guarded {
            name,
            watcher: child.stdin.take(),
            child,
            log: log.to_path_buf(),
        }
    }

    /// The process id of the program itself.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends the signal `name` (`TERM`, `INT`, `KILL`, `STOP`, `CONT`).
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.pid().to_string())
            .status();
        assert!(
            sent.as_ref().is_ok_and(ExitStatus::success),
            "signal {name} to {}: {sent:?}",
            self.name
        );
    }

    /// How the program ended, or `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().expect("wait for a child")?;
        // The process id is free for others from now on, so the watcher must not use it.
        if let Some(mut watcher) = self.watcher.take() {
            let _ = watcher.write_all(b"ended\n");
        }
        Some(status)
    }

    /// Waits until the program has ended by itself.
    #[track_caller]
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("{} to end (its log: {})", self.name, self.log.display());
        wait_until(limit, &what, || self.ended())
    }

    /// What the program has written so far.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The last lines of the log, for a failure's message.
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if self.ended().is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
            if let Some(mut watcher) = self.watcher.take() {
                let _ = watcher.write_all(b"ended\n");
            }
        }
    }
}
