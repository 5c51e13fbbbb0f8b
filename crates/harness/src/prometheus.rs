//! A real Prometheus that scrapes an instance of keyfold, with the project's alerts.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::child::Guarded;
use crate::ports::free_port;
use crate::wait::wait_until;
use crate::{debian, root};

const UP_LIMIT: Duration = Duration::from_secs(60);

/// A Prometheus. Dropping it kills it.
pub struct Prometheus {
    url: String,
    _process: Guarded,
    _home: TempDir,
}

impl Prometheus {
    /// Starts one that asks this address for metrics every second, and waits until it has an answer.
    #[track_caller]
    pub fn scraping(address: &str) -> Prometheus {
        let program = debian::program("prometheus", "prometheus");
        let program = program.unwrap_or_else(|reason| panic!("no Prometheus: {reason}"));
        let home = tempfile::Builder::new()
            .prefix("keyfold-prometheus-")
            .tempdir()
            .expect("a directory");
        let rules = root().join("config/prometheus/keyfold.rules.yml");
        let config = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [{rules:?}]\nscrape_configs:\n  - job_name: keyfold\n    static_configs: [{{ targets: [{address:?}] }}]\n"
        );
        let file = home.path().join("prometheus.yml");
        fs::write(&file, config).expect("its configuration");
        let listen = format!("127.0.0.1:{}", free_port());
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                home.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={listen}"));
        let log = home.path().join("prometheus.log");
        let prometheus = Prometheus {
            _process: Guarded::spawn(&command, &log, home.path()),
            url: format!("http://{listen}"),
            _home: home,
        };
        wait_until(UP_LIMIT, "Prometheus to scrape keyfold", || {
            let up = prometheus.query("up == 1").ok()?;
            (!up.is_empty()).then_some(())
        });
        prometheus
    }

    /// The result of an expression now: its series. The error is Prometheus' message.
    pub fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let answer = self.get("/api/v1/query", &[("query", expression)])?;
        let result = &answer["data"]["result"];
        match answer["data"]["resultType"].as_str() {
            Some("vector") => Ok(result.as_array().cloned().unwrap_or_default()),
            _ => Ok(vec![result.clone()]),
        }
    }

    /// The health of each alert: its name, and Prometheus' message if it cannot be evaluated.
    pub fn alerts(&self) -> Vec<(String, Option<String>)> {
        let answer = self.get("/api/v1/rules", &[]).expect("the rules");
        let groups = answer["data"]["groups"].as_array().cloned();
        let rules = groups.into_iter().flatten();
        let rules = rules.flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default());
        rules
            .map(|rule| {
                let name = rule["name"].as_str().unwrap_or_default().to_owned();
                let is_good = rule["health"] == "ok";
                (name, (!is_good).then(|| rule.to_string()))
            })
            .collect()
    }

    fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(10)))
            .build()
            .into();
        let request = agent.get(format!("{}{path}", self.url));
        let request = request.query_pairs(parameters.iter().copied());
        let mut answer = request.call().map_err(|error| error.to_string())?;
        let text = answer.body_mut().read_to_string();
        let text = text.map_err(|error| error.to_string())?;
        let answer: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        match answer["status"] == "success" {
            true => Ok(answer),
            false => Err(text),
        }
    }
}
