//! The console's customers: one object for each customer, sent as a whole with each change under a higher version.

use serde::{Serialize, Serializer};

use super::people::{Home, Person};
use super::random::{Random, mix, uuid};
use super::wire::{json, typed};

/// What the console's operators have entered about a customer.
#[derive(Clone)]
pub(super) struct Contact {
    nickname: Option<&'static str>,
    mail: u8,
    phones: Vec<Phone>,
    addresses: Vec<Address>,
    points: u32,
    tier: u8,
}

#[derive(Clone, Copy)]
struct Phone {
    number: u32,
    kind: &'static str,
}

#[derive(Clone, Copy)]
struct Address {
    key: u32,
    home: Home,
}

const NICKNAMES: [&str; 6] = [
    "Bea 🐾",
    "Dr. K",
    "the \"Boss\"",
    "M/S",
    "小さい",
    "Z\u{e9}",
];
const KINDS: [&str; 4] = ["Mobile", "Mobile", "Phone", "Unknown"];
const TIERS: [&str; 4] = ["bronze", "silver", "gold", "platinum"];
const HOSTS: [&str; 4] = [
    "example.com",
    "example.org",
    "mail.example.net",
    "bücher.example",
];

impl Contact {
    pub(super) fn enter(random: &mut Random, person: &Person) -> Contact {
        let mut contact = Contact {
            nickname: random.chance(0.2).then(|| random.pick(&NICKNAMES)),
            mail: random.index(HOSTS.len()) as u8,
            phones: Vec::new(),
            addresses: Vec::new(),
            points: random.below(5_000) as u32,
            tier: 0,
        };
        for _ in 0..random.below(3) {
            contact.add_phone(random);
        }
        if random.chance(0.7) {
            contact.add_address(random, person.home);
        }
        contact
    }

    /// One edit in the console.
    pub(super) fn change(&mut self, random: &mut Random, person: &Person) {
        match random.below(100) {
            0..15 => self.add_phone(random),
            15..25 => {
                self.phones.pop();
            }
            25..45 => {
                let home = person.home.near(random);
                self.add_address(random, home);
            }
            45..55 => {
                self.addresses.pop();
            }
            55..65 => self.nickname = random.chance(0.5).then(|| random.pick(&NICKNAMES)),
            65..72 => self.mail = random.index(HOSTS.len()) as u8,
            72..78 => self.tier = random.index(TIERS.len()) as u8,
            _ => self.points = self.points.wrapping_add(random.below(500) as u32) % 1_000_000,
        }
    }

    fn add_phone(&mut self, random: &mut Random) {
        if self.phones.len() < 4 {
            self.phones.push(Phone {
                number: random.below(100_000_000) as u32,
                kind: random.pick(&KINDS),
            });
        }
    }

    fn add_address(&mut self, random: &mut Random, home: Home) {
        if self.addresses.len() < 4 {
            self.addresses.push(Address {
                key: random.below(1 << 32) as u32,
                home,
            });
        }
    }

    /// The customer object with the given version. Parts that nobody has filled are missing, null or empty.
    pub(super) fn object(
        &self,
        random: &mut Random,
        id: &str,
        person: &Person,
        version: u64,
    ) -> Vec<u8> {
        let place = person.home.place();
        let filled = |random: &mut Random| random.chance(0.95);
        let object = Object {
            customer_id: id,
            version: if random.chance(0.6) {
                Version::Text(version)
            } else {
                Version::Number(version)
            },
            first_name: filled(random).then(|| typed(random, person.first_name())),
            last_name: filled(random).then(|| typed(random, person.last_name())),
            display_name: match self.nickname {
                Some(nickname) => Part::Text(nickname.to_owned()),
                None if random.chance(0.3) => Part::Null,
                None if random.chance(0.5) => Part::Text(person.first_name().to_owned()),
                None => Part::Missing,
            },
            email_address: filled(random).then(|| {
                let host = HOSTS[usize::from(self.mail)];
                typed(random, format!("{}@{host}", person.mailbox()))
            }),
            phones: (!self.phones.is_empty() || random.chance(0.5))
                .then(|| self.phones.iter().map(|phone| phone.wire(place)).collect()),
            addresses: (!self.addresses.is_empty() || random.chance(0.5)).then(|| {
                let wire = |address: &Address| address.wire(random);
                self.addresses.iter().map(wire).collect()
            }),
            attributes: random.chance(0.85).then(|| Attributes {
                tier: TIERS[usize::from(self.tier)],
                points: self.points,
                lifetime_value: f64::from(self.points) * 37.0 / 100.0,
                preferences: Preferences {
                    language: place.language,
                    newsletter: self.points.is_multiple_of(2),
                },
                tags: if self.points.is_multiple_of(3) {
                    &["vip", "café"]
                } else {
                    &[]
                },
                referred_by: None,
            }),
        };
        json(&object)
    }
}

impl Phone {
    fn wire(self, place: &super::people::Place) -> WirePhone {
        let own = mix(u64::from(self.number));
        WirePhone {
            key: uuid(own, mix(own)),
            kind: self.kind,
            country: place.country.0,
            number_local: format!("0{:08}", self.number),
            number_international: (self.kind != "Unknown")
                .then(|| format!("+{}{:08}", place.dial, self.number)),
        }
    }
}

impl Address {
    fn wire(self, random: &mut Random) -> WireAddress {
        let own = mix(u64::from(self.key) << 8);
        let place = self.home.place();
        WireAddress {
            key: uuid(own, mix(own)),
            address1: typed(random, self.home.line1()),
            address2: self.home.line2(),
            suburb: typed(random, place.city),
            postcode: self.home.zip_code(),
            state: place.province,
            country: country(random, place),
        }
    }
}

/// A country as the console and the publisher may write it: a code or a name, in any case.
pub(super) fn country(random: &mut Random, place: &super::people::Place) -> String {
    let (alpha2, alpha3, name) = place.country;
    match (random.below(100), name) {
        (0..10, _) => alpha3.to_owned(),
        (10..14, _) => alpha2.to_lowercase(),
        (14..30, Some(name)) => name.to_owned(),
        (30..34, Some(name)) => format!(" {} ", name.to_uppercase()),
        _ => alpha2.to_owned(),
    }
}

/// A version number, as text or as a number: the contract allows both.
enum Version {
    Text(u64),
    Number(u64),
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Version::Text(version) => serializer.collect_str(version),
            Version::Number(version) => serializer.serialize_u64(*version),
        }
    }
}

/// An optional text that may also be null, which means the same as missing (docs/contract.md, section 2).
enum Part {
    Missing,
    Null,
    Text(String),
}

impl Part {
    fn is_missing(&self) -> bool {
        matches!(self, Part::Missing)
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Part::Missing | Part::Null => serializer.serialize_none(),
            Part::Text(text) => serializer.serialize_str(text),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    customer_id: &'a str,
    version: Version,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<String>,
    #[serde(skip_serializing_if = "Part::is_missing")]
    display_name: Part,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phones: Option<Vec<WirePhone>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    addresses: Option<Vec<WireAddress>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<Attributes>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WirePhone {
    key: String,
    #[serde(rename = "type")]
    kind: &'static str,
    country: &'static str,
    number_local: String,
    number_international: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireAddress {
    key: String,
    address1: String,
    address2: Option<String>,
    suburb: String,
    postcode: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    country: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Attributes {
    tier: &'static str,
    points: u32,
    lifetime_value: f64,
    preferences: Preferences,
    tags: &'static [&'static str],
    /// Always null, because nulls inside `attributes` are kept in a snapshot.
    referred_by: Option<&'static str>,
}

#[derive(Serialize)]
struct Preferences {
    language: &'static str,
    newsletter: bool,
}
