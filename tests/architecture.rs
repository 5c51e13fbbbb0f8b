//! Imports run one way: from the command line down to the model, and in no circle. What a file names of the crate is read
//! from its text, without its tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each folder, or file, at the top of `src`: it may name those before it, and not those of its own line.
const LAYERS: [&[&str]; 17] = [
    &["model", "failpoint", "exit", "backoff", "prefetch"],
    &["json", "serve"],
    &["avro", "customer", "generated"],
    &["definition"],
    &["config"],
    &["source"],
    &["store", "registry", "sample"],
    &["engine"],
    &["kafka"],
    &["fold"],
    &["inspect"],
    &["checks"],
    &["telemetry"],
    &["runtime"],
    &["demo"],
    &["cli"],
    &["main", "lib"],
];

/// A file of `src`: the path of its module, and its code without comments and tests.
struct Module {
    path: Vec<String>,
    code: String,
}

fn collect(folder: &Path, modules: &mut Vec<Module>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if path.is_dir() && name != "tests" {
            collect(&path, modules);
        } else if path.extension().is_some_and(|extension| extension == "rs") && name != "tests" {
            modules.push(module(&path));
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn modules() -> Vec<Module> {
    let mut modules = Vec::new();
    collect(&root(), &mut modules);
    assert!(modules.len() > 100, "{}", modules.len());
    modules
}

fn module(file: &Path) -> Module {
    let relative = file.strip_prefix(root()).unwrap().with_extension("");
    let mut path: Vec<String> = relative
        .iter()
        .map(|part| part.to_str().unwrap().to_owned())
        .collect();
    if path.last().is_some_and(|last| last == "mod") {
        path.pop();
    }
    let text = fs::read_to_string(file).unwrap();
    let code = text.split("\n#[cfg(test)]\nmod ").next().unwrap();
    let code: Vec<&str> = code
        .lines()
        .map(|line| line.split("//").next().unwrap())
        .collect();
    Module {
        path,
        code: code.join("\n"),
    }
}

/// The names that follow each `prefix`, those in braces too: `a` and `b` of `prefix{a, b::c}`.
fn names_behind<'c>(code: &'c str, prefix: &str) -> Vec<&'c str> {
    let word = |text: &'c str| {
        let end = text.find(|char: char| !char.is_alphanumeric() && char != '_');
        &text[..end.unwrap_or(text.len())]
    };
    let mut names = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let is_inside = code[..at].ends_with(|char: char| char.is_alphanumeric() || char == ':');
        let rest = &code[at + prefix.len()..];
        let Some(list) = rest.strip_prefix('{') else {
            names.extend((!is_inside).then(|| word(rest)));
            continue;
        };
        let mut depth = 0;
        let mut begins = true;
        for (at, char) in list.char_indices() {
            match char {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => begins = true,
                char if char.is_alphanumeric() && begins => {
                    names.push(word(&list[at..]));
                    begins = false;
                }
                _ => {}
            }
        }
    }
    names
}

fn layer_of(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&name))
}

#[test]
fn imports_run_down_the_layers() {
    let mut wrong = Vec::new();
    for module in modules() {
        let own = &module.path[0];
        let layer = layer_of(own).unwrap_or_else(|| panic!("{own} has no layer"));
        for name in names_behind(&module.code, "crate::") {
            // a macro or a name of `lib.rs` is no module
            let Some(other) = layer_of(name).filter(|_| name != own) else {
                continue;
            };
            if other >= layer {
                wrong.push(format!("{} names {name}", module.path.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Between the files of a folder too. What a folder's own `mod.rs` holds is for all of its files.
#[test]
fn files_name_each_other_in_no_circle() {
    let modules = modules();
    let known: BTreeSet<&[String]> = modules.iter().map(|one| &one.path[..]).collect();
    let mut named: BTreeMap<&[String], BTreeSet<&[String]>> = BTreeMap::new();
    for module in &modules {
        let Some((_, folder)) = module.path.split_last() else {
            continue;
        };
        let beside = if folder.is_empty() {
            Vec::new()
        } else {
            let here = format!("crate::{}::", folder.join("::"));
            let mut all = names_behind(&module.code, "super::");
            all.extend(names_behind(&module.code, &here));
            all
        };
        for name in beside {
            let mut other = folder.to_vec();
            other.push(name.to_owned());
            if let Some(other) = known.get(&other[..]).filter(|one| **one != module.path) {
                named.entry(&module.path).or_default().insert(other);
            }
        }
    }
    // what names nothing that is left is taken away, until only circles are left, and what leads to them
    let mut left = named;
    loop {
        let keys: BTreeSet<&[String]> = left.keys().copied().collect();
        let before = left.len();
        left.retain(|_, others| others.iter().any(|other| keys.contains(other)));
        if left.len() == before {
            break;
        }
    }
    assert!(left.is_empty(), "{left:#?}");
}

/// What the commands for operators find is decided without I/O and without a clock, so that tests can give them any logs.
#[test]
fn what_is_inspected_is_pure() {
    let outside = ["kafka", "registry", "store", "failpoint", "backoff"];
    let calls = ["std::fs", "std::net", "SystemTime", "Instant::now"];
    let mut wrong = Vec::new();
    for module in modules() {
        if module.path[0] != "inspect" {
            continue;
        }
        let names = names_behind(&module.code, "crate::");
        let names = names.into_iter().filter(|name| outside.contains(name));
        let calls = calls.into_iter().filter(|call| module.code.contains(call));
        wrong.extend(
            names
                .chain(calls)
                .map(|name| format!("{} names {name}", module.path.join("::"))),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn names_are_found_in_code() {
    let code = "use crate::a::b;\nuse crate::{c, d::{e, f}, g};\nlet x = crate::h::i();";
    assert_eq!(names_behind(code, "crate::"), ["a", "c", "d", "g", "h"]);
    assert_eq!(names_behind("use super::super::x;", "super::"), ["super"]);
}
