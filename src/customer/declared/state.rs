//! What is kept of the declared sources, and how records change it.

use super::places::{PlaceView, Wholes};
use super::seen::SeenRecord;
use super::{
    DeclaredAction, DeclaredCustomer, DeclaredElement, DeclaredKind, DeclaredRecord, DeclaredStamp,
    Order, Places, Scalar, Seen, Tells, Told,
};
use crate::customer::Keep;
use crate::customer::actions::Actions;
use crate::customer::contribution::{Action, Content, ListElement};
use crate::customer::fields::{FieldName, put};
use crate::customer::list::{List, Listing};
use crate::customer::stamp::AnyStamp;
use crate::customer::texts::{Span, Texts};
use crate::model::time::Instant;

/// All declared sources of which something is known, ascending by name.
#[derive(Debug, Clone, Default)]
pub struct Declared {
    pub sources: Vec<SourceState>,
}

/// What is known of a customer from one declared source.
#[derive(Debug, Clone)]
pub struct SourceState {
    pub name: Span,
    /// Data up to this time are erased, by a record of this source or of all.
    pub erased: Instant,
    /// The order of all stamps but those of actions, which order by time.
    pub order: Order,
    /// The greatest stamp of a record that tells everything: see [`places`](super::places).
    pub whole: Option<DeclaredStamp>,
    pub seen: Seen,
    pub scalars: Places<Scalar>,
    pub attributes: Places<Span>,
    pub addresses: List<DeclaredStamp>,
    pub phones: List<DeclaredStamp>,
    pub dependents: List<DeclaredStamp>,
    pub actions: Actions<DeclaredStamp, DeclaredKind>,
}

/// What `sources.NAME` of the snapshot says.
#[derive(Debug, Clone, Copy)]
pub struct ShownSource<'t> {
    /// A JSON text.
    pub created_at: Option<&'t [u8]>,
    pub rank: Option<u64>,
    pub updated_at: Instant,
}

impl Declared {
    /// The state of a source, and a new one if nothing is known of it. `erased` is the time of the last erasure of all
    /// sources.
    pub fn of(&mut self, name: &[u8], erased: Instant, texts: &mut Texts) -> &mut SourceState {
        let by_name = |source: &SourceState| texts.get(source.name).cmp(name);
        let at = match self.sources.binary_search_by(by_name) {
            Ok(at) => at,
            Err(at) => {
                let name = texts.add(name);
                self.sources.reserve_exact(1);
                self.sources.insert(at, SourceState::new(name, erased));
                at
            }
        };
        &mut self.sources[at]
    }

    /// Drops the sources of which nothing is known any more.
    pub fn drop_empty(&mut self, erased: Instant) {
        self.sources.retain(|source| !source.is_empty(erased));
    }
}

impl SourceState {
    pub fn new(name: Span, erased: Instant) -> SourceState {
        SourceState {
            name,
            erased,
            order: Order::UpdatedAt,
            whole: None,
            seen: Seen::default(),
            scalars: Places::default(),
            attributes: Places::default(),
            addresses: List::default(),
            phones: List::default(),
            dependents: List::default(),
            actions: Actions::default(),
        }
    }

    fn is_empty(&self, erased: Instant) -> bool {
        self.erased <= erased && !self.has_customer() && !self.has_actions()
    }

    /// Whether something is kept beside actions.
    pub fn has_customer(&self) -> bool {
        self.whole.is_some()
            || !self.seen.0.is_empty()
            || !self.scalars.0.is_empty()
            || !self.attributes.0.is_empty()
            || self.lists().into_iter().any(|list| !list.is_empty())
    }

    pub fn has_actions(&self) -> bool {
        !self.actions.kept.is_empty() || self.actions.evicted.is_some()
    }

    pub fn lists(&self) -> [&List<DeclaredStamp>; 3] {
        [&self.addresses, &self.phones, &self.dependents]
    }

    fn lists_mut(&mut self) -> [&mut List<DeclaredStamp>; 3] {
        [&mut self.addresses, &mut self.phones, &mut self.dependents]
    }

    /// What a snapshot says of this source; none if it shows nothing of it.
    pub fn shown<'t>(&self, texts: &'t Texts) -> Option<ShownSource<'t>> {
        let rank = |stamp: DeclaredStamp, has_rank: bool| has_rank.then_some(stamp.rank());
        let action = self.actions.kept.first().map(|action| ShownSource {
            created_at: None,
            rank: rank(action.stamp, action.kind.has_rank),
            updated_at: action.stamp.at(),
        });
        let customer = self.seen.newest().map(|record| {
            let mut scalars = self.scalars.0.iter();
            let created_at = scalars.find(|place| place.key == Scalar::CreatedAt);
            let text = created_at.and_then(|place| place.text);
            ShownSource {
                created_at: text.map(|text| texts.get(text)),
                rank: rank(record.stamp, record.has_rank),
                updated_at: record.stamp.at(),
            }
        });
        // A source has both only if its definition was changed from the one to the other.
        customer.into_iter().chain(action).reduce(|one, other| {
            match other.updated_at > one.updated_at {
                true => other,
                false => one,
            }
        })
    }

    /// Joins what a record says, whose texts are `its`; returns whether that changed anything.
    pub fn join(
        &mut self,
        texts: &mut Texts,
        record: &DeclaredRecord,
        its: &Texts,
        keep: Keep,
    ) -> bool {
        match &record.tells {
            Tells::Customer(customer) => {
                let reordered = self.reorder(texts, record.order, keep.hidden);
                self.join_customer(texts, record, customer, its, keep.hidden) | reordered
            }
            Tells::Action(action) => self.join_action(texts, record, action, its, keep.actions),
        }
    }

    fn join_customer(
        &mut self,
        texts: &mut Texts,
        record: &DeclaredRecord,
        customer: &DeclaredCustomer,
        its: &Texts,
        max_hidden: usize,
    ) -> bool {
        let stamp = DeclaredStamp::new(record.order, record.updated_at, record.rank);
        let is_erased = stamp.at() <= self.erased;
        let mut changed = false;
        if !is_erased || stamp.outlives_erasure() {
            let text = |told: Told| match told {
                Told::Text(text) if !is_erased => Some(its.get(text)),
                _ => None,
            };
            let scalars = customer.scalars.iter().map(|(scalar, told)| PlaceView {
                key: scalar.key(),
                stamp,
                text: text(*told),
            });
            let attributes = customer.attributes.iter().map(|(name, told)| PlaceView {
                key: its.get(*name),
                stamp,
                text: text(*told),
            });
            let whole = customer.whole.then_some(stamp);
            changed |= self.join_places(texts, scalars, attributes, whole);
        }
        if !is_erased {
            let has_rank = record.has_rank;
            changed |= self.join_seen(SeenRecord { stamp, has_rank });
        }
        let erased = self.erased;
        for (list, elements) in self.lists_mut().into_iter().zip(customer.lists()) {
            let elements = match elements {
                Some(elements) => elements.as_slice(),
                None if customer.whole => &[],
                None => continue,
            };
            let elements = elements.iter().map(|element| element.view(record, its));
            changed |= list.join(texts, stamp, elements, erased, max_hidden);
        }
        changed
    }

    /// Joins registers, and the stamp of the records that told all that has no register.
    fn join_places<'e>(
        &mut self,
        texts: &mut Texts,
        scalars: impl Iterator<Item = PlaceView<'e>> + Clone,
        attributes: impl Iterator<Item = PlaceView<'e>> + Clone,
        whole: Option<DeclaredStamp>,
    ) -> bool {
        let wholes = Wholes {
            own: self.whole,
            new: whole,
        };
        let mut changed = self.scalars.join(texts, scalars, wholes);
        changed |= self.attributes.join(texts, attributes, wholes);
        if let Some(whole) = whole.filter(|_| whole > self.whole) {
            self.whole = Some(whole);
            self.seen.supersede(whole);
            changed = true;
        }
        changed
    }

    fn join_seen(&mut self, record: SeenRecord) -> bool {
        Some(record.stamp) >= self.whole && self.seen.join(record)
    }

    fn join_action(
        &mut self,
        texts: &mut Texts,
        record: &DeclaredRecord,
        action: &DeclaredAction,
        its: &Texts,
        max: usize,
    ) -> bool {
        if record.updated_at <= self.erased {
            return false;
        }
        // The type is the first of the fields.
        let mut body = Vec::new();
        put(&mut body, FieldName::Kind, its.get(action.kind));
        body.extend_from_slice(its.get(action.body));
        let action = Action {
            id: its.get(action.id),
            stamp: DeclaredStamp::new(Order::UpdatedAt, record.updated_at, record.rank),
            created_at: action.created_at.unwrap_or(Instant::NEVER),
            kind: DeclaredKind {
                has_rank: record.has_rank,
            },
            body: &body,
        };
        self.actions.join(texts, action, max)
    }

    /// Drops the data that are not newer than the erasure; returns whether it is a later one than all before.
    pub fn erase(&mut self, texts: &mut Texts, erased: Instant, max_hidden: usize) -> bool {
        if erased <= self.erased {
            return false;
        }
        self.erased = erased;
        self.drop_erased(texts, max_hidden);
        true
    }

    fn drop_erased(&mut self, texts: &mut Texts, max_hidden: usize) {
        let erased = self.erased;
        let is_erased = |stamp: &mut DeclaredStamp| stamp.at() <= erased;
        self.whole
            .take_if(|whole| is_erased(whole) && !whole.outlives_erasure());
        self.seen.erase(erased);
        self.scalars.erase(erased, self.whole);
        self.attributes.erase(erased, self.whole);
        for list in self.lists_mut() {
            list.erase(texts, erased, max_hidden);
        }
        self.actions.erase(erased);
    }

    /// Joins the state of the same source in another state of the customer, whose texts are `its`. Before that, the
    /// erasures of both must have been applied to both.
    pub fn merge(
        &mut self,
        texts: &mut Texts,
        mut other: SourceState,
        its: &mut Texts,
        keep: Keep,
    ) -> bool {
        let mut changed = false;
        if other.has_customer() {
            let order = match self.has_customer() {
                true => self.order.max(other.order),
                false => other.order,
            };
            changed |= self.reorder(texts, order, keep.hidden);
            other.reorder(its, order, keep.hidden);
        }
        let its = &*its;
        let scalars = other.scalars.0.iter().map(|place| place.view(its));
        let attributes = other.attributes.0.iter().map(|place| place.view(its));
        changed |= self.join_places(texts, scalars, attributes, other.whole);
        for record in &other.seen.0 {
            changed |= self.join_seen(*record);
        }
        for (list, other) in self.lists_mut().into_iter().zip(other.lists()) {
            changed |= list.merge(texts, other, its, keep.hidden);
        }
        changed | self.actions.merge(texts, &other.actions, its, keep.actions)
    }

    /// Gives all stamps another order, after the definition was changed. What was dropped by the former order is not
    /// known any more, so the result may depend on when the change came.
    fn reorder(&mut self, texts: &mut Texts, order: Order, max_hidden: usize) -> bool {
        if self.order == order {
            return false;
        }
        let has_customer = self.has_customer();
        self.order = order;
        if !has_customer {
            return false;
        }
        let reordered = |stamp: DeclaredStamp| stamp.reordered(order);
        self.whole = self.whole.map(reordered);
        self.scalars.restamp(reordered, self.whole);
        self.attributes.restamp(reordered, self.whole);
        for mut record in std::mem::take(&mut self.seen).0 {
            record.stamp = reordered(record.stamp);
            self.join_seen(record);
        }
        let whole = self.whole;
        for list in self.lists_mut() {
            list.restamp(texts, reordered, max_hidden);
            if let Some(stamp) = whole {
                list.join_newer_listing(Listing { stamp, length: 0 });
            }
        }
        self.drop_erased(texts, max_hidden);
        true
    }
}

impl DeclaredElement {
    /// The element with its texts and its stamp.
    pub fn view<'t>(
        &self,
        record: &DeclaredRecord,
        its: &'t Texts,
    ) -> ListElement<&'t [u8], DeclaredStamp> {
        ListElement {
            id: its.get(self.id),
            content: Content {
                stamp: DeclaredStamp::new(record.order, self.updated_at, record.rank),
                created_at: self.created_at.unwrap_or(Instant::NEVER),
                body: its.get(self.body),
            },
        }
    }
}
