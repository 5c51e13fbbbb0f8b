//! What `--definition` names: the source whose records are made, and the topic that they are for.

use std::path::Path;
use std::sync::Arc;

use super::super::sources::resolve;
use crate::config::{Config, Format};
use crate::definition::PRESET;
use crate::exit::Failure;
use crate::fold::examples;
use crate::model::record::Source;
use crate::sample::Samples;

/// A source, the configuration under which its records are judged, and the topic that they are for.
struct Named {
    source: Source,
    config: Arc<Config>,
    topic: Option<String>,
}

/// The records of a source of one's own, and the topic that they are for.
pub(super) struct Own {
    pub(super) samples: Samples,
    pub(super) topic: String,
}

/// Prepares the records of a definition: a source that is on, a file, or `preset:NAME`. `file` is the configuration file,
/// beside which the definitions of the sources are.
pub(super) fn samples(
    config: &Config,
    file: Option<&Path>,
    (definition, topic): (&str, Option<&str>),
    is_for_kafka: bool,
) -> Result<Own, Failure> {
    let named = named(config, file, definition)?;
    let topic = topic.map(str::to_owned).or(named.topic);
    let topic = match topic {
        Some(topic) => topic,
        None if is_for_kafka => {
            return Err(Failure::Usage(format!(
                "no source that is on has the definition {definition}: name the topic with --topic"
            )));
        }
        None => resolve::stem(definition).to_owned(),
    };
    let samples = Samples::new(named.source, named.config).map_err(|problems| {
        Failure::Usage(format!(
            "{definition}: no valid records can be made of it:\n  - {}",
            problems.join("\n  - ")
        ))
    })?;
    Ok(Own { samples, topic })
}

fn named(config: &Config, file: Option<&Path>, definition: &str) -> Result<Named, Failure> {
    if !resolve::is_definition(definition) {
        let source = config.sources.named(definition);
        let source = source.ok_or_else(|| resolve::unknown(definition, config))?;
        return of_source(config, source);
    }
    let folder = file.and_then(Path::parent).unwrap_or(Path::new(""));
    let is_the_same = |written: &str| match definition.starts_with(PRESET) {
        true => written == definition,
        false => is_same_file(&folder.join(written), Path::new(definition)),
    };
    let mut on = config.sources.declared();
    let on = on.find(|(_, settings, _)| settings.definition.as_deref().is_some_and(is_the_same));
    if let Some((source, ..)) = on {
        return of_source(config, Source::Declared(source));
    }
    let (source, plan) = resolve::load(definition).map_err(|wrong| resolve::wrong(&wrong))?;
    Ok(Named {
        source: Source::Declared(source),
        config: Arc::new(examples::config_of(source, &plan)),
        topic: None,
    })
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    let [one, other] = [one, other].map(|path| std::fs::canonicalize(path).ok());
    one.is_some() && one == other
}

fn of_source(config: &Config, source: Source) -> Result<Named, Failure> {
    let settings = config.sources.get(source);
    if !matches!(source, Source::Declared(_)) {
        return Err(Failure::Usage(format!(
            "{} is built in: its records are made without --definition",
            source.name()
        )));
    }
    if let Some(settings) = settings.filter(|settings| settings.format != Format::Json) {
        return Err(Failure::Usage(format!(
            "the records of {} are {}, and records are made as JSON only",
            source.name(),
            settings.format.word()
        )));
    }
    Ok(Named {
        source,
        config: Arc::new(config.clone()),
        topic: settings.and_then(|settings| settings.topics.first().cloned()),
    })
}
