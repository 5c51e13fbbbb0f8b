//! Definitions as text: what they say, and what is wrong with them.

mod errors;
mod hostile;
mod reading;

use super::{Definition, Problem};

/// Reads a definition that names few files.
fn parse(text: &str) -> Result<Definition, Vec<Problem>> {
    Definition::parse(text, "crm.toml", |name| match name {
        "known.json" => Ok("{}".to_owned()),
        "known.avsc" => Ok("\"string\"".to_owned()),
        "text.json" => Ok("schema".to_owned()),
        "large.json" => Ok(" ".repeat((1 << 20) + 1)),
        _ => Err("there is no such file".to_owned()),
    })
}

/// Reads a definition in which nothing is wrong.
fn read(text: &str) -> Definition {
    parse(text).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// What is wrong, each problem in words.
fn problems(text: &str) -> Vec<String> {
    let problems = parse(text).err().unwrap_or_default();
    problems.iter().map(ToString::to_string).collect()
}
