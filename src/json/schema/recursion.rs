//! Schemas that refer to themselves in several ways for one value, such as trees whose nodes may be of two kinds. To
//! tell all that is wrong with a value, each way is gone through to its end, and the ways double with each level of the
//! value: a record of a kilobyte would take all memory. Whether a value conforms takes no such time, because what was
//! found out of a part of it is remembered. So the errors of such a schema are collected by one in which those
//! references say nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Keywords whose value is a schema, or holds schemas, that must hold too. Where a reference inside of them says
/// nothing, more conforms, and never less.
const DEMANDING: [&str; 7] = [
    "additionalItems",
    "additionalProperties",
    "allOf",
    "items",
    "patternProperties",
    "prefixItems",
    "properties",
];

/// Keywords that say nothing of the value of the schema that has them.
const DEFINITIONS: [&str; 2] = ["$defs", "definitions"];

/// Keywords of which a value's member or element meets one at most.
const SEPARATE: [&str; 5] = [
    "additionalItems",
    "additionalProperties",
    "items",
    "prefixItems",
    "properties",
];

const REFERENCES: [&str; 3] = ["$dynamicRef", "$recursiveRef", "$ref"];

/// A schema that accepts at least what this one does, without the references by which it comes to itself in several
/// ways. None: there are none.
///
/// `alone` tells whether the draft ignores what stands beside a reference.
pub(super) fn without_ways_to_itself(document: &Value, alone: bool) -> Option<Value> {
    let graph = Graph::of(document);
    let mut cut: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for start in graph.reached.keys() {
        let own = graph.component(start);
        let inside = |target: &str| own.contains(target);
        let doubles = |schema| ways(document, schema, &inside) > 1;
        if document.pointer(start).is_some_and(doubles) {
            for part in &own {
                cut.entry(part).or_default().extend(&own);
            }
        }
    }
    if cut.is_empty() {
        return None;
    }
    let mut pruned = document.clone();
    for (part, targets) in cut {
        let inside = |target: &str| targets.contains(target);
        // a part inside of another one may be gone already
        if let Some(schema) = pruned.pointer_mut(part) {
            prune(document, schema, &inside, alone);
        }
    }
    forget_unevaluated(&mut pruned);
    Some(pruned)
}

/// Which targets of references can be reached from which. The document itself, `""`, is one.
struct Graph<'a> {
    reached: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Graph<'a> {
    fn of(document: &'a Value) -> Graph<'a> {
        let mut next: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut left = vec![""];
        while let Some(start) = left.pop() {
            if next.contains_key(start) {
                continue;
            }
            let mut targets = BTreeSet::new();
            if let Some(part) = document.pointer(start) {
                references(document, part, &mut targets);
            }
            left.extend(&targets);
            next.insert(start, targets);
        }
        let reached = next.keys().map(|start| {
            let mut all = BTreeSet::new();
            let mut left: Vec<&str> = next[start].iter().copied().collect();
            while let Some(target) = left.pop() {
                if all.insert(target) {
                    left.extend(&next[target]);
                }
            }
            (*start, all)
        });
        Graph {
            reached: reached.collect(),
        }
    }

    /// The targets that can be reached from this one and from which it can be reached.
    fn component(&self, of: &str) -> BTreeSet<&'a str> {
        let all = self.reached[of].iter().copied();
        all.filter(|target| self.reached[target].contains(of))
            .collect()
    }
}

/// What the references in a part of a schema point to.
fn references<'a>(document: &'a Value, part: &'a Value, targets: &mut BTreeSet<&'a str>) {
    match part {
        Value::Object(members) => {
            for (name, inner) in members {
                match inner {
                    Value::String(text) if REFERENCES.contains(&name.as_str()) => {
                        targets.insert(target(document, text));
                    }
                    _ if DEFINITIONS.contains(&name.as_str()) => {}
                    _ => references(document, inner, targets),
                }
            }
        }
        Value::Array(items) => {
            for inner in items {
                references(document, inner, targets);
            }
        }
        _ => {}
    }
}

/// The pointer of what a reference names. What is not named by a pointer may be anything, the document as a whole
/// included, from which all can be reached.
fn target<'a>(document: &Value, reference: &'a str) -> &'a str {
    let pointer = reference.split_once('#').map_or("", |(_, inside)| inside);
    match document.pointer(pointer) {
        Some(_) => pointer,
        None => "",
    }
}

/// In how many ways at most a schema applies these targets to one value, or to one member or element of it.
fn ways(document: &Value, schema: &Value, inside: &impl Fn(&str) -> bool) -> usize {
    match schema {
        Value::Object(members) => {
            let of = |name: &str, inner: &Value| match inner {
                Value::String(text) if REFERENCES.contains(&name) => {
                    usize::from(inside(target(document, text)))
                }
                // each member of the value meets its own
                Value::Object(properties) if name == "properties" => {
                    let each = properties.values();
                    each.map(|inner| ways(document, inner, inside))
                        .max()
                        .unwrap_or(0)
                }
                Value::Array(items) if ["items", "prefixItems"].contains(&name) => {
                    let each = items.iter();
                    each.map(|inner| ways(document, inner, inside))
                        .max()
                        .unwrap_or(0)
                }
                _ if DEFINITIONS.contains(&name) => 0,
                _ => ways(document, inner, inside),
            };
            let mut separate = 0;
            let mut others = 0;
            for (name, inner) in members {
                match SEPARATE.contains(&name.as_str()) {
                    true => separate = of(name, inner).max(separate),
                    false => others += of(name, inner),
                }
            }
            separate + others
        }
        Value::Array(items) => items
            .iter()
            .map(|inner| ways(document, inner, inside))
            .sum(),
        _ => 0,
    }
}

/// Takes from a schema whatever depends on these targets, so that it accepts what it accepted, and more.
fn prune(document: &Value, schema: &mut Value, inside: &impl Fn(&str) -> bool, alone: bool) {
    if ways(document, schema, inside) == 0 {
        return;
    }
    match schema {
        Value::Array(items) => {
            for inner in items {
                prune(document, inner, inside, alone);
            }
        }
        Value::Object(members) => {
            let refers = |name: &str, inner: &Value| match inner {
                Value::String(text) => REFERENCES.contains(&name) && inside(target(document, text)),
                _ => false,
            };
            if alone && members.iter().any(|(name, inner)| refers(name, inner)) {
                *schema = Value::Bool(true);
                return;
            }
            members.retain(|name, inner| {
                let kept =
                    DEMANDING.contains(&name.as_str()) || DEFINITIONS.contains(&name.as_str());
                kept || !refers(name, inner) && ways(document, inner, inside) == 0
            });
            if !members.contains_key("if") {
                members.retain(|name, _| name != "then" && name != "else");
            }
            for (name, inner) in members {
                let by_name = ["patternProperties", "properties"].contains(&name.as_str());
                match inner {
                    _ if DEFINITIONS.contains(&name.as_str()) => {}
                    Value::Object(schemas) if by_name => {
                        for inner in schemas.values_mut() {
                            prune(document, inner, inside, alone);
                        }
                    }
                    _ => prune(document, inner, inside, alone),
                }
            }
        }
        _ => {}
    }
}

/// What a schema leaves unevaluated depends on all that was taken from it.
fn forget_unevaluated(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.retain(|name, _| !name.starts_with("unevaluated"));
            members.values_mut().for_each(forget_unevaluated);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_unevaluated),
        _ => {}
    }
}
