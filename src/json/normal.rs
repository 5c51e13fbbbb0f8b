//! Whether two JSON texts say the same.

use serde_json::value::RawValue;

use super::canonical::write_string;
use super::members::members;
use super::strict::{self, MAX_DEPTH, Plain, Text};

/// A text that is equal for two values only if both say the same: white space, escapes and the order of members do not
/// matter, the digits of a number do. None if the text is no JSON, or nests too deep.
pub fn normal_form(json: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(json.len());
    write(json.trim_ascii(), 0, &mut out)?;
    Some(out)
}

fn write(json: &str, depth: usize, out: &mut Vec<u8>) -> Option<()> {
    if depth > MAX_DEPTH {
        return None;
    }
    match json.as_bytes().first()? {
        b'{' => {
            let mut all = members(json.as_bytes())?;
            // Members of the same name stay in their order.
            all.sort_by(|one, other| one.0.cmp(&other.0));
            out.push(b'{');
            for (name, value) in all {
                write_string(out, &name);
                out.push(b':');
                write(value, depth + 1, out)?;
                out.push(b',');
            }
            out.push(b'}');
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
            out.push(b'[');
            for item in items {
                write(item.get(), depth + 1, out)?;
                out.push(b',');
            }
            out.push(b']');
        }
        b'"' => {
            let text = strict::read(json, Plain::<Text<'_>>).ok()?;
            write_string(out, &text);
        }
        _ => {
            strict::check(json).ok()?;
            out.extend_from_slice(json.as_bytes());
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_the_same_is_equal() {
        let same = |one: &str, other: &str| {
            let (one, other) = (normal_form(one), normal_form(other));
            one.is_some() && one == other
        };
        assert!(same(
            r#"{"a":[1,"\u00e9"],"b":null}"#,
            " { \"b\" : null,\n\"a\": [1, \"é\"] } "
        ));
        for (one, other) in [
            ("1", "1.0"),
            ("18446744073709551617", "18446744073709551618"),
            (r#"{"a":1}"#, r#"{"a":2}"#),
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
            (r#"{"a":1,"a":2}"#, r#"{"a":2,"a":1}"#),
            ("[1,2]", "[2,1]"),
            ("[[1],2]", "[[1,2]]"),
            (r#""1""#, "1"),
            (r#""a\"b""#, r#""a","b""#),
            ("nul", "nul"),
            ("", ""),
        ] {
            assert!(!same(one, other), "{one} {other}");
        }
        let deep = ["[".repeat(100_000), "]".repeat(100_000)].concat();
        assert_eq!(normal_form(&deep), None);
    }
}
