//! Definitions as text: what they say, and what is wrong with them.

mod errors;
mod hostile;
mod reading;

use super::{Definition, Problem};

/// What Debezium's connectors write of a table, with a list that they would not.
const ROW: &str = r#"{"type":"record","name":"E","fields":[
    {"name":"after","type":["null",{"type":"record","name":"R","fields":[
        {"name":"id","type":"long"},
        {"name":"mail","type":["null","string"]},
        {"name":"more","type":{"type":"map","values":"string"}},
        {"name":"homes","type":{"type":"array","items":{"type":"record","name":"H","fields":[
            {"name":"street","type":"string"}]}}}]}]},
    {"name":"source","type":"bytes"}]}"#;

/// A JSON Schema with faults.
const WRONG: &str = r##"{
    "type": "objekt",
    "required": "id",
    "properties": {
        "id": {"minLength": -1}
    }
}"##;

/// Reads a definition that names few files.
fn parse(text: &str) -> Result<Definition, Vec<Problem>> {
    Definition::parse(text, "crm.toml", |name| match name {
        "known.json" => Ok("{}".to_owned()),
        "known.avsc" => Ok("\"string\"".to_owned()),
        "row.avsc" => Ok(ROW.to_owned()),
        "wrong.json" => Ok(WRONG.to_owned()),
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
