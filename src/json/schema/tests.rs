use super::*;

#[test]
fn indices_come_in_the_order_of_their_texts() {
    for length in [
        0, 1, 2, 9, 10, 11, 12, 19, 20, 99, 100, 101, 110, 999, 1000, 12_345,
    ] {
        let mut expected: Vec<String> = (0..length).map(|at| at.to_string()).collect();
        expected.sort();
        let places: Vec<String> = by_pointer(length).map(|at| at.to_string()).collect();
        assert_eq!(places, expected, "{length}");
    }
}

fn schema(text: &str) -> Schema {
    Schema::parse(text).unwrap()
}

fn violations(schema: &Schema, value: &str) -> Vec<String> {
    let Some(rejection) = schema.explain(value, "") else {
        return Vec::new();
    };
    let all = rejection.violations.iter();
    let told: Vec<String> = all
        .map(|one| format!("{}:{}", one.pointer, one.keyword))
        .collect();
    match told.is_empty() {
        true => vec![rejection.code.name().to_owned()],
        false => told,
    }
}

#[test]
fn both_drafts_are_known_and_no_other() {
    let tuple = r#""type":"array","prefixItems":[{"type":"string"}],"items":{"type":"number"}"#;
    let old = schema(&format!("{{{tuple}}}"));
    assert_eq!(violations(&old, r#"["a",1]"#), ["/0:type"]);
    let new = schema(&format!(
        r#"{{"$schema":"https://json-schema.org/draft/2020-12/schema",{tuple}}}"#
    ));
    assert!(violations(&new, r#"["a",1]"#).is_empty());
    assert_eq!(violations(&new, r#"[1,"a"]"#), ["/0:type", "/1:type"]);
    for bad in [
        "",
        "7",
        r#"{"$schema":"http://json-schema.org/draft-04/schema#"}"#,
        r#"{"type":"text"}"#,
        r#"{"$ref":"https://example.com/other.json"}"#,
        r##"{"$ref":"#/definitions/missing"}"##,
    ] {
        assert!(Schema::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn only_dates_and_date_times_are_asserted() {
    let schema = schema(
        r#"{"properties":{"d":{"format":"date"},"t":{"format":"date-time"},"e":{"format":"email"},"u":{"format":"own"}}}"#,
    );
    assert!(
        violations(
            &schema,
            r#"{"d":"2024-02-29","t":"2024-02-29T10:00:00","e":"x","u":"x"}"#
        )
        .is_empty()
    );
    let bad = violations(&schema, r#"{"d":"2023-02-29","t":"2024-02-29 10:00:00Z"}"#);
    assert_eq!(bad, ["/d:format", "/t:format"]);
}

#[test]
fn every_keyword_is_named() {
    let schema = schema(
        r#"{"properties":{"a":{"multipleOf":2},"b":{"uniqueItems":true},"c":{"not":{}},"d":{"const":1},
            "e/f":{"type":"array","items":{"pattern":"^x"}},"g":{"minProperties":1},"h":false},
            "additionalProperties":false}"#,
    );
    let bad = violations(
        &schema,
        r#"{"a":1,"b":[1,1],"c":1,"d":2,"e/f":["y"],"g":{},"h":1,"z":1}"#,
    );
    let expected = [
        ":additionalProperties",
        "/a:multipleOf",
        "/b:uniqueItems",
        "/c:not",
        "/d:const",
        "/e~1f/0:pattern",
        "/g:minProperties",
        "/h:falseSchema",
    ];
    assert_eq!(bad, expected);
}

/// Whatever the schema, splitting it says the same as not splitting it.
#[test]
fn a_schema_says_the_same_split_and_whole() {
    let schemas = [
        r##"{"definitions":{"n":{"type":"number"}},"properties":{"a":{"items":{"$ref":"#/definitions/n"}}}}"##,
        r#"{"properties":{"a":{"items":[{"type":"number"}],"additionalItems":{"type":"string"}}}}"#,
        r#"{"properties":{"a":{"items":{"type":"number"},"minItems":2,"contains":{"const":1}}}}"#,
        r#"{"anyOf":[{"properties":{"a":{"items":{"type":"number"}}}},{"required":["b"]}]}"#,
        r#"{"$id":"https://example.com/x","properties":{"a":{"items":{"items":{"type":"number"}}}}}"#,
        r##"{"$schema":"https://json-schema.org/draft/2020-12/schema","$ref":"#/$defs/x","$defs":{"x":{"properties":{"a":{"unevaluatedItems":false}}}}}"##,
    ];
    let values = [
        r#"{"a":[1,2]}"#,
        r#"{"a":[1,"x"]}"#,
        r#"{"a":["x","y"]}"#,
        r#"{"a":[[1],["x"]]}"#,
        r#"{"a":{}}"#,
        r#"{"a":["x"],"b":1}"#,
        "[]",
    ];
    for text in schemas {
        let schema = schema(text);
        for value in values {
            let json: Value = serde_json::from_str(value).unwrap();
            let mut whole: Vec<String> = schema
                .validator
                .iter_errors(&json)
                .map(|error| format!("{}:{}", error.instance_path(), error.kind().keyword()))
                .collect();
            whole.sort();
            let mut split = violations(&schema, value);
            split.sort();
            assert_eq!(split, whole, "{text} {value}");
        }
    }
}

#[test]
fn a_batch_is_split_where_its_elements_stand_for_themselves() {
    let of = |text: &str| {
        let document = serde_json::from_str(text).unwrap();
        Schema::of_batch(&document, &["l".to_owned()]).unwrap()
    };
    let split =
        r#"{"required":["l"],"properties":{"l":{"type":"array","items":{"type":"number"}}}}"#;
    let BatchSchema::Split { frame, element } = of(split) else {
        panic!("not split");
    };
    assert!(violations(&frame, r#"{"l":["x"]}"#).is_empty());
    assert_eq!(violations(&frame, "{}"), [":required"]);
    assert_eq!(violations(&element.unwrap(), r#""x""#), [":type"]);
    assert!(matches!(of("{}"), BatchSchema::Split { element: None, .. }));
    for whole in [
        r##"{"properties":{"l":{"items":{"$ref":"#"}}}}"##,
        r#"{"anyOf":[{"properties":{"l":{"items":{"type":"number"}}}}]}"#,
        r#"{"properties":{"l":{"uniqueItems":true}}}"#,
        r#"{"properties":{"l":{"items":[{"type":"number"}]}}}"#,
    ] {
        assert!(matches!(of(whole), BatchSchema::Whole(_)), "{whole}");
    }
    let BatchSchema::Whole(whole) = of(
        r#"{"required":["m"],"properties":{"l":{"uniqueItems":true,"items":{"type":"number"}}}}"#,
    ) else {
        panic!("split");
    };
    assert!(whole.explain_batch(r#"{"m":1,"l":[1]}"#, "/l").is_none());
    let Some(BatchProblem::Elements(bad)) =
        whole.explain_batch(r#"{"m":1,"l":[1,"x",2,"y"]}"#, "/l")
    else {
        panic!("no elements");
    };
    assert_eq!(
        bad.iter().map(|(index, _)| *index).collect::<Vec<_>>(),
        [1, 3]
    );
    for batch in [
        r#"{"l":["x"]}"#,
        r#"{"m":1,"l":[1,1]}"#,
        r#"{"l":[],"m":1,"m":1}"#,
    ] {
        let problem = whole.explain_batch(batch, "/l");
        let is_batch = matches!(problem, Some(BatchProblem::Batch(_)));
        assert_eq!(is_batch, !batch.ends_with(r#""m":1,"m":1}"#), "{batch}");
    }
}

#[test]
fn a_list_of_many_bad_elements_is_explained_in_bounded_space() {
    let text = r##"{"definitions":{"n":{"type":"number"}},"properties":{"a":{"items":{"$ref":"#/definitions/n"}}}}"##;
    let many = format!(r#"{{"a":[{}"x"]}}"#, r#""x","#.repeat(100_000));
    assert_eq!(violations(&schema(text), &many).len(), 1);
    let split = text
        .replace(r##"{"$ref":"#/definitions/n"}"##, r#"{"type":"number"}"#)
        .replace("definitions", "title_");
    assert_eq!(violations(&schema(&split), &many).len(), 16);
}

const TREE: &str = r##"{"properties":{"tree":{"$ref":"#/definitions/a"},"n":{"type":"number"}},"definitions":{
    "a":{"type":"object","properties":{"child":{"KINDS":[{"$ref":"#/definitions/a"},{"$ref":"#/definitions/b"}]},"x":{"const":1}}},
    "b":{"type":"object","properties":{"child":{"KINDS":[{"$ref":"#/definitions/a"},{"$ref":"#/definitions/b"}]},"x":{"const":2}}}}}"##;

#[test]
fn a_schema_that_comes_to_itself_in_several_ways_is_explained_without_them() {
    for kinds in ["anyOf", "oneOf", "allOf"] {
        let schema = schema(&TREE.replace("KINDS", kinds));
        assert!(schema.is_pruned);
        let open = r#"{"child":"#.repeat(100);
        let close = "}".repeat(100);
        let deep = |n: &str| format!(r#"{{"n":{n},"tree":{open}{{"x":3}}{close}}}"#);
        assert_eq!(violations(&schema, &deep("1")), [":schema"], "{kinds}");
        // what has nothing to do with that is told as ever
        assert_eq!(violations(&schema, &deep(r#""x""#)), ["/n:type"], "{kinds}");
        assert_eq!(
            violations(&schema, r#"{"tree":{"x":3}}"#),
            ["/tree/x:const"]
        );
        assert!(violations(&schema, r#"{"n":1,"tree":{"x":1}}"#).is_empty());
    }
}

#[test]
fn a_schema_that_comes_to_itself_in_one_way_is_explained_in_full() {
    let schemas = [
        r##"{"properties":{"next":{"$ref":"#"},"n":{"type":"number"}}}"##,
        r##"{"properties":{"left":{"$ref":"#"},"next":{"$ref":"#"},"n":{"type":"number"}}}"##,
        r##"{"properties":{"next":{"not":{"$ref":"#"}},"n":{"type":"number"}}}"##,
        r##"{"properties":{"n":{"type":"number"}},"additionalProperties":{"$ref":"#"}}"##,
    ];
    let expected = [2, 2, 1, 2];
    for (text, expected) in schemas.into_iter().zip(expected) {
        let schema = schema(text);
        assert!(!schema.is_pruned, "{text}");
        let told = violations(&schema, r#"{"n":"x","next":{"n":"x"}}"#);
        assert_eq!(told.len(), expected, "{text} {told:?}");
        assert!(told.contains(&"/n:type".to_owned()), "{told:?}");
    }
}

/// What is left out makes no value wrong that is right.
#[test]
fn what_is_left_out_of_a_schema_is_not_held_against_a_value() {
    let schemas = [
        r##"{"allOf":[{"properties":{"c":{"not":{"$ref":"#"}}}},{"properties":{"c":{"not":{"$ref":"#"}}}}],"required":["c"]}"##,
        r##"{"$schema":"https://json-schema.org/draft/2020-12/schema","$ref":"#/$defs/x","$defs":{"x":{"anyOf":[{"properties":{"c":{"$ref":"#/$defs/x"}}},{"properties":{"c":{"$ref":"#/$defs/x"},"d":true}}],"unevaluatedProperties":false}}}"##,
        r##"{"if":{"properties":{"c":{"$ref":"#"}}},"then":{"properties":{"c":{"$ref":"#"}}},"else":{"required":["e"]}}"##,
        r##"{"definitions":{"x":{"$ref":"#/definitions/y","type":"string"},"y":{"properties":{"c":{"allOf":[{"$ref":"#/definitions/x"},{"$ref":"#/definitions/y"}]}}}},"$ref":"#/definitions/y"}"##,
        r##"{"$schema":"https://json-schema.org/draft/2020-12/schema","$dynamicAnchor":"n","properties":{"c":{"oneOf":[{"$dynamicRef":"#n"},{"$dynamicRef":"#n","required":["e"]}]}}}"##,
    ];
    let values = [
        "{}",
        r#"{"c":{}}"#,
        r#"{"c":{"c":{}}}"#,
        r#"{"c":{"d":{"c":{}}}}"#,
        r#"{"e":{},"c":{"e":1}}"#,
        r#"{"c":{"c":{"c":{"c":{}}}},"d":{"d":{}}}"#,
    ];
    for text in schemas {
        let schema = schema(text);
        assert!(schema.is_pruned, "{text}");
        for value in values {
            let parsed: Value = serde_json::from_str(value).unwrap();
            let is_valid = schema.accepts(&parsed);
            assert_eq!(
                violations(&schema, value).is_empty(),
                is_valid,
                "{text} {value}"
            );
            assert!(
                schema.frame.is_valid(&parsed) || !is_valid,
                "{text} {value}"
            );
        }
    }
}
