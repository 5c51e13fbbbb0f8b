//! The layers: a TOML file over the defaults, environment variables over the file.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::mem;
use std::path::Path;

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider, Source};

use super::error::Problems;
use super::read::Reader;
use super::{Config, ConfigError, build, keys, properties, variables};

impl Config {
    /// Loads the file, where one is given, and this process's environment over it.
    ///
    /// # Errors
    /// Where the file cannot be read or is not TOML, and for every unknown key, unknown
    /// `KEYFOLD__` variable and wrong value. The exit code for all of them is 2.
    pub fn load(file: Option<&Path>) -> Result<Config, ConfigError> {
        Config::load_checked(file, |_| Vec::new())
    }

    /// Loads it likewise, and holds it against further rules. Each finding is a key and what is wrong with it.
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
        load_from(file, variables, further)
    }

    /// Loads the file, where one is given, and the variables given over it. Variables that do not
    /// begin like keyfold's are ignored.
    ///
    /// # Errors
    /// Those of [`Config::load`].
    pub fn load_from(
        file: Option<&Path>,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Config, ConfigError> {
        load_from(file, env, |_| Vec::new())
    }
}

fn load_from(
    file: Option<&Path>,
    env: impl IntoIterator<Item = (String, String)>,
    further: impl Fn(&Config) -> Vec<(String, String)>,
) -> Result<Config, ConfigError> {
    match file {
        None => assemble(None, env, further),
        Some(path) => {
            let text = fs::read_to_string(path).map_err(|error| ConfigError::Read {
                path: path.to_owned(),
                error,
            })?;
            assemble(Some((path, &text)), env, further)
        }
    }
}

/// Puts the layers together: the text of a file with its path, and environment variables.
pub(super) fn assemble(
    file: Option<(&Path, &str)>,
    env: impl IntoIterator<Item = (String, String)>,
    further: impl Fn(&Config) -> Vec<(String, String)>,
) -> Result<Config, ConfigError> {
    let mut problems = Problems::default();
    let mut figment = Figment::new();
    if let Some((path, text)) = file {
        figment = figment.merge(Layer {
            metadata: Metadata::from("file", Source::File(path.to_owned())),
            values: file_values(path, text, &mut problems)?,
        });
    }
    figment = figment.merge(Layer {
        metadata: Metadata::named("environment"),
        values: environment_values(env, &mut problems),
    });
    let mut profiles = figment
        .data()
        .map_err(|error| ConfigError::Layers(Box::new(error)))?;
    let values = profiles.remove(&Profile::Default).unwrap_or_default();

    let mut reader = Reader::new(figment, values, problems);
    let config = build::config(&mut reader);
    for (path, finding) in further(&config) {
        reader.problem(&path, finding);
    }
    reader.into_problems().into_result()?;
    Ok(config)
}

/// Values with the place that they came from.
struct Layer {
    metadata: Metadata,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        self.metadata.clone()
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

/// The values of a TOML file, known keys only, `kafka.properties` by their dotted names.
fn file_values(path: &Path, text: &str, problems: &mut Problems) -> Result<Dict, ConfigError> {
    let mut values: Dict = toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let before = text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        ConfigError::Toml {
            path: path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before
                .get(line_start..)
                .map_or(1, |line| line.chars().count() + 1),
            message: error.message().to_owned(),
        }
    })?;

    if let Some(Value::Dict(_, kafka)) = values.get_mut("kafka")
        && let Some(Value::Dict(_, table)) = kafka.get_mut("properties")
    {
        let mut repeated = Vec::new();
        *table = properties::flatten(mem::take(table), &mut repeated);
        for name in repeated {
            problems.push(format!(
                "`{}.{name}` in {} is given twice, with and without quotes",
                keys::PROPERTIES,
                path.display()
            ));
        }
    }
    retain_known(&mut values, "", path, problems);
    Ok(values)
}

/// Reports what is no known key, or no table where keys are expected, and takes it out.
fn retain_known(values: &mut Dict, prefix: &str, file: &Path, problems: &mut Problems) {
    values.retain(|name, value| {
        let path = format!("{prefix}{name}");
        if keys::is_key(&path) {
            return true;
        }
        if !keys::is_table(&path) {
            problems.push(format!(
                "unknown key `{path}` in {}; did you mean `{}`?",
                file.display(),
                keys::nearest(&path)
            ));
            return false;
        }
        match value {
            Value::Dict(_, nested) => {
                let given = !nested.is_empty();
                if path != keys::PROPERTIES {
                    retain_known(nested, &format!("{path}."), file, problems);
                }
                // A table of wrong keys only is no empty table: that would be a second problem.
                !(given && nested.is_empty())
            }
            _ => {
                problems.push(format!(
                    "`{path}` in {}: expected a table of keys",
                    file.display()
                ));
                false
            }
        }
    });
}

/// The values of environment variables, as text; lists are split at commas.
fn environment_values(
    env: impl IntoIterator<Item = (String, String)>,
    problems: &mut Problems,
) -> Dict {
    let (mut variables, others): (Vec<_>, Vec<_>) = env
        .into_iter()
        .partition(|(name, _)| name.starts_with(keys::PREFIX));
    variables.sort();
    for (variable, value) in others {
        if let Some(meant) = variables::meant(&variable, &value) {
            problems.push(unknown(&variable, &meant));
        }
    }

    let mut values = Dict::new();
    let mut seen = BTreeSet::new();
    for (variable, text) in variables {
        let path = keys::path_of_variable(variable.strip_prefix(keys::PREFIX).unwrap_or_default());
        if !seen.insert(path.clone()) {
            problems.push(format!(
                "environment variable {variable}: `{path}` is given by another variable too"
            ));
        } else if let Some(property) = path
            .strip_prefix(keys::PROPERTIES)
            .and_then(|rest| rest.strip_prefix('.'))
        {
            insert(
                &mut values,
                &["kafka", "properties", property],
                Value::from(text),
            );
        } else if keys::is_key(&path) {
            let value = if path.ends_with(".topics") {
                Value::from(text.split(',').map(str::trim).collect::<Vec<_>>())
            } else {
                Value::from(text)
            };
            insert(&mut values, &path.split('.').collect::<Vec<_>>(), value);
        } else {
            let meant = match path.as_str() {
                "config" => variables::CONFIG_FILE.to_owned(),
                path => keys::nearest_variable(path),
            };
            problems.push(unknown(&variable, &meant));
        }
    }
    values
}

fn unknown(variable: &str, meant: &str) -> String {
    format!("unknown environment variable {variable}; did you mean {meant}?")
}

/// Puts a value at a path; what is on the way is a table, since only known keys come here.
fn insert(values: &mut Dict, path: &[&str], value: Value) {
    match path {
        [] => {}
        [name] => {
            values.insert((*name).to_owned(), value);
        }
        [table, rest @ ..] => {
            let nested = values
                .entry((*table).to_owned())
                .or_insert_with(|| Value::from(Dict::new()));
            if let Value::Dict(_, nested) = nested {
                insert(nested, rest, value);
            }
        }
    }
}
