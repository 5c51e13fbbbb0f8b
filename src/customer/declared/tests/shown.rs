//! What the snapshot shows of several sources.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::customer::snapshot::Priority;

#[test]
fn of_several_sources_the_latest_datum_is_shown_unless_one_comes_first() {
    let events = [
        record(1)
            .first_name("\"A\"")
            .attribute("tier", Some("1"))
            .event(),
        record(2)
            .of("web")
            .first_name("\"B\"")
            .attribute("tier", Some("2"))
            .event(),
        record(2)
            .of("app")
            .first_name("\"B\"")
            .attribute("x", Some("3"))
            .event(),
    ];
    let customer = fold(&events);
    assert_eq!(shown(&customer)["firstName"], "B");
    assert_eq!(shown(&customer)["attributes"], json!({"tier": 2, "x": 3}));
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let priority = BTreeMap::from([
        ("firstName".to_owned(), names(&["loyalty-customers", "crm"])),
        ("attributes.tier".to_owned(), names(&["nobody"])),
        ("*".to_owned(), names(&["crm"])),
    ]);
    let view = View {
        priority: Arc::new(Priority::new(priority)),
        ..view()
    };
    let first = shown_with(&customer, &view);
    assert_eq!(first["firstName"], "A");
    assert_eq!(first["attributes"], json!({"tier": 2, "x": 3}));
}

#[test]
fn elements_name_their_source_and_come_in_its_order() {
    let mut created = record(2).of("mmm");
    created.lists = [0, 1, 2].map(|_| {
        Some(vec![Element {
            id: "1",
            at: 2,
            created_at: Some(1),
            text: "x",
        }])
    });
    let events = [
        record(1)
            .of("zoo")
            .addresses(&[("b", 1, "y"), ("a", 1, "x")])
            .event(),
        record(1).of("abc").addresses(&[("c", 1, "z")]).event(),
        created.event(),
    ];
    let shown = in_any_order(&events);
    let expected = json!([
        {"source": "abc", "addressId": "c", "city": "z", "updatedAt": "1970-01-01T00:00:01Z"},
        {"source": "mmm", "addressId": "1", "city": "x", "createdAt": "1970-01-01T00:00:01Z", "updatedAt": "1970-01-01T00:00:02Z"},
        {"source": "zoo", "addressId": "a", "city": "x", "updatedAt": "1970-01-01T00:00:01Z"},
        {"source": "zoo", "addressId": "b", "city": "y", "updatedAt": "1970-01-01T00:00:01Z"},
    ]);
    assert_eq!(shown["addresses"], expected);
    assert_eq!(shown["phones"][0]["source"], "mmm");
    assert_eq!(shown["phones"][0]["key"], "1");
    assert_eq!(shown["dependents"][0]["dependentId"], "1");
}

#[test]
fn actions_of_all_sources_are_counted_together() {
    let action = |source, at, id, kind| {
        let mut record = record(at).of(source);
        record.action = Some((id, kind, None));
        record.event()
    };
    let shown = in_any_order(&[
        action("crm", 3, "1", "OPENED"),
        action("web", 3, "1", "SIGN_UP"),
        action("web", 1, "0", "A\"B"),
    ]);
    let actions = &shown["actions"];
    let expected = json!([
        {"source": "web", "interactionId": "1", "type": "SIGN_UP", "updatedAt": "1970-01-01T00:00:03Z"},
        {"source": "crm", "interactionId": "1", "type": "OPENED", "updatedAt": "1970-01-01T00:00:03Z"},
    ]);
    assert_eq!(actions["recent"], expected);
    assert_eq!(actions["total"], 3);
    assert_eq!(
        actions["byType"],
        json!({"A\"B": 1, "OPENED": 1, "SIGN_UP": 1})
    );
    assert_eq!(actions["signedUpAt"], "1970-01-01T00:00:03Z");
    assert_eq!(actions["truncated"], false);
    assert_eq!(shown["updatedAt"], "1970-01-01T00:00:03Z");
}

#[test]
fn the_status_that_is_shown_decides_whether_a_customer_is_deleted() {
    let customer = fold(&[record(1)
        .scalar(Scalar::Status, Some("\"DELETED\""))
        .event()]);
    let view = View {
        deleted_is_null: true,
        ..view()
    };
    assert!(shown(&customer).is_object());
    assert!(shown_with(&customer, &view).is_null());
}
