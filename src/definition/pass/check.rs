//! Checks a JSON Schema in the pass itself, for the keywords that records mostly need. A schema with any other keyword
//! is left to the validator, which also explains why a value does not conform.

use serde_json::{Map, Value};

use crate::model::time::{Date, Instant};

/// What a schema asks of one value, its members and elements apart.
#[derive(Debug, Clone, Default)]
pub(super) struct Check {
    pub types: Types,
    options: Option<Vec<Scalar>>,
    format: Option<Format>,
    min_length: Option<u64>,
    max_length: Option<u64>,
    limits: Vec<Limit>,
}

/// A set of types, one bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Types(u8);

impl Types {
    pub const NULL: Types = Types(1);
    pub const FLAG: Types = Types(2);
    /// A number that is whole.
    pub const WHOLE: Types = Types(4);
    /// A number that is not.
    pub const FRACTION: Types = Types(8);
    pub const TEXT: Types = Types(16);
    pub const ARRAY: Types = Types(32);
    pub const OBJECT: Types = Types(64);
    pub const ALL: Types = Types(127);

    #[inline]
    pub fn has(self, one: Types) -> bool {
        self.0 & one.0 != 0
    }

    pub fn number(number: f64) -> Types {
        match number.fract() == 0.0 {
            true => Types::WHOLE,
            false => Types::FRACTION,
        }
    }

    /// The types that both have.
    pub fn and(self, other: Types) -> Types {
        Types(self.0 & other.0)
    }
}

impl Default for Types {
    fn default() -> Types {
        Types::ALL
    }
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

/// What a text is that a schema allows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Allowed {
    Text,
    /// A date-time.
    Time(Instant),
    Date(Date),
}

/// Each of these leaves out whether the type is right.
impl Check {
    fn is_option(&self, fits: impl Fn(&Scalar) -> bool) -> bool {
        self.options.as_ref().is_none_or(|all| all.iter().any(fits))
    }

    pub fn null(&self) -> bool {
        self.is_option(|one| *one == Scalar::Null)
    }

    pub fn flag(&self, flag: bool) -> bool {
        self.is_option(|one| *one == Scalar::Flag(flag))
    }

    pub fn number(&self, number: f64) -> bool {
        self.options.is_none()
            && self.limits.iter().all(|limit| match *limit {
                Limit::Minimum(limit) => number >= limit,
                Limit::ExclusiveMinimum(limit) => number > limit,
                Limit::Maximum(limit) => number <= limit,
                Limit::ExclusiveMaximum(limit) => number < limit,
            })
    }

    /// None: it is not allowed.
    pub fn text(&self, text: &str) -> Option<Allowed> {
        if !self.is_option(|one| matches!(one, Scalar::Text(option) if option == text)) {
            return None;
        }
        let allowed = match self.format {
            None => Allowed::Text,
            Some(Format::Date) => Allowed::Date(Date::parse(text)?),
            Some(Format::DateTime) => Allowed::Time(Instant::parse(text)?),
        };
        self.has_length(text).then_some(allowed)
    }

    fn has_length(&self, text: &str) -> bool {
        if self.min_length.is_none() && self.max_length.is_none() {
            return true;
        }
        let length = text.chars().count() as u64;
        self.min_length.is_none_or(|min| length >= min)
            && self.max_length.is_none_or(|max| length <= max)
    }

    /// Whether an object or an array is allowed.
    pub fn container(&self) -> bool {
        self.options.is_none()
    }

    /// Whether nothing is asked for, the type apart.
    pub fn is_of_type_only(&self) -> bool {
        let Check {
            types: _,
            options,
            format,
            min_length,
            max_length,
            limits,
        } = self;
        options.is_none()
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
            "type" => check.types = types(value)?,
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
    let names = match value {
        Value::Array(names) => names.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut types = 0;
    for name in names {
        types |= match name.as_str() {
            Some("null") => Types::NULL.0,
            Some("boolean") => Types::FLAG.0,
            Some("number") => Types::WHOLE.0 | Types::FRACTION.0,
            Some("integer") => Types::WHOLE.0,
            Some("string") => Types::TEXT.0,
            Some("array") => Types::ARRAY.0,
            Some("object") => Types::OBJECT.0,
            _ => return Err(Unchecked),
        };
    }
    Ok(Types(types))
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
