//! What one record, or one element of a batch, says about one customer.

use super::customer;
use super::envelope::{self, Change};
use super::found::{Found, Got, Pointers, Spot};
use super::outside::Outside;
use super::reader::{Reader, Times};
use super::violations::Violations;
use super::{Following, action, key};
use crate::config::Tombstone;
use crate::customer::contribution::{Contribution, Data, Erasure, Fact};
use crate::customer::declared::{DeclaredRecord, Tells};
use crate::customer::texts::Texts;
use crate::definition::pass::Captured;
use crate::definition::{EnvelopePlan, OneOfPlan, Shape, TellsPlan};
use crate::model::record::{Code, Rejection, Source};
use crate::model::time::Instant;
use crate::source::rules::Findings;

/// A record, or an element of a batch.
pub(super) struct Event<'r, 'a> {
    pub following: &'r Following<'r>,
    pub shape: &'r Shape,
    /// Of the record, or of an event of a list.
    pub record: &'r Captured<'a>,
    /// Of the element of a batch.
    pub element: Option<&'r Captured<'a>>,
    pub outside: Outside<'r>,
    pub pointers: Pointers<'r>,
}

/// What is said of a customer, and the rules that it breaks.
pub(super) struct About {
    pub contribution: Contribution,
    pub findings: Findings,
    /// The pointer of the customer's id; empty unless it is that of an element of a batch, whose id another may have too.
    pub id_pointer: String,
}

impl<'r, 'a: 'r> Event<'r, 'a> {
    /// Reads it. None: it says nothing of any customer. The error is a violation of the definition.
    pub fn read(self) -> Result<Option<About>, Rejection> {
        let plan = self.following.plan;
        let change = envelope::change(self.shape, self.record);
        if change == Change::None {
            return Ok(None);
        }
        let mut reader = Reader {
            plan,
            is_of_row: plan.definition.envelope.is_of_rows(),
            here: self.element.unwrap_or(self.record),
            around: Some(self.record),
            outside: self.outside,
            pointers: self.pointers,
            violations: Violations::default(),
            check: self.following.check(self.outside.at),
        };
        envelope::check_event(&mut reader, self.shape, self.record);
        let is_row_gone = change == Change::Deleted;
        let is_deleted = is_row_gone || self.says_deleted(&mut reader);
        let (id, id_pointer) = self.id(&mut reader, is_row_gone);
        let updated_at = self.updated_at(&mut reader, is_row_gone);
        let mut texts = Texts::default();
        let fact = match is_deleted {
            true => Some(Fact::Erasure(Erasure {
                only: match self.following.tombstone {
                    Tombstone::Erase => None,
                    Tombstone::Retract | Tombstone::Reject => {
                        Some(Source::Declared(self.following.source))
                    }
                },
                at: updated_at,
            })),
            false => {
                texts = Texts::with_capacity(512);
                self.tells(&mut reader, updated_at, &mut texts)
            }
        };
        if let Some(rejection) = reader.violations.rejection() {
            return Err(rejection);
        }
        // Without a violation there is an id, and a fact.
        let (Some(customer), Some(fact)) = (id, fact) else {
            return Err(Rejection::new(Code::SchemaViolation));
        };
        Ok(Some(About {
            contribution: Contribution {
                customer,
                data: Data { fact, texts },
            },
            findings: reader.check.findings(),
            id_pointer,
        }))
    }

    /// Whether the record itself says that its customer is deleted.
    fn says_deleted(&self, reader: &mut Reader<'r, 'a>) -> bool {
        let deleted = self.shape.customer.deleted.as_ref();
        deleted.is_some_and(|deleted| is_one_of(reader, deleted))
    }

    /// The id of the customer, and its pointer.
    fn id(&self, reader: &mut Reader<'r, 'a>, is_row_gone: bool) -> (Option<String>, String) {
        let mut value = &self.shape.customer.customer_id;
        if is_row_gone {
            if let EnvelopePlan::Debezium(debezium) = &self.shape.envelope
                && let Some(before) = &debezium.before_id
            {
                value = before;
            }
            if !reader.is_there(value, None)
                && let Some(plan) = &self.following.plan.key
                && let Some(text) = self.outside.key
                && let Some(id) = match self.following.has_text_key {
                    true => Some(text.to_owned()),
                    false => key::id(plan, text, reader),
                }
            {
                reader.check.id(&id, String::new);
                return (Some(id), String::new());
            }
        }
        match reader.required_id(value) {
            Some((id, spot)) => {
                let pointer = match self.pointers.customer {
                    "" => String::new(),
                    _ => spot.pointer(self.pointers),
                };
                (Some(id.into_owned()), pointer)
            }
            None => (None, String::new()),
        }
    }

    fn updated_at(&self, reader: &mut Reader<'r, 'a>, is_row_gone: bool) -> Instant {
        let mut value = self.shape.customer.updated_at.as_ref();
        if is_row_gone {
            // The row as it was before may have no more than its key.
            if let EnvelopePlan::Debezium(debezium) = &self.shape.envelope
                && !debezium.is_flattened
            {
                value = debezium.before_updated_at.as_ref();
            }
            value = value.filter(|value| reader.is_there(value, None));
        }
        let found = match value {
            Some(value) => reader.time(value, None),
            None => envelope::time(reader, self.shape, self.record),
        };
        match (found, value) {
            (Found::Is(at, spot), _) => {
                let pointers = self.pointers;
                reader.check.updated_at(at, || spot.pointer(pointers));
                at
            }
            (Found::Absent | Found::Null, Some(value)) => {
                reader.missing_unless_wrong(value);
                Instant::NEVER
            }
            (Found::Absent | Found::Null, None) => match self.outside.at {
                Some(at) => at,
                None => {
                    reader.check.broken(Code::NoTimestamp, String::new);
                    Instant::NEVER
                }
            },
        }
    }

    /// What a record tells that does not delete its customer. None: something is wrong with it, which is noted.
    fn tells(
        &self,
        reader: &mut Reader<'r, 'a>,
        updated_at: Instant,
        texts: &mut Texts,
    ) -> Option<Fact> {
        self.check_envelope(reader);
        let plan = &self.shape.customer;
        let rank = match &plan.rank {
            Some(value) => match reader.rank(value) {
                Found::Is(rank, _) => rank,
                Found::Absent | Found::Null => 0,
            },
            None => envelope::rank(self.shape, self.record),
        };
        let created_at = match &plan.created_at {
            Some(value) => reader.time(value, None),
            None => Found::Absent,
        };
        let mut times = Times {
            created_at: None,
            updated_at,
        };
        if let Found::Is(at, spot) = created_at {
            times.created_at = Some(at);
            if at > updated_at && !updated_at.is_never() {
                let pointers = self.pointers;
                let code = Code::CreatedAfterUpdated;
                reader.check.broken(code, || spot.pointer(pointers));
            }
        }
        let tells = match &plan.tells {
            TellsPlan::Customer(fields) => {
                let told = customer::read(reader, fields, created_at, times, texts);
                Tells::Customer(told)
            }
            TellsPlan::Action(action) => Tells::Action(action::read(reader, action, times, texts)?),
        };
        let definition = &self.following.plan.definition;
        Some(Fact::Declared(Box::new(DeclaredRecord {
            source: self.following.source,
            order: definition.order,
            has_rank: definition.rank.is_some() || reader.is_of_row,
            updated_at,
            rank,
            tells,
        })))
    }

    /// Checks the rules `event_type` and `unsupported_version`.
    fn check_envelope(&self, reader: &mut Reader<'r, 'a>) {
        let definition = &self.following.plan.definition;
        let plan = &self.shape.customer;
        let pointers = self.pointers;
        if let Some(event_type) = &plan.event_type
            && !is_one_of(reader, event_type)
        {
            let spot = Spot::named(&event_type.value);
            reader
                .check
                .broken(Code::EventType, || spot.pointer(pointers));
        }
        if let (Some(version), Some(value)) = (&definition.version, &plan.version) {
            let found = reader.number(value);
            let is_supported = match found {
                Found::Is(number, _) => (version.min..version.below).contains(&number),
                Found::Absent | Found::Null => false,
            };
            if !is_supported {
                let spot = Spot::named(value);
                let code = Code::UnsupportedVersion;
                reader.check.broken(code, || spot.pointer(pointers));
            }
        }
    }
}

/// Whether a value is one of those with which it is compared.
fn is_one_of<'r, 'a: 'r>(reader: &mut Reader<'r, 'a>, plan: &'r OneOfPlan) -> bool {
    match reader.find(&plan.value, None) {
        Found::Is(Got::Text(text), _) => plan.texts.iter().any(|one| one == text),
        Found::Is(got, _) => {
            let json = got.json();
            plan.is.iter().any(|one| one.as_bytes() == json)
        }
        Found::Absent | Found::Null => false,
    }
}
