//! Mutations of a JSON document: each changes one node.

use serde_json::{Map, Value, json};

/// What any node is replaced by.
fn replacements() -> Vec<Value> {
    let numbers = "[0, 1, 2, -1, 1.5, 1e3, -0.0, 1.0, 9007199254740993, 9223372036854775807, 9223372036854775808,
        18446744073709551615, 1e19, 0.1]";
    let mut all: Vec<Value> = serde_json::from_str(numbers).unwrap();
    let texts = [
        "",
        " ",
        "x",
        "0",
        "7",
        "true",
        "null",
        "ACTIVE",
        "CREATED",
        "active",
        "SIGN_UP",
        "Mobile",
        "2024-02-29",
        "2023-02-29",
        "2024-02-06T10:00:00",
        "2024-02-06T10:00:00Z",
        "2024-02-06 10:00:00Z",
        "0000-12-31",
        "GB",
        "\u{0}",
        "é",
        "9223372036854775808",
    ];
    all.extend(texts.map(Value::from));
    all.extend([
        json!(null),
        json!(true),
        json!(false),
        json!([]),
        json!({}),
        json!([null]),
        json!([{}]),
        json!(["x"]),
    ]);
    all.push(json!({"x": {"customerId": 1}}));
    all
}

/// Every mutation of every node.
pub fn all(document: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    let replacements = replacements();
    at_each_node(
        document,
        &mut |node| {
            let mut mutated = replacements.clone();
            mutated.push(json!([node]));
            mutated.push(json!({"x": node}));
            match node {
                Value::Object(fields) => mutated.extend(of_object(fields)),
                Value::Array(items) => mutated.extend(of_array(items)),
                _ => {}
            }
            mutated
        },
        &mut found,
    );
    found
}

fn of_object(fields: &Map<String, Value>) -> Vec<Value> {
    let mut mutated = Vec::new();
    for (name, value) in fields {
        let mut rest = fields.clone();
        rest.remove(name);
        mutated.push(Value::Object(rest.clone()));
        for new in [format!("{name} "), name.to_uppercase(), String::new()] {
            let mut renamed = rest.clone();
            renamed.insert(new, value.clone());
            mutated.push(Value::Object(renamed));
        }
        // the value of one field in the place of another
        for other in rest.keys() {
            let mut moved = rest.clone();
            moved.insert(other.clone(), value.clone());
            mutated.push(Value::Object(moved));
        }
    }
    mutated
}

fn of_array(items: &[Value]) -> Vec<Value> {
    let mut mutated = Vec::new();
    for at in 0..items.len() {
        let mut shorter = items.to_vec();
        let item = shorter.remove(at);
        let mut longer = items.to_vec();
        longer.insert(at, item);
        mutated.extend([Value::Array(shorter), Value::Array(longer)]);
    }
    for extra in [json!(null), json!("x"), json!({}), json!(1)] {
        mutated.push(Value::Array([items, &[extra]].concat()));
    }
    mutated
}

/// Every text that looks like a date, changed in each of its characters.
pub fn dates(document: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    at_each_node(
        document,
        &mut |node| match node.as_str() {
            Some(text) if text.len() >= 10 && text.is_ascii() && text.as_bytes()[4] == b'-' => {
                of_date(text)
            }
            _ => Vec::new(),
        },
        &mut found,
    );
    found
}

fn of_date(text: &str) -> Vec<Value> {
    let mut mutated = Vec::new();
    let put = [
        "0", "1", "2", "3", "5", "6", "9", "T", "t", "Z", "z", " ", "-", "+", ":", ".", ",", "é",
        "٣", "\u{0}", "60", "W",
    ];
    for at in 0..=text.len() {
        let (before, after) = text.split_at(at);
        for put in put {
            mutated.push(format!("{before}{put}{after}"));
            if let Some(rest) = after.get(1..) {
                mutated.push(format!("{before}{put}{rest}"));
            }
        }
        mutated.push(before.to_owned());
        if let Some(rest) = after.get(1..) {
            mutated.push(format!("{before}{rest}"));
        }
    }
    for offset in [
        "+00:00", "-00:00", "+23:59", "+24:00", "-14:00", "+1:00", "+0100", "+01", "Z+00:00",
    ] {
        mutated.push(format!("{}{offset}", text.trim_end_matches('Z')));
    }
    mutated.into_iter().map(Value::from).collect()
}

/// Appends the document with each node in turn replaced by each of what `mutate` makes of it.
fn at_each_node(
    document: &Value,
    mutate: &mut dyn FnMut(&Value) -> Vec<Value>,
    found: &mut Vec<Value>,
) {
    fn walk(
        node: &Value,
        pointer: &str,
        document: &Value,
        mutate: &mut dyn FnMut(&Value) -> Vec<Value>,
        found: &mut Vec<Value>,
    ) {
        for mutated in mutate(node) {
            let mut changed = document.clone();
            *changed.pointer_mut(pointer).unwrap() = mutated;
            found.push(changed);
        }
        // the deepest examples are about nesting only
        if pointer.matches('/').count() > 8 {
            return;
        }
        match node {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let name = name.replace('~', "~0").replace('/', "~1");
                    walk(value, &format!("{pointer}/{name}"), document, mutate, found);
                }
            }
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate().take(4) {
                    walk(item, &format!("{pointer}/{at}"), document, mutate, found);
                }
            }
            _ => {}
        }
    }
    walk(document, "", document, mutate, found);
}

/// The document as texts with one field given twice, and whether its schema knows that field.
pub fn repeated_fields(document: &Value, schema: &Value) -> Vec<(String, bool)> {
    const MARK: &str = "\u{1}mark";
    let mut found = Vec::new();
    let mut paths = Vec::new();
    paths_of_fields(document, Some(schema), "", &mut paths);
    for (object, name, known) in paths {
        let mut marked = document.clone();
        let fields = marked
            .pointer_mut(&object)
            .unwrap()
            .as_object_mut()
            .unwrap();
        let value = fields[&name].to_string();
        fields.insert(MARK.to_owned(), Value::Null);
        let again = format!("{}:{value}", Value::from(name));
        let mark = format!("{}:null", Value::from(MARK));
        found.push((marked.to_string().replace(&mark, &again), known));
    }
    found
}

fn paths_of_fields(
    node: &Value,
    schema: Option<&Value>,
    pointer: &str,
    found: &mut Vec<(String, String, bool)>,
) {
    match node {
        Value::Object(fields) => {
            for (name, value) in fields {
                let own = schema.and_then(|schema| schema.get("properties")?.get(name));
                found.push((pointer.to_owned(), name.clone(), own.is_some()));
                let name = name.replace('~', "~0").replace('/', "~1");
                paths_of_fields(value, own, &format!("{pointer}/{name}"), found);
            }
        }
        Value::Array(items) => {
            let own = schema.and_then(|schema| schema.get("items"));
            for (at, item) in items.iter().enumerate() {
                paths_of_fields(item, own, &format!("{pointer}/{at}"), found);
            }
        }
        _ => {}
    }
}
