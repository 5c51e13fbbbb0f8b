//! One test for each trap: a way in which a plausible fold depends on the order of the records.

use serde_json::{Value, json};

use super::*;

fn erase(only: Option<&'static str>, at: i64) -> Event {
    Event::Erase(only, at)
}

#[test]
fn a_tie_is_decided_by_the_text_and_null_is_the_text_null() {
    let two = |one: Option<&'static str>, other: Option<&'static str>| {
        let record = |text| record(1).attribute("a", text).event();
        in_any_order(&[record(one), record(other)])["attributes"].clone()
    };
    assert_eq!(two(Some("\"x\""), Some("\"y\"")), json!({"a": "y"}));
    assert_eq!(two(Some("\"x\""), None), json!({}));
    assert_eq!(two(Some("true"), None), json!({"a": true}));
    assert_eq!(two(Some("false"), None), json!({}));
}

#[test]
fn a_greater_rank_decides_between_equal_times() {
    let mut second = record(1).first_name("\"A\"");
    second.rank = 7;
    let shown = in_any_order(&[record(1).first_name("\"Z\"").event(), second.event()]);
    assert_eq!(shown["firstName"], "A");
}

#[test]
fn an_erasure_of_all_sources_covers_one_that_appears_later() {
    let events = [erase(None, 5), record(5).first_name("\"A\"").event()];
    assert_eq!(in_any_order(&events), Value::Null);
    assert!(fold(&events).declared.is_none());
    assert_eq!(fold(&events), fold(&events[..1]));
    let later = record(6).first_name("\"B\"").event();
    let events = [erase(None, 5), record(5).first_name("\"A\"").event(), later];
    assert_eq!(in_any_order(&events)["firstName"], "B");
}

#[test]
fn a_retraction_before_all_records_of_its_source_is_remembered() {
    let retracted = [erase(Some("crm"), 5)];
    let customer = fold(&retracted);
    assert_eq!(Customer::decode(encoded(&customer)), Ok(customer));
    let events = [erase(Some("crm"), 5), record(4).first_name("\"A\"").event()];
    assert_eq!(in_any_order(&events), Value::Null);
    // The retraction is covered by a later erasure of all sources.
    assert_eq!(
        fold(&[erase(Some("crm"), 5), erase(None, 6)]),
        fold(&[erase(None, 6)])
    );
}

#[test]
fn a_retraction_leaves_other_sources_as_they_are() {
    let events = [
        record(1).first_name("\"A\"").event(),
        record(1).of("web").first_name("\"B\"").event(),
        erase(Some("web"), 3),
        erase(Some("loyalty-customers"), 9),
    ];
    let shown = in_any_order(&events);
    assert_eq!(shown["firstName"], "A");
    assert_eq!(
        shown["sources"],
        json!({"crm": {"updatedAt": "1970-01-01T00:00:01Z"}})
    );
}

#[test]
fn an_element_that_is_not_listed_any_more_comes_back_with_its_newest_content() {
    let shown = in_any_order(&[
        record(1).addresses(&[("1", 4, "old")]).event(),
        record(2).addresses(&[("1", 3, "older")]).event(),
        record(3).addresses(&[]).event(),
        record(5).addresses(&[("1", 2, "oldest")]).event(),
    ]);
    assert_eq!(shown["addresses"][0]["city"], "old");
}

#[test]
fn an_erasure_forgets_when_an_element_was_listed_only_up_to_its_time() {
    let events = [
        record(5).addresses(&[("1", 1, "erased")]).event(),
        erase(None, 3),
        record(4).addresses(&[("1", 4, "kept")]).event(),
    ];
    let shown = in_any_order(&events);
    assert_eq!(shown["addresses"][0]["city"], "kept");
}

#[test]
fn a_hidden_winner_still_wins_against_lesser_ranks() {
    let events = [
        by_rank(1, 9).first_name("\"hidden\"").event(),
        erase(Some("crm"), 3),
        by_rank(5, 2).first_name("\"late\"").event(),
    ];
    let shown = in_any_order(&events);
    assert_eq!(shown.get("firstName"), None);
    // The record that is not erased is there all the same.
    let expected = json!({"crm": {"rank": 2, "updatedAt": "1970-01-01T00:00:05Z"}});
    assert_eq!(shown["sources"], expected);
    let text = encoded(&fold(&events));
    assert!(!String::from_utf8_lossy(&text).contains("hidden"));
}

#[test]
fn which_elements_a_list_has_is_a_datum_of_the_greatest_rank() {
    let events = [
        by_rank(2, 9).addresses(&[]).event(),
        by_rank(5, 1).addresses(&[("1", 5, "x")]).event(),
    ];
    assert_eq!(in_any_order(&events)["addresses"], json!([]));
    let erased = [&events[..], &[erase(None, 3)]].concat();
    assert_eq!(in_any_order(&erased)["addresses"], json!([]));
    let newer = by_rank(6, 10).addresses(&[("1", 1, "y")]).event();
    let shown = in_any_order(&[&erased[..], &[newer]].concat());
    // The content of the greatest rank is erased, and still wins.
    assert_eq!(shown["addresses"], json!([]));
}

#[test]
fn under_union_the_greatest_list_that_names_an_element_decides_after_an_erasure() {
    let union = View {
        union: true,
        ..view()
    };
    let events = [
        by_rank(2, 9)
            .addresses(&[("1", 5, "x"), ("2", 5, "y")])
            .event(),
        by_rank(5, 10).addresses(&[("2", 5, "y")]).event(),
        erase(None, 3),
    ];
    let customer = fold(&events);
    let shown = shown_with(&customer, &union);
    let ids: Vec<&Value> = shown["addresses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["addressId"])
        .collect();
    assert_eq!(ids, ["2"]);
}

#[test]
fn of_the_lower_ranks_the_later_ones_are_remembered() {
    let newest = |events: &[Event]| in_any_order(events)["sources"]["crm"].clone();
    let events = [
        by_rank(1, 9).event(),
        by_rank(3, 5).event(),
        by_rank(2, 4).event(),
        by_rank(6, 1).event(),
    ];
    let expected = json!({"rank": 9, "updatedAt": "1970-01-01T00:00:01Z"});
    assert_eq!(newest(&events), expected);
    let erased = |at| [&events[..], &[erase(None, at)]].concat();
    let expected = json!({"rank": 5, "updatedAt": "1970-01-01T00:00:03Z"});
    assert_eq!(newest(&erased(1)), expected);
    let expected = json!({"rank": 1, "updatedAt": "1970-01-01T00:00:06Z"});
    assert_eq!(newest(&erased(3)), expected);
    assert_eq!(in_any_order(&erased(6)), Value::Null);
}

fn whole(mut record: Record) -> Record {
    record.whole = true;
    record
}

#[test]
fn a_whole_record_tells_what_it_leaves_out_as_nothing() {
    let old = record(1).first_name("\"A\"").attribute("a", Some("1"));
    let old = whole(old.addresses(&[("1", 1, "x")])).event();
    let shown = in_any_order(&[
        old.clone(),
        whole(record(2).attribute("b", Some("2"))).event(),
    ]);
    assert_eq!(shown.get("firstName"), None);
    assert_eq!(shown["attributes"], json!({"b": 2}));
    assert_eq!(shown["addresses"], json!([]));
    // At equal stamps the text `null` competes like others.
    let tie = whole(
        record(1)
            .attribute("a", Some("true"))
            .attribute("b", Some("true")),
    )
    .event();
    let shown = in_any_order(&[old, tie, whole(record(1)).event()]);
    assert_eq!(shown.get("firstName"), None);
    assert_eq!(shown["attributes"], json!({"a": true, "b": true}));
    assert_eq!(shown["addresses"].as_array().unwrap().len(), 1);
}

#[test]
fn a_whole_winner_that_is_erased_still_hides_lesser_ranks() {
    let events = [
        whole(by_rank(1, 9).first_name("\"hidden\"")).event(),
        erase(None, 3),
        whole(by_rank(5, 2).first_name("\"late\"")).event(),
    ];
    assert_eq!(in_any_order(&events), Value::Null);
    let events = [
        &events[..],
        &[whole(by_rank(4, 9).first_name("\"B\"")).event()],
    ]
    .concat();
    assert_eq!(in_any_order(&events)["firstName"], "B");
}

#[test]
fn another_order_of_the_definition_keeps_the_data() {
    let events = [
        record(1).first_name("\"A\"").addresses(&[("1", 1, "x")]),
        by_rank(2, 0)
            .attribute("a", Some("1"))
            .addresses(&[("1", 2, "y"), ("2", 2, "z")]),
        record(3).scalar(Scalar::LastName, Some("\"B\"")),
    ];
    let shown = shown(&fold(&events.map(Record::event)));
    assert_eq!([&shown["firstName"], &shown["lastName"]], ["A", "B"]);
    assert_eq!(shown["attributes"], json!({"a": 1}));
    assert_eq!(shown["addresses"].as_array().unwrap().len(), 2);
}
