//! The elements of the lists that a definition declares.

use std::collections::BTreeMap;

use super::Element;
use super::builtin::text::object;
use super::definition::{Definition, values};
use super::json::Json;
use super::judge::Judge;
use super::value::{Kind, Made, Value};

/// The lists, the name of their elements' id, and their fields in the order of the snapshot.
const LISTS: [(&str, &str, &[&str]); 3] = [
    (
        "addresses",
        "addressId",
        &[
            "line1",
            "line2",
            "city",
            "province",
            "zipCode",
            "countryCode",
        ],
    ),
    (
        "phones",
        "key",
        &["type", "country", "numberLocal", "numberInternational"],
    ),
    ("dependents", "dependentId", &["dateOfBirth", "type"]),
];

fn kind_of(definition: &Definition, list: &str, field: &str) -> Kind {
    match (list, field) {
        ("phones", "type") => Kind::OneOf(&["Unknown", "Phone", "Mobile"]),
        (_, "countryCode") => match definition.word("countries", "any") {
            "any" => Kind::Country,
            _ => Kind::Alpha2,
        },
        (_, "dateOfBirth") => Kind::Date,
        _ => Kind::Trimmed,
    }
}

/// An element on the way to be judged: what it is, and its pointer.
type Place = (Json, String);

/// The lists that a record tells. `times`: its `updated_at` and `created_at`.
pub fn lists(
    judge: &mut Judge<'_>,
    here: &Json,
    base: &str,
    times: (Option<i64>, Option<i64>),
) -> BTreeMap<&'static str, Vec<Element>> {
    let mut told = BTreeMap::new();
    for (list, id_name, fields) in LISTS {
        let mut elements: Option<Vec<(Element, String)>> = None;
        for table in judge.definition.lists(list) {
            let Some(places) = places(judge, table, here, base) else {
                continue;
            };
            let elements = elements.get_or_insert_default();
            for place in places {
                let made = element(judge, table, (list, id_name, fields), &place, times);
                elements.extend(made);
            }
        }
        let Some(elements) = elements else { continue };
        let mut ids = Vec::new();
        for (element, pointer) in &elements {
            if ids.contains(&&element.id) {
                judge.findings.push((pointer.clone(), "duplicate_element"));
            }
            ids.push(&element.id);
        }
        let elements = elements.into_iter().map(|(element, _)| element);
        told.insert(list, elements.collect());
    }
    told
}

/// The elements that a table leads to; none if it tells nothing.
fn places(
    judge: &mut Judge<'_>,
    table: &toml::Table,
    here: &Json,
    base: &str,
) -> Option<Vec<Place>> {
    let each = table["each"].as_str().unwrap();
    let pointer = format!("{base}{each}");
    let unavailable = Json::Text("__debezium_unavailable_value".to_owned());
    match here.at(each)? {
        Json::Null => judge.definition.clears().then(Vec::new),
        Json::List(list) => {
            let each = list.iter().enumerate();
            let there = each.filter(|(_, element)| **element != Json::Null);
            Some(
                there
                    .map(|(at, element)| (element.clone(), format!("{pointer}/{at}")))
                    .collect(),
            )
        }
        object @ Json::Object(_) => Some(vec![(object.clone(), pointer)]),
        text if *text == unavailable && judge.definition.is_debezium() => None,
        _ => {
            judge.violation(pointer, "type");
            None
        }
    }
}

fn element(
    judge: &mut Judge<'_>,
    table: &toml::Table,
    (list, id_name, fields): (&str, &'static str, &'static [&'static str]),
    (here, base): &Place,
    (updated, created): (Option<i64>, Option<i64>),
) -> Option<(Element, String)> {
    let here = (here, base.as_str());
    let declared = values(&table["fields"]);
    let any = declared
        .iter()
        .any(|(_, value)| judge.is_there(value, here.0, here.1));
    if !any {
        return None;
    }
    let id = judge.take(&Value::of(&table["id"]), Kind::Text, true, here);
    let mut time = |name: &str| {
        let value = table.get(name).map(Value::of)?;
        let (made, pointer) = judge.take(&value, Kind::Time, false, here).made()?;
        Some((made.time(), pointer))
    };
    let (own_updated, own_created) = (time("updated_at"), time("created_at"));
    let mut texts: Vec<(&str, Option<String>)> = Vec::new();
    for field in fields {
        let Some((_, value)) = declared.iter().find(|(name, _)| name == field) else {
            continue;
        };
        let got = judge.take(value, kind_of(judge.definition, list, field), false, here);
        let Some((made, pointer)) = got.made() else {
            continue;
        };
        let name = match &made {
            Made::Country(Err(_)) => {
                judge.findings.push((pointer, "country_code"));
                "country"
            }
            _ => field,
        };
        texts.push((name, Some(made.json())));
    }
    if let Some((at, pointer)) = &own_updated {
        judge.future(*at, pointer);
    }
    let known = own_updated.as_ref().map(|(at, _)| *at).or(updated);
    let at = known.unwrap_or(0);
    let created = own_created.as_ref().map(|(at, _)| *at).or(created);
    let own = own_created.or(own_updated);
    if let (Some(created), Some((_, pointer))) = (created, own)
        && known.is_some_and(|at| created > at)
    {
        judge.findings.push((pointer, "created_after_updated"));
    }
    let (id, pointer) = id.made()?;
    let id = id.text();
    judge.blank(&id, pointer.clone());
    texts.insert(0, (id_name, Some(Made::Text(id.clone()).json())));
    texts.push(("createdAt", created.map(|at| Made::Time(at).json())));
    texts.push(("updatedAt", Some(Made::Time(at).json())));
    let text = object(&texts);
    Some((Element { id, at, text }, pointer))
}

/// Whether a field that the definition maps, or one on the way to it, is given twice in one object.
pub fn twice(definition: &Definition, here: &Json) -> bool {
    let pointers = |value: &toml::Value| -> Vec<String> {
        let from = Value::of(value).from;
        from.into_iter()
            .filter(|from| from.is_empty() || from.starts_with('/'))
            .collect()
    };
    let mut all: Vec<String> = Vec::new();
    for key in ["customer_id", "updated_at", "rank", "created_at"] {
        all.extend(definition.toml.get(key).map(pointers).unwrap_or_default());
    }
    for (table, key) in [
        ("deleted", "when"),
        ("event_type", "from"),
        ("version", "from"),
    ] {
        let value = definition.toml.get(table).and_then(|table| table.get(key));
        all.extend(value.map(pointers).unwrap_or_default());
    }
    if let Some(fields) = definition.toml.get("fields").and_then(|t| t.as_table()) {
        all.extend(fields.values().flat_map(pointers));
    }
    if let Some(action) = definition.toml.get("action").and_then(|t| t.as_table()) {
        let utm = action.get("utm").and_then(|utm| utm.as_table());
        let own = action.iter().filter(|(name, _)| *name != "utm");
        let own = own.map(|(_, value)| value);
        all.extend(
            own.chain(utm.into_iter().flat_map(|utm| utm.values()))
                .flat_map(pointers),
        );
    }
    for (list, ..) in LISTS {
        for table in definition.lists(list) {
            let each = table["each"].as_str().unwrap();
            all.push(each.to_owned());
            let fields = table["fields"].as_table().unwrap().values();
            let own = ["id", "updated_at", "created_at"].into_iter();
            let inner = own.filter_map(|key| table.get(key)).chain(fields);
            for pointer in inner.flat_map(pointers) {
                let elements = match here.at(each) {
                    Some(Json::List(list)) => list.iter().collect(),
                    Some(one) => vec![one],
                    None => Vec::new(),
                };
                if elements.iter().any(|element| element.twice_on(&pointer)) {
                    return true;
                }
            }
        }
    }
    all.iter().any(|pointer| here.twice_on(pointer))
}
