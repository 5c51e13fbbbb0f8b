use super::*;
use crate::customer::fields::{FieldName, put, put_utm};
use crate::customer::stamp::Rank;
use proptest::prelude::*;

fn instant() -> impl Strategy<Value = Instant> {
    // With no, three and six digits after the second: their texts do not order as the times do.
    let present = prop::sample::select(vec![0, 1, 1_000, 500_000, 1_000_000, 1_000_001]);
    prop_oneof![
        6 => present.prop_map(Instant::from_micros),
        1 => Just(Instant::NEVER),
    ]
}

fn action() -> impl Strategy<Value = Action<Vec<u8>>> {
    let bodies = [
        (None, None),
        (Some("a"), None),
        (Some("ab"), None),
        (Some("a"), Some(None)),
        (None, Some(None)),
        (None, Some(Some("a"))),
    ];
    let body = |(contract, utm): (Option<&str>, Option<Option<&str>>)| {
        let mut out = Vec::new();
        if let Some(contract) = contract {
            put(&mut out, FieldName::Contract, contract);
        }
        if let Some(source) = utm {
            put_utm(&mut out);
            if let Some(source) = source {
                put(&mut out, FieldName::UtmSource, source);
            }
        }
        out
    };
    let kinds = prop::sample::select(ActionKind::ALL.to_vec());
    let bodies = prop::sample::select(bodies.to_vec());
    (kinds, bodies, instant()).prop_map(move |(kind, parts, created_at)| Action {
        id: Vec::new(),
        stamp: Stamp::new(Instant::from_micros(2_000_000), Rank::Created),
        created_at,
        kind,
        body: body(parts),
    })
}

fn content() -> impl Strategy<Value = Content<Vec<u8>>> {
    let (country, code) = ((FieldName::Country, "NL"), (FieldName::CountryCode, "NLD"));
    let bodies = [
        vec![(FieldName::Line1, "a"), (FieldName::City, "b"), country],
        vec![
            (FieldName::Line1, "a"),
            (FieldName::Line2, ""),
            (FieldName::City, "b"),
            country,
        ],
        vec![(FieldName::Line1, "a\""), (FieldName::City, "b"), country],
        vec![(FieldName::Line1, "a"), (FieldName::City, "b"), code],
        // Longer, and yet smaller.
        vec![(FieldName::Line1, "a"), (FieldName::City, "aaa"), country],
    ];
    let body = |fields: Vec<(FieldName, &str)>| {
        let mut out = Vec::new();
        for (name, text) in fields {
            put(&mut out, name, text);
        }
        out
    };
    let bodies = prop::sample::select(bodies.to_vec());
    (bodies, instant()).prop_map(move |(fields, created_at)| Content {
        stamp: Stamp::new(Instant::from_micros(2_000_000), Rank::Created),
        created_at,
        body: body(fields),
    })
}

proptest! {
    #[test]
    fn the_greater_text_decides_a_tie_of_two_actions(one in action(), other in action()) {
        let (one, other) = (one.map(|text| &text[..]), other.map(|text| &text[..]));
        let texts = [one, other].map(|action| written(|out| action.write(out)));
        prop_assert_eq!(one.outweighs(&other), texts[0] > texts[1]);
    }

    #[test]
    fn the_greater_text_decides_a_tie_of_two_elements(one in content(), other in content()) {
        let (one, other) = (one.map(|text| &text[..]), other.map(|text| &text[..]));
        let texts = [one, other].map(|content| written(|out| content.write(out)));
        prop_assert_eq!(one.order(&other), texts[0].cmp(&texts[1]));
    }
}
