//! `keyfold sources list`.

use serde::Serialize;

use crate::cli::output::{Output, say, say_json, table};
use crate::config::{Config, SourceConfig};
use crate::definition::presets::PRESETS;
use crate::exit::{Done, Failure};
use crate::model::record::Source;

#[derive(Debug, Serialize)]
struct Row<'c> {
    name: &'static str,
    /// None for a built-in source.
    definition: Option<&'c str>,
    topics: &'c [String],
    format: &'static str,
    tombstone: &'static str,
    key_format: &'static str,
}

#[derive(Debug, Serialize)]
struct Listed<'c> {
    sources: &'c [Row<'c>],
    /// The names of the definitions that come with keyfold.
    presets: &'c [&'static str],
}

impl<'c> Row<'c> {
    fn of((source, settings): (Source, &'c SourceConfig)) -> Row<'c> {
        Row {
            name: source.name(),
            definition: settings.definition.as_deref(),
            topics: &settings.topics,
            format: settings.format.word(),
            tombstone: settings.tombstone.word(),
            key_format: settings.key_format.word(),
        }
    }

    fn cells(&self) -> [String; 6] {
        [
            self.name.to_owned(),
            self.definition.unwrap_or("built in").to_owned(),
            self.topics.join(", "),
            self.format.to_owned(),
            self.tombstone.to_owned(),
            self.key_format.to_owned(),
        ]
    }
}

pub fn run(config: &Config, output: Output) -> Result<Done, Failure> {
    let rows: Vec<Row<'_>> = config.sources.iter().map(Row::of).collect();
    let presets: Vec<&'static str> = PRESETS.iter().map(|preset| preset.name).collect();
    match output {
        Output::Json => say_json(&Listed {
            sources: &rows,
            presets: &presets,
        })?,
        Output::Table => {
            let heading = [
                "source",
                "definition",
                "topics",
                "format",
                "tombstone",
                "key_format",
            ];
            let mut cells = vec![heading.map(str::to_owned)];
            cells.extend(rows.iter().map(Row::cells));
            say(&table(&cells))?;
            say("\ndefinitions that come with keyfold:")?;
            for preset in presets {
                say(&format!("  preset:{preset}"))?;
            }
        }
    }
    Ok(Done::Clean)
}
