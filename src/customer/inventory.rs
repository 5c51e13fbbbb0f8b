//! The data of a state, one by one. Of a state that one record was folded into they are what the record says; of the
//! state of all records they are what has won, with the stamps by which it did. `keyfold explain` compares the two.

use super::contribution::AnyKind;
use super::declared::{DeclaredStamp, Order, Scalar, SourceState};
use super::list::List;
use super::register::Register;
use super::stamp::{AnyStamp, Stamp};
use super::texts::Texts;
use super::{Customer, actions::Actions};
use crate::json::canonical::{write_instant_text, write_plain, write_raw, write_string};
use crate::model::record::Source;
use crate::model::time::Instant;

/// A list of a snapshot whose elements have ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListName {
    Addresses,
    Phones,
    Dependents,
}

impl ListName {
    pub const ALL: [ListName; 3] = [ListName::Addresses, ListName::Phones, ListName::Dependents];

    /// The name in the snapshot.
    pub const fn name(self) -> &'static str {
        match self {
            ListName::Addresses => "addresses",
            ListName::Phones => "phones",
            ListName::Dependents => "dependents",
        }
    }

    /// The name of an element's id in the snapshot.
    pub const fn id_name(self) -> &'static str {
        match self {
            ListName::Addresses => "addressId",
            ListName::Phones => "key",
            ListName::Dependents => "dependentId",
        }
    }
}

/// What a datum is about. Of all data of a source about one subject, one wins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// Of the built-in sources only the loyalty customers have scalars.
    Scalar(Scalar),
    /// An attribute of a declared source, by its name.
    Attribute(String),
    /// Which elements a list has.
    Listing(ListName),
    /// That a list has the element with this id.
    Listed(ListName, String),
    /// The content of the element with this id.
    Element(ListName, String),
    Action(String),
    /// All that the console, or the publisher, says of a customer.
    Customer,
    /// That whatever the record leaves out is not there: `merge = "whole"` of a declared source.
    Whole,
    /// That a declared source knows the customer.
    Known,
}

/// What a state holds about a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datum {
    pub subject: Subject,
    /// Of the built-in sources too: the rank of the console is its version, and comes first.
    pub stamp: DeclaredStamp,
    /// Canonical JSON. None if the datum is that there is nothing, if it has no more than its stamp, or if only its
    /// stamp was left by an erasure.
    pub text: Option<Vec<u8>>,
}

/// What a state holds of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceInventory {
    /// The name of the source in the configuration.
    pub source: String,
    /// Data up to this time are erased.
    pub erased: Instant,
    pub data: Vec<Datum>,
    /// The lists of which elements were let go because of `merge.max_hidden`.
    pub floors: Vec<ListName>,
    /// The time of the newest action that was let go because of `merge.max_actions`.
    pub evicted: Option<Instant>,
}

impl Customer {
    /// What is known from each source: the four that are built in, and the declared ones by name.
    pub fn inventory(&self) -> Vec<SourceInventory> {
        let texts = &self.texts;
        let mut all = Vec::new();
        for source in Source::BUILT_IN {
            let mut of_source = Taking::new(source.name(), self.erasures.of(source), texts);
            match source {
                Source::LoyaltyCustomers => of_source.loyalty(self),
                Source::LoyaltyActions => of_source.actions(&self.actions),
                Source::ConsoleCustomers => of_source.console(self),
                Source::PublisherCustomers => of_source.publisher(self),
                Source::Declared(_) => {}
            }
            all.push(of_source.inventory);
        }
        for source in self.declared_sources() {
            let name = String::from_utf8_lossy(texts.get(source.name));
            let mut of_source = Taking::new(&name, source.erased, texts);
            of_source.declared(source);
            all.push(of_source.inventory);
        }
        all
    }

    /// The latest time of a datum of any source, shown or not, and of the actions that were let go. Times of erasures do
    /// not count. None if nothing was ever told.
    pub fn latest(&self) -> Option<Instant> {
        let inventory = self.inventory();
        let times = inventory.iter().flat_map(|of_source| {
            let data = of_source.data.iter().map(|datum| datum.stamp.at());
            data.chain(of_source.evicted)
        });
        times.filter(|at| !at.is_never()).max()
    }

    /// Whether a datum is left that no erasure covers. What erasures leave of others are stamps and ids of elements.
    pub fn holds_data(&self) -> bool {
        let inventory = self.inventory();
        let mut sources = inventory.iter();
        sources.any(|of_source| {
            let mut times = of_source.data.iter().map(|datum| datum.stamp.at());
            times.any(|at| at > of_source.erased)
        })
    }

    /// The greatest time of an erasure of all sources; it holds for those of which nothing is known too.
    pub fn erased_of_all_sources(&self) -> Instant {
        self.erasures.all
    }
}

/// Takes the inventory of a source.
struct Taking<'c> {
    texts: &'c Texts,
    inventory: SourceInventory,
}

impl<'c> Taking<'c> {
    fn new(source: &str, erased: Instant, texts: &'c Texts) -> Taking<'c> {
        let inventory = SourceInventory {
            source: source.to_owned(),
            erased,
            data: Vec::new(),
            floors: Vec::new(),
            evicted: None,
        };
        Taking { texts, inventory }
    }

    fn put(&mut self, subject: Subject, stamp: impl AnyDatumStamp, text: Option<Vec<u8>>) {
        let stamp = stamp.of_datum();
        self.inventory.data.push(Datum {
            subject,
            stamp,
            text,
        });
    }

    fn loyalty(&mut self, customer: &Customer) {
        let scalars = &customer.scalars;
        let opt_in = |value: &bool| value.to_string().into_bytes();
        self.scalar(Scalar::Status, &scalars.status, |status| {
            in_quotes(status.text())
        });
        self.scalar(Scalar::DateOfBirth, &scalars.date_of_birth, |date| {
            in_quotes(date.bytes())
        });
        self.scalar(Scalar::MarketingOptIn, &scalars.marketing_opt_in, opt_in);
        self.scalar(Scalar::SmsOptIn, &scalars.sms_opt_in, opt_in);
        self.scalar(Scalar::CreatedAt, &scalars.created_at, |at| {
            let mut text = Vec::new();
            write_instant_text(&mut text, *at);
            text
        });
        self.list(ListName::Addresses, &customer.addresses);
        self.list(ListName::Dependents, &customer.dependents);
    }

    fn scalar<T>(
        &mut self,
        scalar: Scalar,
        register: &Option<Register<T>>,
        text: impl FnOnce(&T) -> Vec<u8>,
    ) {
        if let Some(Register { stamp, value }) = register {
            self.put(Subject::Scalar(scalar), *stamp, Some(text(value)));
        }
    }

    fn console(&mut self, customer: &Customer) {
        if let Some(console) = &customer.console {
            let stamp = DeclaredStamp::new(Order::Rank, console.at, console.version);
            let text = console.parts.map(|parts| {
                let parts = parts.view(self.texts).text();
                [b"{", parts.as_slice(), b"}"].concat()
            });
            self.put(Subject::Customer, stamp, text);
        }
    }

    fn publisher(&mut self, customer: &Customer) {
        if let Some(publisher) = &customer.publisher {
            let stamp = DeclaredStamp::new(Order::UpdatedAt, publisher.at, 0);
            let publisher = publisher.view(self.texts);
            let mut text = b"{\"enrollment\":".to_vec();
            text.extend_from_slice(publisher.enrollment);
            write_raw(&mut text, "accounts", publisher.accounts);
            text.push(b'}');
            self.put(Subject::Customer, stamp, Some(text));
        }
    }

    fn declared(&mut self, source: &SourceState) {
        if let Some(known) = source.seen.newest() {
            self.put(Subject::Known, known.stamp, None);
        }
        if let Some(whole) = source.whole {
            self.put(Subject::Whole, whole, None);
        }
        let texts = self.texts;
        for place in &source.scalars.0 {
            let text = place.text.map(|text| texts.get(text).to_vec());
            self.put(Subject::Scalar(place.key), place.stamp, text);
        }
        for place in &source.attributes.0 {
            let text = place.text.map(|text| texts.get(text).to_vec());
            let name = self.text(texts.get(place.key));
            self.put(Subject::Attribute(name), place.stamp, text);
        }
        self.list(ListName::Addresses, &source.addresses);
        self.list(ListName::Phones, &source.phones);
        self.list(ListName::Dependents, &source.dependents);
        self.actions(&source.actions);
    }

    fn text(&self, text: &[u8]) -> String {
        String::from_utf8_lossy(text).into_owned()
    }

    fn list<S: AnyDatumStamp>(&mut self, name: ListName, list: &List<S>) {
        if let Some(newest) = list.newest {
            self.put(Subject::Listing(name), newest.stamp, None);
        }
        if list.floor.is_some() {
            self.inventory.floors.push(name);
        }
        let erased = self.inventory.erased;
        for element in list.known(self.texts) {
            let id = self.text(element.id);
            if let Some(listed) = element.listed {
                self.put(Subject::Listed(name, id.clone()), listed, None);
            }
            if let Some(content) = element.content {
                let is_erased = content.stamp.outlives_erasure() && content.stamp.at() <= erased;
                let text = (!is_erased).then(|| {
                    let mut text = opened(name.id_name(), &id);
                    content.write(&mut text);
                    text
                });
                self.put(Subject::Element(name, id), content.stamp, text);
            }
        }
    }

    fn actions<S: AnyDatumStamp, K: AnyKind>(&mut self, actions: &Actions<S, K>) {
        for action in actions.shown(self.texts) {
            let id = self.text(action.id);
            let mut text = opened("interactionId", &id);
            action.write(&mut text);
            self.put(Subject::Action(id), action.stamp, Some(text));
        }
        self.inventory.evicted = actions.evicted;
    }
}

/// A stamp of any source as that of a datum.
trait AnyDatumStamp: AnyStamp {
    fn of_datum(self) -> DeclaredStamp;
}

impl AnyDatumStamp for DeclaredStamp {
    fn of_datum(self) -> DeclaredStamp {
        self
    }
}

impl AnyDatumStamp for Stamp {
    fn of_datum(self) -> DeclaredStamp {
        DeclaredStamp::new(Order::UpdatedAt, self.at(), self.rank() as u64)
    }
}

/// The beginning of an object whose first member is an id.
fn opened(id_name: &str, id: &str) -> Vec<u8> {
    let mut text = vec![b'{'];
    write_string(&mut text, id_name);
    text.push(b':');
    write_string(&mut text, id);
    text
}

/// A text that needs no escapes, as JSON.
fn in_quotes(text: impl AsRef<[u8]>) -> Vec<u8> {
    let mut json = Vec::new();
    write_plain(&mut json, text);
    json
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::customer::Keep;
    use crate::model::record::RawRecord;
    use crate::source::{Verdict, judge};

    fn join(customer: &mut Customer, source: Source, value: &str) {
        let record = RawRecord {
            source,
            timestamp: Some(1_707_213_600_000),
            key: None,
            value: Some(value.as_bytes()),
        };
        let Verdict::Valid(contribution) = judge(&record, &Config::default()).verdict else {
            panic!("{value}");
        };
        customer.join(contribution.data, Keep::of(&Config::default()));
    }

    /// Each text is JSON by itself, as a person may read it.
    #[test]
    fn data_have_a_subject_a_stamp_and_a_text_of_json() {
        let mut customer = Customer::default();
        join(
            &mut customer,
            Source::LoyaltyCustomers,
            r#"{"eventType":"CUSTOMER","eventAction":"UPDATED","version":1,"body":{"customerId":"c","status":"ACTIVE",
            "addresses":[{"addressId":"a\"1","line1":"1","city":"York","zipCode":"z","countryCode":"GB"}],
            "createdAt":"2024-02-06T10:00:00Z","updatedAt":"2024-02-06T10:00:00Z"}}"#,
        );
        join(
            &mut customer,
            Source::ConsoleCustomers,
            r#"{"customerId":"c","version":7,"firstName":"Ada"}"#,
        );
        let inventory = customer.inventory();
        let of = |source: Source| {
            let mut sources = inventory.iter();
            sources.find(|one| one.source == source.name()).unwrap()
        };
        let subjects: Vec<&Subject> = of(Source::LoyaltyCustomers)
            .data
            .iter()
            .map(|datum| &datum.subject)
            .collect();
        let id = "a\"1".to_owned();
        let expected = [
            Subject::Scalar(Scalar::Status),
            Subject::Scalar(Scalar::CreatedAt),
            Subject::Listing(ListName::Addresses),
            Subject::Listed(ListName::Addresses, id.clone()),
            Subject::Element(ListName::Addresses, id),
        ];
        assert_eq!(subjects, expected.iter().collect::<Vec<_>>());
        let console = &of(Source::ConsoleCustomers).data;
        assert_eq!(console[0].stamp.rank(), 7);
        for datum in inventory.iter().flat_map(|of_source| &of_source.data) {
            if let Some(text) = &datum.text {
                let json: Result<serde_json::Value, _> = serde_json::from_slice(text);
                assert!(json.is_ok(), "{}", String::from_utf8_lossy(text));
            }
        }
    }
}
