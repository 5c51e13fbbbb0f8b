//! What the documents name must exist.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The source of a test target: `tests/<target>.rs`, or all files below `tests/<target>`.
fn sources(target: &str) -> String {
    fn below(folder: PathBuf, text: &mut String) {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                below(path, text);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut text =
        fs::read_to_string(root().join(format!("tests/{target}.rs"))).unwrap_or_default();
    below(root().join("tests").join(target), &mut text);
    text
}

/// The evidence that `docs/delivery.md` gives: each `target::test`.
#[test]
fn every_test_that_is_named_as_evidence_exists() {
    let document = read("docs/delivery.md");
    let code = document.split('`').skip(1).step_by(2);
    let mut named = 0;
    for name in code {
        let Some((target, test)) = name
            .split_once("::")
            .filter(|named| *named != ("target", "test"))
        else {
            continue;
        };
        let sources = sources(target);
        // a function, or one of the list that a macro makes tests of
        let found = sources.contains(&format!("fn {test}("))
            || sources.lines().any(|line| line.trim() == test);
        assert!(found, "{name}");
        named += 1;
    }
    assert!(named > 40, "{named}");
}

/// The files that the documents lead to: each link that is a path.
#[test]
fn links_lead_to_files() {
    for document in [
        "README.md",
        "CONTRIBUTING.md",
        "docs/delivery.md",
        "docs/performance.md",
        "schemas/README.md",
    ] {
        let text = read(document);
        let folder = Path::new(document).parent().unwrap();
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let path = link.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") {
                continue;
            }
            assert!(
                root().join(folder).join(path).exists(),
                "{document}: {link}"
            );
        }
    }
}
