//! Both stores give the same answers.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::{folder, open};
use crate::store::memory::MemoryStore;
use crate::store::{Change, Store};

/// Few ids, so that operations often meet on the same one; the first is the empty one.
const IDS: u8 = 12;

#[derive(Debug, Clone)]
enum Step {
    /// A batch is committed.
    Commit(Vec<(u8, Vec<u8>)>),
    /// Records of the state topic are loaded, null values among them.
    Load(Vec<(u8, Option<Vec<u8>>)>),
    /// The store on disk is closed and opened.
    Reopen,
    Discard,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let state = || vec(any::<u8>(), 0..40);
    let step = prop_oneof![
        4 => vec((0..IDS, state()), 0..8).prop_map(Step::Commit),
        4 => vec((0..IDS, option::weighted(0.7, state())), 0..20).prop_map(Step::Load),
        2 => Just(Step::Reopen),
        1 => Just(Step::Discard),
    ];
    vec(step, 1..25)
}

fn id(number: u8) -> Vec<u8> {
    vec![0xff; usize::from(number) * 3]
}

fn apply(store: &mut dyn Store, step: &Step, next: &mut i64) {
    match step {
        Step::Commit(states) => {
            let mut newest = std::collections::BTreeMap::new();
            newest.extend(states.iter().cloned());
            let ids: Vec<_> = newest.keys().map(|number| id(*number)).collect();
            let change = |(id, state): (&'_ Vec<u8>, Vec<u8>)| (id.clone(), state);
            let owned: Vec<_> = ids.iter().zip(newest.into_values()).map(change).collect();
            let changes: Vec<_> = owned
                .iter()
                .map(|(id, state)| Change {
                    id,
                    state: state.clone().into(),
                    before: store.get(id).expect("an answer").map(|state| state.len()),
                })
                .collect();
            *next += changes.len() as i64;
            store.commit(&changes, *next).expect("a batch");
        }
        Step::Load(records) => {
            store.restart_load();
            for (number, state) in records {
                *next += 1;
                let loaded = store.load(&id(*number), state.as_deref(), *next);
                loaded.expect("room");
            }
            store.finish_load(*next).expect("a batch");
        }
        Step::Reopen => {}
        Step::Discard => store.discard(0, 0).expect("an empty store"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn both_stores_give_the_same_answers(steps in steps()) {
        let folder = folder();
        let mut memory = MemoryStore::default();
        let mut disk = open(folder.path());
        let (mut one, mut other) = (0, 0);
        for step in &steps {
            apply(&mut memory, step, &mut one);
            apply(disk.as_mut(), step, &mut other);
            if matches!(step, Step::Reopen) {
                drop(disk);
                disk = open(folder.path());
            }
            for number in 0..IDS {
                let id = id(number);
                prop_assert_eq!(memory.get(&id), disk.get(&id));
            }
            prop_assert_eq!(memory.checkpoint(), disk.checkpoint());
            prop_assert_eq!(memory.customers(), disk.customers());
            prop_assert_eq!(memory.bytes(), disk.bytes());
        }
    }
}
