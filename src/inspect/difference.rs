//! The JSON pointers at which two snapshots differ. No value is told.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// How many pointers are listed.
pub const MAX_POINTERS: usize = 16;

/// The pointers at which `found` differs from `expected`, in the order of the texts; an empty pointer if all of it does,
/// or if only the text differs (spaces, the order of members). Empty for equal texts.
pub fn pointers(expected: &[u8], found: &[u8]) -> Vec<String> {
    if expected == found {
        return Vec::new();
    }
    let mut all = Vec::new();
    match (parsed(expected), parsed(found)) {
        (Some(expected), Some(found)) => compare(expected, found, &mut String::new(), &mut all),
        _ => all.push(String::new()),
    }
    if all.is_empty() {
        all.push(String::new());
    }
    all
}

fn parsed(text: &[u8]) -> Option<&RawValue> {
    serde_json::from_slice(text).ok()
}

fn compare(expected: &RawValue, found: &RawValue, pointer: &mut String, out: &mut Vec<String>) {
    let (one, other) = (expected.get(), found.get());
    if one == other || out.len() == MAX_POINTERS {
        return;
    }
    let both = |opening: char| one.starts_with(opening) && other.starts_with(opening);
    if both('{')
        && let (Some(expected), Some(found)) = (object(expected), object(found))
    {
        let names = expected.keys().chain(found.keys());
        let mut names: Vec<&String> = names.collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let name_of_pointer = name.replace('~', "~0").replace('/', "~1");
            let pair = (expected.get(name).copied(), found.get(name).copied());
            at(&name_of_pointer, pair, pointer, out);
        }
    } else if both('[')
        && let (Some(expected), Some(found)) = (list(expected), list(found))
    {
        for index in 0..expected.len().max(found.len()) {
            let pair = (expected.get(index).copied(), found.get(index).copied());
            at(&index.to_string(), pair, pointer, out);
        }
    } else {
        out.push(pointer.clone());
    }
}

/// Compares what both have at one member or element.
fn at(
    name: &str,
    pair: (Option<&RawValue>, Option<&RawValue>),
    pointer: &mut String,
    out: &mut Vec<String>,
) {
    let length = pointer.len();
    pointer.push('/');
    pointer.push_str(name);
    match pair {
        (Some(expected), Some(found)) => compare(expected, found, pointer, out),
        _ if out.len() < MAX_POINTERS => out.push(pointer.clone()),
        _ => {}
    }
    pointer.truncate(length);
}

fn object(text: &RawValue) -> Option<BTreeMap<String, &RawValue>> {
    serde_json::from_str(text.get()).ok()
}

fn list(text: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(text.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(expected: &str, found: &str) -> Vec<String> {
        pointers(expected.as_bytes(), found.as_bytes())
    }

    #[test]
    fn each_place_that_differs_has_its_pointer() {
        assert!(of(r#"{"a":1}"#, r#"{"a":1}"#).is_empty());
        assert_eq!(of(r#"{"a":1,"b":2}"#, r#"{"a":1,"b":3}"#), ["/b"]);
        assert_eq!(of(r#"{"a":1}"#, r#"{"b":2}"#), ["/a", "/b"]);
        let lists = of(r#"{"a":[{"x":1},2]}"#, r#"{"a":[{"x":2},2,3]}"#);
        assert_eq!(lists, ["/a/0/x", "/a/2"]);
        assert_eq!(of(r#"{"a/b~":1}"#, r#"{"a/b~":2}"#), ["/a~1b~0"]);
        assert_eq!(of(r#"{"a":{}}"#, r#"{"a":[]}"#), ["/a"]);
    }

    #[test]
    fn digits_count_that_a_double_does_not_hold() {
        let one = r#"{"attributes":{"n":90071992547409931}}"#;
        let other = r#"{"attributes":{"n":90071992547409932}}"#;
        assert_eq!(of(one, other), ["/attributes/n"]);
    }

    #[test]
    fn a_text_that_says_the_same_or_is_no_json_differs_as_a_whole() {
        assert_eq!(of(r#"{"a":1,"b":2}"#, r#"{ "b":2,"a":1}"#), [""]);
        assert_eq!(of(r#"{"a":1}"#, "no json"), [""]);
        assert_eq!(of(r#"{"a":1}"#, "[1]"), [""]);
    }

    #[test]
    fn not_more_are_listed_than_help() {
        let list = |from: usize| {
            let all: Vec<String> = (from..from + 1_000).map(|n| n.to_string()).collect();
            format!("[{}]", all.join(","))
        };
        assert_eq!(of(&list(0), &list(1)).len(), MAX_POINTERS);
    }
}
