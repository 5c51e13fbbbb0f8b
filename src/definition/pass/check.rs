//! Checks a JSON Schema in the pass itself, for the keywords that records mostly need. A schema with any other keyword
//! is left to the validator, which also explains why a value does not conform.

use serde_json::{Map, Value};

use crate::model::time::{Date, Instant};

/// What a schema asks of one value, its members and elements apart.
#[derive(Debug, Clone, Default)]
pub(super) struct Check {
    /// None: any type.
    types: Option<Types>,
    options: Option<Vec<Scalar>>,
    format: Option<Format>,
    min_length: Option<u64>,
    max_length: Option<u64>,
    limits: Vec<Limit>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Types {
    null: bool,
    flag: bool,
    number: bool,
    whole: bool,
    text: bool,
    array: bool,
    object: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Scalar {
    Null,
    Flag(bool),
    Text(String),
}

#[derive(Debug, Clone, Copy)]
enum Format {
    Date,
    DateTime,
}

/// A limit of a number. A double holds it exactly, so that comparing with it is right for every number.
#[derive(Debug, Clone, Copy)]
enum Limit {
    Minimum(f64),
    ExclusiveMinimum(f64),
    Maximum(f64),
    ExclusiveMaximum(f64),
}

impl Check {
    fn allows(&self, is_type: impl FnOnce(&Types) -> bool) -> bool {
        self.types.as_ref().is_none_or(is_type)
    }

    fn is_option(&self, fits: impl Fn(&Scalar) -> bool) -> bool {
        self.options.as_ref().is_none_or(|all| all.iter().any(fits))
    }

    pub fn null(&self) -> bool {
        self.allows(|types| types.null) && self.is_option(|one| *one == Scalar::Null)
    }

    pub fn flag(&self, flag: bool) -> bool {
        self.allows(|types| types.flag) && self.is_option(|one| *one == Scalar::Flag(flag))
    }

    pub fn number(&self, number: f64) -> bool {
        let is_whole = number.fract() == 0.0;
        self.allows(|types| types.number || types.whole && is_whole)
            && self.options.is_none()
            && self.limits.iter().all(|limit| match *limit {
                Limit::Minimum(limit) => number >= limit,
                Limit::ExclusiveMinimum(limit) => number > limit,
                Limit::Maximum(limit) => number <= limit,
                Limit::ExclusiveMaximum(limit) => number < limit,
            })
    }

    pub fn text(&self, text: &str) -> bool {
        let has_format = || match self.format {
            None => true,
            Some(Format::Date) => Date::parse(text).is_some(),
            Some(Format::DateTime) => Instant::parse(text).is_some(),
        };
        self.allows(|types| types.text)
            && self.is_option(|one| matches!(one, Scalar::Text(option) if option == text))
            && has_format()
            && self.has_length(text)
    }

    fn has_length(&self, text: &str) -> bool {
        if self.min_length.is_none() && self.max_length.is_none() {
            return true;
        }
        let length = text.chars().count() as u64;
        self.min_length.is_none_or(|min| length >= min)
            && self.max_length.is_none_or(|max| length <= max)
    }

    pub fn array(&self) -> bool {
        self.allows(|types| types.array) && self.options.is_none()
    }

    pub fn object(&self) -> bool {
        self.allows(|types| types.object) && self.options.is_none()
    }

    pub fn is_empty(&self) -> bool {
        let Check {
            types,
            options,
            format,
            min_length,
            max_length,
            limits,
        } = self;
        types.is_none()
            && options.is_none()
            && format.is_none()
            && min_length.is_none()
            && max_length.is_none()
            && limits.is_empty()
    }
}

/// A schema has a keyword that a pass cannot check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unchecked;

/// What the keywords of a schema ask of the value itself.
pub(super) fn check_of(keywords: &Map<String, Value>) -> Result<Check, Unchecked> {
    let mut check = Check::default();
    for (keyword, value) in keywords {
        match keyword.as_str() {
            "type" => check.types = Some(types(value)?),
            "enum" => {
                let options = value.as_array().ok_or(Unchecked)?.iter().map(scalar);
                let options = options.collect::<Result<Vec<_>, _>>()?;
                // With `const` too, both would have to hold.
                if check.options.replace(options).is_some() {
                    return Err(Unchecked);
                }
            }
            "const" => {
                if check.options.replace(vec![scalar(value)?]).is_some() {
                    return Err(Unchecked);
                }
            }
            "format" => match value.as_str() {
                Some("date") => check.format = Some(Format::Date),
                Some("date-time") => check.format = Some(Format::DateTime),
                _ => {}
            },
            "minLength" => check.min_length = Some(value.as_u64().ok_or(Unchecked)?),
            "maxLength" => check.max_length = Some(value.as_u64().ok_or(Unchecked)?),
            "minimum" => check.limits.push(Limit::Minimum(limit(value)?)),
            "exclusiveMinimum" => check.limits.push(Limit::ExclusiveMinimum(limit(value)?)),
            "maximum" => check.limits.push(Limit::Maximum(limit(value)?)),
            "exclusiveMaximum" => check.limits.push(Limit::ExclusiveMaximum(limit(value)?)),
            "properties" | "required" | "items" => {}
            "$schema" | "$id" | "$defs" | "definitions" | "$comment" | "title" | "description"
            | "examples" | "default" | "deprecated" | "readOnly" | "writeOnly" => {}
            _ => return Err(Unchecked),
        }
    }
    Ok(check)
}

fn types(value: &Value) -> Result<Types, Unchecked> {
    let mut types = Types::default();
    let names = match value {
        Value::Array(names) => names.as_slice(),
        one => std::slice::from_ref(one),
    };
    for name in names {
        let known = match name.as_str() {
            Some("null") => &mut types.null,
            Some("boolean") => &mut types.flag,
            Some("number") => &mut types.number,
            Some("integer") => &mut types.whole,
            Some("string") => &mut types.text,
            Some("array") => &mut types.array,
            Some("object") => &mut types.object,
            _ => return Err(Unchecked),
        };
        *known = true;
    }
    Ok(types)
}

fn scalar(value: &Value) -> Result<Scalar, Unchecked> {
    match value {
        Value::Null => Ok(Scalar::Null),
        Value::Bool(flag) => Ok(Scalar::Flag(*flag)),
        Value::String(text) => Ok(Scalar::Text(text.clone())),
        _ => Err(Unchecked),
    }
}

fn limit(value: &Value) -> Result<f64, Unchecked> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let limit = value.as_f64().ok_or(Unchecked)?;
    (limit.abs() < EXACT).then_some(limit).ok_or(Unchecked)
}
