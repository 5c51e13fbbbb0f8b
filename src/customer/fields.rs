//! The fields of an address, a dependent or an action as the state stores them: names as numbers, and texts as in
//! canonical JSON, so that a snapshot only copies them.
//!
//! A field is the number of its name, the length of its text (LEB128), and the text: the inside of a JSON string.
//! Fields always come in the order of the snapshot, so that equal fields are equal bytes.

use crate::json::canonical::{write_inside, write_object};
use crate::model::varint;

macro_rules! names {
    ($( $name:ident = $text:literal, )*) => {
        /// The name of a field. The numbers are part of the layout of the state.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum FieldName { $( $name, )* }

        impl FieldName {
            const ALL: &'static [FieldName] = &[ $( FieldName::$name, )* ];

            /// The JSON text before the field's text.
            const fn opening(self) -> &'static str {
                match self { $( FieldName::$name => concat!(",\"", $text, "\":\""), )* }
            }
        }
    };
}

names! {
    Line1 = "line1",
    Line2 = "line2",
    City = "city",
    Province = "province",
    ZipCode = "zipCode",
    CountryCode = "countryCode",
    Country = "country",
    DateOfBirth = "dateOfBirth",
    Kind = "type",
    Contract = "subscriptionContractId",
    // Has no text: the fields that follow belong to this object.
    Utm = "utmParameters",
    UtmSource = "utmSource",
    UtmMedium = "utmMedium",
    UtmCampaign = "utmCampaign",
    UtmContent = "utmContent",
    UtmTerms = "utmTerms",
    // Of a phone; its type and its country have the names above.
    NumberLocal = "numberLocal",
    NumberInternational = "numberInternational",
}

const UTM_OPENING: &[u8] = b",\"utmParameters\":";

/// Appends a field.
pub fn put(out: &mut Vec<u8>, name: FieldName, text: impl AsRef<[u8]>) {
    out.push(name as u8);
    let at = out.len();
    // Reserve one byte for the length, which suffices for most texts; the length is known only after the text is
    // written.
    out.push(0);
    write_inside(out, text.as_ref());
    let length = out.len() - at - 1;
    if length < 0x80 {
        out[at] = length as u8;
    } else {
        let long = out.split_off(at);
        varint::put_bytes(out, &long[1..]);
    }
}

/// Appends a field with the trimmed text, if there is one.
pub fn put_trimmed(out: &mut Vec<u8>, name: FieldName, text: Option<&str>) {
    if let Some(text) = text {
        put(out, name, trim(text));
    }
}

/// The same as [`str::trim`], with fewer instructions for a text that begins and ends with a visible ASCII character, as
/// nearly every text does.
pub(crate) fn trim(text: &str) -> &str {
    match text.as_bytes() {
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => text,
        _ => text.trim(),
    }
}

/// Appends the start of the UTM parameters, which come last.
pub fn put_utm(out: &mut Vec<u8>) {
    out.extend_from_slice(&[FieldName::Utm as u8, 0]);
}

/// Fields as written by [`put`] and [`put_utm`]. If the bytes are damaged, the fields end at the damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub const fn of(bytes: &'a [u8]) -> Fields<'a> {
        Fields(bytes)
    }

    pub fn are_well_formed(self) -> bool {
        let mut iter = self.iter();
        while iter.next().is_some() {}
        iter.rest.is_empty()
    }

    fn iter(self) -> Iter<'a> {
        Iter { rest: self.0 }
    }

    /// The text of a field: the inside of a JSON string.
    pub fn get(self, name: FieldName) -> Option<&'a [u8]> {
        self.iter()
            .find(|(found, _)| *found == name)
            .map(|(_, text)| text.bytes())
    }

    /// Appends the fields as JSON, each preceded by a comma.
    pub fn write(self, out: &mut Vec<u8>) {
        let mut fields = self.iter();
        while let Some((name, text)) = fields.next() {
            if name == FieldName::Utm {
                out.extend_from_slice(UTM_OPENING);
                return write_touch(fields, out);
            }
            write_field(name, text, out);
        }
    }

    /// The UTM parameters, unless they are missing or empty.
    pub fn touch(self) -> Option<Touch<'a>> {
        let mut fields = self.iter();
        fields.find(|(name, _)| *name == FieldName::Utm)?;
        (!fields.rest.is_empty()).then_some(Touch(fields))
    }
}

/// UTM parameters that are not empty.
#[derive(Clone, Copy)]
pub struct Touch<'a>(Iter<'a>);

impl Touch<'_> {
    /// Appends them as a JSON object.
    pub fn write(self, out: &mut Vec<u8>) {
        write_touch(self.0, out);
    }
}

fn write_touch(fields: Iter<'_>, out: &mut Vec<u8>) {
    write_object(out, |out| {
        for (name, text) in fields {
            write_field(name, text, out);
        }
    });
}

fn write_field(name: FieldName, text: FieldText<'_>, out: &mut Vec<u8>) {
    let (opening, length) = &OPENINGS[name as usize];
    out.reserve(opening.len() + SHORT.max(text.length) + 1);
    put_start(out, opening, *length);
    match text.rest.first_chunk::<SHORT>() {
        Some(chunk) if text.length <= SHORT => put_start(out, chunk, text.length),
        _ => out.extend_from_slice(text.bytes()),
    }
    out.push(b'"');
}

/// Most texts are not longer than this.
const SHORT: usize = 32;

/// Appends the first `length` bytes of a chunk. It copies the whole chunk and truncates, because a copy of a fixed
/// length compiles to a few moves without a call.
fn put_start(out: &mut Vec<u8>, chunk: &[u8; SHORT], length: usize) {
    let end = out.len() + length;
    out.extend_from_slice(chunk);
    out.truncate(end);
}

/// The text of a field, and the bytes after it.
#[derive(Clone, Copy)]
struct FieldText<'a> {
    rest: &'a [u8],
    /// The length of the text at the start of the rest.
    length: usize,
}

impl<'a> FieldText<'a> {
    fn bytes(self) -> &'a [u8] {
        &self.rest[..self.length]
    }
}

/// The JSON text before each field's text, padded to one length, with its actual length.
const OPENINGS: [([u8; SHORT], usize); FieldName::ALL.len()] = {
    let mut all = [([b' '; SHORT], 0); FieldName::ALL.len()];
    let mut at = 0;
    while at < all.len() {
        let opening = FieldName::ALL[at].opening().as_bytes();
        let mut byte = 0;
        while byte < opening.len() {
            all[at].0[byte] = opening[byte];
            byte += 1;
        }
        all[at].1 = opening.len();
        at += 1;
    }
    all
};

#[derive(Clone, Copy)]
struct Iter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Iter<'a> {
    type Item = (FieldName, FieldText<'a>);

    fn next(&mut self) -> Option<(FieldName, FieldText<'a>)> {
        let (tag, rest) = self.rest.split_first()?;
        let name = *FieldName::ALL.get(usize::from(*tag))?;
        let (length, rest) = varint::read(rest)?;
        let length = usize::try_from(length).ok()?;
        self.rest = rest.get(length..)?;
        Some((name, FieldText { rest, length }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(fields: &[u8]) -> String {
        assert!(Fields::of(fields).are_well_formed());
        let mut out = Vec::new();
        Fields::of(fields).write(&mut out);
        String::from_utf8(out).unwrap()
    }

    proptest! {
        #[test]
        fn a_text_is_trimmed_as_the_standard_library_does(text in "[ a\u{a0}\u{2003}\t\u{1}é.]{0,6}") {
            prop_assert_eq!(trim(&text), text.trim());
        }

        #[test]
        fn fields_are_written_as_json(line1 in any::<String>(), city in "[a\u{1}\"]{120,135}|a{16380,16390}") {
            let mut fields = Vec::new();
            put(&mut fields, FieldName::Line1, &line1);
            put(&mut fields, FieldName::City, &city);
            let object = format!("{{{}}}", &text(&fields)[1..]);
            let json: serde_json::Value = serde_json::from_str(&object).unwrap();
            prop_assert_eq!(&json["line1"], &serde_json::json!(line1));
            prop_assert_eq!(&json["city"], &serde_json::json!(city));
        }

        #[test]
        fn damaged_fields_are_detected(bytes in prop::collection::vec(any::<u8>(), 0..20)) {
            let fields = Fields::of(&bytes);
            fields.write(&mut Vec::new());
            let names = FieldName::ALL.len() as u8;
            prop_assert!(!fields.are_well_formed() || bytes.first().is_none_or(|name| *name < names));
        }
    }

    #[test]
    fn utm_parameters_are_an_object() {
        let mut out = Vec::new();
        put(&mut out, FieldName::Contract, "c\"1");
        put_utm(&mut out);
        assert_eq!(
            text(&out),
            r#","subscriptionContractId":"c\"1","utmParameters":{}"#
        );
        assert!(Fields::of(&out).touch().is_none());
        put(&mut out, FieldName::UtmSource, "a");
        put(&mut out, FieldName::UtmTerms, "");
        let full = Fields::of(&out);
        assert_eq!(full.get(FieldName::Contract), Some(&b"c\\\"1"[..]));
        let mut touch = Vec::new();
        full.touch().unwrap().write(&mut touch);
        assert_eq!(touch, br#"{"utmSource":"a","utmTerms":""}"#);
        assert_eq!(
            text(&out),
            r#","subscriptionContractId":"c\"1","utmParameters":{"utmSource":"a","utmTerms":""}"#
        );
    }
}
