//! Loads a [`Config`]: it puts what is set over the defaults, and reports all problems at once.

use std::env;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::error::Problems;
use super::layers::Layers;
use super::section::Section;
use super::{Config, ConfigError, Sources, names, priorities, properties, relations, variables};
use crate::definition::{self, Plan, Problem};
use crate::model::record::{DeclaredSource, Source};

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
        let folder = file.and_then(Path::parent).unwrap_or(Path::new(""));
        let define = |definition: &str| {
            let read = |name: &str| {
                fs::read_to_string(folder.join(name)).map_err(|error| error.to_string())
            };
            definition::load(definition, read)
        };
        assemble(file.zip(text.as_deref()), variables, &define, further)
    }
}

/// Makes a plan of the definition that the configuration names, or says all that is wrong with it.
pub(super) type Define<'d> = &'d dyn Fn(&str) -> Result<Arc<Plan>, Vec<Problem>>;

/// Combines the layers: the text of a file with its path, and environment variables.
pub(super) fn assemble(
    file: Option<(&Path, &str)>,
    env: impl IntoIterator<Item = (String, String)>,
    define: Define<'_>,
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
    for (table, problem) in OPEN_TABLES {
        let paths: Vec<String> = layers.below(table).map(str::to_owned).collect();
        for path in paths {
            match problem(path.get(table.len() + 1..).unwrap_or_default()) {
                Some(problem) => layers.problem(&path, problem),
                None => set(&mut config, &mut layers, &path),
            }
        }
    }
    relations::check(&mut layers, &config);
    define_sources(&mut config, &mut layers, define);
    for (path, finding) in further(&config) {
        layers.problem(&path, finding);
    }
    layers.finish()?;
    Ok(config)
}

/// Finds out what is wrong with a name.
type NameRule = fn(&str) -> Option<String>;

/// The tables in which any name may be a key.
const OPEN_TABLES: [(&str, NameRule); 2] = [
    (names::PROPERTIES, properties::problem),
    (names::PRIORITIES, priorities::problem),
];

/// Reads the definitions of the declared sources.
fn define_sources(config: &mut Config, layers: &mut Layers<'_>, define: Define<'_>) {
    let declared: Vec<(Source, String)> = config
        .sources
        .iter()
        .filter_map(|(source, settings)| Some((source, settings.definition.clone()?)))
        .collect();
    for (source, definition) in declared {
        match define(&definition) {
            Ok(plan) => config.sources.set_plan(source, plan),
            Err(problems) => {
                let path = format!("sources.{}.definition", source.name());
                for problem in problems {
                    match problem.line {
                        Some(_) => layers.finding(problem.to_string()),
                        // The file as a whole is wrong, or is not there: perhaps its name is.
                        None => layers.problem(&path, problem),
                    }
                }
            }
        }
    }
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
    let built_in = Source::BUILT_IN.into_iter().filter(is_given);
    let declared = layers.sources().into_iter();
    let declared = declared.map(|name| Source::Declared(DeclaredSource::new(&name)));
    let on: Vec<Source> = built_in.chain(declared).collect();
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
