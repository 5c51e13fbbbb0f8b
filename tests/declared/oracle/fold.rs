//! What the records of the built-in sources say, in the terms of declared ones.

use std::sync::Arc;

use super::builtin::read::{self, Fact as Read};
use super::builtin::{Input, Settings};
use super::{Action, Element, Fact, Told, Valid};

pub fn built_in(input: &Input) -> Vec<Valid> {
    let facts = read::facts(input, &Settings::default());
    let valid = facts.into_iter().map(|(customer, fact)| Valid {
        customer,
        fact: general(fact),
    });
    valid.collect()
}

fn general(fact: Read) -> Fact {
    match fact {
        Read::Loyalty(event) => {
            let elements = |list: Option<Vec<read::Element>>| {
                let list = list?.into_iter().map(|one| Element {
                    id: one.id,
                    at: one.stamp.at,
                    text: one.text,
                });
                Some(list.collect::<Vec<Element>>())
            };
            let lists = [
                ("addresses", elements(event.addresses)),
                ("dependents", elements(event.dependents)),
            ];
            let places = event.scalars.into_iter();
            Fact::Told(Told {
                source: "loyalty-customers".to_owned(),
                rank_first: false,
                whole: false,
                has_rank: false,
                at: event.stamp.at,
                rank: event.stamp.rank.into(),
                places: places.map(|(name, text)| (name.to_owned(), text)).collect(),
                lists: lists
                    .into_iter()
                    .filter_map(|(name, list)| Some((name, list?)))
                    .collect(),
            })
        }
        Read::Action(action) => Fact::Action(Action {
            source: "loyalty-actions".to_owned(),
            has_rank: false,
            at: action.stamp.at,
            rank: action.stamp.rank.into(),
            id: action.id,
            kind: action.kind,
            contract: action.contract,
            created: Some(action.created),
            utm: action.utm,
            text: action.text,
        }),
        Read::Console(console) => Fact::Console(Arc::new(console)),
        Read::Publisher(publisher) => Fact::Publisher(Arc::new(publisher)),
        Read::Tombstone { by, erase, at } => Fact::Erasure {
            only: (!erase).then(|| by.name().to_owned()),
            at,
        },
    }
}
