//! The building blocks of the table of keys: sections with keys, and the macro that declares them.
//!
//! A section is both a struct of the configuration and a table of the TOML file. Its declaration is the only place that
//! names a key: the field, the default, the accepted values and the documentation come from there.

use std::fmt;
use std::time::Duration;

use toml::Value;

use super::shape::{self, Spec};

/// One key of a section with its current value.
pub(super) struct Key {
    pub(super) name: String,
    /// The text of the documentation.
    pub(super) about: String,
    pub(super) spec: Spec,
    /// None if the key is not set and has no default.
    pub(super) value: Option<Value>,
}

impl Key {
    pub(super) fn new(name: &str, about: &str, spec: impl Into<Spec>, value: &impl Setting) -> Key {
        Key {
            name: name.to_owned(),
            about: trimmed(about),
            spec: spec.into(),
            value: value.to_toml(),
        }
    }

    /// The value as it may be shown: secrets are redacted.
    pub(super) fn shown(&self) -> Option<Value> {
        let value = self.value.as_ref()?;
        Some(self.spec.shape.redacted(&self.name, value))
    }
}

/// A table of the TOML file with its keys.
pub(super) struct Table {
    /// For example `validation.rules`; empty for the keys outside of all tables.
    pub(super) path: String,
    pub(super) about: String,
    pub(super) keys: Vec<Key>,
}

impl Table {
    pub(super) fn new(path: &str, about: &str, keys: Vec<Key>) -> Table {
        Table {
            path: path.to_owned(),
            about: trimmed(about),
            keys,
        }
    }

    pub(super) fn path_of(&self, key: &str) -> String {
        join(&self.path, key)
    }
}

/// The path of a key or table inside the table `path`.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// Removes the space with which each line of a documentation comment begins.
fn trimmed(about: &str) -> String {
    let lines: Vec<&str> = about.trim_end().lines().collect();
    let lines = lines
        .iter()
        .map(|line| line.strip_prefix(' ').unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

/// A part of the configuration that corresponds to one or more tables of the TOML file.
pub(super) trait Section {
    /// The text of the documentation.
    const ABOUT: &'static str;

    /// Appends the tables of this section, the first of which is at `path`.
    fn add_tables(&self, path: &str, tables: &mut Vec<Table>);

    /// Sets the key at `path`, relative to this section, to a value that its [`Spec`] has accepted.
    fn set_key(&mut self, path: &str, value: &Value);

    /// All tables of this section.
    fn tables(&self, path: &str) -> Vec<Table> {
        let mut tables = Vec::new();
        self.add_tables(path, &mut tables);
        tables
    }
}

/// Writes the keys of a section without its secrets.
pub(super) fn debug(section: &impl Section, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let tables = section.tables("");
    let keys = tables
        .iter()
        .flat_map(|table| table.keys.iter().map(|key| (table.path_of(&key.name), key)));
    f.debug_map()
        .entries(keys.map(|(path, key)| (path, key.shown())))
        .finish()
}

/// A type that a key can have.
pub(super) trait Setting: Sized {
    /// None if the value does not fit the type, which the key's [`Spec`] rules out.
    fn from_toml(value: &Value) -> Option<Self>;
    fn to_toml(&self) -> Option<Value>;
}

pub(super) fn assign<T: Setting>(field: &mut T, value: &Value) {
    if let Some(value) = T::from_toml(value) {
        *field = value;
    }
}

macro_rules! whole_number {
    ($($type:ty),+) => {$(
        impl Setting for $type {
            fn from_toml(value: &Value) -> Option<Self> {
                value.as_integer()?.try_into().ok()
            }
            fn to_toml(&self) -> Option<Value> {
                i64::try_from(*self).ok().map(Value::Integer)
            }
        }
    )+};
}

whole_number!(u16, u32, usize);

impl Setting for bool {
    fn from_toml(value: &Value) -> Option<Self> {
        value.as_bool()
    }
    fn to_toml(&self) -> Option<Value> {
        Some(Value::Boolean(*self))
    }
}

impl Setting for f64 {
    fn from_toml(value: &Value) -> Option<Self> {
        shape::number(value)
    }
    fn to_toml(&self) -> Option<Value> {
        Some(Value::Float(*self))
    }
}

impl Setting for String {
    fn from_toml(value: &Value) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }
    fn to_toml(&self) -> Option<Value> {
        Some(Value::String(self.clone()))
    }
}

impl Setting for Duration {
    fn from_toml(value: &Value) -> Option<Self> {
        humantime::parse_duration(value.as_str()?.trim()).ok()
    }
    fn to_toml(&self) -> Option<Value> {
        shape::duration_text(*self).to_toml()
    }
}

impl Setting for Vec<String> {
    fn from_toml(value: &Value) -> Option<Self> {
        value.as_array()?.iter().map(String::from_toml).collect()
    }
    fn to_toml(&self) -> Option<Value> {
        Some(Value::Array(
            self.iter().filter_map(Setting::to_toml).collect(),
        ))
    }
}

impl<T: Setting> Setting for Option<T> {
    fn from_toml(value: &Value) -> Option<Self> {
        T::from_toml(value).map(Some)
    }
    fn to_toml(&self) -> Option<Value> {
        self.as_ref()?.to_toml()
    }
}

/// Declares a section: `/// text`, `key: Type = default, spec;` for each key, and `[table: Type];` for each table
/// inside of it. The comments are the documentation for users.
macro_rules! section {
    (
        $(#[doc = $about:literal])*
        $section:ident {
            $( $(#[doc = $doc:literal])* $key:ident: $type:ty = $default:expr, $spec:expr; )*
            $( [$table:ident: $inner:ty]; )*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, PartialEq)]
        pub struct $section {
            $( $(#[doc = $doc])* pub $key: $type, )*
            $( pub $table: $inner, )*
        }

        impl Default for $section {
            fn default() -> Self {
                $section {
                    $( $key: $default, )*
                    $( $table: Default::default(), )*
                }
            }
        }

        impl $crate::config::section::Section for $section {
            const ABOUT: &'static str = concat!($($about, "\n"),*);

            fn add_tables(&self, path: &str, tables: &mut Vec<$crate::config::section::Table>) {
                use $crate::config::section::{Key, Table};
                let keys = vec![
                    $( Key::new(stringify!($key), concat!($($doc, "\n"),*), $spec, &self.$key) ),*
                ];
                tables.push(Table::new(path, Self::ABOUT, keys));
                $(
                    let path_of_table = $crate::config::section::join(path, stringify!($table));
                    self.$table.add_tables(&path_of_table, tables);
                )*
            }

            fn set_key(&mut self, path: &str, value: &toml::Value) {
                match path.split_once('.').unwrap_or((path, "")) {
                    $( (stringify!($key), "") => {
                        $crate::config::section::assign(&mut self.$key, value);
                    } )*
                    $( (stringify!($table), rest) => self.$table.set_key(rest, value), )*
                    _ => {}
                }
            }
        }

        impl std::fmt::Debug for $section {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::config::section::debug(self, f)
            }
        }
    };
}

pub(super) use section;
