//! What a record, or an element of a batch, tells: its time, its customer, and the fields that the definition maps.

use std::collections::BTreeMap;

use super::builtin::text::object;
use super::envelope::usable;
use super::json::Json;
use super::judge::{Got, Judge, Raw, erasure};
use super::value::{Kind, Made, Value};
use super::{Action, Fact, Told, Valid, element};

/// 24 hours in microseconds.
const SKEW: i64 = 86_400_000_000;

impl Judge<'_> {
    /// None if something is missing, which is then noted.
    pub fn read(&mut self) -> Option<Valid> {
        let deleted = self.part.is_delete || self.says_deleted();
        let customer = self.customer();
        self.customer.clone_from(&customer);
        let at = self.updated_at();
        if deleted {
            let at = at?;
            return Some(Valid {
                customer: customer?,
                fact: erasure(self.definition, at),
            });
        }
        self.kind_of_event();
        let rank = match self.definition.value("rank") {
            Some(value) => match self.own(&value, Kind::Rank, false).made() {
                Some((Made::Rank(rank), _)) => rank,
                _ => 0,
            },
            None => self.part.rank,
        };
        let created = self.created_at(at);
        let fact = match self.definition.toml.get("action") {
            Some(_) => self.action(at, rank, created).map(Fact::Action),
            None => self.told(at, rank, created).map(Fact::Told),
        };
        Some(Valid {
            customer: customer?,
            fact: fact?,
        })
    }

    fn says_deleted(&mut self) -> bool {
        let Some(when) = self.definition.inner("deleted", "when") else {
            return false;
        };
        let is = self.definition.is("deleted");
        match self.find(&when, &self.part.here, &self.part.base) {
            Raw::There(found) => is.contains(&found.value.canonical()),
            _ => false,
        }
    }

    fn customer(&mut self) -> Option<String> {
        let id = self.definition.value("customer_id").unwrap();
        let there = self.is_there(&id, &self.part.here, &self.part.base);
        if let (false, Some(key)) = (there, &self.part.key) {
            // a deleted row is named by its key
            let mut from = id.from.iter().filter(|from| from.starts_with('/'));
            let found = match key {
                Json::Object(_) => from.find_map(|from| key.at(from)).cloned(),
                scalar => Some(scalar.clone()),
            };
            if let Some(Json::Text(text) | Json::Number(text)) = found {
                self.blank(&text, String::new());
                return Some(text);
            }
        }
        let (made, pointer) = self.own(&id, Kind::Text, true).made()?;
        let text = made.text();
        self.blank(&text, pointer);
        Some(text)
    }

    pub fn blank(&mut self, id: &str, pointer: String) {
        if id.trim().is_empty() {
            self.findings.push((pointer, "blank_id"));
        }
    }

    pub fn future(&mut self, at: i64, pointer: &str) {
        if usable(self.record).is_some_and(|now| at > now + SKEW) {
            self.findings.push((pointer.to_owned(), "future_timestamp"));
        }
    }

    fn updated_at(&mut self) -> Option<i64> {
        let mut value = self.definition.value("updated_at");
        if self.part.is_delete {
            // the row as it was before may have no more than its key
            value = value.filter(|value| self.is_there(value, &self.part.here, &self.part.base));
        }
        let Some(value) = value else {
            match self.part.time {
                Some(at) => self.future(at, "?"),
                None => self.findings.push((String::new(), "no_timestamp")),
            }
            return self.part.time;
        };
        let (made, pointer) = self.own(&value, Kind::Time, true).made()?;
        let at = made.time();
        self.future(at, &pointer);
        Some(at)
    }

    fn kind_of_event(&mut self) {
        if let Some(from) = self.definition.inner("event_type", "from") {
            let is = self.definition.is("event_type");
            let found = self.find(&from, &self.part.here, &self.part.base);
            if !matches!(found, Raw::There(found) if is.contains(&found.value.canonical())) {
                let pointer = self.pointer(&from, &self.part.base);
                self.findings.push((pointer, "event_type"));
            }
        }
        if let Some(from) = self.definition.inner("version", "from") {
            let pointer = self.pointer(&from, &self.part.base);
            let version = match self.own(&from, Kind::Any, false) {
                Got::Made(Made::Any(Json::Number(number)), _) => number.parse().ok(),
                Got::Made(..) => return self.violation(pointer, "type"),
                Got::Absent | Got::Nothing => None,
            };
            if !version.is_some_and(|version: f64| (1.0..2.0).contains(&version)) {
                self.findings.push((pointer, "unsupported_version"));
            }
        }
    }

    fn created_at(&mut self, updated: Option<i64>) -> Got {
        let Some(value) = self.definition.value("created_at") else {
            return Got::Absent;
        };
        let got = self.own(&value, Kind::Time, false);
        if let (Got::Made(Made::Time(created), pointer), Some(updated)) = (&got, updated)
            && *created > updated
        {
            let finding = (pointer.clone(), "created_after_updated");
            self.findings.push(finding);
        }
        got
    }

    fn told(&mut self, at: Option<i64>, rank: u64, created: Got) -> Option<Told> {
        let mut places = BTreeMap::new();
        let created_at = match &created {
            Got::Made(Made::Time(at), _) => Some(*at),
            _ => None,
        };
        put(&mut places, "createdAt", created);
        // attributes by name win over the members of the object, so they come later
        let mut fields = self.definition.table("fields");
        fields.sort_by_key(|(name, _)| name != "attributes");
        for (name, value) in fields {
            match name.as_str() {
                "attributes" => self.attributes(&value, &mut places),
                _ => {
                    let got = self.own(&value, kind_of(&name), false);
                    put(&mut places, &name, got);
                }
            }
        }
        let part = self.part;
        let times = (at, created_at);
        let lists = element::lists(self, &part.here, &part.base, times);
        let definition = self.definition;
        Some(Told {
            source: definition.name.clone(),
            rank_first: definition.word("order", "updated_at") == "rank",
            whole: definition.word("merge", "fields") == "whole",
            has_rank: definition.toml.contains_key("rank") || definition.is_debezium(),
            at: at?,
            rank,
            places,
            lists,
        })
    }

    fn attributes(&mut self, value: &Value, places: &mut BTreeMap<String, String>) {
        let Some((Made::Any(json), pointer)) = self.own(value, Kind::Any, false).made() else {
            return;
        };
        if !matches!(json, Json::Object(_)) {
            return self.violation(pointer, "type");
        }
        for (name, member) in json.members() {
            if *member != Json::Null || self.definition.clears() {
                places.insert(format!("attributes.{name}"), member.canonical());
            }
        }
    }

    fn action(&mut self, at: Option<i64>, rank: u64, created: Got) -> Option<Action> {
        let action = self.definition.toml.get("action").unwrap().clone();
        let inner = |name: &str| action.get(name).map(Value::of);
        let part = self.part;
        let here = (&part.here, part.base.as_str());
        let id = self.take(&inner("id").unwrap(), Kind::Text, true, here);
        let kind = self.take(&inner("type").unwrap(), Kind::Type, true, here);
        let contract = inner("contract").map(|value| self.take(&value, Kind::Text, false, here));
        let mut utm: Vec<(&str, Option<String>)> = Vec::new();
        for (name, shown) in [
            ("source", "utmSource"),
            ("medium", "utmMedium"),
            ("campaign", "utmCampaign"),
            ("content", "utmContent"),
            ("terms", "utmTerms"),
        ] {
            let value = action.get("utm").and_then(|utm| utm.get(name));
            let got = value.map(|value| self.take(&Value::of(value), Kind::Trimmed, false, here));
            let made = got.and_then(Got::made);
            utm.push((shown, made.map(|(made, _)| made.json())));
        }
        let has_utm = utm.iter().any(|(_, text)| text.is_some());
        let utm = has_utm.then(|| object(&utm));
        let created = created.made().map(|(made, _)| made.time());
        let contract = contract.and_then(Got::made).map(|(made, _)| made.text());
        let (id, pointer) = id.made()?;
        let id = id.text();
        self.blank(&id, pointer);
        let (kind, _) = kind.made()?;
        let (at, kind) = (at?, kind.text());
        let quoted = |text: &String| Made::Text(text.clone()).json();
        let text = object(&[
            ("interactionId", Some(quoted(&id))),
            ("type", Some(quoted(&kind))),
            ("subscriptionContractId", contract.as_ref().map(quoted)),
            ("utmParameters", utm.clone()),
            ("createdAt", created.map(|at| Made::Time(at).json())),
            ("updatedAt", Some(Made::Time(at).json())),
        ]);
        Some(Action {
            source: self.definition.name.clone(),
            has_rank: self.definition.toml.contains_key("rank") || self.definition.is_debezium(),
            at,
            rank,
            id,
            kind,
            contract,
            created,
            utm,
            text,
        })
    }
}

fn put(places: &mut BTreeMap<String, String>, name: &str, got: Got) {
    match got {
        Got::Absent => {}
        Got::Nothing => drop(places.insert(name.to_owned(), "null".to_owned())),
        Got::Made(made, _) => drop(places.insert(name.to_owned(), made.json())),
    }
}

fn kind_of(field: &str) -> Kind {
    match field {
        "status" => Kind::OneOf(&["ACTIVE", "DELETED"]),
        "firstName" | "lastName" | "displayName" | "emailAddress" => Kind::Trimmed,
        "dateOfBirth" => Kind::Date,
        "marketingOptIn" | "smsOptIn" => Kind::Flag,
        _ => Kind::Any,
    }
}
