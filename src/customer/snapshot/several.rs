//! The fields with a single value if there are declared sources: of several sources that have a value, one is shown
//! (docs/contract.md, section 9).

use std::borrow::Cow;

use super::{Priority, View};
use crate::customer::Customer;
use crate::customer::contribution::{ConsoleParts, Status};
use crate::customer::declared::Scalar;
use crate::customer::register::Register;
use crate::customer::stamp::AnyStamp;
use crate::json::canonical::{write_name, write_object, write_plain, write_raw, write_utf8};
use crate::json::members::members;
use crate::model::record::Source;
use crate::model::time::Instant;

/// A value that a source has for a field.
struct Candidate<'c> {
    source: &'c [u8],
    at: Instant,
    /// Canonical JSON.
    text: Cow<'c, [u8]>,
}

/// The scalar fields of the snapshot, in its order: all but the time of creation, which stands in `sources`.
const SHOWN: [Scalar; 8] = {
    let [_, shown @ ..] = Scalar::ALL;
    shown
};

/// The values that are shown, in the order of [`SHOWN`].
pub(super) struct Scalars<'c>([Option<Cow<'c, [u8]>>; SHOWN.len()]);

impl<'c> Scalars<'c> {
    /// `console` are the parts of the console that are shown.
    pub fn of(customer: &'c Customer, console: &ConsoleParts<&[u8]>, view: &View) -> Scalars<'c> {
        let names = object_of_names(console);
        let names = members(&names).unwrap_or_default();
        Scalars(SHOWN.map(|scalar| {
            let candidates = of_scalar(customer, &names, scalar);
            let chosen = chosen(candidates, view.priority.of(scalar.name()))?;
            Some(chosen.text)
        }))
    }

    pub fn is_deleted(&self) -> bool {
        let [status, ..] = &self.0;
        let deleted = json_text(Status::Deleted.text());
        status.as_ref().is_some_and(|status| **status == deleted)
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        for (scalar, text) in SHOWN.iter().zip(&self.0) {
            if let Some(text) = text {
                write_raw(out, scalar.name(), text);
            }
        }
    }
}

/// The names of the console as a JSON object.
fn object_of_names(console: &ConsoleParts<&[u8]>) -> Vec<u8> {
    // A comma follows each name.
    let names = console.names.split_last();
    let names = names.map_or(&[][..], |(_, names)| names);
    [b"{", names, b"}"].concat()
}

/// The values that sources have for a scalar field; `names` are those of the console.
fn of_scalar<'c>(
    customer: &'c Customer,
    names: &[(Cow<'_, str>, &str)],
    scalar: Scalar,
) -> Vec<Candidate<'c>> {
    let declared = customer.declared_sources().iter().filter_map(|source| {
        let mut places = source.scalars.0.iter();
        let place = places.find(|place| place.key == scalar)?;
        Some(Candidate {
            source: customer.texts.get(source.name),
            at: place.stamp.at(),
            text: customer.texts.get(place.text?).into(),
        })
    });
    let mut candidates: Vec<Candidate<'c>> = declared.collect();
    let mut name = names.iter().filter(|(name, _)| name == scalar.name());
    candidates.extend(match name.next() {
        Some((_, text)) => of_console(customer, text.as_bytes().to_vec().into()),
        None => of_loyalty(customer, scalar),
    });
    candidates
}

/// The values that sources have for attributes, sorted by the name of the attribute.
fn of_attributes<'c>(
    customer: &'c Customer,
    console: &ConsoleParts<&'c [u8]>,
) -> Vec<(Cow<'c, [u8]>, Candidate<'c>)> {
    let mut all: Vec<(Cow<'c, [u8]>, Candidate<'c>)> = Vec::new();
    for (name, text) in members(console.attributes).unwrap_or_default() {
        let name = match name {
            Cow::Borrowed(name) => Cow::Borrowed(name.as_bytes()),
            Cow::Owned(name) => Cow::Owned(name.into_bytes()),
        };
        all.extend(of_console(customer, text.as_bytes().into()).map(|candidate| (name, candidate)));
    }
    for source in customer.declared_sources() {
        for (name, at, text) in source.attributes.shown(&customer.texts) {
            let candidate = Candidate {
                source: customer.texts.get(source.name),
                at,
                text: text.into(),
            };
            all.push((name.into(), candidate));
        }
    }
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all
}

/// Writes the attributes of all sources, sorted by name.
pub(super) fn write_attributes(
    customer: &Customer,
    console: &ConsoleParts<&[u8]>,
    view: &View,
    out: &mut Vec<u8>,
) {
    write_name(out, "attributes");
    write_object(out, |out| {
        let mut all = of_attributes(customer, console).into_iter().peekable();
        while let Some((name, first)) = all.next() {
            let mut candidates = vec![first];
            while let Some((_, next)) = all.next_if(|(next, _)| *next == name) {
                candidates.push(next);
            }
            if let Some(chosen) = chosen(candidates, of_attribute(&view.priority, &name)) {
                out.push(b',');
                write_utf8(out, &name);
                out.push(b':');
                out.extend_from_slice(&chosen.text);
            }
        }
    });
}

fn of_attribute<'p>(priority: &'p Priority, name: &[u8]) -> &'p [String] {
    if priority.is_empty() {
        return &[];
    }
    priority.of(&format!("attributes.{}", String::from_utf8_lossy(name)))
}

/// Of several values the one of the source that comes first, or else the greatest by (time, text, source).
fn chosen<'c>(candidates: Vec<Candidate<'c>>, priority: &[String]) -> Option<Candidate<'c>> {
    let by_source = |name: &String| {
        let mut sources = candidates.iter();
        sources.position(|candidate| candidate.source == name.as_bytes())
    };
    let listed = priority.iter().find_map(by_source);
    let mut candidates = candidates.into_iter();
    match listed {
        Some(at) => candidates.nth(at),
        None => candidates.max_by(|one, other| {
            let times = one.at.cmp(&other.at);
            times
                .then_with(|| one.text.cmp(&other.text))
                .then_with(|| one.source.cmp(other.source))
        }),
    }
}

/// A field of the snapshot with a single value, and the sources that have one for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownField {
    /// `status`, …; or `attributes` and the name of one.
    pub name: (&'static str, Option<String>),
    /// The name of the source whose value is shown.
    pub source: String,
    /// Those of the others, whose values are not shown.
    pub others: Vec<String>,
    /// Whether `merge.priority` decided between them, and not the time.
    pub by_priority: bool,
}

/// Whose values are shown. The choice is that of the snapshot.
pub fn shown_fields(customer: &Customer, view: &View) -> Vec<ShownField> {
    let console = super::shown_console(customer).unwrap_or(super::NO_CONSOLE);
    let names = object_of_names(&console);
    let names = members(&names).unwrap_or_default();
    let mut fields = Vec::new();
    for scalar in SHOWN {
        let candidates = of_scalar(customer, &names, scalar);
        let priority = view.priority.of(scalar.name());
        fields.extend(shown_field((scalar.name(), None), candidates, priority));
    }
    let mut attributes = of_attributes(customer, &console).into_iter().peekable();
    while let Some((name, first)) = attributes.next() {
        let mut candidates = vec![first];
        while let Some((_, next)) = attributes.next_if(|(next, _)| *next == name) {
            candidates.push(next);
        }
        let priority = of_attribute(&view.priority, &name);
        let name = String::from_utf8_lossy(&name).into_owned();
        fields.extend(shown_field(
            ("attributes", Some(name)),
            candidates,
            priority,
        ));
    }
    fields
}

fn shown_field(
    name: (&'static str, Option<String>),
    candidates: Vec<Candidate<'_>>,
    priority: &[String],
) -> Option<ShownField> {
    let source = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
    let mut others: Vec<String> = candidates.iter().map(|one| source(one.source)).collect();
    let chosen = chosen(candidates, priority)?;
    let chosen = source(chosen.source);
    others.retain(|other| *other != chosen);
    Some(ShownField {
        name,
        by_priority: !others.is_empty() && priority.contains(&chosen),
        source: chosen,
        others,
    })
}

fn of_console<'c>(customer: &Customer, text: Cow<'c, [u8]>) -> Option<Candidate<'c>> {
    Some(Candidate {
        source: Source::ConsoleCustomers.name().as_bytes(),
        at: customer.console.as_ref()?.at,
        text,
    })
}

fn of_loyalty<'c>(customer: &Customer, scalar: Scalar) -> Option<Candidate<'c>> {
    fn datum<T>(
        register: &Option<Register<T>>,
        text: impl FnOnce(&T) -> Vec<u8>,
    ) -> Option<(Instant, Vec<u8>)> {
        let register = register.as_ref()?;
        Some((register.stamp.at(), text(&register.value)))
    }
    let opt_in = |value: &bool| value.to_string().into_bytes();
    let scalars = &customer.scalars;
    let (at, text) = match scalar {
        Scalar::Status => datum(&scalars.status, |status| json_text(status.text()))?,
        Scalar::DateOfBirth => datum(&scalars.date_of_birth, |date| json_text(date.bytes()))?,
        Scalar::MarketingOptIn => datum(&scalars.marketing_opt_in, opt_in)?,
        Scalar::SmsOptIn => datum(&scalars.sms_opt_in, opt_in)?,
        _ => return None,
    };
    Some(Candidate {
        source: Source::LoyaltyCustomers.name().as_bytes(),
        at,
        text: text.into(),
    })
}

/// A text that needs no escapes, as JSON.
fn json_text(text: impl AsRef<[u8]>) -> Vec<u8> {
    let mut json = Vec::new();
    write_plain(&mut json, text);
    json
}
