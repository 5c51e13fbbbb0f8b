//! The bounds of a customer's size, and of the time that large records take.

use proptest::prelude::*;

use super::laws::kept_events;
use super::*;
use crate::customer::bounded::{Bounded, Limits};

fn limits(keep: Keep) -> Limits {
    Limits {
        keep,
        max_state_bytes: 900_000,
        view: view(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_state_is_no_larger_than_its_bound((events, keep) in kept_events(), decoded in 0..8_usize) {
        let limits = limits(keep);
        let mut bounded = Bounded::default();
        for (at, event) in events.iter().enumerate() {
            if at == decoded {
                bounded = Bounded::decode(encoded(bounded.customer())).unwrap();
            }
            let least = bounded.customer().min_encoded_size(&event.data(), usize::MAX);
            bounded.join("c", event.data(), &limits).unwrap();
            let size = encoded(bounded.customer()).len();
            prop_assert!(size <= bounded.max_encoded(), "{size} of {}", bounded.max_encoded());
            prop_assert!(least <= size, "{least} of {size}");
        }
    }
}

/// Hardly any text, and as much overhead as possible.
#[test]
fn a_snapshot_is_no_larger_than_its_bound() {
    let ids: Vec<String> = (0..1000_u16).map(|id| format!("{id:x}")).collect();
    let ids: Vec<&'static str> = ids.into_iter().map(|id| &*id.leak()).collect();
    let name: &'static str = "n".repeat(64).leak();
    let mut customer = Customer::default();
    let keep = Keep {
        actions: 1000,
        hidden: 100,
    };
    let mut all = record(1_700_000_000).of(name);
    all.lists = [0, 1, 2].map(|_| {
        let elements = ids.iter().map(|id| Element {
            id,
            at: 1_700_000_000,
            created_at: Some(1_600_000_000),
            text: "",
        });
        Some(elements.collect())
    });
    customer.join(all.data(), keep);
    for (at, id) in (1_700_000_000..).zip(&ids) {
        let mut action = record(at).of(name);
        action.action = Some((id, id, Some(at - 1)));
        customer.join(action.data(), keep);
    }
    let view = View {
        recent_actions: 1000,
        ..view()
    };
    let mut shown = Vec::new();
    snapshot::write(&customer, "c", &view, &mut shown);
    let bound = (1 + encoded(&customer).len()) * crate::customer::bounded::MAX_GROWTH_DECLARED;
    assert!(shown.len() <= bound, "{} of {bound}", shown.len());
    assert!(shown.len() * 3 > bound, "{} of {bound}", shown.len());
}

/// Joining them one by one would take quadratic time.
#[test]
fn many_attributes_are_joined_at_once() {
    let names: Vec<String> = (0..200_000_u32).map(|at| format!("{at:06}")).collect();
    let names: Vec<&'static str> = names.into_iter().map(|name| &*name.leak()).collect();
    let began = std::time::Instant::now();
    let mut customer = Customer::default();
    // Each record has other names, between those of the one before.
    for part in 0..4 {
        let mut new = record(part);
        let names = names.iter().skip(part as usize).step_by(4);
        new.attributes = names.map(|name| (*name, Some("1"))).collect();
        new.whole = part == 3;
        assert!(customer.join(new.data(), KEEP));
        assert!(!customer.join(new.data(), KEEP));
    }
    let bytes = encoded(&customer);
    assert_eq!(Customer::decode(&*bytes), Ok(customer));
    assert!(began.elapsed().as_secs() < 60);
}
