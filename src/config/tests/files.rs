//! Values in files that variables name: `KEYFOLD__…__FILE`.

use super::{env_error, from_env, from_toml, keys, load, load_with_origins};
use crate::config::variables::{key_of, meant, variable};

#[test]
fn every_key_can_be_in_a_file() {
    let names = ["kafka.properties.sasl.password", "merge.priority.status"];
    for key in keys().into_iter().chain(names.map(str::to_owned)) {
        let variable = format!("{}__FILE", variable(&key));
        let found = key_of(&variable);
        assert_eq!((found.path.as_str(), found.is_file), (key.as_str(), true));
        let message = env_error(&variable, "/no/such");
        assert!(
            message.contains(&format!(
                "environment variable {variable}: cannot read the file /no/such"
            )),
            "{message}"
        );
    }
}

#[test]
fn what_a_file_holds_is_read_as_a_variable_is() {
    let config = from_env(&[
        ("KEYFOLD__REGISTRY__USERNAME", "ada"),
        ("KEYFOLD__REGISTRY__PASSWORD__FILE", "/run/password"),
        (
            "KEYFOLD__KAFKA__PROPERTIES__SASL_PASSWORD__FILE",
            "/run/password",
        ),
        (
            "KEYFOLD__SOURCES__LOYALTY_ACTIONS__TOPICS__FILE",
            "/run/topics",
        ),
    ]);
    assert_eq!(config.registry.password, "hunter2");
    assert_eq!(config.kafka.properties["sasl.password"], "hunter2");
    let topics = config.sources.iter().map(|(_, source)| &source.topics);
    assert_eq!(topics.collect::<Vec<_>>(), [&["a", "b"]]);
    // a source of one's own, declared by a file alone
    let config = from_env(&[
        ("KEYFOLD__SOURCES__CRM__DEFINITION__FILE", "/run/password"),
        ("KEYFOLD__SOURCES__CRM__TOPICS__FILE", "/run/topics"),
    ]);
    assert!(config.sources.named("crm").is_some());
    // as with the variable itself, the file of the configuration gives way
    let toml = "[snapshot]\ntopic = 'b'";
    let config = load(toml, &[("KEYFOLD__SNAPSHOT__TOPIC__FILE", "/run/password")]).unwrap();
    assert_eq!(config.snapshot.topic, "hunter2");
}

#[test]
fn a_value_and_its_file_are_not_given_together() {
    let both = [
        ("KEYFOLD__REGISTRY__USERNAME", "ada"),
        ("KEYFOLD__REGISTRY__PASSWORD", "hunter2"),
        ("KEYFOLD__REGISTRY__PASSWORD__FILE", "/run/password"),
    ];
    assert_eq!(
        load("", &both).unwrap_err().to_string(),
        "environment variable KEYFOLD__REGISTRY__PASSWORD__FILE: `registry.password` is given by another variable too, \
         KEYFOLD__REGISTRY__PASSWORD"
    );
}

#[test]
fn a_wrong_value_in_a_file_is_not_quoted() {
    for (key, expected) in [
        ("HTTP__LISTEN", "an IP address and a port"),
        ("MERGE__MAX_ACTIONS", "a whole number from 1 to 1000000"),
        ("PROCESSING__COMMIT_INTERVAL", "a duration such as"),
        ("SNAPSHOT__FORMAT", "\"json\" or \"avro\""),
    ] {
        let variable = format!("KEYFOLD__{key}__FILE");
        let message = env_error(&variable, "/run/password");
        for part in [
            &format!("in the file /run/password of environment variable {variable}: "),
            expected,
            "what was found is not shown",
        ] {
            assert!(message.contains(part), "{part} in: {message}");
        }
        assert!(!message.contains("hunter2"), "{message}");
    }
}

#[test]
fn a_misspelt_variable_of_a_file_gets_a_suggestion() {
    for (unknown, nearest) in [
        (
            "KEYFOLD__REGISTRY__PASWORD__FILE",
            "KEYFOLD__REGISTRY__PASSWORD__FILE",
        ),
        (
            "KEYFOLD__REGISTRY__PASSWORD_FILE",
            "KEYFOLD__REGISTRY__PASSWORD__FILE",
        ),
        (
            "KEYFOLD__KAFKA__PROPERTY__SASL_PASSWORD__FILE",
            "KEYFOLD__KAFKA__PROPERTIES__SASL_PASSWORD__FILE",
        ),
        ("KEYFOLD__CONFIG__FILE", "KEYFOLD_CONFIG"),
    ] {
        assert_eq!(
            env_error(unknown, "/run/password"),
            format!("unknown environment variable {unknown}; did you mean {nearest}?")
        );
    }
    for (name, expected) in [
        (
            "KEYFOLD_REGISTRY_PASSWORD_FILE",
            "KEYFOLD__REGISTRY__PASSWORD__FILE",
        ),
        (
            "KEYFOLD_KAFKA__PROPERTIES__SASL_PASSWORD__FILE",
            "KEYFOLD__KAFKA__PROPERTIES__SASL_PASSWORD__FILE",
        ),
    ] {
        assert_eq!(meant(name, "x").as_deref(), Some(expected), "{name}");
    }
}

/// An attribute may be called `file`, and then its variable ends in the same letters.
#[test]
fn the_attribute_of_that_name_is_a_key() {
    let key = key_of("KEYFOLD__MERGE__PRIORITY__ATTRIBUTES__FILE");
    assert_eq!(
        (key.path.as_str(), key.is_file),
        ("merge.priority.attributes.file", false)
    );
    let key = key_of("KEYFOLD__MERGE__PRIORITY__ATTRIBUTES__FILE__FILE");
    assert_eq!(
        (key.path.as_str(), key.is_file),
        ("merge.priority.attributes.file", true)
    );
}

#[test]
fn the_printed_configuration_says_where_a_key_is_set() {
    let (config, origins) = load_with_origins(
        "application_id = 'a'\n[sources.loyalty-actions]\ntopics = [\n'x']\n\
         [kafka.properties]\nssl.ca.pem = \"1\\n2\"",
        &[
            ("KEYFOLD__MERGE__MAX_ACTIONS", "7"),
            (
                "KEYFOLD__KAFKA__PROPERTIES__SASL_PASSWORD__FILE",
                "/run/password",
            ),
        ],
    )
    .unwrap();
    let printed = config.print_with(&origins);
    for line in [
        "application_id = \"a\"  # keyfold.toml, line 1\n",
        "topics = [\"x\"]  # keyfold.toml, line 3\n",
        "max_actions = 7  # environment variable KEYFOLD__MERGE__MAX_ACTIONS\n",
        "\"sasl.password\" = \"********\"  # the file /run/password of environment variable \
         KEYFOLD__KAFKA__PROPERTIES__SASL_PASSWORD__FILE\n",
        "instance_id = \"\"\n",
    ] {
        assert!(printed.contains(line), "{line} in: {printed}");
    }
    assert!(!printed.contains("hunter2"), "{printed}");
    let again = from_toml(&printed);
    assert_eq!(again.kafka.properties["ssl.ca.pem"], "1\n2");
    assert_eq!(again.merge, config.merge);
}
