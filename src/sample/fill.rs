//! The values that are drawn.

use keyfold_generate::{Home, Random, Subject};

use super::want::{DateOf, DebeziumPart, TextOf, TimeOf};
use crate::definition::{ListName, NumberUnit};
use crate::json::canonical::{write_instant_text, write_number, write_string};
use crate::model::time::{Date, Instant};

const DAY: i64 = 86_400_000_000;

/// How a value is drawn, and how it is written.
#[derive(Debug)]
pub(super) enum Fill {
    /// One of these JSON texts, the first more often than the others.
    Choice(Vec<String>),
    /// Of these JSON texts another one for each element of a list.
    ElementChoice(Vec<String>),
    CustomerId(Form),
    ElementId(ListName, usize, Form),
    ActionId(Form),
    Time(TimeOf, TimeForm),
    Date(DateOf, TimeForm),
    Rank(Form),
    Debezium(DebeziumPart, Form),
    Country {
        is_alpha3: bool,
    },
    Text(TextOf, Lengths),
    /// From the first to the second, in steps.
    Whole {
        low: i64,
        high: i64,
        step: i64,
    },
    Flag,
    Uuid,
    Uri,
    Null,
}

/// The form of what is a text or a whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Whole,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeForm {
    DateTime,
    Date,
    Number(NumberUnit),
}

/// How long a text is, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lengths {
    pub(super) least: usize,
    pub(super) most: usize,
}

/// Of whom a value is, and of the how manieth element of a list.
#[derive(Clone, Copy)]
pub(super) struct Who<'s> {
    pub(super) subject: &'s Subject,
    pub(super) number: usize,
    pub(super) home: Home,
}

impl Fill {
    /// Writes the JSON text of a value.
    pub(super) fn write(&self, out: &mut Vec<u8>, random: &mut Random, who: Who<'_>) {
        match self {
            Fill::Choice(texts) => {
                let index = if random.chance(0.5) {
                    0
                } else {
                    random.index(texts.len())
                };
                put(out, texts.get(index).map_or("null", String::as_str));
            }
            Fill::ElementChoice(texts) => {
                let text = texts.get(who.number % texts.len().max(1));
                put(out, text.map_or("null", String::as_str));
            }
            Fill::CustomerId(form) => write_as(out, *form, &who.subject.id),
            Fill::ElementId(list, table, form) => {
                write_as(out, *form, &element_id(*list, *table, *form, who));
            }
            Fill::ActionId(form) => {
                let bits = random.bits();
                match form {
                    Form::Text => write_string(out, &format!("i-{bits:016x}")),
                    Form::Whole => write_number(out, bits >> 20),
                }
            }
            Fill::Time(of, form) => form.write(out, of.micros(random, who)),
            Fill::Date(of, form) => form.write(out, of.micros(random, who)),
            Fill::Rank(form) => write_as(out, *form, &who.subject.revision.to_string()),
            Fill::Debezium(part, form) => part.write(out, random, *form, who),
            Fill::Country { is_alpha3 } => {
                let (alpha2, alpha3, _) = who.home.place().country;
                write_string(out, if *is_alpha3 { alpha3 } else { alpha2 });
            }
            Fill::Text(of, lengths) => write_string(out, &lengths.fit(of.draw(random, who))),
            Fill::Whole { low, high, step } => {
                let steps = high.saturating_sub(*low) / step.max(&1);
                write_number(out, low + random.between(0, steps) * step);
            }
            Fill::Flag => put(out, if random.chance(0.5) { "true" } else { "false" }),
            Fill::Uuid => {
                let (high, low) = (random.bits(), random.bits());
                let text = format!(
                    "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
                    high >> 32,
                    (high >> 16) & 0xffff,
                    high & 0xfff,
                    low >> 52,
                    low & 0xffff_ffff_ffff
                );
                write_string(out, &text);
            }
            Fill::Uri => write_string(
                out,
                &format!("https://example.com/{}", random.below(1 << 32)),
            ),
            Fill::Null => put(out, "null"),
        }
    }
}

fn put(out: &mut Vec<u8>, json: &str) {
    out.extend_from_slice(json.as_bytes());
}

/// Digits are a number, or a text like any other.
fn write_as(out: &mut Vec<u8>, form: Form, text: &str) {
    match form {
        Form::Text => write_string(out, text),
        Form::Whole => put(out, text),
    }
}

/// The same for the same element, and different for each element of a customer.
fn element_id(list: ListName, table: usize, form: Form, who: Who<'_>) -> String {
    let own = who.subject.id.bytes().fold(0_u64, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let number = (own % 100_000) * 100 + (table as u64 % 10) * 10 + who.number as u64 % 10;
    match (list, form) {
        (ListName::Phones, Form::Text) => format!("+{}{number:08}", who.home.place().dial),
        (ListName::Addresses, Form::Text) => format!("a{number}"),
        (ListName::Dependents, Form::Text) => format!("d{number}"),
        (_, Form::Whole) => number.to_string(),
    }
}

impl TimeOf {
    /// In microseconds since 1970.
    fn micros(self, random: &mut Random, who: Who<'_>) -> i64 {
        let Subject { created, at, .. } = *who.subject;
        match self {
            TimeOf::Updated => at,
            TimeOf::Created => created,
            TimeOf::ElementUpdated if random.chance(0.5) => at,
            TimeOf::ElementUpdated => (at - random.between(0, DAY)).max(created),
        }
    }
}

impl DateOf {
    fn micros(self, random: &mut Random, who: Who<'_>) -> i64 {
        match self {
            DateOf::Customer => who.subject.person.born,
            DateOf::Dependent => who.subject.created - random.between(1, 5_000) * DAY,
        }
    }
}

impl TimeForm {
    fn write(self, out: &mut Vec<u8>, micros: i64) {
        match self {
            TimeForm::DateTime => write_instant_text(out, Instant::from_micros(micros)),
            TimeForm::Date => {
                let day = i32::try_from(micros.div_euclid(DAY)).ok();
                let date = day.and_then(Date::from_epoch_day);
                let text = date.map(|date| String::from_utf8_lossy(date.bytes()).into_owned());
                write_string(out, text.as_deref().unwrap_or("2000-01-01"));
            }
            TimeForm::Number(unit) => {
                let number = match unit {
                    NumberUnit::Seconds => micros.div_euclid(1_000_000),
                    NumberUnit::Millis => micros.div_euclid(1000),
                    NumberUnit::Micros => micros,
                    NumberUnit::Nanos => micros.saturating_mul(1000),
                    NumberUnit::Days => micros.div_euclid(DAY),
                };
                write_number(out, number);
            }
        }
    }
}

impl DebeziumPart {
    fn write(self, out: &mut Vec<u8>, random: &mut Random, form: Form, who: Who<'_>) {
        match self {
            DebeziumPart::Operation if !who.subject.is_new => write_string(out, "u"),
            DebeziumPart::Operation if random.chance(0.2) => write_string(out, "r"),
            DebeziumPart::Operation => write_string(out, "c"),
            DebeziumPart::Deleted => write_string(out, "false"),
            // Positions grow with time.
            DebeziumPart::Position => write_as(out, form, &who.subject.at.max(0).to_string()),
        }
    }
}

impl TextOf {
    fn draw(self, random: &mut Random, who: Who<'_>) -> String {
        const DEPENDENTS: [&str; 4] = ["child", "cat", "dog", "horse"];
        const WORDS: [&str; 8] = [
            "spring",
            "gold",
            "web",
            "silver",
            "café",
            "north",
            "newsletter",
            "basic",
        ];
        let (person, place) = (&who.subject.person, who.home.place());
        let number = |random: &mut Random| random.below(100_000_000);
        match self {
            TextOf::FirstName => person.first_name().to_owned(),
            TextOf::LastName => person.last_name().to_owned(),
            TextOf::DisplayName => format!("{} {}", person.first_name(), person.last_name()),
            TextOf::EmailAddress => format!("{}@example.com", person.mailbox()),
            TextOf::Line1 => who.home.line1(),
            TextOf::Line2 => who.home.line2().unwrap_or_else(|| "1".to_owned()),
            TextOf::City => place.city.to_owned(),
            TextOf::Province => place.province.unwrap_or(place.city).to_owned(),
            TextOf::ZipCode => who.home.zip_code(),
            TextOf::PhoneCountry => place.country.0.to_owned(),
            TextOf::NumberLocal => format!("0{:08}", number(random)),
            TextOf::NumberInternational => format!("+{}{:08}", place.dial, number(random)),
            TextOf::DependentType => random.pick(&DEPENDENTS).to_owned(),
            TextOf::Unique => format!("{:016x}", random.bits()),
            TextOf::Kind | TextOf::Word => random.pick(&WORDS).to_owned(),
        }
    }
}

impl Lengths {
    fn fit(self, text: String) -> String {
        let length = text.chars().count();
        if length > self.most {
            return text.chars().take(self.most).collect();
        }
        let missing = self.least.saturating_sub(length);
        text + &"x".repeat(missing)
    }
}
