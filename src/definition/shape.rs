//! What the table of keys is made of, and what a key accepts, with the words for errors.

use crate::model::nearest::alternatives;

/// A table of a definition.
pub(super) struct Table {
    /// Such as `lists.addresses.fields`; empty for the whole file.
    pub(super) path: &'static str,
    pub(super) about: &'static str,
    /// Whether it is written `[[path]]`, once or several times.
    pub(super) is_repeated: bool,
    pub(super) keys: Vec<Key>,
}

/// A key of a table.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) accepts: Accepts,
    /// What applies if it is left out; empty for a key that must be there.
    pub(super) unset: &'static str,
    pub(super) about: &'static str,
}

/// The end of the name of a key that stands for many: any name may take the place of it.
pub(super) const ANY_NAME: &str = "NAME";

impl Key {
    /// For a key that stands for many, what their names begin with.
    pub(super) fn prefix(&self) -> Option<&'static str> {
        self.name.strip_suffix(ANY_NAME)
    }

    pub(super) fn is_required(&self) -> bool {
        self.unset.is_empty()
    }
}

impl Table {
    pub(super) fn key(&self, name: &str) -> Option<&Key> {
        let is_meant = |key: &&Key| match key.prefix() {
            Some(prefix) => name
                .strip_prefix(prefix)
                .is_some_and(|name| !name.is_empty()),
            None => key.name == name,
        };
        self.keys.iter().find(is_meant)
    }

    /// The path of a key of this table.
    pub(super) fn path_of(&self, name: &str) -> String {
        join(self.path, name)
    }
}

/// The path of what is called `name` in the table at `path`.
pub(super) fn join(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    }
}

/// What a key accepts.
#[derive(Clone, Copy)]
pub(super) enum Accepts {
    /// A value of the record.
    Value(Kind),
    /// Only where a value comes from.
    Origins,
    /// Where a list is, in the record or in an element of it.
    List,
    Pointer,
    Pointers,
    File,
    /// One of a few words, each with its meaning.
    Word(fn() -> Vec<(&'static str, &'static str)>),
    Flag,
    Number,
    /// A value that the definition itself gives.
    Constant,
    /// A table of such values.
    Constants,
    JsonValues,
    /// A text with JSON in it.
    Json,
    Text,
    Timestamp,
    /// A table of texts.
    Headers,
    /// A code of a rejection.
    Code,
}

/// The statuses of a customer.
pub(super) const STATUSES: &[&str] = &["ACTIVE", "DELETED"];

/// The types of a phone.
pub(super) const PHONE_TYPES: &[&str] = &["Unknown", "Phone", "Mobile"];

/// What a value of the record becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Id,
    Text,
    /// One of a few texts.
    OneOf(&'static [&'static str]),
    /// The type of an action.
    ActionType,
    Flag,
    Date,
    Time,
    Country,
    Rank,
    /// Any JSON value.
    Json,
    /// An object, each of whose members is a value.
    Object,
}

impl Kind {
    /// All kinds, for the documentation and the schema.
    pub(super) const ALL: [Kind; 12] = [
        Kind::Id,
        Kind::Text,
        Kind::OneOf(STATUSES),
        Kind::OneOf(PHONE_TYPES),
        Kind::ActionType,
        Kind::Flag,
        Kind::Date,
        Kind::Time,
        Kind::Country,
        Kind::Rank,
        Kind::Json,
        Kind::Object,
    ];

    /// Whether a value that is written as a table may have this key.
    pub(super) fn takes(self, key: &str) -> bool {
        match key {
            "case" => matches!(
                self,
                Kind::Id
                    | Kind::Text
                    | Kind::OneOf(_)
                    | Kind::ActionType
                    | Kind::Country
                    | Kind::Json
            ),
            "unit" => matches!(self, Kind::Date | Kind::Time),
            "const" | "map" | "otherwise" => self != Kind::Object,
            _ => true,
        }
    }

    /// The name in the schema for editors.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Id => "id",
            Kind::Text => "text",
            Kind::OneOf(STATUSES) => "status",
            Kind::OneOf(_) => "phoneType",
            Kind::ActionType => "actionType",
            Kind::Flag => "flag",
            Kind::Date => "date",
            Kind::Time => "time",
            Kind::Country => "country",
            Kind::Rank => "rank",
            Kind::Json => "json",
            Kind::Object => "object",
        }
    }

    /// What the value becomes, in words.
    pub(super) fn becomes(self) -> String {
        match self {
            Kind::Id => "an id".to_owned(),
            Kind::Text => "a text".to_owned(),
            Kind::OneOf(texts) => alternatives(texts.iter().copied()),
            Kind::ActionType => "a text of 1 to 64 characters".to_owned(),
            Kind::Flag => "true or false".to_owned(),
            Kind::Date => "a date".to_owned(),
            Kind::Time => "a time".to_owned(),
            Kind::Country => "a country".to_owned(),
            Kind::Rank => "a whole number from 0 to 2^63-1".to_owned(),
            Kind::Json => "any JSON value".to_owned(),
            Kind::Object => "an object, each of whose members is one".to_owned(),
        }
    }
}

/// The forms of an origin, in words that follow "expected".
pub(super) const ORIGIN: &str =
    "a JSON pointer such as \"/contact/id\", or root:/…, key, timestamp or header:NAME";

impl Accepts {
    /// What is accepted, in words that follow "expected" in errors.
    pub(super) fn expected(&self) -> String {
        match self {
            Accepts::Value(_) => {
                "a place in the record, a list of places, or a table with `from` or `const`"
            }
            Accepts::Origins => "a place in the record, or a list of places",
            Accepts::List => "a JSON pointer such as \"/contact/addresses\", or root:/…",
            Accepts::Pointer => "a JSON pointer such as \"/contacts\"",
            Accepts::Pointers => "a list of JSON pointers",
            Accepts::File => "the name of a file",
            Accepts::Word(words) => {
                return alternatives(words().into_iter().map(|(word, _)| word));
            }
            Accepts::Flag => "true or false",
            Accepts::Number => "a number",
            Accepts::Constant => "a text, a whole number, true or false",
            Accepts::Constants => "a table with at least one entry",
            Accepts::JsonValues => "a list of at least one JSON value",
            Accepts::Json => "a text with JSON in it",
            Accepts::Text => "a text",
            Accepts::Timestamp => "a time of RFC 3339, or milliseconds since 1970",
            Accepts::Headers => "a table with a text for each header",
            Accepts::Code => "the code of a rejection",
        }
        .to_owned()
    }
}
