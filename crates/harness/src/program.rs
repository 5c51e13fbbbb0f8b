//! The real `keyfold` program, as a child process.

use std::fs;
use std::io::Write;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::child::Guarded;
use crate::metrics::{Metrics, parse_metrics, sum};
use crate::ports::free_port;
use crate::program_path;
use crate::terminal::Terminal;

const STOP_LIMIT: Duration = Duration::from_secs(60);
const COMMAND_LIMIT: Duration = Duration::from_secs(180);
/// The longest time for which a figure of a running keyfold is not of now.
const RENEWED: Duration = Duration::from_secs(1);

/// `keyfold run` in the background. Dropping it kills it.
pub struct Keyfold {
    process: Guarded,
    listen: String,
    _home: TempDir,
}

impl Keyfold {
    /// Starts `keyfold run` with this configuration (TOML) and these environment variables. Its
    /// HTTP address is a free one, whatever the configuration says.
    pub fn start(config: &str, env: &[(&str, &str)]) -> Keyfold {
        Keyfold::start_by(command(), config, env)
    }

    /// Like [`Keyfold::start`], by bash, after these commands of it: `ulimit` and the like.
    pub fn start_limited(config: &str, limits: &str) -> Keyfold {
        let mut bash = clean(Command::new("bash"));
        bash.args(["-c", &format!("{limits}; exec \"$0\" \"$@\"")]);
        bash.arg(program_path());
        Keyfold::start_by(bash, config, &[])
    }

    /// Like [`Keyfold::start`], with its standard error on a terminal. What it writes there is not in [`Keyfold::log`].
    pub fn start_on(terminal: &Terminal, config: &str) -> Keyfold {
        let mut bash = clean(Command::new("bash"));
        bash.args(["-c", "exec \"$0\" \"$@\" 2>\"$TERMINAL\""]);
        bash.arg(program_path());
        bash.env("TERMINAL", terminal.path()).env("TERM", "xterm");
        Keyfold::start_by(bash, config, &[])
    }

    fn start_by(mut command: Command, config: &str, env: &[(&str, &str)]) -> Keyfold {
        let home = home();
        let file = home.path().join("keyfold.toml");
        fs::write(&file, config).expect("a configuration file");
        let listen = format!("127.0.0.1:{}", free_port());
        command.arg("run").arg("--config").arg(&file);
        command.current_dir(home.path());
        command.env("KEYFOLD__HTTP__LISTEN", &listen);
        command.envs(env.iter().copied());
        let log = home.path().join("keyfold.log");
        Keyfold {
            process: Guarded::spawn(&command, &log, home.path()),
            listen,
            _home: home,
        }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The most memory that it ever had, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = format!("/proc/{}/status", self.pid());
        let status = fs::read_to_string(status).expect("a process");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
        let kilobytes: u64 = peak.expect("VmHWM").parse().expect("a number");
        kilobytes << 10
    }

    /// Everything it has written to its standard output and error.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Where it serves HTTP.
    pub fn http_address(&self) -> &str {
        &self.listen
    }

    /// GET on its HTTP server: the status and the body, or `None` if nobody answers.
    pub fn http_get(&self, path: &str) -> Option<(u16, String)> {
        self.http_get_within(path, Duration::from_secs(10))
    }

    fn http_get_within(&self, path: &str, limit: Duration) -> Option<(u16, String)> {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(limit))
            .proxy(None)
            .build()
            .new_agent();
        let mut response = agent
            .get(format!("http://{}{path}", self.listen))
            .call()
            .ok()?;
        let body = response.body_mut().read_to_string().ok()?;
        Some((response.status().as_u16(), body))
    }

    /// Asks it by `keyfold healthcheck`: the exit code, and what was said.
    pub fn healthcheck(&self, args: &[&str]) -> (Option<i32>, String) {
        let mut command = command();
        command.arg("healthcheck").args(args);
        command.env("KEYFOLD__HTTP__LISTEN", &self.listen);
        let output = finish(command, b"");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), text)
    }

    /// Waits until `/readyz` says 200.
    #[track_caller]
    pub fn wait_ready(&mut self, limit: Duration) {
        self.wait_for(limit, "to be ready", |keyfold| {
            let (status, _) = keyfold.http_get("/readyz")?;
            (status == 200).then_some(())
        });
    }

    /// Waits until `condition` gives a value. Fails at once if the process ends before.
    #[track_caller]
    pub fn wait_for<T>(
        &mut self,
        limit: Duration,
        what: &str,
        mut condition: impl FnMut(&Keyfold) -> Option<T>,
    ) -> T {
        let start = std::time::Instant::now();
        loop {
            if let Some(value) = condition(self) {
                return value;
            }
            if let Some(status) = self.process.ended() {
                panic!(
                    "keyfold ended ({status}) instead of {what}:\n{}",
                    self.process.log_tail()
                );
            }
            assert!(
                start.elapsed() < limit,
                "waited {limit:?} for keyfold {what}; /readyz: {:?}; its log:\n{}",
                self.http_get("/readyz"),
                self.process.log_tail()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Sums of figures that keyfold renews twice a second only, once they are of now: they have not changed for longer.
    #[track_caller]
    pub fn steady<const N: usize>(&mut self, names: [&str; N]) -> [f64; N] {
        let (mut since, mut last) = (Instant::now(), [f64::NAN; N]);
        self.wait_for(COMMAND_LIMIT, "to have the same figures", |keyfold| {
            let metrics = keyfold.metrics();
            let now = names.map(|name| sum(&metrics, name, &[]));
            if now != last {
                (since, last) = (Instant::now(), now);
            }
            (since.elapsed() >= RENEWED).then_some(last)
        })
    }

    /// The samples of `/metrics`, once they tell of all that is committed: the program counts it a moment later than the
    /// broker knows it.
    #[track_caller]
    pub fn settled_metrics(&mut self) -> Metrics {
        self.steady([
            "keyfold_records_total",
            "keyfold_transactions_total",
            "keyfold_state_bytes",
        ]);
        self.metrics()
    }

    /// The samples of `/metrics`.
    #[track_caller]
    pub fn metrics(&self) -> Metrics {
        let (status, text) = self.http_get("/metrics").expect("an answer");
        assert_eq!(status, 200, "/metrics");
        parse_metrics(&text)
    }

    /// The samples of `/metrics`, if it answers within `limit`.
    pub fn metrics_soon(&self, limit: Duration) -> Option<Metrics> {
        let (_, text) = self.http_get_within("/metrics", limit)?;
        Some(parse_metrics(&text))
    }

    /// How it ended, or none while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.ended()
    }

    /// Asks it to stop with SIGTERM and gives its exit code.
    #[track_caller]
    pub fn terminate(&mut self) -> i32 {
        self.signal("TERM");
        self.wait_exit(STOP_LIMIT)
    }

    /// Kills it, as a crash would.
    #[track_caller]
    pub fn kill9(&mut self) {
        self.signal("KILL");
        self.process.wait(STOP_LIMIT);
    }

    /// Sends the signal `name`: `INT`, `STOP` to stall it, `CONT` to go on.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Waits until it ends by itself and gives its exit code.
    #[track_caller]
    pub fn wait_exit(&mut self, limit: Duration) -> i32 {
        let status: ExitStatus = self.process.wait(limit);
        status
            .code()
            .unwrap_or_else(|| panic!("{status}:\n{}", self.process.log_tail()))
    }
}

/// Runs `keyfold` with these arguments and this standard input to its end.
#[track_caller]
pub fn run(args: &[&str], stdin: &[u8]) -> Output {
    let home = home();
    let mut command = command();
    command.args(args).current_dir(home.path());
    finish(command, stdin)
}

/// Runs a command to its end, and kills it when that takes too long.
#[track_caller]
pub fn finish(mut command: Command, stdin: &[u8]) -> Output {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("run {name}: {e}"));
    let pid = child.id();
    let mut pipe = child.stdin.take().expect("a pipe");
    let stdin = stdin.to_vec();
    // A command that does not read its input to the end closes the pipe.
    std::thread::spawn(move || pipe.write_all(&stdin).ok());
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    match receiver.recv_timeout(COMMAND_LIMIT) {
        Ok(output) => output.unwrap_or_else(|e| panic!("run {name}: {e}")),
        Err(_) => {
            let _ = Command::new("kill")
                .args(["-KILL", &pid.to_string()])
                .status();
            panic!("{name} took more than {COMMAND_LIMIT:?}");
        }
    }
}

fn home() -> TempDir {
    tempfile::Builder::new()
        .prefix("keyfold-test-")
        .tempdir()
        .expect("a directory")
}

/// The program, with nothing set by the environment the tests run in.
fn command() -> Command {
    clean(Command::new(program_path()))
}

fn clean(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("KEYFOLD_") {
            command.env_remove(name);
        }
    }
    command
}
