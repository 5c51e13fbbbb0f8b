//! Loads a [`Config`]: it puts what is set over the defaults, and reports all problems at once.

use std::env;
use std::fs;
use std::path::Path;

use super::error::Problems;
use super::layers::Layers;
use super::section::Section;
use super::{Config, ConfigError, Sources, names, properties, relations, variables};
use crate::model::record::Source;

impl Config {
    /// Loads the file, if one is given, and this process's environment over it.
    ///
    /// # Errors
    /// If the file cannot be read or is not TOML, and for every unknown key, unknown `KEYFOLD__` variable and wrong
    /// value. The exit code for all of them is 2.
    pub fn load(file: Option<&Path>) -> Result<Config, ConfigError> {
        Config::load_checked(file, |_| Vec::new())
    }

    /// The same with further checks. Each finding is a key and what is wrong with it.
    ///
    /// # Errors
    /// Those of [`Config::load`], and the findings.
    pub fn load_checked(
        file: Option<&Path>,
        further: impl Fn(&Config) -> Vec<(String, String)>,
    ) -> Result<Config, ConfigError> {
        let mut problems = Problems::default();
        let mut variables = Vec::new();
        for (name, value) in env::vars_os() {
            let name = name.to_string_lossy();
            if !name.starts_with(variables::BEGINNING) {
                continue;
            }
            match value.into_string() {
                Ok(value) => variables.push((name.into_owned(), value)),
                Err(_) => problems.push(format!("environment variable {name} is not UTF-8")),
            }
        }
        problems.into_result()?;
        let text = file.map(fs::read_to_string).transpose();
        let text = text.map_err(|error| ConfigError::Read {
            path: file.unwrap_or(Path::new("")).to_owned(),
            error,
        })?;
        assemble(file.zip(text.as_deref()), variables, further)
    }
}

/// Combines the layers: the text of a file with its path, and environment variables.
pub(super) fn assemble(
    file: Option<(&Path, &str)>,
    env: impl IntoIterator<Item = (String, String)>,
    further: impl Fn(&Config) -> Vec<(String, String)>,
) -> Result<Config, ConfigError> {
    let mut layers = Layers::default();
    if let Some((path, text)) = file {
        layers.add_file(path, text)?;
    }
    layers.add_environment(env);

    let mut config = Config {
        sources: sources(&mut layers),
        ..Config::default()
    };
    for table in config.tables("") {
        for key in &table.keys {
            set(&mut config, &mut layers, &table.path_of(&key.name));
        }
    }
    let properties: Vec<String> = layers.below(names::PROPERTIES).map(str::to_owned).collect();
    for path in properties {
        match properties::problem(path.strip_prefix(names::PROPERTY).unwrap_or_default()) {
            Some(problem) => layers.problem(&path, problem),
            None => set(&mut config, &mut layers, &path),
        }
    }
    relations::check(&mut layers, &config);
    for (path, finding) in further(&config) {
        layers.problem(&path, finding);
    }
    layers.finish()?;
    Ok(config)
}

/// Sets one key to the value that is given, or adds a problem.
fn set(config: &mut Config, layers: &mut Layers<'_>, path: &str) {
    if let (Some(value), Some(spec)) = (layers.value(path), names::spec(path)) {
        match spec.shape.check(value) {
            Ok(()) => config.set_key(path, value),
            Err(problem) => layers.problem(path, problem),
        }
    }
}

/// The sources that are on, with their defaults: all of them or, if some are given, only those (docs/contract.md,
/// section 7).
fn sources(layers: &mut Layers<'_>) -> Sources {
    let is_given = |source: &Source| {
        let table = format!("sources.{}", source.name());
        layers.value(&table).is_some() || layers.below(&table).next().is_some()
    };
    let on: Vec<Source> = Source::BUILT_IN.into_iter().filter(is_given).collect();
    if on.is_empty() {
        if layers.value("sources").is_some() {
            layers.problem(
                "sources",
                "no source is on; name at least one, or leave the table out to have all four",
            );
        }
        return Sources::default();
    }
    Sources::with_defaults(on)
}
