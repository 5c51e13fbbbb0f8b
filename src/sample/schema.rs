//! What a JSON Schema says of a place, as far as a value can be made by it. What this leaves out (`not`, `if`, …) is found
//! by the check of the records that were made.

use serde_json::Value as Json;

/// How many references may follow each other.
const MAX_REFERENCES: usize = 32;

/// Kinds of JSON values, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Types(u8);

impl Types {
    pub(super) const NULL: Types = Types(1);
    pub(super) const FLAG: Types = Types(2);
    pub(super) const WHOLE: Types = Types(4);
    pub(super) const NUMBER: Types = Types(8);
    pub(super) const TEXT: Types = Types(16);
    pub(super) const OBJECT: Types = Types(32);
    pub(super) const LIST: Types = Types(64);
    pub(super) const ALL: Types = Types(127);

    pub(super) fn has(self, other: Types) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn without(self, other: Types) -> Types {
        Types(self.0 & !other.0)
    }

    fn both(self, other: Types) -> Types {
        Types(self.0 & other.0)
    }

    fn either(self, other: Types) -> Types {
        Types(self.0 | other.0)
    }

    fn named(name: &str) -> Types {
        match name {
            "null" => Types::NULL,
            "boolean" => Types::FLAG,
            "integer" => Types::WHOLE,
            "number" => Types::WHOLE.either(Types::NUMBER),
            "string" => Types::TEXT,
            "object" => Types::OBJECT,
            "array" => Types::LIST,
            _ => Types(0),
        }
    }

    pub(super) fn of(value: &Json) -> Types {
        match value {
            Json::Null => Types::NULL,
            Json::Bool(_) => Types::FLAG,
            Json::Number(number) if number.is_f64() => Types::NUMBER,
            Json::Number(_) => Types::WHOLE.either(Types::NUMBER),
            Json::String(_) => Types::TEXT,
            Json::Object(_) => Types::OBJECT,
            Json::Array(_) => Types::LIST,
        }
    }
}

/// All schemas that hold for one place.
#[derive(Debug, Clone, Default)]
pub(super) struct View<'s> {
    root: Option<&'s Json>,
    parts: Vec<&'s Json>,
    /// Nothing may be there.
    pub(super) is_forbidden: bool,
}

impl<'s> View<'s> {
    /// The place of the whole value.
    pub(super) fn of(document: Option<&'s Json>) -> View<'s> {
        let empty = View {
            root: document,
            ..View::default()
        };
        empty.of_schemas(document)
    }

    fn of_schemas(&self, schemas: impl IntoIterator<Item = &'s Json>) -> View<'s> {
        let mut view = View {
            root: self.root,
            ..View::default()
        };
        for schema in schemas {
            view.add(schema, 0);
        }
        view
    }

    fn add(&mut self, schema: &'s Json, depth: usize) {
        if depth > MAX_REFERENCES {
            return;
        }
        if schema == &Json::Bool(false) {
            self.is_forbidden = true;
        }
        if !schema.is_object() {
            return;
        }
        self.parts.push(schema);
        if let Some(reference) = schema["$ref"].as_str()
            && let Some(root) = self.root
            && let Some(target) = reference.strip_prefix('#')
            && let Some(target) = root.pointer(target)
        {
            self.add(target, depth + 1);
        }
        for all in schema["allOf"].as_array().into_iter().flatten() {
            self.add(all, depth + 1);
        }
        for name in ["anyOf", "oneOf"] {
            let branches = schema[name].as_array().into_iter().flatten();
            let is_null = |branch: &&Json| {
                branch["type"] == "null" || branch.get("const").is_some_and(Json::is_null)
            };
            if let Some(branch) = branches.clone().find(|branch| !is_null(branch)) {
                self.add(branch, depth + 1);
            }
        }
    }

    /// The place of an object's member.
    pub(super) fn member(&self, name: &str) -> View<'s> {
        self.of_schemas(self.parts.iter().filter_map(|part| {
            let known = part["properties"].get(name);
            known.or_else(|| part.get("additionalProperties"))
        }))
    }

    /// The place of a list's element.
    pub(super) fn item(&self, position: usize) -> View<'s> {
        self.of_schemas(self.parts.iter().filter_map(|part| {
            let first = part.get("prefixItems").or(part.get("items"));
            match first {
                Some(Json::Array(items)) => {
                    let rest = match part.get("prefixItems") {
                        Some(_) => part.get("items"),
                        None => part.get("additionalItems"),
                    };
                    items.get(position).or(rest)
                }
                other => other,
            }
        }))
    }

    /// Whether members may have names that the schema does not know.
    pub(super) fn takes_any_name(&self) -> bool {
        let limits = ["patternProperties", "propertyNames"];
        let mut parts = self.parts.iter();
        parts.all(|part| limits.iter().all(|limit| part.get(limit).is_none()))
    }

    /// Whether the schema knows a member by its name.
    pub(super) fn knows(&self, name: &str) -> bool {
        let mut parts = self.parts.iter();
        parts.any(|part| part["properties"].get(name).is_some())
    }

    pub(super) fn types(&self) -> Types {
        let mut types = Types::ALL;
        for part in &self.parts {
            types = match &part["type"] {
                Json::String(name) => types.both(Types::named(name)),
                Json::Array(names) => {
                    let names = names.iter().filter_map(Json::as_str).map(Types::named);
                    types.both(names.fold(Types(0), Types::either))
                }
                _ => types,
            };
        }
        types
    }

    /// The values that may be there, if they are counted.
    pub(super) fn choices(&self) -> Option<Vec<&'s Json>> {
        let mut choices: Option<Vec<&Json>> = None;
        for part in &self.parts {
            let listed = part["enum"].as_array().map(|all| all.iter().collect());
            let only = part.get("const").map(|one| vec![one]);
            for some in [listed, only].into_iter().flatten() {
                choices = Some(match choices {
                    None => some,
                    Some(before) => {
                        let kept = before.into_iter();
                        kept.filter(|one| some.iter().any(|other| is_equal(one, other)))
                            .collect()
                    }
                });
            }
        }
        choices
    }

    /// The names of members that must be there.
    pub(super) fn required(&self) -> impl Iterator<Item = &'s str> {
        let lists = self
            .parts
            .iter()
            .filter_map(|part| part["required"].as_array());
        lists.flatten().filter_map(Json::as_str)
    }

    /// The lowest and the highest number.
    pub(super) fn bounds(&self) -> (Option<f64>, Option<f64>) {
        let low = self.most(f64::max, "minimum");
        let above = self.most(f64::max, "exclusiveMinimum").map(|low| low + 1.0);
        let high = self.most(f64::min, "maximum");
        let below = self
            .most(f64::min, "exclusiveMaximum")
            .map(|high| high - 1.0);
        (
            tightest(low, above, f64::max),
            tightest(high, below, f64::min),
        )
    }

    pub(super) fn multiple_of(&self) -> Option<f64> {
        self.most(f64::max, "multipleOf")
    }

    /// The least and the greatest length of a text, or count of elements, by the names of their keywords.
    pub(super) fn counts(&self, least: &str, most: &str) -> (usize, Option<usize>) {
        let whole = |count: f64| count.clamp(0.0, 1e9) as usize;
        let least = self.most(f64::max, least).map_or(0, whole);
        (least, self.most(f64::min, most).map(whole))
    }

    fn most(&self, choose: fn(f64, f64) -> f64, keyword: &str) -> Option<f64> {
        let numbers = self.parts.iter().filter_map(|part| part[keyword].as_f64());
        numbers.reduce(choose)
    }

    /// The value of a keyword that is a text.
    pub(super) fn text(&self, keyword: &str) -> Option<&'s str> {
        let mut parts = self.parts.iter();
        parts.find_map(|part| part[keyword].as_str())
    }
}

fn tightest(one: Option<f64>, other: Option<f64>, choose: fn(f64, f64) -> f64) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(choose(one, other)),
        (one, other) => one.or(other),
    }
}

/// 1 and 1.0 are the same.
pub(super) fn is_equal(one: &Json, other: &Json) -> bool {
    one == other || (one.is_number() && other.is_number() && one.as_f64() == other.as_f64())
}
