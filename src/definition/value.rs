//! Where a value of a definition comes from, and what is done with it before its field decides what it becomes.

use std::collections::BTreeMap;
use std::fmt;

/// A value of a definition. If it has neither origins nor a constant, it is never there.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Value {
    /// The first that is there and not null is taken.
    pub from: Vec<Origin>,
    /// A value that is always there.
    pub constant: Option<Mapped>,
    /// A record in which nothing is there violates the schema.
    pub required: bool,
    pub map: Option<BTreeMap<String, Mapped>>,
    /// What a value stands for that `map` does not have.
    pub otherwise: Option<Mapped>,
    pub case: Option<Case>,
    pub unit: Option<NumberUnit>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// In the record, in the element of a batch, or in the element of a list.
    Here(Pointer),
    /// From the root of the record.
    Root(Pointer),
    /// The record's key as text.
    Key,
    /// The record's timestamp.
    Timestamp,
    /// The last header of this name.
    Header(String),
}

/// A JSON pointer (RFC 6901), as its parts without escapes. No parts: the whole value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Pointer(pub Vec<String>);

impl Pointer {
    /// None unless the text is empty or begins with a slash, and each `~` is part of `~0` or `~1`.
    pub fn parse(text: &str) -> Option<Pointer> {
        if text.is_empty() {
            return Some(Pointer::default());
        }
        let parts = text.strip_prefix('/')?.split('/').map(|part| {
            let escapes = part.matches("~0").count() + part.matches("~1").count();
            let is_valid = part.matches('~').count() == escapes;
            is_valid.then(|| part.replace("~1", "/").replace("~0", "~"))
        });
        parts.collect::<Option<_>>().map(Pointer)
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.0 {
            write!(f, "/{}", part.replace('~', "~0").replace('/', "~1"))?;
        }
        Ok(())
    }
}

/// A value that a definition itself gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Mapped {
    Text(String),
    Whole(i64),
    Flag(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    Lower,
    Upper,
}

/// The unit of a number that stands for a time since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberUnit {
    Seconds,
    Millis,
    Micros,
    Nanos,
    Days,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_read_and_written() {
        for text in ["", "/", "/a", "/a/0/b", "/a~1b/~0c", "//"] {
            assert_eq!(Pointer::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Pointer::parse("/a~1b").unwrap().0, ["a/b"]);
        for text in ["a", "/~", "/~2", "/a~"] {
            assert_eq!(Pointer::parse(text), None, "{text}");
        }
    }
}
