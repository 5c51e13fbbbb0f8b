//! How a schema is split at its lists, and which violations are looked for first.

use serde_json::Value;

/// Keywords that may look at a value from outside of it, so that its schema does not stand for itself.
const OUTER_KEYWORDS: [&str; 7] = [
    "$ref",
    "$dynamicRef",
    "$recursiveRef",
    "$id",
    "$anchor",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// Whether every part of a schema says the same by itself as inside the whole.
pub(super) fn stands_for_itself(schema: &Value) -> bool {
    let is_inner = |(name, member): (&String, &Value)| name == "$id" || has_no_outer(name, member);
    // Without a reference, it does not matter what the whole is called.
    schema
        .as_object()
        .is_none_or(|all| all.iter().all(is_inner))
}

fn has_no_outer(name: &str, member: &Value) -> bool {
    let is_inner = match member {
        Value::Object(members) => members
            .iter()
            .all(|(name, member)| has_no_outer(name, member)),
        Value::Array(items) => items.iter().all(|item| has_no_outer("", item)),
        _ => true,
    };
    is_inner && !OUTER_KEYWORDS.contains(&name)
}

/// How many elements the lists of a value have, or a number above `enough`.
pub(super) fn elements(value: &Value, enough: usize) -> usize {
    let mut count = 0;
    let mut left = vec![value];
    while let Some(value) = left.pop() {
        match value {
            Value::Array(items) => {
                count += items.len();
                if count > enough {
                    break;
                }
                left.extend(items);
            }
            Value::Object(members) => left.extend(members.values()),
            _ => {}
        }
    }
    count
}

/// Removes every `items` that is for all elements from a schema and collects it, with the names of the fields on the
/// way to it.
pub(super) fn take_lists(
    schema: &mut Value,
    path: &mut Vec<String>,
    lists: &mut Vec<(Vec<String>, Value)>,
) {
    let Some(schema) = schema.as_object_mut() else {
        return;
    };
    if is_for_all(schema)
        && let Some(items) = schema.remove("items")
    {
        lists.push((path.clone(), items));
    }
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (name, property) in properties.into_iter().flatten() {
        path.push(name.clone());
        take_lists(property, path, lists);
        path.pop();
    }
}

/// Whether the `items` of a schema are one schema for all elements.
fn is_for_all(schema: &serde_json::Map<String, Value>) -> bool {
    let is_list = schema.get("items").is_some_and(Value::is_array);
    !is_list && !schema.contains_key("prefixItems")
}

/// Removes the schema of the elements of the list at a path. None: it is not in one place. Otherwise none: there is no
/// schema of the elements.
pub(super) fn take_items(schema: &mut Value, path: &[String]) -> Option<Option<Value>> {
    let mut schema = schema.as_object_mut()?;
    for name in path {
        // Any other keyword may have something to say of the elements.
        if has_applicators(schema) {
            return None;
        }
        let Some(properties) = schema.get_mut("properties") else {
            return Some(None);
        };
        let Some(next) = properties.as_object_mut()?.get_mut(name) else {
            return Some(None);
        };
        schema = next.as_object_mut()?;
    }
    let has_rest = ["contains", "uniqueItems"]
        .iter()
        .any(|name| schema.contains_key(*name));
    match is_for_all(schema) && !has_applicators(schema) && !has_rest {
        true => Some(schema.remove("items")),
        false => None,
    }
}

/// Whether a schema has keywords, beside `properties` and `items`, that apply others to a value or its members.
fn has_applicators(schema: &serde_json::Map<String, Value>) -> bool {
    const APPLICATORS: [&str; 14] = [
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "if",
        "then",
        "else",
        "dependentSchemas",
        "dependencies",
        "patternProperties",
        "additionalProperties",
        "const",
        "enum",
        "propertyNames",
    ];
    APPLICATORS.iter().any(|name| schema.contains_key(*name))
}

pub(super) fn pointer_of(path: &[String]) -> String {
    path.iter()
        .map(|name| format!("/{}", name.replace('~', "~0").replace('/', "~1")))
        .collect()
}

/// The indices of a list of that length in the order of their pointers: 0, 1, 10, 100, 101, …, 11, …
pub(super) fn by_pointer(length: usize) -> impl Iterator<Item = usize> {
    let first = (length > 0).then_some(0);
    std::iter::successors(first, move |&at| {
        if at > 0 && at * 10 < length {
            return Some(at * 10);
        }
        let mut at = at;
        while at % 10 == 9 || at + 1 >= length {
            at /= 10;
            if at == 0 {
                return None;
            }
        }
        Some(at + 1)
    })
}
