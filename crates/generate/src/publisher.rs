//! The publisher's customers: enrolments with bank accounts, sent in batches of one organisation.

use serde::Serialize;

use super::console::country;
use super::moment::{DAY, Micros, Style, YEAR};
use super::people::Person;
use super::random::{Random, mix, uuid};
use super::wire::json;

/// How many organisations send batches.
pub(super) const ORGANISATIONS: u32 = 8;

/// The most customers of one batch.
pub(super) const MAX_BATCH: u64 = 30;

/// The organisation that a customer belongs to.
pub(super) fn organisation(customer: u32) -> u32 {
    customer % ORGANISATIONS
}

/// The id of an organisation, which also keys its batches.
pub(super) fn organisation_id(customer: u32) -> String {
    format!("{}", 50_000 + organisation(customer))
}

/// A customer's entry in the publisher's portfolio.
#[derive(Clone)]
pub(super) struct Enrolment {
    created: Micros,
    start: Micros,
    end: Option<Micros>,
    alerts: u8,
    target: bool,
    parent: bool,
    accounts: Vec<Account>,
}

#[derive(Clone, Copy)]
struct Account {
    serial: u32,
    kind: &'static str,
    opened: Micros,
    closed: Option<Micros>,
    card: Option<u32>,
}

const KINDS: [&str; 4] = ["DDA", "SAVINGS", "CREDIT", "LOAN"];
const ALERTS: [&[&str]; 4] = [&["ALL"], &["EMAIL", "PUSH"], &["EMAIL"], &[]];

impl Enrolment {
    pub(super) fn enrol(random: &mut Random, now: Micros) -> Enrolment {
        let created = now - random.between(YEAR, 9 * YEAR);
        let mut enrolment = Enrolment {
            created,
            start: now - random.between(0, YEAR),
            end: None,
            alerts: random.index(ALERTS.len()) as u8,
            target: random.chance(0.8),
            parent: random.chance(0.15),
            accounts: Vec::new(),
        };
        for _ in 0..random.below(3) {
            enrolment.open_account(random, now);
        }
        enrolment
    }

    pub(super) fn change(&mut self, random: &mut Random, now: Micros) {
        match random.below(100) {
            0..30 => self.open_account(random, now),
            30..45 => {
                let index = random.index(self.accounts.len());
                if let Some(account) = self.accounts.get_mut(index) {
                    account.closed = Some(now);
                }
            }
            45..52 => {
                self.accounts.pop();
            }
            52..65 => self.alerts = random.index(ALERTS.len()) as u8,
            65..75 => self.target = random.chance(0.8),
            75..82 => {
                self.end = match self.end {
                    None => Some(now + random.between(0, 30 * DAY)),
                    Some(_) => None,
                };
            }
            // Sent again without a change.
            _ => {}
        }
    }

    fn open_account(&mut self, random: &mut Random, now: Micros) {
        if self.accounts.len() < 4 {
            self.accounts.push(Account {
                serial: random.below(1 << 32) as u32,
                kind: random.pick(&KINDS),
                opened: now - random.between(0, YEAR),
                closed: None,
                card: random.chance(0.6).then(|| random.below(100_000_000) as u32),
            });
        }
    }

    /// The customer as an element of a batch.
    pub(super) fn element(
        &self,
        random: &mut Random,
        id: String,
        customer: u32,
        person: &Person,
        now: Micros,
    ) -> Element {
        let style = if random.chance(0.8) {
            Style::SECONDS
        } else {
            Style::draw(random)
        };
        let place = person.home.place();
        let parent = self.parent.then(|| {
            let own = mix(u64::from(customer) ^ 0x70a2);
            uuid(own, mix(own))
        });
        Element {
            organization_id: organisation_id(customer),
            postal_code: person.home.zip_code(),
            country: country(random, place),
            customer_creation_date: style.write(self.created),
            enrollment_start_date: style.write(self.start),
            enrollment_end_date: self.end.map(|end| style.write(end)),
            enrollment_opt_in_status: match self.end {
                Some(end) if end <= now => "INACTIVE",
                _ => "ACTIVE",
            },
            alert_opt_in_status: ALERTS[usize::from(self.alerts)],
            targeting_indicator: if self.target { "TARGET" } else { "CONTROL" },
            accounts: self
                .accounts
                .iter()
                .map(|account| account.wire(style, &id, parent.as_deref()))
                .collect(),
            source_parent_customer_id: parent,
            source_customer_id: id,
        }
    }
}

impl Account {
    fn wire(self, style: Style, id: &str, parent: Option<&str>) -> WireAccount {
        let own = mix(u64::from(self.serial));
        let account = uuid(own, mix(own));
        let status = if self.closed.is_some() {
            "CLOSED"
        } else {
            "OPEN"
        };
        let close_date = self.closed.map(|closed| style.write(closed));
        WireAccount {
            source_customer_ids: std::iter::once(id)
                .chain(parent)
                .map(str::to_owned)
                .collect(),
            primary_source_customer_id: id.to_owned(),
            status,
            kind: self.kind,
            source_portfolio_id: uuid(mix(!own), own),
            account_open_date: style.write(self.opened),
            account_close_date: close_date.clone(),
            cards: self
                .card
                .map(|card| WireCard {
                    source_account_id: account.clone(),
                    source_customer_id: id.to_owned(),
                    last4: format!("{:04}", card % 10_000),
                    iin: format!("{}", 400_000 + card / 10_000),
                    card_type: if self.kind == "CREDIT" {
                        "CREDIT"
                    } else {
                        "DEBIT"
                    },
                    status,
                    network_identifier: if card % 2 == 0 { "3" } else { "4" },
                    open_date: style.write(self.opened),
                    close_date,
                })
                .into_iter()
                .collect(),
            source_account_id: account,
        }
    }
}

/// The batch as JSON.
pub(super) fn batch(customers: Vec<Element>) -> Vec<u8> {
    json(&Batch { customers })
}

#[derive(Serialize)]
struct Batch {
    customers: Vec<Element>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Element {
    source_customer_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_parent_customer_id: Option<String>,
    organization_id: String,
    postal_code: String,
    country: String,
    customer_creation_date: String,
    enrollment_start_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    enrollment_end_date: Option<String>,
    enrollment_opt_in_status: &'static str,
    alert_opt_in_status: &'static [&'static str],
    targeting_indicator: &'static str,
    accounts: Vec<WireAccount>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireAccount {
    source_account_id: String,
    source_customer_ids: Vec<String>,
    primary_source_customer_id: String,
    status: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    source_portfolio_id: String,
    account_open_date: String,
    account_close_date: Option<String>,
    cards: Vec<WireCard>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireCard {
    source_account_id: String,
    source_customer_id: String,
    last4: String,
    iin: String,
    card_type: &'static str,
    status: &'static str,
    network_identifier: &'static str,
    open_date: String,
    close_date: Option<String>,
}
