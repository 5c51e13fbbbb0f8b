//! The fields of a customer, of the elements of its lists and of its actions, with what each becomes.

use super::shape::{Kind, PHONE_TYPES, STATUSES};
use super::{ElementField, ListName};
use crate::customer::declared::Scalar;

/// The fields of a customer with a single value, in the order of [`Scalar`].
pub(super) const SCALARS: [(&str, Scalar, Kind); 8] = [
    ("status", Scalar::Status, Kind::OneOf(STATUSES)),
    ("firstName", Scalar::FirstName, Kind::Text),
    ("lastName", Scalar::LastName, Kind::Text),
    ("displayName", Scalar::DisplayName, Kind::Text),
    ("emailAddress", Scalar::EmailAddress, Kind::Text),
    ("dateOfBirth", Scalar::DateOfBirth, Kind::Date),
    ("marketingOptIn", Scalar::MarketingOptIn, Kind::Flag),
    ("smsOptIn", Scalar::SmsOptIn, Kind::Flag),
];

/// A list of a customer.
pub(super) struct List {
    pub(super) list: ListName,
    /// The name of the table, and that of the table of its fields.
    pub(super) path: &'static str,
    pub(super) fields_path: &'static str,
    pub(super) about: &'static str,
    pub(super) fields_about: &'static str,
    /// In the order of [`ElementField`].
    pub(super) fields: &'static [(&'static str, ElementField, Kind)],
}

pub(super) const LISTS: [List; 3] = [
    List {
        list: ListName::Addresses,
        path: "lists.addresses",
        fields_path: "lists.addresses.fields",
        about: "Addresses. Once or several times; the elements of all tables of a list are one list.",
        fields_about: "The fields of an address.",
        fields: &[
            ("line1", ElementField::Line1, Kind::Text),
            ("line2", ElementField::Line2, Kind::Text),
            ("city", ElementField::City, Kind::Text),
            ("province", ElementField::Province, Kind::Text),
            ("zipCode", ElementField::ZipCode, Kind::Text),
            ("countryCode", ElementField::CountryCode, Kind::Country),
        ],
    },
    List {
        list: ListName::Phones,
        path: "lists.phones",
        fields_path: "lists.phones.fields",
        about: "Phones. Once or several times, as for addresses.",
        fields_about: "The fields of a phone.",
        fields: &[
            ("type", ElementField::PhoneType, Kind::OneOf(PHONE_TYPES)),
            ("country", ElementField::PhoneCountry, Kind::Text),
            ("numberLocal", ElementField::NumberLocal, Kind::Text),
            (
                "numberInternational",
                ElementField::NumberInternational,
                Kind::Text,
            ),
        ],
    },
    List {
        list: ListName::Dependents,
        path: "lists.dependents",
        fields_path: "lists.dependents.fields",
        about: "Dependents. Once or several times, as for addresses.",
        fields_about: "The fields of a dependent.",
        fields: &[
            ("dateOfBirth", ElementField::DateOfBirth, Kind::Date),
            ("type", ElementField::DependentType, Kind::Text),
        ],
    },
];

/// The names of the UTM parameters in a definition, in the order of the action's table.
pub(super) const UTM: [&str; 5] = ["source", "medium", "campaign", "content", "terms"];
