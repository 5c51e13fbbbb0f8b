//! `keyfold sources show`.

use std::path::Path;

use super::resolve;
use crate::cli::output::say;
use crate::config::Config;
use crate::definition::PRESET;
use crate::definition::presets::Preset;
use crate::exit::{Done, Failure};
use crate::model::record::Source;

pub fn run(config: &Config, file: Option<&Path>, name: &str) -> Result<Done, Failure> {
    let built_in = Source::built_in(name);
    if let Some(source) = built_in {
        say(built_in_text(source))?;
        return Ok(Done::Clean);
    }
    let text = if resolve::is_definition(name) {
        text_of(Path::new(""), name)?
    } else {
        let source = config.sources.named(name);
        let settings = source.and_then(|source| config.sources.get(source));
        let definition = settings.and_then(|settings| settings.definition.as_deref());
        let definition = definition.ok_or_else(|| resolve::unknown(name, config))?;
        let folder = file.and_then(Path::parent).unwrap_or(Path::new(""));
        text_of(folder, definition)?
    };
    say(text.trim_end())?;
    Ok(Done::Clean)
}

/// The text of a definition that is beside `folder`, or comes with keyfold.
fn text_of(folder: &Path, definition: &str) -> Result<String, Failure> {
    if let Some(name) = definition.strip_prefix(PRESET)
        && let Some(preset) = Preset::named(name)
    {
        return Ok(preset.text.to_owned());
    }
    match definition.strip_prefix(PRESET) {
        // It says which there are.
        Some(_) => Err(resolve::load(definition).map_or_else(
            |problems| resolve::wrong(&problems),
            |_| Failure::Usage(format!("{definition} has no text")),
        )),
        None => {
            let path = folder.join(definition);
            std::fs::read_to_string(&path)
                .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))
        }
    }
}

const fn built_in_text(source: Source) -> &'static str {
    match source {
        Source::LoyaltyCustomers => {
            "loyalty-customers is built in: one event of a loyalty customer a record (schemas/loyalty-customers.schema.json). `keyfold sources show preset:loyalty-customers` shows a definition that says the same"
        }
        Source::LoyaltyActions => {
            "loyalty-actions is built in: one action of a loyalty customer a record (schemas/loyalty-actions.schema.json)"
        }
        Source::ConsoleCustomers => {
            "console-customers is built in: one customer object a record, ordered by its version (schemas/console-customers.schema.json)"
        }
        Source::PublisherCustomers => {
            "publisher-customers is built in: a batch of customers a record (schemas/publisher-customers.schema.json)"
        }
        Source::Declared(_) => "",
    }
}
