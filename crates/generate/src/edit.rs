//! Edits of compact JSON text by JSON pointer. Unlike a parsed value, text keeps the order of its fields and the
//! spelling of its numbers, and it can be made invalid.

use std::ops::Range;

/// The position of a value in its text.
struct Place {
    /// The value with its key, if it has one.
    member: Range<usize>,
    value: Range<usize>,
}

/// The text of the value at the pointer. `None` if there is no such value; the other functions here do the same.
pub(super) fn text<'a>(json: &'a [u8], pointer: &str) -> Option<&'a [u8]> {
    json.get(find(json, pointer)?.value)
}

/// How many elements the array at the pointer has.
pub(super) fn length(json: &[u8], pointer: &str) -> Option<usize> {
    let at = find(json, pointer)?.value.start;
    let mut count = 0;
    while nth(json, at, count).is_some() {
        count += 1;
    }
    Some(count)
}

/// Replaces the value with the text.
pub(super) fn replace(json: &[u8], pointer: &str, text: &[u8]) -> Option<Vec<u8>> {
    let place = find(json, pointer)?.value;
    Some([json.get(..place.start)?, text, json.get(place.end..)?].concat())
}

/// Removes the value, its key and one comma.
pub(super) fn remove(json: &[u8], pointer: &str) -> Option<Vec<u8>> {
    let mut gap = find(json, pointer)?.member;
    if json.get(gap.end) == Some(&b',') {
        gap.end += 1;
    } else if gap.start > 0 && json.get(gap.start - 1) == Some(&b',') {
        gap.start -= 1;
    }
    Some([json.get(..gap.start)?, json.get(gap.end..)?].concat())
}

/// Inserts a member, key and value, before the other members of the object.
pub(super) fn insert(json: &[u8], pointer: &str, member: &[u8]) -> Option<Vec<u8>> {
    let start = find(json, pointer)?.value.start;
    if json.get(start) != Some(&b'{') {
        return None;
    }
    let comma: &[u8] = match json.get(start + 1)? {
        b'}' => b"",
        _ => b",",
    };
    Some([json.get(..=start)?, member, comma, json.get(start + 1..)?].concat())
}

fn find(json: &[u8], pointer: &str) -> Option<Place> {
    let mut place = Place {
        member: 0..json.len(),
        value: 0..json.len(),
    };
    for step in pointer.split('/').skip(1) {
        let at = place.value.start;
        place = match json.get(at)? {
            b'{' => field(json, at, step)?,
            b'[' => nth(json, at, step.parse().ok()?)?,
            _ => return None,
        };
    }
    Some(place)
}

fn field(json: &[u8], object: usize, name: &str) -> Option<Place> {
    let mut at = object + 1;
    while json.get(at)? == &b'"' {
        let key_end = skip(json, at)?;
        let value = key_end + 1;
        let end = skip(json, value)?;
        if json.get(at + 1..key_end - 1)? == name.as_bytes() {
            return Some(Place {
                member: at..end,
                value: value..end,
            });
        }
        at = end + 1;
    }
    None
}

fn nth(json: &[u8], array: usize, index: usize) -> Option<Place> {
    if json.get(array)? != &b'[' {
        return None;
    }
    let mut at = array + 1;
    let mut left = index;
    while json.get(at)? != &b']' {
        let end = skip(json, at)?;
        if left == 0 {
            return Some(Place {
                member: at..end,
                value: at..end,
            });
        }
        left -= 1;
        match json.get(end)? {
            b',' => at = end + 1,
            _ => return None,
        }
    }
    None
}

/// The end of the value that starts at `at`.
fn skip(json: &[u8], at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = at;
    loop {
        match json.get(at)? {
            b'"' => {
                at += 1;
                while json.get(at)? != &b'"' {
                    at += if json.get(at)? == &b'\\' { 2 } else { 1 };
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            _ if depth == 0 => {
                // A number or a word, which only ends where something else begins.
                while !matches!(json.get(at), None | Some(b',' | b'}' | b']')) {
                    at += 1;
                }
                return Some(at);
            }
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &[u8] = br#"{"a":1,"b":{"c":["x\"]","y",{"d":null}],"e":{}},"f":[]}"#;

    #[test]
    fn finds_values_by_pointer() {
        assert_eq!(text(JSON, ""), Some(JSON));
        assert_eq!(text(JSON, "/a"), Some(&b"1"[..]));
        assert_eq!(text(JSON, "/b/c/0"), Some(&br#""x\"]""#[..]));
        assert_eq!(text(JSON, "/b/c/2/d"), Some(&b"null"[..]));
        assert_eq!(text(JSON, "/f"), Some(&b"[]"[..]));
        for missing in ["/b/c/3", "/g", "/a/b", "/f/0", "/b/e/x"] {
            assert_eq!(text(JSON, missing), None, "{missing}");
        }
        assert_eq!(length(JSON, "/b/c"), Some(3));
        assert_eq!(length(JSON, "/f"), Some(0));
    }

    #[test]
    fn edits_leave_the_rest_as_it_was() {
        let edited = |json: Option<Vec<u8>>| String::from_utf8(json.unwrap()).unwrap();
        assert_eq!(edited(remove(br#"{"a":1,"b":2}"#, "/a")), r#"{"b":2}"#);
        assert_eq!(edited(remove(br#"{"a":1,"b":2}"#, "/b")), r#"{"a":1}"#);
        assert_eq!(edited(remove(br#"[[1]]"#, "/0/0")), "[[]]");
        assert_eq!(
            edited(replace(br#"{"a":{"b":2}}"#, "/a/b", b"[3]")),
            r#"{"a":{"b":[3]}}"#
        );
        assert_eq!(
            edited(insert(br#"{"a":{}}"#, "/a", br#""x":1"#)),
            r#"{"a":{"x":1}}"#
        );
        assert_eq!(
            edited(insert(br#"{"a":{}}"#, "", br#""x":1"#)),
            r#"{"x":1,"a":{}}"#
        );
        assert_eq!(insert(b"[]", "", b"1"), None);
    }
}
