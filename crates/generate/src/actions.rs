//! What loyalty customers do: a sign-up, then subscriptions that stop and start, and promotions.

use serde::Serialize;

use super::moment::{MINUTE, Micros, Style, happened, happened_after};
use super::random::{Random, mix, uuid};
use super::wire::{Event, event_version, json, typed};

/// What a customer has done so far, as far as it affects the next action.
#[derive(Clone, Default)]
pub(super) struct History {
    /// How many actions there were.
    actions: u32,
    signed_up: Option<Micros>,
    /// How many contracts exist; `running` has a bit for each that is running.
    contracts: u8,
    running: u8,
    last: Option<Action>,
}

#[derive(Clone, Copy)]
struct Action {
    serial: u32,
    kind: &'static str,
    contract: Option<u8>,
    touch: Option<Touch>,
    created: Micros,
    updated: Micros,
}

const MAX_CONTRACTS: u8 = 6;

impl History {
    /// When the customer signed up, if they did.
    pub(super) fn signed_up(&self) -> Option<Micros> {
        self.signed_up
    }

    /// The next action or, now and then, a correction of the last one, recorded now.
    pub(super) fn next_event(&mut self, random: &mut Random, id: &str, now: Micros) -> Vec<u8> {
        if let Some(last) = &mut self.last
            && random.chance(0.08)
        {
            last.updated = happened_after(random, now, last.updated);
            last.touch = Touch::draw(random);
            let last = *last;
            return last.event(random, id, "UPDATED");
        }
        let at = match &self.last {
            Some(last) => happened_after(random, now, last.updated),
            None => happened(random, now),
        };
        let action = self.act(random, at);
        self.last = Some(action);
        action.event(random, id, "CREATED")
    }

    /// An action of the past for which no event was sent yet.
    pub(super) fn past_event(&mut self, random: &mut Random, id: &str, at: Micros) -> Vec<u8> {
        let action = self.act(random, at);
        action.event(random, id, "CREATED")
    }

    fn act(&mut self, random: &mut Random, at: Micros) -> Action {
        let serial = self.actions;
        self.actions = self.actions.saturating_add(1);
        let (kind, contract) = if self.signed_up.is_none() {
            self.signed_up = Some(at);
            self.contracts = 1;
            self.running = 1;
            ("SIGN_UP", random.chance(0.8).then_some(0))
        } else {
            self.choose(random)
        };
        // Some time may pass between the start of an action and the state that the event reports.
        let duration = if random.chance(0.2) {
            random.between(0, 30 * MINUTE)
        } else {
            0
        };
        Action {
            serial,
            kind,
            contract,
            touch: Touch::draw(random),
            created: at - duration,
            updated: at,
        }
    }

    fn choose(&mut self, random: &mut Random) -> (&'static str, Option<u8>) {
        let contract = random.below(u64::from(self.contracts)) as u8;
        let bit = 1_u8 << contract;
        match random.below(100) {
            0..35 => {
                let contract = random.chance(0.4).then_some(contract);
                ("PROMOTION_APPLIED", contract)
            }
            35..42 if self.contracts < MAX_CONTRACTS => {
                // A further subscription starts as a restart, because there is no other type for it.
                let new = self.contracts;
                self.contracts += 1;
                self.running |= 1 << new;
                ("SUBSCRIPTION_RESTARTED", Some(new))
            }
            _ if self.running & bit != 0 => {
                self.running &= !bit;
                ("SUBSCRIPTION_CANCELLED", Some(contract))
            }
            _ => {
                self.running |= bit;
                ("SUBSCRIPTION_RESTARTED", Some(contract))
            }
        }
    }
}

impl Action {
    fn event(self, random: &mut Random, id: &str, action: &'static str) -> Vec<u8> {
        let style = Style::draw(random);
        let own = id
            .bytes()
            .fold(0_u64, |hash, byte| mix(hash ^ u64::from(byte)));
        let event = Event {
            event_type: "CUSTOMER_ACTION",
            event_action: action,
            version: event_version(random),
            body: Body {
                interaction_id: uuid(own, mix(own ^ u64::from(self.serial))),
                customer_id: id,
                interaction: Interaction {
                    kind: self.kind,
                    subscription_contract_id: self.contract.map(|contract| {
                        format!(
                            "{}",
                            10_000_000 + own % 8_000_000 * 10 + u64::from(contract)
                        )
                    }),
                },
                utm_parameters: self.touch.map(|touch| touch.wire(random)),
                created_at: style.write(self.created),
                updated_at: style.write(self.updated),
            },
        };
        json(&event)
    }
}

/// Where a visit came from; any part may be missing, or all of them.
#[derive(Clone, Copy)]
struct Touch {
    source: Option<&'static str>,
    medium: Option<&'static str>,
    campaign: Option<&'static str>,
    content: Option<&'static str>,
    terms: Option<&'static str>,
}

const SOURCES: [&str; 6] = [
    "google",
    "newsletter",
    "partner",
    "instagram",
    "LINE",
    "百度",
];
const MEDIUMS: [&str; 5] = ["cpc", "email", "youtube", "social", "qr"];
const CAMPAIGNS: [&str; 5] = [
    "spring_sale",
    "back_to_school",
    "été-2024",
    "black friday",
    "win-back",
];
const CONTENTS: [&str; 4] = ["banner_ad", "hero \"A\"", "hero \"B\"", "footer"];
const TERMS: [&str; 4] = [
    "cats+kitten+food",
    "dog treats",
    "köpek maması",
    "猫 おもちゃ",
];

impl Touch {
    fn draw(random: &mut Random) -> Option<Touch> {
        if random.chance(0.4) {
            return None;
        }
        let probability = if random.chance(0.03) { 0.0 } else { 1.0 };
        Some(Touch {
            source: random
                .chance(0.95 * probability)
                .then(|| random.pick(&SOURCES)),
            medium: random
                .chance(0.9 * probability)
                .then(|| random.pick(&MEDIUMS)),
            campaign: random
                .chance(0.7 * probability)
                .then(|| random.pick(&CAMPAIGNS)),
            content: random
                .chance(0.4 * probability)
                .then(|| random.pick(&CONTENTS)),
            terms: random
                .chance(0.3 * probability)
                .then(|| random.pick(&TERMS)),
        })
    }

    fn wire(self, random: &mut Random) -> Utm {
        Utm {
            utm_source: self.source,
            utm_medium: self.medium,
            utm_campaign: self.campaign.map(|campaign| typed(random, campaign)),
            utm_content: self.content,
            utm_terms: self.terms,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    interaction_id: String,
    customer_id: &'a str,
    interaction: Interaction,
    #[serde(skip_serializing_if = "Option::is_none")]
    utm_parameters: Option<Utm>,
    created_at: String,
    updated_at: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Interaction {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_contract_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Utm {
    #[serde(skip_serializing_if = "Option::is_none")]
    utm_source: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    utm_medium: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    utm_campaign: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    utm_content: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    utm_terms: Option<&'static str>,
}
