//! Who the customers are and where they live: ids, names, addresses.

use super::moment::{DAY, Micros, YEAR};
use super::random::{Random, mix, uuid};

/// The id of a customer: the same for all sources, and different for each customer. Most ids are ten digits, the others
/// UUIDs.
pub(super) fn customer_id(seed: u64, customer: u32) -> String {
    const IDS: u128 = 9_000_000_000;
    // Coprime to IDS, so that the mapping is one-to-one.
    const STRIDE: u128 = 3_874_204_871;
    let own = mix(seed ^ (u64::from(customer) << 32));
    if own % 10 < 4 {
        uuid(own, mix(own ^ u64::from(customer)))
    } else {
        let start = u128::from(mix(seed));
        let number = (start + u128::from(customer) * STRIDE) % IDS;
        format!("{}", 1_000_000_000 + number)
    }
}

/// What never changes about a person.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    given: u8,
    family: u8,
    /// Distinguishes the mailbox from those of people with the same name.
    number: u16,
    /// The instant at which the day of birth begins, in microseconds since 1970.
    pub born: Micros,
    pub home: Home,
}

impl Person {
    pub(super) fn draw(random: &mut Random) -> Person {
        Person {
            given: random.index(GIVEN.len()) as u8,
            family: random.index(FAMILY.len()) as u8,
            number: random.below(10_000) as u16,
            born: random.between(-35 * 365, 37 * 365) * DAY,
            home: Home::draw(random),
        }
    }

    pub fn first_name(&self) -> &'static str {
        GIVEN[usize::from(self.given)].0
    }

    pub fn last_name(&self) -> &'static str {
        FAMILY[usize::from(self.family)].0
    }

    /// What stands before the `@`.
    pub fn mailbox(&self) -> String {
        let given = GIVEN[usize::from(self.given)].1;
        let family = FAMILY[usize::from(self.family)].1;
        format!("{given}.{family}{}", self.number)
    }

    /// The day of birth of a child or a pet, not after `now`.
    pub(super) fn dependent_born(random: &mut Random, now: Micros) -> Micros {
        now - random.between(DAY, 18 * YEAR)
    }
}

/// An address without its id.
#[derive(Debug, Clone, Copy)]
pub struct Home {
    place: u8,
    street: u8,
    number: u16,
    flat: Option<u16>,
    zip: u32,
}

impl Home {
    fn draw(random: &mut Random) -> Home {
        let place = random.index(PLACES.len()) as u8;
        Home::at(random, place)
    }

    /// Another address, mostly in the same city.
    pub fn near(self, random: &mut Random) -> Home {
        if random.chance(0.7) {
            Home::at(random, self.place)
        } else {
            Home::draw(random)
        }
    }

    fn at(random: &mut Random, place: u8) -> Home {
        Home {
            place,
            street: random.below(3) as u8,
            number: random.between(1, 320) as u16,
            flat: random
                .chance(0.4)
                .then(|| random.between(1, 60))
                .map(|flat| flat as u16),
            zip: random.below(1 << 32) as u32,
        }
    }

    pub fn place(self) -> &'static Place {
        &PLACES[usize::from(self.place)]
    }

    pub fn line1(self) -> String {
        let street = self.place().streets[usize::from(self.street)];
        if self.place().number_first {
            format!("{} {street}", self.number)
        } else {
            format!("{street} {}", self.number)
        }
    }

    pub fn line2(self) -> Option<String> {
        self.flat
            .map(|flat| format!("{} {flat}", self.place().flat))
    }

    /// A code in the format of the country; it need not exist.
    pub fn zip_code(self) -> String {
        let mut rest = mix(u64::from(self.zip));
        let mut draw = |bound: u64| {
            let digit = rest % bound;
            rest /= bound;
            digit as u8
        };
        self.place()
            .zip
            .chars()
            .map(|form| match form {
                '9' => char::from(b'0' + draw(10)),
                'A' => char::from(b'A' + draw(26)),
                other => other,
            })
            .collect()
    }
}

/// A city, and the format of its addresses.
#[derive(Debug)]
pub struct Place {
    pub city: &'static str,
    pub province: Option<&'static str>,
    /// ISO 3166-1 alpha-2, alpha-3 and, unless it is ambiguous, the English short name.
    pub country: (&'static str, &'static str, Option<&'static str>),
    /// The international dialling code.
    pub dial: u16,
    pub language: &'static str,
    /// `9` stands for a digit, `A` for a letter.
    zip: &'static str,
    flat: &'static str,
    number_first: bool,
    streets: [&'static str; 3],
}

#[rustfmt::skip]
static PLACES: [Place; 20] = [
    Place { city: "London", province: Some("Greater London"), country: ("GB", "GBR", None), dial: 44, language: "en-GB", zip: "AA9 9AA", flat: "Flat", number_first: true, streets: ["Baker Street", "St. John's Wood Road", "Old Kent Road"] },
    Place { city: "Caernarfon", province: Some("Gwynedd"), country: ("GB", "GBR", None), dial: 44, language: "cy", zip: "AA99 9AA", flat: "Fflat", number_first: true, streets: ["Stryd y Castell", "Ffordd Bethel", "Lôn Ddŵr"] },
    Place { city: "Sydney", province: Some("NSW"), country: ("AU", "AUS", Some("Australia")), dial: 61, language: "en-AU", zip: "9999", flat: "Unit", number_first: true, streets: ["George Street", "Parramatta Road", "O'Connell Street"] },
    Place { city: "Melbourne", province: Some("VIC"), country: ("AU", "AUS", Some("Australia")), dial: 61, language: "en-AU", zip: "9999", flat: "Unit", number_first: true, streets: ["Collins Street", "Lygon Street", "Swan Street"] },
    Place { city: "Austin", province: Some("TX"), country: ("US", "USA", None), dial: 1, language: "en-US", zip: "99999", flat: "Apt", number_first: true, streets: ["Congress Avenue", "E 6th Street", "Guadalupe Street"] },
    Place { city: "Cañon City", province: Some("CO"), country: ("US", "USA", None), dial: 1, language: "en-US", zip: "99999-9999", flat: "Suite", number_first: true, streets: ["Main Street", "Royal Gorge Boulevard", "Pear Street"] },
    Place { city: "Montréal", province: Some("Québec"), country: ("CA", "CAN", Some("Canada")), dial: 1, language: "fr-CA", zip: "A9A 9A9", flat: "App.", number_first: true, streets: ["rue Sainte-Catherine", "boulevard Saint-Laurent", "avenue des Érables"] },
    Place { city: "Lyon", province: Some("Auvergne-Rhône-Alpes"), country: ("FR", "FRA", Some("France")), dial: 33, language: "fr", zip: "99999", flat: "Bâtiment", number_first: true, streets: ["rue de la République", "quai Saint-Antoine", "place de l'Hôtel-de-Ville"] },
    Place { city: "München", province: Some("Bayern"), country: ("DE", "DEU", Some("Germany")), dial: 49, language: "de", zip: "99999", flat: "Whg.", number_first: false, streets: ["Leopoldstraße", "Schwanthalerhöhe", "Über der Klause"] },
    Place { city: "Zürich", province: None, country: ("CH", "CHE", Some("Switzerland")), dial: 41, language: "de-CH", zip: "9999", flat: "Wohnung", number_first: false, streets: ["Bahnhofstrasse", "Limmatquai", "Seefeldstrasse"] },
    Place { city: "Łódź", province: Some("łódzkie"), country: ("PL", "POL", Some("Poland")), dial: 48, language: "pl", zip: "99-999", flat: "m.", number_first: false, streets: ["ul. Piotrkowska", "al. Kościuszki", "ul. Żeromskiego"] },
    Place { city: "A Coruña", province: Some("Galicia"), country: ("ES", "ESP", Some("Spain")), dial: 34, language: "gl", zip: "99999", flat: "Piso", number_first: false, streets: ["Rúa Real", "Avenida da Mariña", "Praza de María Pita"] },
    Place { city: "São Paulo", province: Some("SP"), country: ("BR", "BRA", Some("Brazil")), dial: 55, language: "pt-BR", zip: "99999-999", flat: "Apto", number_first: false, streets: ["Avenida Paulista", "Rua da Consolação", "Praça da Sé"] },
    Place { city: "Dublin", province: None, country: ("IE", "IRL", Some("Ireland")), dial: 353, language: "en-IE", zip: "A99 AA99", flat: "Apartment", number_first: true, streets: ["O'Connell Street", "Grafton Street", "Sráid na Cúirte"] },
    Place { city: "Tromsø", province: Some("Troms"), country: ("NO", "NOR", Some("Norway")), dial: 47, language: "nb", zip: "9999", flat: "H", number_first: false, streets: ["Storgata", "Sjøgata", "Grønnegata"] },
    Place { city: "Reykjavík", province: None, country: ("IS", "ISL", Some("Iceland")), dial: 354, language: "is", zip: "999", flat: "íbúð", number_first: false, streets: ["Laugavegur", "Þórsgata", "Skólavörðustígur"] },
    Place { city: "Αθήνα", province: Some("Αττική"), country: ("GR", "GRC", Some("Greece")), dial: 30, language: "el", zip: "999 99", flat: "Διαμ.", number_first: false, streets: ["Ερμού", "Λεωφόρος Αλεξάνδρας", "Αιόλου"] },
    Place { city: "東京", province: Some("東京都"), country: ("JP", "JPN", Some("Japan")), dial: 81, language: "ja", zip: "999-9999", flat: "号室", number_first: false, streets: ["千代田区丸の内", "渋谷区神南", "台東区浅草"] },
    Place { city: "मुंबई", province: Some("महाराष्ट्र"), country: ("IN", "IND", Some("India")), dial: 91, language: "hi", zip: "999999", flat: "Flat", number_first: true, streets: ["Marine Drive", "लिंकिंग रोड", "S V Road"] },
    Place { city: "Ciudad de México", province: Some("CDMX"), country: ("MX", "MEX", Some("Mexico")), dial: 52, language: "es-MX", zip: "99999", flat: "Int.", number_first: false, streets: ["Avenida Álvaro Obregón", "Calle Niños Héroes", "Paseo de la Reforma"] },
];

/// The spelling, and the form in a mailbox name.
#[rustfmt::skip]
static GIVEN: [(&str, &str); 36] = [
    ("Ada", "ada"), ("Zoë", "zoe"), ("José", "jose"), ("Łukasz", "lukasz"), ("Aoife", "aoife"), ("Björn", "bjorn"),
    ("Chloé", "chloe"), ("Dmitri", "dmitri"), ("Мария", "maria"), ("美咲", "misaki"), ("健太", "kenta"), ("Ngọc Ánh", "ngoc.anh"),
    ("Fatima", "fatima"), ("ليلى", "layla"), ("Priya", "priya"), ("आरव", "aarav"), ("Ólafur", "olafur"), ("Siân", "sian"),
    ("Grace", "grace"), ("Jack", "jack"), ("Olivia", "olivia"), ("Noah", "noah"), ("Emma", "emma"), ("Liam", "liam"),
    ("Mia", "mia"), ("Thiago", "thiago"), ("Valentina", "valentina"), ("Jean-Luc", "jean-luc"), ("Ελένη", "eleni"), ("Kwame", "kwame"),
    ("Ingrid", "ingrid"), ("Mateus", "mateus"), ("Hannah", "hannah"), ("Oscar", "oscar"), ("Ruby", "ruby"), ("Charlotte", "charlotte"),
];

#[rustfmt::skip]
static FAMILY: [(&str, &str); 36] = [
    ("Example", "example"), ("Smith", "smith"), ("O'Brien", "obrien"), ("Müller", "mueller"), ("García", "garcia"), ("Nguyễn", "nguyen"),
    ("Kowalska", "kowalska"), ("佐藤", "sato"), ("鈴木", "suzuki"), ("Иванова", "ivanova"), ("Silva", "silva"), ("d'Amico", "damico"),
    ("Þórsdóttir", "thorsdottir"), ("Øverland", "overland"), ("Παπαδοπούλου", "papadopoulou"), ("शर्मा", "sharma"), ("Patel", "patel"), ("Haddad", "haddad"),
    ("van der Berg", "vanderberg"), ("St. Clair", "stclair"), ("Lévesque", "levesque"), ("Fernández-Ruiz", "fernandez-ruiz"), ("Mac Gabhann", "macgabhann"), ("Weiß", "weiss"),
    ("Brown", "brown"), ("Wilson", "wilson"), ("Taylor", "taylor"), ("Jones", "jones"), ("Williams", "williams"), ("Mensah", "mensah"),
    ("Horvat", "horvat"), ("Çelik", "celik"), ("Hernández", "hernandez"), ("Dubois", "dubois"), ("Rossi", "rossi"), ("Kim", "kim"),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_customers_share_an_id() {
        let ids: HashSet<String> = (0..50_000)
            .map(|customer| customer_id(1, customer))
            .collect();
        assert_eq!(ids.len(), 50_000);
        assert!(ids.iter().any(|id| id.len() == 10));
        assert!(ids.iter().any(|id| id.len() == 36));
        assert_ne!(customer_id(1, 0), customer_id(2, 0));
        assert_eq!(customer_id(1, u32::MAX), customer_id(1, u32::MAX));
    }

    #[test]
    fn a_postal_code_has_the_form_of_its_country() {
        let mut random = Random::new(1);
        let home = Home::at(&mut random, 6);
        let code = home.zip_code();
        assert_eq!(code.len(), 7);
        assert!(code.starts_with(|letter: char| letter.is_ascii_uppercase()));
        assert_eq!(code, home.zip_code());
    }
}
