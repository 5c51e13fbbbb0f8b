//! The configuration in force as TOML, with secrets redacted. Apart from those it loads again.

use std::fmt::Display;
use std::time::Duration;

use super::Config;
use super::properties::redacted;
use super::rules::always_rejects;
use super::words::Word;
use crate::model::record::{Code, Source};

impl Config {
    /// What is in force, as TOML. Secrets, those among librdkafka's properties too, and the
    /// credentials in URLs are replaced by asterisks.
    #[must_use]
    pub fn print(&self) -> String {
        let mut out = Toml::default();
        out.comment("the configuration in force; secrets are redacted");
        out.text("application_id", &self.application_id);
        out.text("instance_id", &self.instance_id);
        self.print_kafka(&mut out);
        self.print_sources(&mut out);

        out.table("snapshot");
        out.text("topic", &self.snapshot.topic);
        out.word("format", self.snapshot.format);
        out.word("subject_strategy", self.snapshot.subject_strategy);
        out.line("auto_register", self.snapshot.auto_register);
        out.line("recent_actions", self.snapshot.recent_actions);
        out.word("deleted", self.snapshot.deleted);

        out.table("dead_letters");
        out.text("topic", &self.dead_letters.topic);

        out.table("merge");
        out.word("lists", self.merge.lists);
        out.line("max_actions", self.merge.max_actions);
        out.line("max_hidden", self.merge.max_hidden);

        self.print_validation(&mut out);

        out.table("processing");
        out.word("guarantee", self.processing.guarantee);
        out.duration("commit_interval", self.processing.commit_interval);
        out.duration(
            "backlog_commit_interval",
            self.processing.backlog_commit_interval,
        );
        out.line("workers", self.processing.workers);
        out.line("max_batch_records", self.processing.max_batch_records);
        out.line("max_batch_bytes", self.processing.max_batch_bytes);
        out.line(
            "max_reject_share",
            toml::Value::Float(self.processing.max_reject_share),
        );
        out.line("reject_window", self.processing.reject_window);

        out.table("state");
        out.word("store", self.state.store);
        if let Some(directory) = &self.state.directory {
            out.text("directory", directory);
        }
        out.line("memory_bytes", self.state.memory_bytes);

        self.print_registry(&mut out);

        out.table("http");
        out.text("listen", &self.http.listen);
        out.word("customers", self.http.customers);

        out.table("log");
        out.word("format", self.log.format);
        out.text("level", &self.log.level);

        out.table("topics");
        match self.topics.partitions {
            Some(partitions) => out.line("partitions", partitions),
            None => out.comment("partitions: those of the largest input"),
        }
        match self.topics.replication_factor {
            Some(factor) => out.line("replication_factor", factor),
            None => out.comment("replication_factor: the broker's default"),
        }
        out.0
    }

    fn print_kafka(&self, out: &mut Toml) {
        out.table("kafka");
        out.text("bootstrap_servers", &self.kafka.shown_servers());
        out.word("on_lost_offset", self.kafka.on_lost_offset);
        out.word("on_foreign_offset", self.kafka.on_foreign_offset);
        out.table("kafka.properties");
        for (name, value) in &self.kafka.properties {
            out.text(&quoted(name), &redacted(name, value));
        }
    }

    fn print_sources(&self, out: &mut Toml) {
        for (source, settings) in self.sources.iter() {
            out.table(&format!("sources.{}", source.name()));
            let topics: Vec<String> = settings.topics.iter().map(|topic| quoted(topic)).collect();
            out.line("topics", format_args!("[{}]", topics.join(", ")));
            out.word("format", settings.format);
            out.word("tombstone", settings.tombstone);
            out.word("key_format", settings.key_format);
        }
    }

    fn print_validation(&self, out: &mut Toml) {
        let validation = &self.validation;
        out.table("validation");
        out.duration("max_future_skew", validation.max_future_skew);
        out.line("max_record_bytes", validation.max_record_bytes);
        out.line("max_metadata_bytes", validation.max_metadata_bytes);
        out.line("max_state_bytes", validation.max_state_bytes);
        out.table("validation.rules");
        for code in Code::SEMANTIC {
            match validation.rules.explicit(code) {
                Some(action) => out.word(code.name(), action),
                None => out.comment(&self.default_rule(code)),
            }
        }
    }

    fn print_registry(&self, out: &mut Toml) {
        let registry = &self.registry;
        out.table("registry");
        out.text("url", &registry.shown_urls().collect::<Vec<_>>().join(","));
        out.text("username", &registry.username);
        out.secret("password", &registry.password);
        out.secret("token", &registry.token);
        out.text("ca_location", &registry.ca_location);
        out.duration("timeout", registry.timeout);
        out.duration("unknown_ids_for", registry.unknown_ids_for);
    }

    /// A default is not printed as a key: one that was set holds for all sources alike.
    fn default_rule(&self, code: Code) -> String {
        let action = |source| self.validation.rules.action(code, source).word();
        let (loyalty, others) = (
            action(Source::LoyaltyCustomers),
            action(Source::ConsoleCustomers),
        );
        let name = code.name();
        if always_rejects(code) {
            format!("{name}: always {loyalty}")
        } else if loyalty == others {
            format!("{name}: {loyalty}, by default")
        } else {
            format!(
                "{name}: {loyalty} for the loyalty sources, {others} for the others, by default"
            )
        }
    }
}

/// TOML, line by line.
#[derive(Default)]
struct Toml(String);

impl Toml {
    fn table(&mut self, path: &str) {
        self.0.push_str("\n[");
        self.0.push_str(path);
        self.0.push_str("]\n");
    }

    fn comment(&mut self, text: &str) {
        self.0.push_str("# ");
        self.0.push_str(text);
        self.0.push('\n');
    }

    fn line(&mut self, key: &str, value: impl Display) {
        self.0.push_str(&format!("{key} = {value}\n"));
    }

    fn text(&mut self, key: &str, value: &str) {
        self.line(key, quoted(value));
    }

    fn secret(&mut self, key: &str, value: &str) {
        self.text(key, &redacted(key, value));
    }

    fn word(&mut self, key: &str, value: impl Word) {
        self.text(key, value.word());
    }

    fn duration(&mut self, key: &str, value: Duration) {
        self.text(key, &humantime::format_duration(value).to_string());
    }
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
