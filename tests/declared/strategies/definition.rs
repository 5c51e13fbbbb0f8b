//! Random definitions, as TOML.

use proptest::prelude::*;
use proptest::sample::select;

/// A definition of a declared source.
#[derive(Clone, Debug)]
pub struct Defined {
    pub text: String,
    pub shape: Shape,
    pub tombstone: &'static str,
}

/// What stands around the records of a source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    Plain,
    Batch,
    Debezium,
    CloudEvents,
}

const TEXTS: [&str; 14] = [
    r#""/t1""#,
    r#""/t2""#,
    r#""/n/t""#,
    r#"["/t1", "/t2"]"#,
    r#"{ from = ["/n/t", "/t1"], case = "lower" }"#,
    r#"{ from = "/t1", case = "upper" }"#,
    r#"{ from = "/y", map = { Y = "yes", N = " no ", 7 = "seven" }, otherwise = "other" }"#,
    r#"{ from = ["/y", "/t1"], map = { Y = "yes", N = "no", true = "t", 7 = 7, x = "x" } }"#,
    r#""header:h""#,
    r#""key""#,
    r#"{ const = " const " }"#,
    r#"{ from = "/t2", required = true }"#,
    r#""/l/0""#,
    r#"["/gone", "/t2", "header:h"]"#,
];
const FLAGS: [&str; 4] = [
    r#""/b1""#,
    r#"["/b2", "/b1"]"#,
    r#"{ from = "/y", map = { Y = true, N = false }, otherwise = false }"#,
    r#"{ from = "/y", map = { Y = true, N = false, true = true, 7 = false } }"#,
];
const DATES: [&str; 5] = [
    r#""/born""#,
    r#"{ from = "/days", unit = "days" }"#,
    r#"{ from = "/s", unit = "seconds" }"#,
    r#"["/born", "/at"]"#,
    r#"{ from = "header:days", unit = "days" }"#,
];
const STATUS: [&str; 3] = [
    r#""/st""#,
    r#"{ from = "/st", case = "upper" }"#,
    r#"{ from = "/y", map = { Y = "ACTIVE", N = "DELETED" }, otherwise = "ACTIVE" }"#,
];
const ANY: [&str; 8] = [
    r#""/any""#,
    r#""/t1""#,
    r#""/attrs/a""#,
    r#"["/any", "/l"]"#,
    r#"{ const = 3 }"#,
    r#""header:h""#,
    r#"{ from = "/y", map = { Y = true, N = "n" }, otherwise = 0 }"#,
    r#"{ from = "/any", required = true }"#,
];
const UPDATED: [&str; 6] = [
    r#""/at""#,
    r#""/at""#,
    r#"{ from = "/s", unit = "seconds" }"#,
    r#"{ from = "/ms", unit = "millis" }"#,
    r#"["/gone", "/at", "timestamp"]"#,
    r#""timestamp""#,
];
const CREATED: [&str; 3] = [
    r#""/cr""#,
    r#"["/n/cr", "/cr"]"#,
    r#"{ from = "/s", unit = "seconds" }"#,
];
const RANKS: [&str; 3] = [r#""/rev""#, r#"["/n/rev", "/rev"]"#, r#""header:rev""#];
const IDS: [&str; 4] = [r#""/id""#, r#""/id""#, r#""/id""#, r#"["/n/id", "/id"]"#];

/// One of the texts.
fn one(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(texts).prop_map(str::to_owned)
}

/// `key = value`, or nothing.
fn maybe(
    weight: f64,
    key: &'static str,
    texts: &'static [&'static str],
) -> BoxedStrategy<Option<String>> {
    let line = one(texts).prop_map(move |value| format!("{key} = {value}"));
    prop::option::weighted(weight, line).boxed()
}

fn lines(lines: Vec<BoxedStrategy<Option<String>>>) -> impl Strategy<Value = Vec<String>> {
    lines.prop_map(|lines| lines.into_iter().flatten().collect())
}

pub fn defined() -> impl Strategy<Value = Defined> {
    prop_oneof![
        4 => of(Shape::Plain),
        2 => of(Shape::Batch),
        2 => of(Shape::Debezium),
        2 => of(Shape::CloudEvents),
    ]
}

fn of(shape: Shape) -> BoxedStrategy<Defined> {
    let tells = prop_oneof![5 => customer(), 1 => action()];
    let tombstone = select(vec!["retract", "retract", "erase", "reject"]);
    (head(shape), tells, foot(), tombstone)
        .prop_map(move |(head, tells, foot, tombstone)| {
            let mut head = head;
            if tells.contains("[action]") {
                // an action has neither of these
                let no = ["merge", "order", "nulls"].map(|key| format!("{key} = "));
                head.retain(|line| no.iter().all(|no| !line.starts_with(no)));
            }
            let has = |key: &str| head.iter().any(|line| line.starts_with(key));
            if has("order = ") && !has("rank = ") && shape != Shape::Debezium {
                head.push("rank = \"/rev\"".to_owned());
            }
            Defined {
                text: format!("{}\n\n{tells}\n{foot}\n", head.join("\n")),
                shape,
                tombstone,
            }
        })
        .boxed()
}

fn head(shape: Shape) -> impl Strategy<Value = Vec<String>> {
    let fixed = match shape {
        Shape::Plain => None,
        Shape::Batch => Some("each = \"/people\""),
        Shape::Debezium => Some("envelope = \"debezium\""),
        Shape::CloudEvents => Some("envelope = \"cloudevents\""),
    };
    let updated = if shape == Shape::Debezium { 0.3 } else { 0.8 };
    let updates: &[&str] = if shape == Shape::Debezium {
        &UPDATED[..2]
    } else {
        &UPDATED
    };
    let id = one(&IDS).prop_map(|id| Some(format!("customer_id = {id}")));
    lines(vec![
        Just(fixed.map(str::to_owned)).boxed(),
        maybe(0.3, "merge", &[r#""whole""#]),
        maybe(0.3, "order", &[r#""rank""#]),
        maybe(0.4, "nulls", &[r#""clear""#]),
        id.boxed(),
        maybe(updated, "updated_at", updates),
        maybe(0.5, "rank", &RANKS),
        maybe(0.4, "created_at", &CREATED),
        maybe(
            0.1,
            "event_type",
            &[r#"{ from = "/kind", is = ["CUSTOMER", 1] }"#],
        ),
        maybe(0.1, "version", &[r#"{ from = "/v", min = 1, below = 2 }"#]),
        maybe(0.2, "countries", &[r#""alpha-2""#]),
    ])
}

fn customer() -> BoxedStrategy<String> {
    let fields = lines(vec![
        maybe(0.3, "status", &STATUS),
        maybe(0.7, "firstName", &TEXTS),
        maybe(0.2, "lastName", &TEXTS),
        maybe(0.2, "displayName", &TEXTS),
        maybe(0.2, "emailAddress", &TEXTS),
        maybe(0.3, "dateOfBirth", &DATES),
        maybe(0.3, "marketingOptIn", &FLAGS),
        maybe(0.3, "smsOptIn", &FLAGS),
        maybe(0.3, "\"attributes.a\"", &ANY),
        maybe(0.2, "\"attributes.tier\"", &ANY),
        maybe(0.2, "attributes", &[r#""/attrs""#]),
    ]);
    let lists = prop::collection::vec(table(), 0..=3);
    (fields, lists)
        .prop_map(|(fields, lists)| {
            format!("[fields]\n{}\n\n{}", fields.join("\n"), lists.join("\n\n"))
        })
        .boxed()
}

/// A table `[[lists.NAME]]`.
fn table() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => elements("addresses", &ADDRESS),
        2 => elements("phones", &PHONE),
        2 => elements("dependents", &DEPENDENT),
        2 => select(SCALARS.to_vec()).prop_map(str::to_owned),
        2 => select(SELF.to_vec()).prop_map(str::to_owned),
    ]
}

const ADDRESS: [&str; 4] = [
    r#"{ line1 = "/s1" }"#,
    r#"{ line1 = "/s1", line2 = "/s2", countryCode = "/co" }"#,
    r#"{ city = { from = "/s1", case = "upper" }, zipCode = "/z", province = { const = "p" } }"#,
    r#"{ countryCode = { from = "/co", required = true }, line1 = ["/s2", "/s1"] }"#,
];
const PHONE: [&str; 3] = [
    r#"{ type = "/ty", country = "/co", numberLocal = "/z" }"#,
    r#"{ numberInternational = "/s1" }"#,
    r#"{ type = { from = "/ty", map = { Mobile = "Mobile" }, otherwise = "Phone" }, numberLocal = "/s2" }"#,
];
const DEPENDENT: [&str; 2] = [
    r#"{ dateOfBirth = "/d", type = "/s1" }"#,
    r#"{ type = { from = "/s1", case = "lower" } }"#,
];

/// Lists of scalars.
const SCALARS: [&str; 2] = [
    "[[lists.phones]]\neach = \"/ns\"\nid = \"\"\nfields = { numberLocal = \"\" }",
    "[[lists.addresses]]\neach = \"/ns\"\nid = { const = \"n\" }\nfields = { line1 = \"\" }",
];

/// The record itself is the element.
const SELF: [&str; 3] = [
    "[[lists.addresses]]\neach = \"\"\nid = { const = \"home\" }\nfields = { line1 = \"/t1\", city = \"/n/t\" }",
    "[[lists.phones]]\neach = \"\"\nid = \"/t2\"\nupdated_at = \"/at\"\nfields = { numberLocal = \"/t2\" }",
    "[[lists.dependents]]\neach = \"\"\nid = { const = \"self\" }\ncreated_at = \"/cr\"\nfields = { dateOfBirth = \"/born\" }",
];

fn elements(list: &'static str, fields: &'static [&'static str]) -> impl Strategy<Value = String> {
    let each = one(&[r#""/as""#, r#""/as""#, r#""/o""#, r#""/n/as""#]);
    let times = lines(vec![
        maybe(0.4, "updated_at", &[r#""/ch""#]),
        maybe(
            0.3,
            "created_at",
            &[r#""/cr""#, r#"{ from = "/s", unit = "seconds" }"#],
        ),
    ]);
    (each, times, one(fields)).prop_map(move |(each, times, fields)| {
        let times = times.join("\n");
        format!("[[lists.{list}]]\neach = {each}\nid = \"/k\"\n{times}\nfields = {fields}")
    })
}

fn action() -> BoxedStrategy<String> {
    let lines = lines(vec![
        Just(Some("id = \"/k\"".to_owned())).boxed(),
        one(&[
            r#""/ty""#,
            r#"{ from = "/y", map = { Y = "SIGN_UP", N = "SUBSCRIPTION_CANCELLED" }, otherwise = "OWN" }"#,
            r#"{ from = ["/ty", "/t1"], case = "upper" }"#,
        ])
        .prop_map(|value| Some(format!("type = {value}")))
        .boxed(),
        maybe(0.6, "contract", &[r#""/co""#, r#"["/gone", "/t1"]"#]),
        maybe(0.6, "utm.source", &TEXTS[..8]),
        maybe(0.4, "utm.terms", &TEXTS[..8]),
    ]);
    lines
        .prop_map(|lines| format!("[action]\n{}", lines.join("\n")))
        .boxed()
}

fn foot() -> impl Strategy<Value = String> {
    let deleted = prop_oneof![
        1 => Just(""),
        1 => Just("[deleted]\nwhen = \"/state\"\nis = [\"GONE\", true, 0, \"\\\"é\"]\n"),
    ];
    let rules = lines(vec![
        maybe(0.2, "country_code", &[r#""reject""#, r#""off""#]),
        maybe(0.2, "duplicate_element", &[r#""reject""#]),
        maybe(0.2, "created_after_updated", &[r#""reject""#, r#""off""#]),
        maybe(0.1, "future_timestamp", &[r#""warn""#]),
    ]);
    (deleted, rules).prop_map(|(deleted, rules)| match rules.is_empty() {
        true => deleted.to_owned(),
        false => format!("{deleted}\n[rules]\n{}\n", rules.join("\n")),
    })
}
