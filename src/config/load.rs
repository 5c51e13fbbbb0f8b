//! Loads a [`Config`]: it puts what is set over the defaults, and reports all problems at once.

use std::env;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use super::error::Problems;
use super::layers::{Layers, Origins, Read};
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
        let (config, _) = Config::load_checked(file, |_| Vec::new())?;
        Ok(config)
    }

    /// The same with further checks, and with where each key is set. Each finding is a key and what is wrong with it.
    ///
    /// # Errors
    /// Those of [`Config::load`], and the findings.
    pub fn load_checked(
        file: Option<&Path>,
        further: impl Fn(&Config) -> Vec<(String, String)>,
    ) -> Result<(Config, Origins), ConfigError> {
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
        let reads = Reads {
            define: &define,
            value: &read_value,
        };
        assemble(file.zip(text.as_deref()), variables, reads, further)
    }
}

/// The most bytes of a file that holds one value. A secret of Kubernetes has no more.
const MAX_VALUE_BYTES: u64 = 1024 * 1024;

/// Reads the value that is in a file, without the end of the line behind it. The error names the file, and quotes nothing
/// of what it holds.
fn read_value(path: &str) -> Result<String, String> {
    if path.is_empty() {
        return Err("expected the path of a file, found an empty text".to_owned());
    }
    let unreadable = |why: String| format!("cannot read the file {path}: {why}");
    let file = fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(MAX_VALUE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() as u64 > MAX_VALUE_BYTES {
        return Err(format!(
            "the file {path} holds more than {MAX_VALUE_BYTES} bytes"
        ));
    }
    let text = String::from_utf8(bytes).map_err(|_| format!("the file {path} is not UTF-8"))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

/// Makes a plan of the definition that the configuration names, or says all that is wrong with it.
pub(super) type Define<'d> = &'d dyn Fn(&str) -> Result<Arc<Plan>, Vec<Problem>>;

/// How what lies beside the configuration is read.
#[derive(Clone, Copy)]
pub(super) struct Reads<'r> {
    pub(super) define: Define<'r>,
    /// The value in the file that a variable names.
    pub(super) value: Read<'r>,
}

/// Combines the layers: the text of a file with its path, and environment variables.
pub(super) fn assemble(
    file: Option<(&Path, &str)>,
    env: impl IntoIterator<Item = (String, String)>,
    reads: Reads<'_>,
    further: impl Fn(&Config) -> Vec<(String, String)>,
) -> Result<(Config, Origins), ConfigError> {
    let mut layers = Layers::default();
    if let Some((path, text)) = file {
        layers.add_file(path, text)?;
    }
    layers.add_environment(env, reads.value);

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
    define_sources(&mut config, &mut layers, reads.define);
    for (path, finding) in further(&config) {
        layers.problem(&path, finding);
    }
    let origins = layers.origins();
    layers.finish()?;
    Ok((config, origins))
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
            Ok(()) => config.set_key(path, &spec.shape.plain(value)),
            Err(_) if layers.is_from_file_of_variable(path) => {
                let expected = spec.shape.expected();
                layers.problem(
                    path,
                    format!("expected {expected}; what was found is not shown"),
                );
            }
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
