use super::*;
use crate::customer::contribution::Content;
use crate::customer::fields::{FieldName, put};
use crate::customer::stamp::Rank;
use crate::customer::texts::Span;

/// Inserting them one by one would take quadratic time.
#[test]
fn many_elements_in_any_order_are_joined_at_once() {
    let mut its = Texts::default();
    let stamp = Stamp::new(Instant::from_micros(2), Rank::Updated);
    let body = its.write(|out| put(out, FieldName::Kind, "cat"));
    let ids: Vec<Span> = (0..200_000_u32)
        .map(|at| its.add(format!("{at:06}").as_bytes()))
        .collect();
    let joined = |ids: &mut dyn Iterator<Item = &Span>| {
        let content = Content {
            stamp,
            created_at: Instant::from_micros(1),
            body: its.get(body),
        };
        let elements = ids.map(|id| ListElement {
            id: its.get(*id),
            content,
        });
        let elements: Vec<ListElement<&[u8]>> = elements.collect();
        let (mut list, mut texts) = (List::default(), Texts::default());
        let mut join = || {
            list.join(
                &mut texts,
                stamp,
                elements.iter().copied(),
                Instant::NEVER,
                1,
            )
        };
        assert!(join());
        assert!(!join());
        let shown = list.shown(&texts, false, Instant::NEVER);
        shown.map(|element| element.id.to_vec()).collect::<Vec<_>>()
    };
    let began = std::time::Instant::now();
    let ascending = joined(&mut ids.iter());
    assert_eq!(ascending.len(), ids.len());
    assert_eq!(joined(&mut ids.iter().rev()), ascending);
    // Only a generous deadline: inserting one by one takes minutes.
    assert!(began.elapsed().as_secs() < 60);
}
