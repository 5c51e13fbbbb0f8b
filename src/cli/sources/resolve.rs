//! What a name on the command line stands for: a source that is on, or a definition.

use std::path::Path;
use std::sync::Arc;

use crate::config::{Config, Sources};
use crate::definition::{self, PRESET, Plan, Problem};
use crate::exit::Failure;
use crate::model::record::DeclaredSource;

/// Reads a definition that the command line names: a path from the current folder, or `preset:NAME`.
pub fn load(definition: &str) -> Result<(DeclaredSource, Arc<Plan>), Vec<Problem>> {
    let read = |name: &str| std::fs::read_to_string(name).map_err(|error| error.to_string());
    let plan = definition::load(definition, read)?;
    Ok((named_after(definition), plan))
}

/// The source that snapshots show for a definition: the name of the preset or of the file, if a source may have it.
fn named_after(definition: &str) -> DeclaredSource {
    let name = Some(stem(definition)).filter(|name| Sources::is_declarable(name));
    DeclaredSource::new(name.unwrap_or("tested"))
}

/// The name of a definition: that of the preset, or of the file without its ending.
pub fn stem(definition: &str) -> &str {
    let path = definition.strip_prefix(PRESET).unwrap_or(definition);
    let name = Path::new(path).file_stem().and_then(|name| name.to_str());
    name.unwrap_or(path)
}

/// Whether a name cannot be that of a source, but that of a definition.
pub fn is_definition(name: &str) -> bool {
    name.starts_with(PRESET) || name.contains(['.', '/', std::path::MAIN_SEPARATOR])
}

pub fn wrong(problems: &[Problem]) -> Failure {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    Failure::Usage(match lines.as_slice() {
        [only] => only.clone(),
        all => format!(
            "{} problems in definitions:\n  - {}",
            all.len(),
            all.join("\n  - ")
        ),
    })
}

/// No source that is on has this name.
pub fn unknown(name: &str, config: &Config) -> Failure {
    let names: Vec<&str> = config
        .sources
        .iter()
        .map(|(source, _)| source.name())
        .collect();
    Failure::Usage(format!(
        "no source that is on is called {name:?}; there are {}, and definitions as a path or {PRESET}NAME",
        names.join(", ")
    ))
}
