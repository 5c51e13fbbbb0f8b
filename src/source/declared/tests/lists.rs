//! The lists of a customer.

use serde_json::{Value as Json, json};

use super::*;
use crate::definition::ElementField;

fn addresses(each: &str, id: &str) -> ListTable {
    ListTable {
        fields: vec![
            (ElementField::Line1, value("/street")),
            (ElementField::CountryCode, value("/country")),
        ],
        ..table(ListName::Addresses, each, id)
    }
}

fn list(definition: &Definition, record: &str) -> Json {
    let said = said(definition, record).unwrap();
    said.get("addresses").cloned().unwrap_or(json!("not told"))
}

const AT_TEXT: &str = "2024-01-01T00:00:00Z";

#[test]
fn elements_are_told_with_their_fields() {
    let definition = with_lists(vec![addresses("/a", "/id")]);
    let record = r#"{"a":[null,{"id":1,"street":" x ","country":"nld"},{"id":"2","country":"?"},7,[],{"id":"none"}],"id":"c"}"#;
    let expected = json!([
        {"id": "1", "line1": "x", "countryCode": "NL", "at": AT_TEXT},
        {"id": "2", "country": "?", "at": AT_TEXT}]);
    assert_eq!(list(&definition, record), expected);
}

#[test]
fn a_list_is_told_if_its_place_is_there() {
    let mut definition = with_lists(vec![addresses("/a", "/id"), addresses("/b", "/id")]);
    let of =
        |definition: &Definition, rest: &str| list(definition, &format!(r#"{{"id":"c"{rest}}}"#));
    assert_eq!(of(&definition, ""), json!("not told"));
    assert_eq!(of(&definition, r#","a":null"#), json!("not told"));
    assert_eq!(of(&definition, r#","b":[]"#), json!([]));
    assert_eq!(of(&definition, r#","b":{}"#), json!([]));
    assert_eq!(
        of(
            &definition,
            r#","b":{"id":"2","street":"y"},"a":[{"id":"1","street":"x"}]"#
        ),
        json!([{"id": "1", "line1": "x", "at": AT_TEXT}, {"id": "2", "line1": "y", "at": AT_TEXT}])
    );
    definition.nulls = Nulls::Clear;
    assert_eq!(of(&definition, r#","a":null"#), json!([]));
    let bad = said(&definition, r#"{"id":"c","a":"x","b":7}"#);
    assert_eq!(bad, Err("schema_violation /a:type /b:type".to_owned()));
}

#[test]
fn an_element_may_be_the_customer_itself_or_a_scalar() {
    let mut billing = addresses("", "/x");
    billing.id = constant("billing");
    let mut tags = table(ListName::Addresses, "/tags", "");
    tags.fields = vec![(ElementField::City, value(""))];
    let definition = with_lists(vec![billing, tags]);
    let record = r#"{"id":"c","street":"x","tags":["p","q",null,{"a":1}]}"#;
    let bad = said(&definition, record);
    assert_eq!(bad, Err("schema_violation /tags/3:type".to_owned()));
    let record = r#"{"street":"x","id":"c","tags":["p",null,"q"]}"#;
    let expected = json!([{"id": "billing", "line1": "x", "at": AT_TEXT}, {"id": "p", "city": "p", "at": AT_TEXT},
        {"id": "q", "city": "q", "at": AT_TEXT}]);
    assert_eq!(list(&definition, record), expected);
    // Nothing of it is there, and a constant does not count.
    assert_eq!(list(&definition, r#"{"id":"c"}"#), json!([]));
}

#[test]
fn a_field_may_come_from_outside_of_the_element() {
    let mut table = table(ListName::Phones, "/p", "/id");
    table.fields = vec![
        (ElementField::PhoneType, constant("Mobile")),
        (ElementField::PhoneCountry, value("root:/country")),
        (ElementField::NumberLocal, value("/n")),
    ];
    let definition = with_lists(vec![table]);
    let said_phones = |record: &str| said(&definition, record).map(|said| said["phones"].clone());
    assert_eq!(
        said_phones(r#"{"p":[{"id":"1","n":" 5 "}],"country":" xx ","id":"c"}"#),
        Ok(
            json!([{"id": "1", "type": "Mobile", "country": "xx", "numberLocal": "5", "at": AT_TEXT}])
        )
    );
    assert_eq!(said_phones(r#"{"p":[{"id":"1"}],"id":"c"}"#), Ok(json!([])));
    let missing = Err("schema_violation /p/0/id:required".to_owned());
    assert_eq!(said_phones(r#"{"p":[{}],"id":"c","country":"x"}"#), missing);
}

#[test]
fn violations_name_the_element() {
    let mut table = table(ListName::Phones, "/p", "/id");
    table.fields = vec![(ElementField::PhoneType, value("/t"))];
    table.updated_at = Some(value("/u"));
    let definition = with_lists(vec![table]);
    let bad = said(
        &definition,
        r#"{"id":"c","p":[{"t":"Fax","u":1},{"id":[],"t":"Phone"}]}"#,
    );
    let expected = "schema_violation /p/0/id:required /p/0/t:enum /p/0/u:type /p/1/id:type";
    assert_eq!(bad, Err(expected.to_owned()));
    let one = said(&definition, r#"{"id":"c","p":{"t":"Fax","id":"1"}}"#);
    assert_eq!(one, Err("schema_violation /p/t:enum".to_owned()));
}

#[test]
fn elements_have_their_own_times_or_those_of_the_record() {
    let mut table = addresses("/a", "/id");
    table.updated_at = Some(value("/u"));
    table.created_at = Some(value("/c"));
    let mut definition = with_lists(vec![table]);
    definition.created_at = Some(value("/created"));
    let record = r#"{"id":"c","created":"2020-01-01T00:00:00Z","a":[
        {"id":"1","street":"x"},{"id":"2","street":"y","u":"2022-01-01T00:00:00Z","c":"2021-01-01T00:00:00Z"}]}"#;
    let expected = json!([
        {"id": "1", "line1": "x", "at": AT_TEXT, "createdAt": "2020-01-01T00:00:00Z"},
        {"id": "2", "line1": "y", "at": "2022-01-01T00:00:00Z", "createdAt": "2021-01-01T00:00:00Z"}]);
    assert_eq!(list(&definition, record), expected);
}

/// One value is an element of a list, the place of another list, and reached by its index.
#[test]
fn a_value_may_have_several_uses() {
    let mut inner = table(ListName::Phones, "/a/0/phones", "/id");
    inner.fields = vec![(ElementField::NumberLocal, value("/n"))];
    let mut whole = table(ListName::Dependents, "/a", "/id");
    whole.fields = vec![(ElementField::DependentType, value("/street"))];
    let mut definition = with_lists(vec![addresses("/a", "/id"), inner, whole]);
    if let Tells::Customer {
        scalars, attribute, ..
    } = &mut definition.tells
    {
        scalars.push((Scalar::FirstName, value("/a/1/street")));
        attribute.push(("all".to_owned(), value("/a")));
    }
    let record = r#"{"id":"c","a":[{"id":"1","street":"x","phones":[{"id":"p","n":"5"}]},{"street":"y","id":"2"}]}"#;
    let said = said(&definition, record).unwrap();
    assert_eq!(said["addresses"].as_array().unwrap().len(), 2);
    assert_eq!(
        said["phones"],
        json!([{"id": "p", "numberLocal": "5", "at": AT_TEXT}])
    );
    assert_eq!(
        said["dependents"][1],
        json!({"id": "2", "type": "y", "at": AT_TEXT})
    );
    assert_eq!(said["FirstName"], json!("y"));
    assert_eq!(said["a.all"][0]["phones"][0]["n"], json!("5"));
}
