//! Reads a source's JSON into typed values: serde on borrowed bytes, as strict as the JSON Schema.
//!
//! Unknown fields are skipped but still read completely, because a number out of range, a lone surrogate or excessive
//! nesting makes a value invalid wherever it occurs (docs/contract.md, section 2).

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::model::time::{Date, Instant};

/// How deeply objects and arrays may nest; the outermost counts as one (docs/contract.md, section 2).
pub const MAX_DEPTH: usize = 128;

/// Reads a whole text as one JSON value with the given seed.
pub fn read<'a, S>(text: &'a str, seed: S) -> Result<S::Value, serde_json::Error>
where
    S: DeserializeSeed<'a>,
{
    let mut json = serde_json::Deserializer::from_str(text);
    // The limit of serde_json is one level lower than this one; every seed here enforces MAX_DEPTH itself.
    json.disable_recursion_limit();
    let value = seed.deserialize(&mut json)?;
    json.end()?;
    Ok(value)
}

/// A string, borrowed from the input if it has no escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        json.deserialize_str(TextVisitor)
    }
}

/// Reads a string as what the function makes of it. The text itself is not kept, which is cheaper than a [`Text`].
pub struct TextAs<F>(pub F);

impl<'de, T, F: FnOnce(&str) -> T> DeserializeSeed<'de> for TextAs<F> {
    type Value = T;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<T, D::Error> {
        json.deserialize_str(self)
    }
}

impl<T, F: FnOnce(&str) -> T> Visitor<'_> for TextAs<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    #[inline]
    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        Ok((self.0)(text))
    }
}

/// A `date-time`.
impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let instant = TextAs(Instant::parse).deserialize(json)?;
        instant.ok_or_else(|| D::Error::custom("not a date-time"))
    }
}

/// A `date`.
impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let date = TextAs(Date::parse).deserialize(json)?;
        date.ok_or_else(|| D::Error::custom("not a date"))
    }
}

/// A JSON number, whole or not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number(pub f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        f64::deserialize(json).map(Number)
    }
}

/// Declares the methods of a visitor that ignores texts, numbers, booleans and null.
macro_rules! ignore_scalars {
    () => {
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a value")
        }

        fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
            Ok(())
        }

        fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
            Ok(())
        }

        fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<(), E> {
            Ok(())
        }

        fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
            Ok(())
        }

        fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
            Ok(())
        }

        fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<(), E> {
            Ok(())
        }
    };
}

/// Reads any value and drops it, as strictly as a value that is kept. `depth` counts the objects and arrays that
/// enclose it.
#[derive(Clone, Copy)]
pub struct SkipValue {
    pub depth: usize,
}

/// The depth inside an object or an array that is itself at `depth`. An error if that exceeds [`MAX_DEPTH`].
pub(crate) fn deeper<E: Error>(depth: usize) -> Result<usize, E> {
    if depth >= MAX_DEPTH {
        return Err(E::custom("nested too deep"));
    }
    Ok(depth + 1)
}

impl<'de> DeserializeSeed<'de> for SkipValue {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for SkipValue {
    type Value = ();

    ignore_scalars!();

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let item = SkipValue {
            depth: deeper(self.depth)?,
        };
        while items.next_element_seed(item)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let value = SkipValue {
            depth: deeper(self.depth)?,
        };
        while fields.next_key_seed(TextAs(|_: &str| ()))?.is_some() {
            fields.next_value_seed(value)?;
        }
        Ok(())
    }
}

/// Whether a text is JSON as `invalid_json` requires (docs/contract.md, section 2): well-formed, no lone surrogates, no
/// number out of the range of a double, nested no deeper than [`MAX_DEPTH`].
pub fn check(text: &str) -> Result<(), serde_json::Error> {
    read(text, SkipValue { depth: 0 })
}

/// The seed for a type that implements `Deserialize` itself.
pub use std::marker::PhantomData as Plain;

/// Declares an object of a source and how it is read. A `required` field must be present; an `optional` one may be
/// absent, but not null; a `nullable` one may be absent or null. `depth` is the number of objects and arrays around the
/// fields, the object itself included.
macro_rules! wire_object {
    (
        $(#[$meta:meta])*
        pub struct $name:ident<'a> at depth $depth:literal {
            $( $kind:ident $field:ident : $type:ty = $wire:literal, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug)]
        pub struct $name<'a> {
            $( pub $field: wire_object!(@type $kind $type), )*
        }

        impl<'a> serde::Deserialize<'a> for $name<'a> {
            fn deserialize<D: serde::Deserializer<'a>>(json: D) -> Result<Self, D::Error> {
                struct ObjectVisitor;
                impl<'a> serde::de::Visitor<'a> for ObjectVisitor {
                    type Value = $name<'a>;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'a>>(
                        self,
                        mut fields: A,
                    ) -> Result<Self::Value, A::Error> {
                        use serde::de::Error;
                        use $crate::json::strict::{SkipValue, TextAs};
                        #[allow(non_camel_case_types)]
                        enum Field { $( $field, )* Unknown }
                        let field_of = |name: &str| match name {
                            $( $wire => Field::$field, )*
                            _ => Field::Unknown,
                        };
                        $( let mut $field: Option<wire_object!(@read $kind $type)> = None; )*
                        while let Some(field) = fields.next_key_seed(TextAs(field_of))? {
                            match field {
                                $( Field::$field => {
                                    if $field.is_some() {
                                        return Err(A::Error::duplicate_field($wire));
                                    }
                                    $field = Some(fields.next_value()?);
                                } )*
                                Field::Unknown => fields.next_value_seed(SkipValue { depth: $depth })?,
                            }
                        }
                        Ok($name {
                            $( $field: wire_object!(@take $kind $field $wire A), )*
                        })
                    }
                }
                json.deserialize_map(ObjectVisitor)
            }
        }
    };
    (@type required $type:ty) => { $type };
    (@type optional $type:ty) => { Option<$type> };
    (@type nullable $type:ty) => { Option<$type> };
    (@read nullable $type:ty) => { Option<$type> };
    (@read $kind:ident $type:ty) => { $type };
    (@take required $field:ident $wire:literal $access:ident) => {
        $field.ok_or_else(|| $access::Error::missing_field($wire))?
    };
    (@take optional $field:ident $wire:literal $access:ident) => { $field };
    (@take nullable $field:ident $wire:literal $access:ident) => { $field.flatten() };
}

/// Declares an enumeration of texts.
macro_rules! wire_enum {
    ( $(#[$meta:meta])* pub enum $name:ident { $( $variant:ident = $wire:literal, )* } ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $( $variant, )* }

        impl $name {
            pub const ALL: &'static [$name] = &[ $( $name::$variant, )* ];

            /// The text in the source and in the snapshot.
            pub const fn text(self) -> &'static str {
                match self { $( $name::$variant => $wire, )* }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
                let variant_of = |text: &str| match text {
                    $( $wire => Some($name::$variant), )*
                    _ => None,
                };
                let variant = $crate::json::strict::TextAs(variant_of);
                let variant = serde::de::DeserializeSeed::deserialize(variant, json)?;
                variant.ok_or_else(|| serde::de::Error::custom("not one of the enumeration"))
            }
        }
    };
}

pub(crate) use {ignore_scalars, wire_enum, wire_object};
