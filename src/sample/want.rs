//! What a definition looks for at a place of a record.

use serde_json::{Value as Json, json};

use super::schema::Types;
use crate::customer::declared::Scalar;
use crate::definition::{ElementField, ListName, NumberUnit, Value};

/// What a value at a place must be. A place may be looked at for several reasons.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Want {
    CustomerId,
    /// The id of an element of a list, and the number of the list's table.
    ElementId(ListName, usize),
    ActionId,
    Time(TimeOf, Option<NumberUnit>),
    Date(DateOf, Option<NumberUnit>),
    Rank,
    /// A number from the first up to the second.
    Number(f64, f64),
    Country,
    Text(TextOf),
    /// One of these.
    OneOf(Vec<Json>),
    /// The texts that a map has, and whether it takes others.
    Mapped(Vec<String>, bool),
    /// In a record that says that its customer is gone one of these, in others none of them. Whether it is the place at
    /// which such a record says so.
    Removal(Vec<Json>, bool),
    Debezium(DebeziumPart),
    /// An object whose members are attributes.
    Attributes,
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeOf {
    Updated,
    Created,
    ElementUpdated,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DateOf {
    Customer,
    Dependent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextOf {
    FirstName,
    LastName,
    DisplayName,
    EmailAddress,
    Line1,
    Line2,
    City,
    Province,
    ZipCode,
    PhoneCountry,
    NumberLocal,
    NumberInternational,
    DependentType,
    /// The type of an action.
    Kind,
    /// Different in each record.
    Unique,
    Word,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DebeziumPart {
    /// `op`.
    Operation,
    /// `__deleted`.
    Deleted,
    /// The position in the log of the database.
    Position,
}

impl Want {
    /// What a value looks for that becomes what `plain` says.
    pub(super) fn of(value: &Value, plain: Want) -> Want {
        match &value.map {
            Some(map) => Want::Mapped(map.keys().cloned().collect(), value.otherwise.is_some()),
            None => plain,
        }
    }

    pub(super) fn scalar(scalar: Scalar, value: &Value) -> Want {
        let plain = match scalar {
            Scalar::CreatedAt => Want::Time(TimeOf::Created, value.unit),
            Scalar::Status => Want::OneOf(vec![json!("ACTIVE"), json!("DELETED")]),
            Scalar::FirstName => Want::Text(TextOf::FirstName),
            Scalar::LastName => Want::Text(TextOf::LastName),
            Scalar::DisplayName => Want::Text(TextOf::DisplayName),
            Scalar::EmailAddress => Want::Text(TextOf::EmailAddress),
            Scalar::DateOfBirth => Want::Date(DateOf::Customer, value.unit),
            Scalar::MarketingOptIn | Scalar::SmsOptIn => {
                Want::OneOf(vec![json!(true), json!(false)])
            }
        };
        Want::of(value, plain)
    }

    pub(super) fn element_field(field: ElementField, value: &Value) -> Want {
        let plain = match field {
            ElementField::Line1 => Want::Text(TextOf::Line1),
            ElementField::Line2 => Want::Text(TextOf::Line2),
            ElementField::City => Want::Text(TextOf::City),
            ElementField::Province => Want::Text(TextOf::Province),
            ElementField::ZipCode => Want::Text(TextOf::ZipCode),
            ElementField::CountryCode => Want::Country,
            ElementField::PhoneType => {
                Want::OneOf(vec![json!("Mobile"), json!("Phone"), json!("Unknown")])
            }
            ElementField::PhoneCountry => Want::Text(TextOf::PhoneCountry),
            ElementField::NumberLocal => Want::Text(TextOf::NumberLocal),
            ElementField::NumberInternational => Want::Text(TextOf::NumberInternational),
            ElementField::DateOfBirth => Want::Date(DateOf::Dependent, value.unit),
            ElementField::DependentType => Want::Text(TextOf::DependentType),
        };
        Want::of(value, plain)
    }

    /// The more exactly a want says what it looks for, the lower.
    pub(super) fn order(&self) -> u8 {
        match self {
            Want::Debezium(_) => 0,
            Want::CustomerId => 1,
            Want::ElementId(..) | Want::ActionId => 2,
            Want::Time(..) => 3,
            Want::Date(..) => 4,
            Want::Rank | Want::Number(..) => 5,
            Want::Country => 6,
            Want::Text(TextOf::Unique | TextOf::Word) => 8,
            Want::Text(_) => 7,
            Want::OneOf(_) | Want::Mapped(..) | Want::Removal(..) => 9,
            Want::Attributes | Want::Any => 10,
        }
    }

    /// Whether it takes texts, and neither true nor false.
    pub(super) fn is_text(&self) -> bool {
        matches!(
            self,
            Want::CustomerId | Want::ElementId(..) | Want::ActionId | Want::Text(_) | Want::Country
        )
    }

    /// The values that say that a customer is gone.
    pub(super) fn removing(&self) -> &[Json] {
        match self {
            Want::Removal(is, _) => is,
            _ => &[],
        }
    }

    /// The values that it takes, if they are counted, and whether it takes no others.
    pub(super) fn values(&self, types: Types) -> Option<(Vec<Json>, bool)> {
        match self {
            Want::OneOf(values) => Some((values.clone(), true)),
            Want::Mapped(keys, takes_others) => {
                let mut values: Vec<Json> = keys
                    .iter()
                    .filter_map(|key| value_with_text(key, types))
                    .collect();
                if *takes_others {
                    values.extend(other_than(keys, types));
                }
                Some((values, !takes_others))
            }
            _ => None,
        }
    }
}

/// The value of one of the types that has this text.
fn value_with_text(text: &str, types: Types) -> Option<Json> {
    let flag = text.parse::<bool>().ok().map(Json::Bool);
    let whole = text.parse::<i64>().ok().map(|number| json!(number));
    match (flag, whole) {
        (Some(flag), _) if types.has(Types::FLAG) => Some(flag),
        _ if types.has(Types::TEXT) => Some(json!(text)),
        (_, Some(whole)) if types.has(Types::WHOLE) => Some(whole),
        _ => None,
    }
}

/// A value of one of the types whose text is none of these.
fn other_than(keys: &[String], types: Types) -> Option<Json> {
    let texts = ["none", "other", "another"].map(|text| json!(text));
    let flags = [json!(false), json!(true)];
    let numbers = (0..).map(|number| json!(number)).take(keys.len() + 1);
    let text_of = |value: &Json| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let mut values = texts.into_iter().chain(flags).chain(numbers);
    values.find(|value| types.has(Types::of(value)) && !keys.contains(&text_of(value)))
}

/// A value that is none of these, of the kind that they have.
pub(super) fn none_of(values: &[Json], types: Types) -> Option<Json> {
    let texts = ["live", "active", "open"].map(|text| json!(text));
    let flags = [json!(false), json!(true)];
    let numbers = (0..).map(|number| json!(number)).take(values.len() + 1);
    let kind = |value: &Json| {
        values
            .iter()
            .any(|one| Types::of(one).has(Types::of(value)))
    };
    let mut others = texts.into_iter().chain(flags).chain(numbers);
    others.find(|other| {
        types.has(Types::of(other))
            && kind(other)
            && !values.iter().any(|one| super::schema::is_equal(one, other))
    })
}
