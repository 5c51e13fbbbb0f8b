//! JSON Schemas: whether a value conforms, and what is wrong with it if not.
//!
//! A validator collects all errors at once, and a list may have a million invalid elements. So a schema is split at its
//! lists where that says the same, and the elements are validated one by one.

mod keyword;
mod problems;
mod recursion;
mod split;
#[cfg(test)]
mod tests;

use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use serde_json::{Value, json};

use keyword::keyword;
pub use problems::{SchemaProblem, problems};
use recursion::without_ways_to_itself;
use split::{by_pointer, elements, pointer_of, stands_for_itself, take_items, take_lists};

use super::duplicate;
use super::messages;
use super::strict::{self, Plain};
use crate::model::record::{Code, MAX_VIOLATIONS, Rejection, Violation};
use crate::model::time::{Date, Instant};

/// A JSON Schema, split at its lists.
#[derive(Debug)]
pub struct Schema {
    document: Value,
    /// The complete schema; used only for a yes or no.
    validator: Validator,
    /// The schema without that of the list elements; used to collect errors, of which there are at most about as many
    /// as fields.
    frame: Validator,
    lists: Vec<List>,
    /// Whether that was possible.
    is_split: bool,
    /// Whether the schema refers to itself in several ways for one value; then the frame is without those references.
    is_pruned: bool,
}

/// A list of a schema.
#[derive(Debug)]
struct List {
    /// The names of the fields on the way to the list.
    path: Vec<String>,
    element: Schema,
}

/// The schema of a batch, whose elements are judged one by one.
#[derive(Debug)]
pub enum BatchSchema {
    /// The elements have a schema of their own.
    Split {
        frame: Box<Schema>,
        element: Option<Box<Schema>>,
    },
    /// What an element must be cannot be told apart from the rest.
    Whole(Box<Schema>),
}

/// How often a pattern that looks around or back may go back in one text. A pattern that needs more does not match.
const MAX_BACKTRACKS: usize = 100_000;

/// A value with more elements of lists is explained by one violation, if its schema cannot be split.
const MAX_ELEMENTS: usize = 10_000;

impl Schema {
    /// # Errors
    /// The text is no JSON Schema of draft-07 or 2020-12, or refers to another document.
    pub fn parse(text: &str) -> Result<Schema, String> {
        let document: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        Schema::build(&document)
    }

    /// # Errors
    /// Like [`Schema::parse`].
    pub fn build(document: &Value) -> Result<Schema, String> {
        Schema::of_draft(document, draft(document)?)
    }

    fn of_draft(document: &Value, draft: Draft) -> Result<Schema, String> {
        let text = |error: ValidationError<'_>| error.to_string();
        let mut frame = document.clone();
        let mut lists = Vec::new();
        let is_split = stands_for_itself(document);
        if is_split {
            take_lists(&mut frame, &mut Vec::new(), &mut lists);
        }
        let complete = validator(document, draft).map_err(text)?;
        let pruned = without_ways_to_itself(document, draft == Draft::Draft7);
        let is_pruned = pruned.is_some();
        let frame = match pruned {
            // where what is left refers to what is not, nothing is told in detail
            Some(pruned) => validator(&pruned, draft).or_else(|_| validator(&json!(true), draft)),
            None => validator(&frame, draft),
        };
        Ok(Schema {
            is_split,
            is_pruned,
            document: document.clone(),
            validator: complete,
            frame: frame.map_err(text)?,
            lists: lists
                .into_iter()
                .map(|(path, element)| {
                    let element = Schema::of_draft(&element, draft)?;
                    Ok(List { path, element })
                })
                .collect::<Result<_, String>>()?,
        })
    }

    pub fn document(&self) -> &Value {
        &self.document
    }

    /// How many lists are validated element by element, apart from those in their elements.
    pub fn list_count(&self) -> usize {
        self.lists.len()
    }

    /// The schema of a batch whose elements are at a path of names.
    ///
    /// # Errors
    /// Like [`Schema::parse`].
    pub fn of_batch(document: &Value, path: &[String]) -> Result<BatchSchema, String> {
        let draft = draft(document)?;
        let mut frame = document.clone();
        if stands_for_itself(document)
            && let Some(items) = take_items(&mut frame, path)
        {
            let element = items.map(|items| Schema::of_draft(&items, draft).map(Box::new));
            return Ok(BatchSchema::Split {
                frame: Box::new(Schema::of_draft(&frame, draft)?),
                element: element.transpose()?,
            });
        }
        Ok(BatchSchema::Whole(Box::new(Schema::of_draft(
            document, draft,
        )?)))
    }

    /// Why a text that is well-formed JSON does not conform: a known field occurs twice, or the schema is violated.
    /// `pointer` is put before the pointers of the violations. None: the value conforms.
    pub fn explain(&self, text: &str, pointer: &str) -> Option<Rejection> {
        if let Some(rejection) = self.duplicate(text, pointer) {
            return Some(rejection);
        }
        let Ok(value) = strict::read(text, Plain::<Value>) else {
            return Some(Rejection::new(Code::InvalidJson));
        };
        let mut violations = Vec::new();
        self.violations(&value, pointer, &mut violations);
        (!violations.is_empty())
            .then(|| Rejection::with_violations(Code::SchemaViolation, violations))
    }

    /// A field of the schema that occurs twice in one object.
    fn duplicate(&self, text: &str, pointer: &str) -> Option<Rejection> {
        let twice = duplicate::find(&self.document, text)?;
        let message = messages::given_twice(&twice.name, &format!("{pointer}{}", twice.pointer));
        Some(Rejection::with_message(Code::DuplicateField, message))
    }

    /// Appends the violations of a value: at least the first [`MAX_VIOLATIONS`] by pointer, and few others.
    fn violations(&self, value: &Value, pointer: &str, out: &mut Vec<Violation>) {
        if self.is_pruned {
            if !self.accepts(value) {
                self.violations_of_pruned(value, pointer, out);
            }
            return;
        }
        if !self.is_split && elements(value, MAX_ELEMENTS) > MAX_ELEMENTS {
            // All of its errors at once might be too many.
            let error = self.validator.validate(value).err();
            out.extend(error.map(|error| self.violation(&error, pointer)));
            return;
        }
        for error in self.frame.iter_errors(value) {
            if out.len() >= 4 * MAX_VIOLATIONS {
                out.sort();
                out.truncate(MAX_VIOLATIONS);
            }
            out.push(self.violation(&error, pointer));
        }
        for List { path, element } in &self.lists {
            let list = path.iter().try_fold(value, |value, name| value.get(name));
            let Some(Value::Array(values)) = list else {
                continue;
            };
            // Each invalid element has at least one violation, so these elements are enough.
            let bad = by_pointer(values.len())
                .filter(|at| !element.validator.is_valid(&values[*at]))
                .take(MAX_VIOLATIONS);
            for at in bad {
                let pointer = format!("{pointer}{}/{at}", pointer_of(path));
                element.violations(&values[at], &pointer, out);
            }
        }
    }

    /// Appends what can be told of a value that does not conform to a schema that refers to itself in several ways.
    fn violations_of_pruned(&self, value: &Value, pointer: &str, out: &mut Vec<Violation>) {
        let most = match elements(value, MAX_ELEMENTS) > MAX_ELEMENTS {
            true => 1,
            false => 4 * MAX_VIOLATIONS,
        };
        let errors = self.frame.iter_errors(value).take(most);
        let told: Vec<Violation> = errors
            .map(|error| self.violation(&error, pointer))
            .collect();
        if told.is_empty() {
            out.push(unexplained(pointer));
        }
        out.extend(told);
    }

    fn violation(&self, error: &ValidationError<'_>, pointer: &str) -> Violation {
        Violation {
            pointer: format!("{pointer}{}", error.instance_path()),
            keyword: keyword(error.kind().keyword()),
            message: messages::of_violation(error, &self.document),
        }
    }

    /// Whether a value conforms.
    pub fn accepts(&self, value: &Value) -> bool {
        self.validator.is_valid(value)
    }
}

/// What is wrong with a batch whose elements cannot be told apart from the rest.
pub enum BatchProblem {
    /// The batch as a whole is rejected.
    Batch(Rejection),
    /// These elements are invalid, ascending; the first violations of each.
    Elements(Vec<(usize, Vec<Violation>)>),
}

impl Schema {
    /// What is wrong with a batch whose elements are at a pointer. None: it conforms.
    pub fn explain_batch(&self, text: &str, list: &str) -> Option<BatchProblem> {
        if let Some(rejection) = self.duplicate(text, "") {
            return Some(BatchProblem::Batch(rejection));
        }
        let Ok(value) = strict::read(text, Plain::<Value>) else {
            return Some(BatchProblem::Batch(Rejection::new(Code::InvalidJson)));
        };
        let mut elements: std::collections::BTreeMap<usize, Vec<Violation>> = Default::default();
        let mut others = Vec::new();
        let errors_of = match self.is_pruned {
            true => &self.frame,
            false => &self.validator,
        };
        if self.is_pruned && self.frame.is_valid(&value) && !self.accepts(&value) {
            others.push(unexplained(""));
        }
        for error in errors_of.iter_errors(&value) {
            let path = error.instance_path().to_string();
            let inside = path
                .strip_prefix(list)
                .and_then(|rest| rest.strip_prefix('/'));
            let index = inside.and_then(|rest| rest.split('/').next()?.parse().ok());
            let all = match index {
                Some(index) => elements.entry(index).or_default(),
                None => &mut others,
            };
            if all.len() >= 4 * MAX_VIOLATIONS {
                all.sort();
                all.truncate(MAX_VIOLATIONS);
            }
            all.push(self.violation(&error, ""));
        }
        if !others.is_empty() {
            let rejection = Rejection::with_violations(Code::SchemaViolation, others);
            return Some(BatchProblem::Batch(rejection));
        }
        (!elements.is_empty()).then(|| BatchProblem::Elements(elements.into_iter().collect()))
    }
}

/// What is told of a value that breaks only what a schema says by referring to itself in several ways.
fn unexplained(pointer: &str) -> Violation {
    Violation {
        pointer: pointer.to_owned(),
        keyword: "schema",
        message: "breaks the JSON Schema where that refers to itself in several ways".to_owned(),
    }
}

/// The draft of a schema.
fn draft(document: &Value) -> Result<Draft, String> {
    match document.get("$schema").and_then(Value::as_str) {
        None => Ok(Draft::Draft7),
        Some(text) => match text.trim_end_matches('#') {
            "http://json-schema.org/draft-07/schema"
            | "https://json-schema.org/draft-07/schema" => Ok(Draft::Draft7),
            "https://json-schema.org/draft/2020-12/schema" => Ok(Draft::Draft202012),
            _ => Err("$schema is neither draft-07 nor 2020-12".to_owned()),
        },
    }
}

/// Formats that JSON Schema knows beside `date` and `date-time`, and that are not asserted.
const OTHER_FORMATS: [&str; 18] = [
    "duration",
    "email",
    "hostname",
    "idn-email",
    "idn-hostname",
    "ipv4",
    "ipv6",
    "iri",
    "iri-reference",
    "json-pointer",
    "regex",
    "relative-json-pointer",
    "time",
    "uri",
    "uri-reference",
    "uri-template",
    "uuid",
    "color",
];

fn validator(document: &Value, draft: Draft) -> Result<Validator, ValidationError<'static>> {
    let mut options = jsonschema::options()
        .with_draft(draft)
        .should_validate_formats(true)
        .with_pattern_options(PatternOptions::fancy_regex().backtrack_limit(MAX_BACKTRACKS))
        .with_format("date", |text: &str| Date::parse(text).is_some())
        .with_format("date-time", |text: &str| Instant::parse(text).is_some());
    for format in OTHER_FORMATS {
        options = options.with_format(format, |_: &str| true);
    }
    options.build(document)
}
