//! A real schema registry for the tests: Apicurio Registry, one process, from Maven Central, with everything in
//! memory. It answers as Confluent's does, at paths of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::broker::SHORT_LIVED;
use crate::child::Guarded;
use crate::downloads;
use crate::ports::free_port;
use crate::wait::within;

const POM: &str = include_str!("pom.xml");
const ARTIFACT: &str = "apicurio-registry-app";
const RUNNER: &str = "-runner.jar";
/// Where Apicurio serves Confluent's API.
const API: &str = "/apis/ccompat/v7";
const UP_LIMIT: Duration = Duration::from_secs(90);
const OUTSIDE_LIMIT: Duration = Duration::from_secs(15);
const REQUEST_LIMIT: Duration = Duration::from_secs(30);
const MEDIA_TYPE: &str = "application/vnd.schemaregistry.v1+json";
const INSTALL: &str = "Install Java 17 and Maven (Debian: apt-get install openjdk-17-jre-headless \
                       maven), or name a registry in KEYFOLD_TEST_REGISTRY.";

/// The address of the API of the registry that all tests of this process share: `KEYFOLD_TEST_REGISTRY` where it is
/// set, else that of one that is started now.
pub fn url() -> &'static str {
    static SHARED: OnceLock<Result<Shared, String>> = OnceLock::new();
    match SHARED.get_or_init(Shared::find) {
        Ok(Shared::Outside(url)) => url,
        Ok(Shared::Own(registry)) => &registry.url,
        Err(reason) => panic!("no schema registry for the tests: {reason}"),
    }
}

enum Shared {
    Outside(String),
    Own(Registry),
}

impl Shared {
    fn find() -> Result<Shared, String> {
        match std::env::var("KEYFOLD_TEST_REGISTRY") {
            Ok(url) if !url.is_empty() => {
                let url = url.trim_end_matches('/').to_owned();
                let up = within(OUTSIDE_LIMIT, || answers(&url).then_some(()));
                up.map(|()| Shared::Outside(url))
                    .ok_or_else(|| "KEYFOLD_TEST_REGISTRY names none that answers".to_owned())
            }
            _ => Registry::start().map(Shared::Own),
        }
    }
}

/// A registry of our own. It ends with the test process.
struct Registry {
    url: String,
    _process: Guarded,
    _home: TempDir,
}

impl Registry {
    fn start() -> Result<Registry, String> {
        let program = program(&downloads::filled("registry", POM, fetch)?)?;
        let home = tempfile::Builder::new()
            .prefix("keyfold-registry-")
            .tempdir()
            .map_err(|e| format!("a directory for the registry: {e}"))?;
        let log = downloads::dir().join("registry.log");
        fs::write(&log, "").map_err(|e| format!("the registry's log: {e}"))?;
        let port = free_port();
        let mut command = Command::new("java");
        command
            .args(["-Xmx300m", "-XX:+UseSerialGC"])
            .args(SHORT_LIVED)
            .arg("-jar")
            .arg(program)
            .env("QUARKUS_HTTP_HOST", "127.0.0.1")
            .env("QUARKUS_HTTP_PORT", port.to_string())
            .current_dir(home.path());
        let mut process = Guarded::spawn(&command, &log, home.path());
        let url = format!("http://127.0.0.1:{port}{API}");
        let up = within(UP_LIMIT, || {
            if let Some(status) = process.ended() {
                let tail = process.log_tail();
                return Some(Err(format!(
                    "the registry ended ({status}):\n{tail}\n{INSTALL}"
                )));
            }
            answers(&url).then_some(Ok(()))
        });
        up.unwrap_or_else(|| {
            let tail = process.log_tail();
            Err(format!("it did not answer within {UP_LIMIT:?}:\n{tail}"))
        })?;
        Ok(Registry {
            url,
            _process: process,
            _home: home,
        })
    }
}

/// The one jar at the top that can be run.
fn program(folder: &Path) -> Result<PathBuf, String> {
    let files = fs::read_dir(folder).map_err(|e| format!("read {}: {e}", folder.display()))?;
    let mut paths = files.filter_map(|file| Some(file.ok()?.path()));
    paths
        .find(|path| path.to_string_lossy().ends_with(RUNNER))
        .ok_or_else(|| format!("no {ARTIFACT}*{RUNNER} in {}", folder.display()))
}

fn fetch(folder: &Path) -> Result<(), String> {
    let pom = folder.join("pom.xml");
    fs::write(&pom, POM).map_err(|e| format!("write {}: {e}", pom.display()))?;
    let output = Command::new("mvn")
        .args(["-q", "-B", "-Pregistry", "dependency:unpack-dependencies"])
        .arg(format!("-DincludeArtifactIds={ARTIFACT}"))
        .arg(format!("-DoutputDirectory={}", folder.display()))
        .arg("-f")
        .arg(&pom)
        .output()
        .map_err(|e| format!("run `mvn`: {e}\n{INSTALL}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "Maven could not fetch the registry ({}):\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}

fn answers(url: &str) -> bool {
    request("GET", &format!("{url}/subjects"), None).is_ok_and(|(status, _)| status == 200)
}

/// Registers a schema, of the type `AVRO` or `JSON`, under a subject: its id.
#[track_caller]
pub fn register(subject: &str, schema_type: &str, schema: &str) -> u32 {
    let path = format!("/subjects/{subject}/versions");
    let body = json!({"schemaType": schema_type, "schema": schema});
    let answer = ask("POST", &path, Some(&body));
    let id = answer["id"].as_u64().and_then(|id| u32::try_from(id).ok());
    id.unwrap_or_else(|| panic!("no id for {subject}: {answer}"))
}

/// The newest schema of a subject with its `id`, or `None` if there is no such subject.
#[track_caller]
pub fn latest(subject: &str) -> Option<Value> {
    let path = format!("{}/subjects/{subject}/versions/latest", url());
    match request("GET", &path, None) {
        Ok((200, answer)) => Some(answer),
        Ok((404, _)) => None,
        other => panic!("the newest schema of {subject}: {other:?}"),
    }
}

/// The text of a schema.
#[track_caller]
pub fn schema(id: u32) -> String {
    let answer = ask("GET", &format!("/schemas/ids/{id}"), None);
    answer["schema"].as_str().expect("a schema").to_owned()
}

/// Makes the registry refuse schemas that cannot read what the subject's older ones wrote.
#[track_caller]
pub fn require_backward_compatibility(subject: &str) {
    let level = json!({"compatibility": "BACKWARD"});
    ask("PUT", &format!("/config/{subject}"), Some(&level));
}

#[track_caller]
fn ask(method: &str, path: &str, body: Option<&Value>) -> Value {
    match request(method, &format!("{}{path}", url()), body) {
        Ok((200, answer)) => answer,
        other => panic!("{method} {path}: {other:?}"),
    }
}

fn request(method: &str, url: &str, body: Option<&Value>) -> Result<(u16, Value), String> {
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(REQUEST_LIMIT))
        .proxy(None)
        .build()
        .new_agent();
    let request = ureq::http::Request::builder()
        .method(method)
        .uri(url)
        .header("content-type", MEDIA_TYPE);
    let sent = match body {
        Some(body) => agent.run(request.body(body.to_string()).map_err(|e| e.to_string())?),
        None => agent.run(request.body(()).map_err(|e| e.to_string())?),
    };
    let mut answer = sent.map_err(|e| e.to_string())?;
    let text = answer.body_mut().read_to_string();
    let text = text.map_err(|e| e.to_string())?;
    let value = serde_json::from_str(&text).map_err(|e| format!("{e}: {text}"))?;
    Ok((answer.status().as_u16(), value))
}
