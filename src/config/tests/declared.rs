//! Declared sources, and what comes first of several sources.

use super::{Tombstone, define, env_error, error, from_env, from_toml, load};
use crate::config::documents;
use crate::config::{Format, KeyFormat};
use crate::model::record::Source;

const CRM: &str = "[sources.crm-contacts]\ndefinition = 'crm.toml'\ntopics = ['crm']\n";

#[test]
fn a_declared_source_is_on_with_its_plan() {
    let config = from_toml(CRM);
    let on: Vec<&str> = config
        .sources
        .iter()
        .map(|(source, _)| source.name())
        .collect();
    assert_eq!(on, ["crm-contacts"]);
    let source = config.sources.named("crm-contacts").unwrap();
    let settings = config.sources.get(source).unwrap();
    assert_eq!(settings.topics, ["crm"]);
    assert_eq!(settings.definition.as_deref(), Some("crm.toml"));
    assert_eq!(settings.tombstone, Tombstone::Retract);
    assert_eq!(settings.format, Format::Json);
    assert_eq!(settings.key_format, KeyFormat::Text);
    assert_eq!(config.sources.source_of("crm"), Some(source));
    let plan = config.sources.plan(source).unwrap();
    assert_eq!(*plan, define("crm.toml").unwrap());
}

#[test]
fn declared_sources_come_after_those_that_are_built_in_by_name() {
    let config = from_toml(&format!(
        "{CRM}[sources.a]\ndefinition = 'preset:a'\ntopics = ['a']\ntombstone = 'erase'\n\
         [sources.publisher-customers]\n[sources.loyalty-customers]\n"
    ));
    let on: Vec<&str> = config
        .sources
        .iter()
        .map(|(source, _)| source.name())
        .collect();
    assert_eq!(
        on,
        [
            "loyalty-customers",
            "publisher-customers",
            "a",
            "crm-contacts"
        ]
    );
    for name in ["a", "crm-contacts"] {
        let source = config.sources.named(name).unwrap();
        assert!(config.sources.plan(source).is_some(), "{name}");
    }
    let built_in = config.sources.plan(Source::LoyaltyCustomers);
    assert!(built_in.is_none());
}

#[test]
fn the_printed_configuration_has_declared_sources_and_priorities() {
    let config = from_toml(&format!(
        "{CRM}[merge.priority]\nstatus = ['crm-contacts', 'loyalty-customers']\n\
         attributes.tier = ['crm-contacts']\n'*' = ['console-customers']"
    ));
    let printed = config.print();
    assert_eq!(from_toml(&printed), config, "{printed}");
    assert!(!printed.contains("[sources.loyalty"), "{printed}");
    let fields = config.merge.priority.fields();
    assert_eq!(fields["status"], ["crm-contacts", "loyalty-customers"]);
    assert_eq!(fields["attributes.tier"], ["crm-contacts"]);
    assert_eq!(fields["*"], ["console-customers"]);
}

#[test]
fn the_environment_declares_and_changes_sources() {
    let config = load(
        CRM,
        &[
            ("KEYFOLD__SOURCES__CRM_CONTACTS__TOPICS", "a,b"),
            ("KEYFOLD__SOURCES__CRM_CONTACTS__TOMBSTONE", "reject"),
        ],
    );
    let config = config.unwrap();
    let source = config.sources.named("crm-contacts").unwrap();
    let settings = config.sources.get(source).unwrap();
    assert_eq!(settings.topics, ["a", "b"]);
    assert_eq!(settings.tombstone, Tombstone::Reject);

    let config = from_env(&[
        ("KEYFOLD__SOURCES__S3__TOPICS", "s"),
        ("KEYFOLD__SOURCES__S3__DEFINITION", "preset:s"),
        (
            "KEYFOLD__MERGE__PRIORITY__FIRSTNAME",
            "s3, console-customers",
        ),
        ("KEYFOLD__MERGE__PRIORITY__ATTRIBUTES__TIER", "s3"),
        ("KEYFOLD__MERGE__PRIORITY__ALL", "s3"),
    ]);
    let source = config.sources.named("s3").unwrap();
    assert!(config.sources.plan(source).is_some());
    let fields = config.merge.priority.fields();
    let names: Vec<&str> = fields.keys().map(String::as_str).collect();
    assert_eq!(names, ["*", "attributes.tier", "firstName"]);
    assert_eq!(fields["firstName"], ["s3", "console-customers"]);
}

/// A variable that names no definition, of a source that no file declares, is a slip.
#[test]
fn variables_of_sources_that_nothing_declares() {
    let name = "KEYFOLD__SOURCES__CRM_CONTACT__TOPICS";
    let message = load(CRM, &[(name, "a")]).unwrap_err().to_string();
    let known = "KEYFOLD__SOURCES__CRM_CONTACTS__TOPICS";
    assert_eq!(
        message,
        format!("unknown environment variable {name}; did you mean {known}?")
    );
    let name = "KEYFOLD__SOURCES__CRM_CONTACTS__TOPIC";
    let message = load(CRM, &[(name, "a")]).unwrap_err().to_string();
    assert!(message.contains(known), "{message}");
    let message = env_error("KEYFOLD__SOURCES__LOYALTY_CUSTOMERS__DEFINITION", "a");
    assert!(message.contains("the source is built in"), "{message}");
}

#[test]
fn what_can_be_wrong_with_a_declared_source() {
    const NEEDED: &str =
        "a source that is not built in needs a `definition`, which says what its records mean";
    for (toml, message) in [
        (
            "[sources.crm]\ntopics = ['a']",
            format!("`sources.crm` in keyfold.toml: {NEEDED}"),
        ),
        (
            "[sources.loyalty-customer]\ntopics = ['a']",
            format!(
                "`sources.loyalty-customer` in keyfold.toml: {NEEDED}; did you mean \
                 `sources.loyalty-customers`?"
            ),
        ),
        (
            "[sources.crm]\ndefinition = 'a'",
            "`sources.crm` in keyfold.toml: a source that is not built in needs `topics`".into(),
        ),
        (
            "[sources.crm_contacts]\ndefinition = 'a'\ntopics = ['a']",
            "`sources.crm_contacts` in keyfold.toml: the name of a source of one's own is 1 to 64 \
             of a-z 0-9 -, and none of loyalty, actions, console, publisher, forwarded"
                .into(),
        ),
        (
            "[sources.forwarded]",
            "`sources.forwarded` in keyfold.toml: the name of a source of one's own is 1 to 64 \
             of a-z 0-9 -, and none of loyalty, actions, console, publisher, forwarded"
                .into(),
        ),
        (
            "[sources.crm]\ndefinition = 'a'\ntopics = ['a']\ntopic = 'b'",
            "unknown key `sources.crm.topic` in keyfold.toml; did you mean `sources.crm.topics`?"
                .into(),
        ),
        (
            "[sources]\ncrm = 'a'",
            "`sources.crm` in keyfold.toml: expected a table of keys".into(),
        ),
        (
            "[sources.loyalty-actions]\ndefinition = 'a'",
            "`sources.loyalty-actions.definition` in keyfold.toml: cannot be set: the source is built in \
             and needs no definition; declare one of your own under another name"
                .into(),
        ),
        (
            "[sources.crm]\ndefinition = ''\ntopics = ['a']",
            "`sources.crm.definition` in keyfold.toml: expected the path of a definition, or \
             \"preset:NAME\" for one that comes with keyfold, found \"\""
                .into(),
        ),
        (
            "[sources.crm]\ndefinition = 'a'\ntopics = ['loyalty.customers']\n[sources.loyalty-customers]",
            "`sources.loyalty-customers.topics` (default): topic \"loyalty.customers\" is also \
             `sources.crm.topics` in keyfold.toml; a topic may feed one source only"
                .into(),
        ),
        (
            "[sources.crm]\ndefinition = 'a'\ntopics = ['a']\nformat = 'avro'\n[registry]\nurl = ''",
            "`registry.url` in keyfold.toml: is empty, but `sources.crm.format` in keyfold.toml is \
             \"avro\", which needs a schema registry"
                .into(),
        ),
    ] {
        assert_eq!(error(toml), message);
    }
    for name in ["a", "0", "-", &"a".repeat(64)] {
        let toml = format!("[sources.{name}]\ndefinition = 'a'\ntopics = ['a']");
        assert!(load(&toml, &[]).is_ok(), "{name}");
    }
    for name in ["A", "\"é\"", "\"a b\"", &"a".repeat(65)] {
        let toml = format!("[sources.{name}]\ndefinition = 'a'\ntopics = ['a']");
        assert!(error(&toml).contains("is 1 to 64 of a-z 0-9 -"), "{name}");
    }
}

#[test]
fn all_problems_of_all_definitions_are_shown_with_the_configurations_own() {
    let message = load(
        "topc = 1\n[sources.a]\ndefinition = 'broken.toml'\ntopics = ['a']",
        &[],
    );
    assert_eq!(
        message.unwrap_err().to_string(),
        "3 settings are wrong:\n  \
         - unknown key `topc` in keyfold.toml, line 1; did you mean `topics`?\n  \
         - `sources.a.definition` in keyfold.toml, line 3: broken.toml: is wrong\n  \
         - `fields` in broken.toml, line 2: is wrong"
    );
}

#[test]
fn what_can_be_wrong_with_a_priority() {
    for (priority, message) in [
        (
            "firstname = ['crm-contacts']",
            "`merge.priority.firstname` in keyfold.toml: is not a field; did you mean `firstName`?",
        ),
        (
            "attribute.tier = ['crm-contacts']",
            "`merge.priority.attribute.tier` in keyfold.toml: is not a field; did you mean \
             `attributes.NAME`?",
        ),
        (
            "status = ['crm-contact']",
            "`merge.priority.status` in keyfold.toml: no source is called \"crm-contact\"; did you \
             mean \"crm-contacts\"?",
        ),
        (
            "status = ['loyalty']",
            "`merge.priority.status` in keyfold.toml: no source is called \"loyalty\"; did you \
             mean \"loyalty-actions\"?",
        ),
        (
            "status = ['crm-contacts', 'crm-contacts']",
            "`merge.priority.status` in keyfold.toml: \"crm-contacts\" is given twice",
        ),
        (
            "status = []",
            "`merge.priority.status` in keyfold.toml: expected a list of at least one, each the \
             name of a source, found none",
        ),
        (
            "status = 'crm-contacts'",
            "`merge.priority.status` in keyfold.toml: expected a list of at least one, each the \
             name of a source, found \"crm-contacts\"",
        ),
    ] {
        let toml = format!("{CRM}[merge.priority]\n{priority}");
        assert_eq!(error(&toml), message);
    }
}

#[test]
fn editors_know_declared_sources_and_priorities() {
    let schema = jsonschema::validator_for(&documents::schema()).unwrap();
    let is_valid = |text: &str| {
        let file: toml::Table = text.parse().unwrap();
        schema.is_valid(&serde_json::to_value(file).unwrap())
    };
    for valid in [
        CRM,
        "[merge.priority]\nstatus = ['a']\n\"attributes.b\" = ['a']\nattributes.c = ['a']\n'*' = ['a']",
    ] {
        assert!(is_valid(valid), "{valid}");
    }
    for wrong in [
        "[sources.crm]\ntopics = ['a']",
        "[sources.crm]\ndefinition = 'a'",
        "[sources.forwarded]\ndefinition = 'a'\ntopics = ['a']",
        "[sources.crm_contacts]\ndefinition = 'a'\ntopics = ['a']",
        "[sources.loyalty-customers]\ndefinition = 'a'",
        "[merge.priority]\nstate = ['a']",
        "[merge.priority]\nstatus = 'a'",
    ] {
        assert!(!is_valid(wrong), "{wrong}");
    }
}
