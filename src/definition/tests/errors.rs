//! What is wrong with a definition, in the words that the user sees.

use std::cell::RefCell;

use super::problems;
use crate::definition::load;

/// Definitions, each with its problems behind `=>`, and lines of dashes between them.
const CASES: &str = include_str!("errors.txt");

#[test]
fn all_that_is_wrong_is_told_with_its_line_and_key() {
    let cases: Vec<&str> = CASES.split("----\n").collect();
    assert!(cases.len() > 40, "{}", cases.len());
    for case in cases {
        let (told, lines): (Vec<&str>, Vec<&str>) =
            case.lines().partition(|line| line.starts_with("=> "));
        let told: Vec<&str> = told.iter().map(|line| &line[3..]).collect();
        assert_eq!(problems(&lines.join("\n")), told, "{case}");
    }
}

#[test]
fn a_file_of_more_than_a_mebibyte_is_not_read() {
    let large = format!("customer_id = '/id'\n{}", "#".repeat(1 << 20));
    assert_eq!(problems(&large), ["crm.toml: is larger than 1 MiB"]);
}

#[test]
fn of_very_much_that_is_wrong_the_first_hundred_is_told() {
    let keys: String = (0..100_000).map(|n| format!("k{n}=1\n")).collect();
    assert_eq!(problems(&keys).len(), 100);
    let long = format!("{}=1\ncustomer_id='/id'", "k".repeat(1_000_000));
    let long = problems(&long);
    assert!(long.len() == 1 && long[0].len() < 300, "{long:?}");
}

#[test]
fn the_file_is_named_as_the_configuration_names_it() {
    let of = |definition: &str, read: &dyn Fn(&str) -> Result<String, String>| {
        let problems = load(definition, read).unwrap_err();
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        problems
    };
    let missing = |_: &str| Err("no such file".to_owned());
    assert_eq!(
        of("a/crm.toml", &missing),
        ["a/crm.toml: cannot be read: no such file"]
    );
    assert_eq!(
        of("preset:shopify", &missing),
        ["preset:shopify: there is no such preset; did you mean \"preset:shopify-customer\"?"]
    );
    // what a definition names is beside it
    let asked = RefCell::new(Vec::new());
    let read = |name: &str| {
        asked.borrow_mut().push(name.to_owned());
        match name {
            "a/crm.toml" => Ok("customer_id = '/id'\nschema = '../s.json'".to_owned()),
            _ => Err("no such file".to_owned()),
        }
    };
    assert_eq!(
        of("a/crm.toml", &read),
        ["`schema` in a/crm.toml, line 2: \"../s.json\" cannot be read: no such file"]
    );
    assert_eq!(*asked.borrow(), ["a/crm.toml", "a/../s.json"]);
}
