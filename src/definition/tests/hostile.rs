//! Texts that nobody would write: whatever a definition holds, reading it ends, with a definition or with problems.

use proptest::prelude::*;

use super::reading::EVERYTHING;
use crate::definition::Definition;

/// Reads a text, and returns whether it is a definition.
fn read(text: &str) -> bool {
    match Definition::parse(text, "x", |_| Ok(r#"{"type":"string"}"#.to_owned())) {
        Ok(_) => true,
        Err(problems) => {
            assert!((1..=100).contains(&problems.len()), "{}", problems.len());
            false
        }
    }
}

/// What definitions are made of.
fn parts() -> Vec<&'static str> {
    let ends = [' ', '=', '\n', '"', ',', '{', '[', '.'];
    EVERYTHING.split_inclusive(ends).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn parts_in_any_order_are_read(order in prop::collection::vec(any::<prop::sample::Index>(), 0..60)) {
        let parts = parts();
        let text: String = order.iter().map(|at| parts[at.index(parts.len())]).collect();
        read(&text);
    }

    #[test]
    fn a_definition_with_other_parts_is_read(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..3), 1..4)
    ) {
        let mut parts = parts();
        for (at, other, change) in changes {
            let (at, other) = (at.index(parts.len()), parts[other.index(parts.len())]);
            match change {
                0 => drop(parts.remove(at)),
                1 => parts[at] = other,
                _ => parts.insert(at, other),
            }
        }
        read(&parts.concat());
    }

    #[test]
    fn any_text_is_read(text in "\\PC{0,200}") {
        read(&text);
        read(&format!("customer_id = '/id'\n[fields]\nfirstName = {text}"));
    }
}

#[test]
fn deep_and_long_texts_are_read() {
    assert!(read(EVERYTHING));
    let quotes = "'".repeat(3);
    for open in [
        "[",
        "{a=",
        "a.",
        "[[a.",
        "\"",
        &quotes,
        "a=1\n",
        "[a]\n",
        "[[tests]]\n",
    ] {
        for begin in ["", "a=", "customer_id='/id'\n[deleted]\nwhen='/x'\nis=["] {
            read(&format!("{begin}{}", open.repeat(50_000)));
        }
    }
    // many of what may be there many times
    let many: String = (0..20_000)
        .map(|n| format!("\"attributes.a{n}\"='/a'\n"))
        .collect();
    assert!(read(&format!("customer_id='/id'\n[fields]\n{many}")));
    let many = "[[lists.phones]]\neach=''\nid='/i'\nfields.type='/t'\n".repeat(15_000);
    assert!(read(&format!("customer_id='/id'\n{many}")));
    let many: String = (0..50_000).map(|n| format!("a{n}=1,")).collect();
    assert!(read(&format!("customer_id={{from='/a',map={{{many}}}}}")));
    let deep = format!("customer_id='{}'", "/a".repeat(500_000));
    assert!(read(&deep));
}
