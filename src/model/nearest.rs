//! What a person is told of a name that is not known: the nearest known one, and which there are.

/// `"a", "b" or "c"`.
pub fn alternatives<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.map(|word| format!("{word:?}")).collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// The longest part of an unknown name that is compared: the work stays bounded whatever a file holds.
const MAX_COMPARED: usize = 200;

/// The nearest of the names in `known`; levels of a name are separated by dots. Empty if there are none.
pub fn closest(unknown: &str, known: impl Iterator<Item = String>) -> String {
    let unknown: String = unknown.chars().take(MAX_COMPARED).collect();
    let unknown = unknown.to_lowercase();
    known
        .min_by_key(|key| distance(&unknown, key))
        .unwrap_or_default()
}

/// How far a known key is from an unknown one. A right name in the wrong table is near too; among several tables with
/// that name, the one with the nearest own name. If nothing is near, the keys of the same table come first.
fn distance(unknown: &str, known: &str) -> (bool, bool, usize, bool, usize) {
    let split = |path: &str| {
        path.rsplit_once('.')
            .map_or((String::new(), path.to_owned()), |(table, name)| {
                (table.to_owned(), name.to_owned())
            })
    };
    let ((unknown_table, unknown_name), (known_table, known_name)) = (split(unknown), split(known));
    let moved = unknown_table != known_table && unknown != known_table;
    // The table is known already.
    let is_its_table = unknown_table == known;
    let whole = strsim::damerau_levenshtein(unknown, known);
    let name = strsim::damerau_levenshtein(&unknown_name, &known_name);
    let is_name_near = name <= unknown_name.chars().count() / 3;
    let is_far = is_its_table || (whole > 3 && !is_name_near);
    let distance = if is_name_near {
        whole.min(name + usize::from(moved))
    } else {
        whole
    };
    (
        is_far,
        is_far && (moved || is_its_table),
        distance,
        moved,
        whole,
    )
}
