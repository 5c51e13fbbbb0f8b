//! The JSON Schema of a definition, which is judged before what it maps.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::definition::{BatchSchemaPlan, ElementField};

fn with_schema(mut definition: Definition, schema: &Json) -> Definition {
    definition.schema = Some(schema.to_string().into());
    definition
}

fn is_checked(definition: &Definition) -> bool {
    Plan::new(definition.clone())
        .unwrap()
        .schema
        .unwrap()
        .is_checked
}

#[test]
fn a_schema_is_judged_before_the_mapping_and_the_rules() {
    let schema = json!({"type": "object", "required": ["id"], "properties": {
        "id": {"type": "string"}, "s": {"type": ["string", "null"]}, "n": {"minimum": 3}}});
    let slow = json!({"allOf": [schema]});
    for (schema, is_fast) in [(schema, true), (slow, false)] {
        let definition = with_schema(with_scalars(&[(Scalar::Status, "/s")]), &schema);
        assert_eq!(is_checked(&definition), is_fast);
        let of = |text: &str| said(&definition, text).map(|said| said["id"].clone());
        assert_eq!(of(r#"{"id":"c","s":"ACTIVE","n":3}"#), Ok(json!("c")));
        assert_eq!(
            of(r#"{"id":7,"s":"?","n":1}"#),
            Err("schema_violation /id:type /n:minimum".to_owned())
        );
        assert_eq!(
            of(r#"{"id":"","s":"?"}"#),
            Err("schema_violation /s:enum".to_owned())
        );
        assert_eq!(of(r#"{"id":""}"#), Err("blank_id /id:blank_id".to_owned()));
        assert_eq!(of("{"), Err("invalid_json".to_owned()));
    }
}

/// The schema's names are known, whether or not they are mapped.
#[test]
fn a_name_of_the_schema_is_given_once() {
    let schema = json!({"properties": {"q": {}, "l": {"items": {"properties": {"w": {}}}}}});
    for schema in [
        schema.clone(),
        json!({"properties": schema["properties"], "not": false}),
    ] {
        let definition = with_schema(definition(), &schema);
        for twice in [
            r#"{"id":"c","q":1,"q":2}"#,
            r#"{"id":"c","l":[{"w":1,"w":2}]}"#,
        ] {
            assert_eq!(
                said(&definition, twice),
                Err("duplicate_field".to_owned()),
                "{schema}"
            );
        }
        assert!(said(&definition, r#"{"id":"c","z":1,"z":2,"w":1,"w":2}"#).is_ok());
    }
}

#[test]
fn a_schema_that_is_none_is_a_problem_of_the_definition() {
    for schema in [
        "{",
        "7",
        r#"{"type":"text"}"#,
        r#"{"$ref":"https://example.com/a"}"#,
    ] {
        let mut definition = definition();
        definition.schema = Some(schema.into());
        assert!(Plan::new(definition).is_err(), "{schema}");
    }
}

#[test]
fn the_violations_inside_an_element_are_its_own() {
    let element =
        json!({"type": "object", "properties": {"id": {"type": "string"}, "n": {"maximum": 9}}});
    let list = json!({"type": "array", "items": element});
    let schemas = [
        json!({"required": ["at"], "properties": {"at": {"type": "string"}, "l": list}}),
        json!({"allOf": [{"required": ["at"], "properties": {"at": {"type": "string"}, "l": list}}]}),
        json!({"required": ["at"], "properties": {"at": {"type": "string"}, "l": {"type": "array",
            "items": {"allOf": [element]}}}}),
    ];
    for (at, schema) in schemas.iter().enumerate() {
        let mut definition = with_schema(definition(), schema);
        definition.each = Some(pointer("/l"));
        let plan = Plan::new(definition.clone()).unwrap();
        let of_batch = plan.shapes[0]
            .batch
            .as_ref()
            .unwrap()
            .schema
            .as_ref()
            .unwrap();
        match (at, of_batch) {
            (
                0,
                BatchSchemaPlan::Split {
                    frame,
                    element: Some(element),
                },
            ) => {
                assert!(frame.is_checked && element.is_checked);
            }
            (1, BatchSchemaPlan::Whole(_)) => {}
            (
                2,
                BatchSchemaPlan::Split {
                    frame,
                    element: Some(element),
                },
            ) => {
                assert!(frame.is_checked && !element.is_checked);
            }
            other => panic!("{other:?}"),
        }
        let text =
            r#"{"at":"x","l":[{"id":"1","n":10},{"id":"2"},7,{"id":"3","n":9},{"id":"","n":1}]}"#;
        let found = said(&definition, text).unwrap();
        let ids: Vec<&Json> = found[0]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["id"])
            .collect();
        assert_eq!(ids, ["2", "3"]);
        assert_eq!(
            found[1],
            json!("schema_violation /l/0/n:maximum /l/2:type /l/4/id:blank_id")
        );
        let whole = said(&definition, r#"{"at":7,"l":[{"id":"1"}]}"#);
        assert_eq!(whole, Err("schema_violation /at:type".to_owned()));
        let missing = said(&definition, r#"{"at":"x"}"#);
        assert_eq!(missing, Err("schema_violation /l:required".to_owned()));
    }
}

/// What was forwarded has conformed already, and is perhaps cut down to one element.
#[test]
fn a_forwarded_record_is_judged_without_the_schema() {
    let schema = json!({"required": ["left out"], "properties": {"left out": {}}});
    let definition = with_schema(definition(), &schema);
    let plan = Arc::new(Plan::new(definition).unwrap());
    let source = DeclaredSource::new("test");
    let mut config = Config::default();
    config
        .sources
        .declare(source, SourceConfig::default(), plan);
    for is_forwarded in [false, true] {
        let raw = RawRecord {
            source: Source::Declared(source),
            timestamp: Some(AT),
            key: None,
            value: Some(b"{\"id\":\"c\"}"),
        };
        let settings = crate::source::JudgeSettings {
            is_forwarded,
            has_text_key: false,
            ..(&config).into()
        };
        let payload = Payload::Json(b"{\"id\":\"c\"}");
        let judged = judge_payload(&raw, &payload, &[], settings);
        assert_eq!(matches!(judged.verdict, Verdict::Valid(_)), is_forwarded);
    }
}

const RICH: &str = r#"{"type":"object","required":["a","t"],"properties":{
    "a":{"type":"integer","minimum":-2,"exclusiveMaximum":7},
    "b":{"type":["number","null"],"exclusiveMinimum":0.5,"maximum":100},
    "t":{"minLength":1,"maxLength":3},"e":{"enum":["x",null,true,"é\""]},"c":{"const":false},
    "d":{"format":"date"},"dt":{"format":"date-time","type":"string"},
    "l":{"type":"array","items":{"type":"object","required":["i"],"properties":{"i":{"type":"string"},
        "m":{"items":{"items":{"type":"boolean"}}}}}},
    "o":{"properties":{"p":{"type":"object","required":["q"],"properties":{"q":true}}}}}}"#;

/// A schema that the pass checks, a definition around it, and a value that conforms to it.
fn subjects() -> Vec<(Plan, Json)> {
    let mut addresses = table(ListName::Addresses, "/body/addresses", "/addressId");
    addresses.fields = vec![(ElementField::Line1, value("/line1"))];
    let mut second = table(ListName::Dependents, "/l", "/i");
    second.fields = vec![(ElementField::DependentType, value("/m/0/0"))];
    let mut definition = with_lists(vec![addresses, second]);
    definition.customer_id = value("/body/customerId /t");
    if let Tells::Customer { attribute, .. } = &mut definition.tells {
        attribute.push(("o".to_owned(), value("/o")));
        attribute.push(("second".to_owned(), value("/l/1")));
    }
    let address = json!({"addressId": "a", "line1": "x", "city": "c", "zipCode": "z", "countryCode": "NL",
        "createdAt": "2024-01-01T00:00:00Z"});
    let loyalty = json!({"eventType": "CUSTOMER", "eventAction": "CREATED", "version": 1.5, "body": {
        "customerId": "c", "dateOfBirth": "2000-01-01", "status": "ACTIVE", "marketingOptIn": true,
        "dependents": [{"dependentId": "d", "dateOfBirth": "2000-01-01", "type": "cat"}],
        "addresses": [address, address], "createdAt": "2024-01-01T00:00:00Z",
        "updatedAt": "2024-01-01T00:00:00Z"}});
    let action = json!({"eventType": "A", "eventAction": "CREATED", "version": 1, "body": {"interactionId": "i",
        "customerId": "c", "interaction": {"type": "SIGN_UP"}, "utmParameters": {"utmSource": "s"},
        "createdAt": "2024-01-01T00:00:00Z", "updatedAt": "2024-01-01T00:00:00Z"}});
    let rich = json!({"a": 3, "b": 2.5, "t": "xyz", "e": "x", "c": false, "d": "2024-01-01",
        "dt": "2024-01-01T00:00:00", "l": [{"i": "1", "m": [[true], []]}, {"i": "2"}], "o": {"p": {"q": 1}}});
    let all = [
        (
            include_str!("../../../../schemas/loyalty-customers.schema.json"),
            loyalty,
        ),
        (
            include_str!("../../../../schemas/loyalty-actions.schema.json"),
            action,
        ),
        (RICH, rich),
    ];
    let plan = |schema: &str| {
        let mut definition = definition.clone();
        definition.schema = Some(schema.into());
        Plan::new(definition).unwrap()
    };
    all.into_iter()
        .map(|(schema, value)| (plan(schema), value))
        .collect()
}

/// All places in a value.
fn pointers(value: &Json, at: &str, out: &mut Vec<String>) {
    out.push(at.to_owned());
    match value {
        Json::Object(members) => {
            for (name, member) in members {
                pointers(member, &format!("{at}/{name}"), out);
            }
        }
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointers(item, &format!("{at}/{index}"), out);
            }
        }
        _ => {}
    }
}

fn agree(plan: &Plan, value: &Json) -> Result<bool, TestCaseError> {
    let schema = plan.schema.as_ref().unwrap();
    prop_assert!(schema.is_checked);
    let text = value.to_string();
    let captured = plan.pass.read(&text, 0).unwrap();
    let accepts = schema.schema.accepts(value);
    prop_assert_eq!(captured.conforms(), accepts, "{}", text);
    prop_assert_eq!(
        schema.schema.explain(&text, "").is_none(),
        accepts,
        "{}",
        text
    );
    Ok(accepts)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// The pass accepts a value if and only if the validator does.
    #[test]
    fn the_pass_and_the_validator_agree(
        subject in 0..3_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..20_usize), 0..3),
    ) {
        static SUBJECTS: std::sync::LazyLock<Vec<(Plan, Json)>> = std::sync::LazyLock::new(subjects);
        let (plan, value) = &SUBJECTS[subject];
        let mut value = value.clone();
        prop_assert!(agree(plan, &value)?);
        for (at, change) in changes {
            let mut all = Vec::new();
            pointers(&value, "", &mut all);
            let pointer = &all[at.index(all.len())];
            let long: Json = serde_json::from_str("123456789012345678901234567890").unwrap();
            let others = [
                json!(null), json!(true), json!(false), json!(0), json!(-3), json!(7), json!(7.0), json!(0.5),
                json!(1e300), long, json!(u64::MAX), json!(""), json!("xyzz"), json!("éé\""), json!("x"),
                json!([]), json!({}), json!([{"i": "\\"}, null]), json!("2024-02-30"),
            ];
            match others.get(change) {
                Some(other) => *value.pointer_mut(pointer).unwrap() = other.clone(),
                None => {
                    let (parent, name) = pointer.rsplit_once('/').unwrap_or_default();
                    if let Some(Json::Object(members)) = value.pointer_mut(parent) {
                        members.remove(name);
                    }
                }
            }
            agree(plan, &value)?;
        }
    }
}
