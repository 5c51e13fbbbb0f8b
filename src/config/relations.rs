//! The rules between keys.

use super::layers::Layers;
use super::names;
use super::url::has_credentials;
use super::{Config, Format, RuleAction, SnapshotFormat, Store};
use crate::model::nearest::closest;
use crate::model::record::{Code, Source};

/// Checks a configuration against all rules between keys.
pub(super) fn check(layers: &mut Layers<'_>, config: &Config) {
    rules(layers, config);
    declared(layers, config);
    priorities(layers, config);
    topics(layers, config);
    registry(layers, config);
    state(layers, config);
}

/// Some rules cannot be relaxed.
fn rules(layers: &mut Layers<'_>, config: &Config) {
    for code in Code::SEMANTIC
        .into_iter()
        .filter(|code| code.always_rejects())
    {
        let action = config.validation.rules.explicit(code);
        if action.is_some_and(|action| action != RuleAction::Reject) {
            let path = format!("validation.rules.{}", code.name());
            layers.problem(&path, "is always \"reject\" and cannot be relaxed");
        }
    }
}

/// A declared source needs a definition and topics.
fn declared(layers: &mut Layers<'_>, config: &Config) {
    for (source, _) in config.sources.iter() {
        let Source::Declared(source) = source else {
            continue;
        };
        let table = format!("sources.{}", source.name());
        let has = |key: &str| layers.value(&format!("{table}.{key}")).is_some();
        let (has_definition, has_topics) = (has("definition"), has("topics"));
        if !has_definition {
            let built_in = Source::BUILT_IN.into_iter().map(Source::name);
            let meant = built_in
                .map(|name| format!("sources.{name}"))
                .find(|known| !names::differs_much(&table, known));
            let meant = meant.map_or(String::new(), |meant| format!("; did you mean `{meant}`?"));
            layers.problem(
                &table,
                format!("a source that is not built in needs a `definition`, which says what its records mean{meant}"),
            );
        }
        if !has_topics {
            layers.problem(&table, "a source that is not built in needs `topics`");
        }
    }
}

/// What comes first must be a source: one that is built in, on or off, or one that is declared.
fn priorities(layers: &mut Layers<'_>, config: &Config) {
    let declared = layers.sources();
    let mut known = Source::BUILT_IN.map(Source::name).to_vec();
    known.extend(declared.iter().map(String::as_str));
    for (field, sources) in config.merge.priority.fields() {
        for source in sources.iter().filter(|one| !known.contains(&one.as_str())) {
            let nearest = closest(source, known.iter().map(ToString::to_string));
            layers.problem(
                &format!("merge.priority.{field}"),
                format!("no source is called {source:?}; did you mean {nearest:?}?"),
            );
        }
    }
}

/// Each topic has one purpose: it feeds one source, or is one of the outputs, or is internal.
fn topics(layers: &mut Layers<'_>, config: &Config) {
    let mut uses: Vec<(String, String)> = config
        .sources
        .iter()
        .flat_map(|(source, settings)| {
            let path = format!("sources.{}.topics", source.name());
            settings
                .topics
                .iter()
                .map(move |topic| (topic.clone(), path.clone()))
        })
        .collect();
    uses.push((config.snapshot.topic.clone(), "snapshot.topic".into()));
    uses.push((
        config.dead_letters.topic.clone(),
        "dead_letters.topic".into(),
    ));
    uses.push((config.state_topic(), "application_id".into()));
    uses.push((config.forwarded_topic(), "application_id".into()));

    for (index, (topic, path)) in uses.iter().enumerate() {
        for (other_topic, other_path) in uses.iter().skip(index + 1) {
            if topic != other_topic {
                continue;
            }
            let rule = if other_path.starts_with("sources.") {
                "a topic may feed one source only"
            } else {
                "a topic may serve one purpose only"
            };
            let other = match other_path.as_str() {
                "application_id" => "an internal topic of `application_id`".to_owned(),
                path => layers.place(path),
            };
            layers.problem(path, format!("topic {topic:?} is also {other}; {rule}"));
        }
    }
}

/// A store on disk needs a folder.
fn state(layers: &mut Layers<'_>, config: &Config) {
    // A wrong path is not in `config`, but is reported already.
    if config.state.store == Store::Disk && !layers.is_set("state.directory") {
        layers.problem(
            "state.store",
            "\"disk\" needs a folder: set `state.directory`",
        );
    }
}

/// Avro needs a registry, and only one kind of credentials may be given for it.
fn registry(layers: &mut Layers<'_>, config: &Config) {
    let registry = &config.registry;
    if registry.urls().next().is_none()
        && let Some(path) = first_avro(config)
    {
        let other = layers.place(&path);
        layers.problem(
            "registry.url",
            format!("is empty, but {other} is \"avro\", which needs a schema registry"),
        );
    }
    // A wrong user name is not in `config`, but is reported already.
    if !registry.password.is_empty() && !layers.is_set("registry.username") {
        layers.problem("registry.password", "is given without `registry.username`");
    }
    let in_url = registry.urls().any(has_credentials);
    let mut given = [
        ("registry.url", in_url),
        ("registry.username", !registry.username.is_empty()),
        ("registry.token", !registry.token.is_empty()),
    ]
    .into_iter()
    .filter_map(|(path, given)| given.then_some(path));
    if let Some(first) = given.next() {
        for path in given {
            let other = layers.place(first);
            layers.problem(
                path,
                format!("credentials are given here and in {other}; give one of them"),
            );
        }
    }
}

/// The first key whose format needs a registry.
fn first_avro(config: &Config) -> Option<String> {
    let keys = config.sources.iter().map(|(source, settings)| {
        let key = match settings.format == Format::Avro {
            true => Some("format"),
            false => (config.sources.reads_avro_keys(source)).then_some("key_format"),
        };
        key.map(|key| format!("sources.{}.{key}", source.name()))
    });
    keys.flatten().next().or_else(|| {
        (config.snapshot.format == SnapshotFormat::Avro).then(|| "snapshot.format".to_owned())
    })
}
