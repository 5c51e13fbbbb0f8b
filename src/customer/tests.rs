use super::contribution::{Action, ActionKind, Data, Fact};
use super::fields::{FieldName, put};
use super::stamp::{Rank, Stamp};
use super::*;

const KEEP: Keep = Keep {
    actions: 10,
    hidden: 100,
};

/// An action with texts of one kilobyte, at this second.
fn action(second: i64) -> Data {
    let mut texts = Texts::default();
    let at = Instant::from_millis(second * 1000);
    let contract = "c".repeat(1000);
    let fact = Fact::Action(Action {
        id: texts.add(b"a"),
        stamp: Stamp::new(at, Rank::Updated),
        created_at: at,
        kind: ActionKind::SignUp,
        body: texts.write(|out| put(out, FieldName::Contract, &contract)),
    });
    Data { fact, texts }
}

#[test]
fn texts_that_were_replaced_are_dropped() {
    let mut customer = Customer::default();
    for second in 1..=1000 {
        assert!(customer.join(action(second), KEEP));
        let bytes = customer.texts.bytes();
        assert!(bytes < 10_000, "{bytes}");
    }
    let mut once = Customer::default();
    once.join(action(1000), KEEP);
    assert_eq!(customer, once);
}
