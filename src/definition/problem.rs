//! What can be wrong with a definition, in words for people.

use std::fmt;

/// One thing that is wrong with a definition. A definition holds no secrets and no payload, so its values may be quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file as the configuration or the command names it, or `preset:NAME`.
    pub file: String,
    /// Counted from 1; none where the file as a whole is wrong.
    pub line: Option<usize>,
    /// Such as `fields.emailAddress.case`; empty where no key is concerned.
    pub key: String,
    /// For a key that is not known: the known one that is nearest to it.
    pub nearest: Option<String>,
    /// What is wrong; empty for a key that is not known.
    pub message: String,
}

impl Problem {
    /// A problem of the file as a whole.
    pub fn of_file(file: &str, message: impl Into<String>) -> Problem {
        Problem {
            file: file.to_owned(),
            line: None,
            key: String::new(),
            nearest: None,
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { file, key, .. } = self;
        let mut place = file.clone();
        if let Some(line) = self.line {
            place.push_str(&format!(", line {line}"));
        }
        match (&self.nearest, key.as_str()) {
            (Some(nearest), _) => {
                write!(
                    f,
                    "unknown key `{key}` in {place}; did you mean `{nearest}`?"
                )
            }
            (None, "") => write!(f, "{place}: {}", self.message),
            (None, _) => write!(f, "`{key}` in {place}: {}", self.message),
        }
    }
}
