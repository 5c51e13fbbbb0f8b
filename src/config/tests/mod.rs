//! The layers, the reference file, and what is printed.

mod declared;
mod errors;
mod files;
mod properties;
mod registry;
mod rules;
mod sizes;
mod url;
mod variables;

use std::path::Path;
use std::sync::Arc;

use super::load::{Reads, assemble};
use super::*;
use crate::customer::declared::Order;
use crate::definition::{
    Countries, Definition, Envelope, Nulls, Origin, Plan, Problem, Tells, Value,
};
use crate::model::record::{Code, Source};
use std::time::Duration;

const REFERENCE: &str = include_str!("../../../config/keyfold.toml");

/// Definitions without files: `broken.toml` has two problems, all others have none.
fn define(definition: &str) -> Result<Arc<Plan>, Vec<Problem>> {
    if definition == "broken.toml" {
        let whole = Problem::of_file(definition, "is wrong");
        let line = Problem {
            line: Some(2),
            key: "fields".to_owned(),
            ..whole.clone()
        };
        return Err(vec![whole, line]);
    }
    Ok(Arc::new(Plan::new(definition_of(definition)).unwrap()))
}

fn definition_of(id: &str) -> Definition {
    Definition {
        schema: None,
        reader: None,
        envelope: Envelope::None,
        each: None,
        merge: crate::definition::Merge::Fields,
        order: Order::UpdatedAt,
        nulls: Nulls::Absent,
        customer_id: Value {
            from: vec![Origin::Header(id.to_owned())],
            ..Value::default()
        },
        updated_at: None,
        rank: None,
        created_at: None,
        tells: Tells::Customer {
            scalars: Vec::new(),
            attributes: None,
            attribute: Vec::new(),
            lists: Vec::new(),
        },
        deleted: None,
        event_type: None,
        version: None,
        countries: Countries::Any,
        rules: Vec::new(),
        tests: Vec::new(),
    }
}

/// Files of values without a disk: two of them, one with a secret, and none besides.
fn value_in(path: &str) -> Result<String, String> {
    match path {
        "/run/password" => Ok("hunter2".to_owned()),
        "/run/topics" => Ok("a, b".to_owned()),
        _ => Err(format!("cannot read the file {path}")),
    }
}

const READS: Reads<'static> = Reads {
    define: &define,
    value: &value_in,
};

fn keys() -> Vec<String> {
    names::keys().collect()
}

fn load(toml: &str, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
    load_with_origins(toml, env).map(|(config, _)| config)
}

fn load_with_origins(toml: &str, env: &[(&str, &str)]) -> Result<(Config, Origins), ConfigError> {
    let env = env
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let file = (Path::new("keyfold.toml"), toml);
    assemble(Some(file), env, READS, |_| Vec::new())
}

fn from_toml(toml: &str) -> Config {
    load(toml, &[]).unwrap()
}

fn from_env(env: &[(&str, &str)]) -> Config {
    load("", env).unwrap()
}

/// The error without line numbers; [`errors::every_error_in_a_file_names_its_line`] tests these.
fn error(toml: &str) -> String {
    let mut message = load(toml, &[]).unwrap_err().to_string();
    for line in 1..20 {
        message = message.replace(&format!(", line {line}"), "");
    }
    message
}

fn env_error(name: &str, value: &str) -> String {
    load("", &[(name, value)]).unwrap_err().to_string()
}

#[test]
fn the_reference_file_has_the_defaults() {
    assert_eq!(from_toml(REFERENCE), Config::default());
    assert_eq!(from_toml(""), Config::default());
    let (config, _) = assemble(None, Vec::new(), READS, |_| Vec::new()).unwrap();
    assert_eq!(config, Config::default());
}

#[test]
fn the_commented_examples_of_the_reference_file_load() {
    let toml: String = REFERENCE
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(key) if key.contains(" = ") || key.starts_with('[') => format!("{key}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let config = from_toml(&toml);
    assert_eq!(config.kafka.properties["security.protocol"], "SASL_SSL");
    let crm = config.sources.named("crm-contacts").unwrap();
    assert_eq!(config.sources.get(crm).unwrap().topics, ["crm.contacts"]);
    assert_eq!(config.merge.priority.fields()["*"].len(), 2);
    assert_eq!(config.topics.partitions, Some(12));
    assert_eq!(config.state.directory.as_deref(), Some("/var/lib/keyfold"));
}

/// Tests that each known key is read, and that each checks its type.
#[test]
fn every_key_refuses_a_table_and_names_itself() {
    for key in keys() {
        let message = error(&format!("{key} = [[true]]"));
        let start = format!("`{key}` in keyfold.toml: expected ");
        assert!(message.starts_with(&start), "{message}");
    }
}

#[test]
fn every_key_has_a_variable() {
    for key in keys() {
        let variable = super::variables::variable(&key);
        let message = env_error(&variable, "\0");
        let start = format!("`{key}` in environment variable {variable}: ");
        assert!(message.starts_with(&start), "{message}");
        assert_eq!(super::variables::key_of(&variable).path, key);
    }
}

#[test]
fn only_the_sources_in_the_file_are_on() {
    let config =
        from_toml("[sources.console-customers]\n[sources.loyalty-actions]\ntopics = ['a', 'b']");
    let on: Vec<Source> = config.sources.iter().map(|(source, _)| source).collect();
    assert_eq!(on, [Source::LoyaltyActions, Source::ConsoleCustomers]);
    let console = config.sources.get(Source::ConsoleCustomers).unwrap();
    assert_eq!(*console, SourceConfig::of(Source::ConsoleCustomers));
    assert_eq!(console.tombstone, Tombstone::Retract);
    assert_eq!(config.sources.source_of("b"), Some(Source::LoyaltyActions));
    assert_eq!(config.sources.source_of("loyalty.customers"), None);
}

#[test]
fn the_environment_overrides_the_file() {
    let config = load(
        "application_id = 'file'\n[snapshot]\ntopic = 'file'\n[kafka.properties]\nsecurity.protocol = 'SSL'\n\
         [sources.loyalty-customers]\ntopics = ['file']",
        &[
            ("KEYFOLD__APPLICATION_ID", "123"),
            ("KEYFOLD__KAFKA__BOOTSTRAP_SERVERS", "a:1,b:2"),
            ("KEYFOLD__KAFKA__PROPERTIES__SECURITY_PROTOCOL", "SASL_SSL"),
            ("KEYFOLD__KAFKA__PROPERTIES__LOG_LEVEL", "7"),
            ("KEYFOLD__SOURCES__LOYALTY_CUSTOMERS__TOPICS", "true, 17"),
            ("KEYFOLD__MERGE__MAX_ACTIONS", "7"),
            ("KEYFOLD__PROCESSING__MAX_REJECT_SHARE", "1"),
            ("KEYFOLD__PROCESSING__COMMIT_INTERVAL", "1s"),
            ("KEYFOLD__VALIDATION__RULES__COUNTRY_CODE", "off"),
            ("KEYFOLD_TEST_OTHER", "ignored"),
            ("PATH", "ignored"),
        ],
    )
    .unwrap();
    assert_eq!(config.application_id, "123");
    assert_eq!(config.kafka.bootstrap_servers, "a:1,b:2");
    assert_eq!(config.kafka.properties["security.protocol"], "SASL_SSL");
    assert_eq!(config.kafka.properties["log_level"], "7");
    let source = config.sources.get(Source::LoyaltyCustomers).unwrap();
    assert_eq!(source.topics, ["true", "17"]);
    assert_eq!(config.merge.max_actions, 7);
    assert_eq!(config.processing.max_reject_share, 1.0);
    assert_eq!(config.processing.commit_interval, Duration::from_secs(1));
    let rules = &config.validation.rules;
    assert_eq!(
        rules.action(Code::CountryCode, Source::LoyaltyCustomers),
        RuleAction::Off
    );
    assert_eq!(config.snapshot.topic, "file");
}

#[test]
fn properties_are_flat_text() {
    let config = from_toml(
        "[kafka.properties]\nsecurity.protocol = 'SSL'\n\"ssl.ca.location\" = '/ca'\n\
         linger.ms = 5\nsocket.keepalive.enable = true\nretry.factor = 0.5",
    );
    let properties: Vec<(&str, &str)> = config
        .kafka
        .properties
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        properties,
        [
            ("linger.ms", "5"),
            ("retry.factor", "0.5"),
            ("security.protocol", "SSL"),
            ("socket.keepalive.enable", "true"),
            ("ssl.ca.location", "/ca"),
        ]
    );
    let env = from_env(&[("KEYFOLD__KAFKA__PROPERTIES__LINGER_MS", "007")]);
    assert_eq!(env.kafka.properties["linger.ms"], "007");
}

#[test]
fn the_printed_configuration_loads_again() {
    assert_eq!(from_toml(&Config::default().print()), Config::default());
    let config = from_toml(
        "application_id = 'a'\ninstance_id = 'i-1'\n\
         [kafka.properties]\nssl.ca.pem = \"line 1\\nline \\\"2\\\" '''\\n\\u0007\"\nclient.id = ''\n\
         [sources.loyalty-customers]\ntopics = ['a', 'b']\nformat = 'avro'\ntombstone = 'retract'\n\
         [sources.loyalty-actions]\nformat = 'json-registry'\n\
         [snapshot]\nformat = 'avro'\nsubject_strategy = 'record_name'\nauto_register = false\n\
         [registry]\nurl = 'https://a/x, http://b:1/'\nusername = 'ada'\nca_location = '/ca.pem'\n\
         timeout = '100ms'\nunknown_ids_for = '1m 1s'\n\
         [validation]\nmax_future_skew = '1h 30m 5ms'\n[validation.rules]\ncountry_code = 'off'\n\
         blank_id = 'reject'\n[processing]\nmax_reject_share = 1\n[state]\ndirectory = 'C:\\x'\n\
         [topics]\npartitions = 3\nreplication_factor = 2\n[http]\ncustomers = 'on'",
    );
    assert_eq!(from_toml(&config.print()), config);
}

#[test]
fn secrets_are_redacted_where_shown() {
    let config = from_toml(
        "[kafka.properties]\nsasl.username = 'ada'\nsasl.password = 'hunter2'\n\
         ssl.key.pem = 'hunter2'\nsasl.oauthbearer.token.endpoint.url = 'https://u:hunter2@host/t'\n\
         [registry]\nurl = 'http://ada:hunter2@registry:8081'",
    );
    let printed = config.print();
    for shown in [&printed, &format!("{config:?}")] {
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("http://********@registry:8081"), "{shown}");
        assert!(shown.contains("https://********@host/t"), "{shown}");
    }
    assert!(
        printed.contains("\"sasl.password\" = \"********\"\n"),
        "{printed}"
    );
    assert!(
        printed.contains("\"sasl.username\" = \"ada\"\n"),
        "{printed}"
    );
    let again = from_toml(&printed);
    assert_eq!(again.kafka.properties["sasl.password"], "********");
}

#[test]
fn customers_are_served_on_the_loopback_only() {
    for (listen, customers, served) in [
        ("127.0.0.1:1", ServeCustomers::Auto, true),
        ("[::1]:1", ServeCustomers::Auto, true),
        ("0.0.0.0:1", ServeCustomers::Auto, false),
        ("0.0.0.0:1", ServeCustomers::On, true),
        ("127.0.0.1:1", ServeCustomers::Off, false),
    ] {
        let http = Http {
            listen: listen.to_owned(),
            customers,
        };
        assert_eq!(http.serves_customers(), served, "{listen} {customers:?}");
    }
}
