//! A batch that is cut down to its bad elements, whose good ones were processed when it was rejected.

use std::borrow::Cow;

use ahash::HashSet;
use serde_json::value::RawValue;

use super::LetterViolation;
use crate::avro::{ListParts, list_parts};
use crate::config::Config;
use crate::json::members::members;
use crate::json::normal::normal_form;
use crate::model::record::{MAX_VIOLATIONS, Source};
use crate::source::framing::Payload;

/// A batch, taken apart at its list.
#[derive(Debug)]
pub struct Batch<'a> {
    /// Where the list is.
    pub pointer: String,
    /// What is before the payload and names its schema.
    frame: &'a [u8],
    body: Body<'a>,
}

#[derive(Debug)]
enum Body<'a> {
    Json(BatchText<'a>),
    Avro(ListParts<'a>),
}

impl<'a> Batch<'a> {
    /// The batch that the value of a source's record is. `payload` is the value without its frame. None: it is no batch,
    /// or cannot be taken apart.
    pub fn of(
        value: &'a [u8],
        payload: &Payload<'a>,
        source: Source,
        config: &Config,
    ) -> Option<Batch<'a>> {
        let mut pointers = pointers(source, config).into_iter();
        pointers.find_map(|pointer| {
            let (bytes, body) = match payload.value() {
                Payload::Json(json) => {
                    let text = std::str::from_utf8(json).ok()?;
                    (json.len(), Body::Json(BatchText::at(text, &pointer)?))
                }
                Payload::Avro(plan, body) => {
                    let path: Vec<Cow<'_, str>> = path(&pointer).collect();
                    let path: Vec<&str> = path.iter().map(|name| &**name).collect();
                    let parts = list_parts(plan, &path, body).ok()?;
                    (body.len(), Body::Avro(parts))
                }
                _ => return None,
            };
            Some(Batch {
                frame: value.get(..value.len().saturating_sub(bytes))?,
                pointer,
                body,
            })
        })
    }

    pub fn count(&self) -> usize {
        match &self.body {
            Body::Json(text) => text.elements.len(),
            Body::Avro(parts) => parts.items.len(),
        }
    }

    /// The same record with some of the elements only, in the encoding and with the schema that it has.
    pub fn cut(&self, keep: &[bool]) -> Vec<u8> {
        let body = match &self.body {
            Body::Json(text) => text.cut(keep).into_bytes(),
            Body::Avro(parts) => parts.with(keep),
        };
        [self.frame, &body].concat()
    }

    /// The elements that violations name. Where as many are listed as there is room for, also those that may have others.
    /// None: no element is named.
    pub fn bad<V: Named>(&self, violations: &[V]) -> Option<Vec<bool>> {
        bad_elements(&self.pointer, self.count(), violations)
    }

    /// The elements that are not among those of another batch that it marks as good. None where the batches differ in more
    /// than their elements: then an element need not mean the same in both.
    pub fn not_among(&self, other: &Batch<'_>, bad: &[bool]) -> Option<Vec<bool>> {
        let is_same = self.pointer == other.pointer
            && self.frame == other.frame
            && self.around()? == other.around()?;
        if !is_same {
            return None;
        }
        let known = other.elements().zip(bad).filter(|(_, bad)| !**bad);
        let known: HashSet<Cow<'_, [u8]>> = known.filter_map(|(element, _)| element).collect();
        let elements = self.elements();
        let is_new = |element: Option<Cow<'_, [u8]>>| element.is_none_or(|it| !known.contains(&it));
        Some(elements.map(is_new).collect())
    }

    /// Each element in a form that is equal for equal ones.
    fn elements(&self) -> impl Iterator<Item = Option<Cow<'_, [u8]>>> {
        (0..self.count()).map(|at| match &self.body {
            Body::Json(text) => normal_form(text.elements[at]).map(Cow::Owned),
            Body::Avro(parts) => Some(Cow::Borrowed(parts.items[at])),
        })
    }

    /// What is around the elements, in a form that is equal for equal ones.
    fn around(&self) -> Option<Vec<u8>> {
        match &self.body {
            Body::Json(text) => normal_form(&text.cut(&[])),
            Body::Avro(parts) => Some(parts.with(&[])),
        }
    }
}

/// The elements, of so many in the list at a pointer, that violations name: see [`Batch::bad`].
pub fn bad_elements<V: Named>(pointer: &str, count: usize, violations: &[V]) -> Option<Vec<bool>> {
    let index_of = |violation: &V| -> Option<usize> {
        let rest = violation.pointer().strip_prefix(pointer)?;
        rest.strip_prefix('/')?.split('/').next()?.parse().ok()
    };
    let mut bad = vec![false; count];
    let mut is_any = false;
    for index in violations.iter().filter_map(index_of) {
        if let Some(bad) = bad.get_mut(index) {
            *bad = true;
            is_any = true;
        }
    }
    // Violations are ordered by pointer, as text.
    if let Some(last) = violations.last()
        && violations.len() >= MAX_VIOLATIONS
    {
        for (index, bad) in bad.iter_mut().enumerate() {
            *bad |= *format!("{pointer}/{index}") > *last.pointer();
        }
    }
    is_any.then_some(bad)
}

/// Whether violations name an element of a batch of a source.
pub fn names_elements(violations: &[LetterViolation], source: Source, config: &Config) -> bool {
    let pointers = pointers(source, config);
    let mut pointers = pointers.iter();
    pointers.any(|pointer| bad_elements(pointer, usize::from(u16::MAX), violations).is_some())
}

/// The names of a JSON pointer.
fn path(pointer: &str) -> impl Iterator<Item = Cow<'_, str>> {
    pointer
        .split('/')
        .skip(1)
        .map(|name| match name.contains('~') {
            true => name.replace("~1", "/").replace("~0", "~").into(),
            false => name.into(),
        })
}

/// The list of a batch in its JSON text.
#[derive(Debug)]
struct BatchText<'a> {
    text: &'a str,
    /// Where the list begins and ends in the text.
    list: (usize, usize),
    elements: Vec<&'a str>,
}

impl<'a> BatchText<'a> {
    /// The batch whose list is at a pointer; none if it is no batch, or not JSON.
    fn at(text: &'a str, pointer: &str) -> Option<BatchText<'a>> {
        let mut value = text.trim_ascii();
        for name in path(pointer) {
            let all = members(value.as_bytes())?;
            value = all.into_iter().find(|(member, _)| *member == name)?.1;
        }
        let elements: Vec<&RawValue> = serde_json::from_str(value).ok()?;
        let start = value.as_ptr() as usize - text.as_ptr() as usize;
        Some(BatchText {
            text,
            list: (start, start + value.len()),
            elements: elements.into_iter().map(RawValue::get).collect(),
        })
    }

    fn cut(&self, keep: &[bool]) -> String {
        let kept = self.elements.iter().zip(keep);
        let kept: Vec<&str> = kept
            .filter(|(_, keep)| **keep)
            .map(|(text, _)| *text)
            .collect();
        let (before, after) = (&self.text[..self.list.0], &self.text[self.list.1..]);
        format!("{before}[{}]{after}", kept.join(","))
    }
}

/// Something with the pointer of a violation.
pub trait Named {
    fn pointer(&self) -> &str;
}

impl Named for LetterViolation {
    fn pointer(&self) -> &str {
        &self.pointer
    }
}

impl Named for crate::model::record::Violation {
    fn pointer(&self) -> &str {
        &self.pointer
    }
}

/// Where the records of a source may have a list whose elements are judged one by one.
fn pointers(source: Source, config: &Config) -> Vec<String> {
    if source == Source::PublisherCustomers {
        return vec!["/customers".to_owned()];
    }
    let Some(plan) = config.sources.plan(source) else {
        return Vec::new();
    };
    let shapes = plan.shapes.iter();
    let batches = shapes.filter_map(|shape| shape.batch.as_ref());
    let mut all: Vec<String> = batches.map(|batch| batch.pointer.clone()).collect();
    if plan.event_list.is_some() {
        all.insert(0, String::new());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(pointers: &[&str]) -> Vec<LetterViolation> {
        let violation = |pointer: &&str| LetterViolation {
            pointer: (*pointer).to_owned(),
            keyword: "type".to_owned(),
            message: String::new(),
        };
        pointers.iter().map(violation).collect()
    }

    fn json(text: &str, source: Source) -> Option<Batch<'_>> {
        let payload = Payload::Json(text.as_bytes());
        Batch::of(text.as_bytes(), &payload, source, &Config::default())
    }

    fn publisher(text: &str) -> Option<Batch<'_>> {
        json(text, Source::PublisherCustomers)
    }

    #[test]
    fn the_text_around_the_elements_stays() {
        let batch = publisher(r#" {"id": 1.0, "customers" : [ {"a":[1]}, 2 ,"x]"] ,"more":{}} "#);
        let batch = batch.unwrap();
        assert_eq!(batch.count(), 3);
        assert_eq!(
            batch.cut(&[true, false, true]),
            br#" {"id": 1.0, "customers" : [{"a":[1]},"x]"] ,"more":{}} "#
        );
        for none in ["", "[]", r#"{"customers":{}}"#, r#"{"customers":[}"#, "nul"] {
            assert!(publisher(none).is_none(), "{none}");
        }
        assert!(json("{}", Source::ConsoleCustomers).is_none());
    }

    #[test]
    fn pointers_are_followed_unescaped() {
        let batch = BatchText::at(r#"{"a/b":{"~":[1,2]}}"#, "/a~1b/~0").unwrap();
        assert_eq!(batch.cut(&[false, true]), r#"{"a/b":{"~":[2]}}"#);
        let events = BatchText::at("[1,2]", "").unwrap();
        assert_eq!(events.cut(&[true, false]), "[1]");
    }

    #[test]
    fn violations_name_the_bad_elements() {
        let batch = publisher(r#"{"customers":[0,1,2,3,4,5,6,7,8,9,10,11]}"#).unwrap();
        let bad = |pointers: &[&str]| {
            let bad = batch.bad(&violations(pointers))?;
            let indices = bad.iter().enumerate().filter(|(_, bad)| **bad);
            Some(indices.map(|(index, _)| index).collect::<Vec<_>>())
        };
        assert_eq!(bad(&["/customers/11/x", "/customers/2"]), Some(vec![2, 11]));
        assert_eq!(bad(&["/customers", "/other/2", "/customers/99/x"]), None);
        assert_eq!(bad(&[]), None);
    }

    /// Of a list that is full, the elements that order behind its last violation may be bad too.
    #[test]
    fn elements_behind_a_full_list_are_not_known_to_be_good() {
        let batch = publisher(r#"{"customers":[0,1,2,3,4,5,6,7,8,9,10,11,12]}"#).unwrap();
        let pointers: Vec<String> = (0..MAX_VIOLATIONS)
            .map(|at| format!("/customers/11/f{at:02}"))
            .collect();
        let pointers: Vec<&str> = pointers.iter().map(String::as_str).collect();
        let bad = batch.bad(&violations(&pointers)).unwrap();
        let good: Vec<usize> = (0..13).filter(|at| !bad[*at]).collect();
        // as text, "/customers/10" is before "/customers/11", and "/customers/2" behind
        assert_eq!(good, [0, 1, 10]);
    }

    /// A value of JSON in the frame of a schema registry keeps it.
    #[test]
    fn what_names_the_schema_stays() {
        let value = b"\0\0\0\0\x07{\"customers\":[1,2]}";
        let payload = Payload::Json(&value[5..]);
        let config = Config::default();
        let batch = Batch::of(value, &payload, Source::PublisherCustomers, &config).unwrap();
        let cut = batch.cut(&[false, true]);
        assert_eq!(cut, b"\0\0\0\0\x07{\"customers\":[2]}");
    }

    /// What somebody has edited is compared by what it says, not by where it is.
    #[test]
    fn elements_that_were_good_are_found_again() {
        let before = publisher(r#"{"id":1,"customers":[{"a":1,"b":"\u00e9"},{"a":2},{"a":3}]}"#);
        let before = before.unwrap();
        let new = |text: &str| {
            let edited = publisher(text).unwrap();
            edited.not_among(&before, &[false, true, false])
        };
        // the bad one was edited, and comes first; a good one is left out
        let text = r#"{"customers":[{"a":"2"}, {"b":"é","a":1}],"id":1}"#;
        assert_eq!(new(text), Some(vec![true, false]));
        // unchanged
        let text = r#"{"id":1,"customers":[{"a":2},{"a":3},{"a":3},{"a":2}]}"#;
        assert_eq!(new(text), Some(vec![true, false, false, true]));
        assert_eq!(new(r#"{"id":1,"customers":[]}"#), Some(Vec::new()));
        // the good elements may mean something else now
        assert_eq!(new(r#"{"id":2,"customers":[{"a":1}]}"#), None);
    }
}
