//! Whether a snapshot contains what a test of a definition expects.

use serde_json::Value;

use super::value::Pointer;

/// Whether `snapshot` contains `expected`: an object the members that are expected, a list the same number of elements,
/// each of which contains the one that is expected. Everything else is the same text.
///
/// # Errors
/// The JSON pointer of the first difference.
pub fn contains(snapshot: &Value, expected: &Value) -> Result<(), String> {
    let mut path = Vec::new();
    match differs(snapshot, expected, &mut path) {
        true => Err(Pointer(path).to_string()),
        false => Ok(()),
    }
}

/// Whether there is a difference; `path` then leads to it. The depth is that of JSON texts, which is limited.
fn differs(found: &Value, expected: &Value, path: &mut Vec<String>) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            let mut members = expected.iter();
            members.any(|(name, expected)| {
                path.push(name.clone());
                let is_other = found
                    .get(name)
                    .is_none_or(|found| differs(found, expected, path));
                if !is_other {
                    path.pop();
                }
                is_other
            })
        }
        (Value::Array(found), Value::Array(expected)) if found.len() == expected.len() => {
            let mut elements = found.iter().zip(expected).enumerate();
            elements.any(|(index, (found, expected))| {
                path.push(index.to_string());
                let is_other = differs(found, expected, path);
                if !is_other {
                    path.pop();
                }
                is_other
            })
        }
        (Value::Number(found), Value::Number(expected)) => {
            found != expected && found.to_string() != expected.to_string()
        }
        (found, expected) => found != expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(snapshot: &str, expected: &str) -> Result<(), String> {
        let read = |text: &str| serde_json::from_str(text).unwrap();
        contains(&read(snapshot), &read(expected))
    }

    #[test]
    fn what_is_expected_is_contained() {
        for (snapshot, expected) in [
            ("{\"a\":1,\"b\":2}", "{\"b\":2}"),
            ("{\"a\":[{\"x\":1,\"y\":2}]}", "{\"a\":[{\"y\":2}]}"),
            ("{\"a\":{\"b\":null}}", "{\"a\":{\"b\":null}}"),
            ("{\"a\":[]}", "{}"),
            ("null", "null"),
            (
                "{\"a\":18446744073709551616}",
                "{\"a\":18446744073709551616}",
            ),
        ] {
            assert_eq!(
                compared(snapshot, expected),
                Ok(()),
                "{snapshot} {expected}"
            );
        }
    }

    #[test]
    fn the_first_difference_is_named() {
        for (snapshot, expected, pointer) in [
            ("{\"a\":1}", "{\"b\":1}", "/b"),
            (
                "{\"a\":1,\"b\":{\"c/d\":[0,1]}}",
                "{\"a\":1,\"b\":{\"c/d\":[0,2]}}",
                "/b/c~1d/1",
            ),
            ("{\"a\":[1,2]}", "{\"a\":[1]}", "/a"),
            ("{\"a\":[]}", "{\"a\":{}}", "/a"),
            ("{\"a\":1}", "{\"a\":\"1\"}", "/a"),
            ("{\"a\":1}", "{\"a\":1.0}", "/a"),
            ("{}", "{\"a\":null}", "/a"),
            ("{\"a\":null}", "{\"a\":{}}", "/a"),
            ("{}", "null", ""),
            ("{\"a\":[1,2],\"b\":3}", "{\"a\":[1,2],\"b\":4}", "/b"),
        ] {
            assert_eq!(
                compared(snapshot, expected),
                Err(pointer.to_owned()),
                "{snapshot} {expected}"
            );
        }
    }
}
