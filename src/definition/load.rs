//! From what the configuration says of a source's definition to its plan.

use std::path::Path;
use std::sync::Arc;

use super::presets::{PRESETS, Preset};
use super::{Definition, Plan, Problem};
use crate::model::nearest;

/// What the configuration writes before the name of a preset.
pub const PRESET: &str = "preset:";

/// Reads the definition that `definition` names, the path of a file or `preset:NAME`, and prepares it.
///
/// `read` gives the text of a file, or why it cannot be read. It is asked for the definition by the path as it is
/// written, and for the files that the definition names by their paths beside the definition: both are relative to what
/// `definition` is relative to. For a preset it is not asked.
///
/// # Errors
/// Everything that is wrong, in the order of the lines.
pub fn load(
    definition: &str,
    mut read: impl FnMut(&str) -> Result<String, String>,
) -> Result<Arc<Plan>, Vec<Problem>> {
    let parsed = match definition.strip_prefix(PRESET) {
        Some(name) => {
            let preset = Preset::named(name).ok_or_else(|| vec![unknown(definition, name)])?;
            Definition::parse(preset.text, definition, |file| preset.file(file))
        }
        None => {
            let text = read(definition).map_err(|error| {
                vec![Problem::of_file(
                    definition,
                    format!("cannot be read: {error}"),
                )]
            })?;
            let folder = Path::new(definition).parent().unwrap_or(Path::new(""));
            Definition::parse(&text, definition, |file| {
                read(&folder.join(file).to_string_lossy())
            })
        }
    }?;
    let plan = Plan::new(parsed).map_err(|error| vec![Problem::of_file(definition, error)])?;
    Ok(Arc::new(plan))
}

fn unknown(definition: &str, name: &str) -> Problem {
    let names = PRESETS.iter().map(|preset| preset.name.to_owned());
    let nearest = nearest::closest(name, names);
    let message = format!("there is no such preset; did you mean \"{PRESET}{nearest}\"?");
    Problem::of_file(definition, message)
}
