//! The verdict on a record of a declared source.

use super::definition::Definition;
use super::envelope::{Opened, Part, open, usable};
use super::json::Json;
use super::value::{Found, Kind, Made, Value, make};
use super::{Fact, Judged, Record, Rejection, Valid, Verdict, element};

/// The semantic codes, in the order in which they are judged.
const CODES: [&str; 8] = [
    "event_type",
    "unsupported_version",
    "blank_id",
    "country_code",
    "future_timestamp",
    "created_after_updated",
    "duplicate_element",
    "no_timestamp",
];

/// What is there for a value of the definition.
pub enum Got {
    Absent,
    /// A null under `nulls = "clear"`.
    Nothing,
    Made(Made, String),
}

impl Got {
    pub fn made(self) -> Option<(Made, String)> {
        match self {
            Got::Made(made, pointer) => Some((made, pointer)),
            _ => None,
        }
    }
}

/// The judging of one part.
pub struct Judge<'a> {
    pub definition: &'a Definition,
    pub record: &'a Record,
    pub part: &'a Part,
    /// Whom it is about, once that is known.
    pub customer: Option<String>,
    pub violations: Vec<(String, String)>,
    /// Pointer and code.
    pub findings: Vec<(String, &'static str)>,
}

/// What is found where a value comes from.
pub enum Raw {
    Absent,
    Null,
    There(Found),
}

pub fn judge(definition: &Definition, record: &Record) -> Judged {
    let rejected = |code: &str, violations: Vec<(String, String)>| Judged {
        verdict: Verdict::Rejected(rejection(code, violations)),
        warnings: Vec::new(),
    };
    let Some(value) = &record.value else {
        return null(definition, record);
    };
    let Some(root) = Json::read(value) else {
        return rejected("invalid_json", Vec::new());
    };
    let parts = match open(definition, &root, record) {
        Opened::Nothing => {
            return Judged {
                verdict: Verdict::Nothing,
                warnings: Vec::new(),
            };
        }
        Opened::Bad(pointer, keyword) => {
            let violation = (pointer, keyword.to_owned());
            return rejected("schema_violation", vec![violation]);
        }
        Opened::One(part) => {
            let (verdict, warnings) = Judge::of(definition, record, &part, &mut Vec::new());
            return Judged {
                verdict: verdict.map_or_else(Verdict::Rejected, Verdict::Valid),
                warnings,
            };
        }
        Opened::Many(parts) => parts,
    };
    batch(definition, record, &parts)
}

fn rejection(code: &str, mut violations: Vec<(String, String)>) -> Rejection {
    violations.sort();
    violations.dedup();
    violations.truncate(16);
    Rejection {
        code: code.to_owned(),
        violations,
    }
}

/// A null value: the customer whose id is the key.
fn null(definition: &Definition, record: &Record) -> Judged {
    let rejected = |code: &str, keywords: &[&str]| {
        let violations = keywords.iter().map(|one| (String::new(), (*one).into()));
        Verdict::Rejected(rejection(code, violations.collect()))
    };
    let key = record.key.clone().unwrap_or_default();
    let framed = key.starts_with(|c: char| c < ' ' || c == '"');
    let verdict = match (definition.tombstone.as_str(), usable(record)) {
        _ if definition.is_debezium() => Verdict::Nothing,
        ("reject", _) => rejected("null_value", &[]),
        _ if framed => rejected("invalid_key", &[]),
        (_, None) if key.trim().is_empty() => rejected("blank_id", &["blank_id", "no_timestamp"]),
        _ if key.trim().is_empty() => rejected("blank_id", &["blank_id"]),
        (_, None) => rejected("no_timestamp", &["no_timestamp"]),
        (_, Some(at)) => Verdict::Valid(Valid {
            customer: key,
            fact: erasure(definition, at),
        }),
    };
    Judged {
        verdict,
        warnings: Vec::new(),
    }
}

pub fn erasure(definition: &Definition, at: i64) -> Fact {
    let only = (definition.tombstone != "erase").then(|| definition.name.clone());
    Fact::Erasure { only, at }
}

fn batch(definition: &Definition, record: &Record, parts: &[Part]) -> Judged {
    let (mut valid, mut bad, mut warnings) = (Vec::new(), Vec::<Rejection>::new(), Vec::new());
    let mut ids = Vec::new();
    for part in parts {
        let (verdict, its) = Judge::of(definition, record, part, &mut ids);
        warnings.extend(its);
        match verdict {
            Ok(one) => valid.push(one),
            Err(rejection) => bad.push(rejection),
        }
    }
    warnings.sort();
    warnings.dedup();
    let rejection = bad.first().map(|first| {
        let all = bad.iter().flat_map(|one| one.violations.clone());
        rejection(&first.code, all.collect())
    });
    Judged {
        verdict: Verdict::Batch { valid, rejection },
        warnings,
    }
}

type Warnings = Vec<(String, String)>;

impl<'a> Judge<'a> {
    fn of(
        definition: &'a Definition,
        record: &'a Record,
        part: &'a Part,
        ids: &mut Vec<String>,
    ) -> (Result<Valid, Rejection>, Warnings) {
        if element::twice(definition, &part.here) {
            return (Err(rejection("duplicate_field", Vec::new())), Vec::new());
        }
        let mut judge = Judge {
            definition,
            record,
            part,
            customer: None,
            violations: part.violations.clone(),
            findings: Vec::new(),
        };
        let valid = judge.read();
        if !judge.violations.is_empty() {
            let rejection = rejection("schema_violation", judge.violations);
            return (Err(rejection), Vec::new());
        }
        if let Some(customer) = judge.customer.clone() {
            judge.distinct(&customer, ids);
        }
        let (mut rejecting, mut warnings) = (Vec::new(), Vec::new());
        for (pointer, code) in &judge.findings {
            match definition.rule(code) {
                "reject" => rejecting.push((pointer.clone(), (*code).to_owned())),
                "warn" => warnings.push((pointer.clone(), (*code).to_owned())),
                _ => {}
            }
        }
        warnings.sort();
        warnings.dedup();
        let first = CODES
            .iter()
            .find(|code| rejecting.iter().any(|(_, of)| of == *code));
        match first {
            Some(code) => (Err(rejection(code, rejecting)), warnings),
            // only a record without a time comes to nothing, and that is rejected
            None => (Ok(valid.unwrap()), warnings),
        }
    }

    /// The customers of a batch are distinct.
    fn distinct(&mut self, customer: &str, ids: &mut Vec<String>) {
        if ids.iter().any(|id| id == customer) {
            let id = self.definition.value("customer_id").unwrap();
            if let Raw::There(found) = self.find(&id, &self.part.here, &self.part.base) {
                self.findings.push((found.pointer, "duplicate_element"));
            }
        }
        ids.push(customer.to_owned());
    }

    /// What one place of a `from` leads to, and the pointer in violations.
    fn look(&self, from: &str, here: &Json, base: &str) -> Option<Found> {
        let found = |value: Json, pointer: String| Found {
            value,
            pointer,
            is_plain: false,
            is_timestamp: false,
        };
        let found = if let Some(pointer) = from.strip_prefix("root:") {
            let pointed = self.part.root.at(pointer)?.clone();
            found(pointed, format!("{}{pointer}", self.part.root_base))
        } else if let Some(name) = from.strip_prefix("header:") {
            let mut headers = self.record.headers.iter().rev();
            let (_, value) = headers.find(|(known, _)| known == name)?;
            Found {
                is_plain: true,
                ..found(Json::Text(value.clone()), String::new())
            }
        } else if from == "key" {
            Found {
                is_plain: true,
                ..found(Json::Text(self.record.key.clone()?), String::new())
            }
        } else if from == "timestamp" {
            let millis = usable(self.record)? / 1000;
            Found {
                is_timestamp: true,
                ..found(Json::Number(millis.to_string()), String::new())
            }
        } else {
            found(here.at(from)?.clone(), format!("{base}{from}"))
        };
        let unavailable = Json::Text("__debezium_unavailable_value".to_owned());
        let absent = self.definition.is_debezium() && found.value == unavailable;
        (!absent).then_some(found)
    }

    pub fn find(&self, value: &Value, here: &Json, base: &str) -> Raw {
        if let Some(constant) = &value.constant {
            return Raw::There(Found {
                value: constant.clone(),
                pointer: String::new(),
                is_plain: false,
                is_timestamp: false,
            });
        }
        let mut raw = Raw::Absent;
        for from in &value.from {
            match self.look(from, here, base) {
                Some(found) if found.value == Json::Null => raw = Raw::Null,
                Some(found) => return Raw::There(found),
                None => {}
            }
        }
        raw
    }

    /// Whether something is there, and not null.
    pub fn is_there(&self, value: &Value, here: &Json, base: &str) -> bool {
        value.constant.is_none() && matches!(self.find(value, here, base), Raw::There(_))
    }

    pub fn pointer(&self, value: &Value, base: &str) -> String {
        match value.first_pointer() {
            None => String::new(),
            Some(from) => match from.strip_prefix("root:") {
                Some(pointer) => format!("{}{pointer}", self.part.root_base),
                None => format!("{base}{from}"),
            },
        }
    }

    pub fn violation(&mut self, pointer: String, keyword: &str) {
        self.violations.push((pointer, keyword.to_owned()));
    }

    /// A value of an element or the record. `must`: it is required whatever the definition says.
    pub fn take(
        &mut self,
        value: &Value,
        kind: Kind,
        must: bool,
        (here, base): (&Json, &str),
    ) -> Got {
        match self.find(value, here, base) {
            Raw::There(found) => match make(kind, value, &found) {
                Ok(made) => Got::Made(made, found.pointer),
                Err(keyword) => {
                    self.violation(found.pointer, keyword);
                    Got::Absent
                }
            },
            Raw::Null | Raw::Absent if must || value.required => {
                self.violation(self.pointer(value, base), "required");
                Got::Absent
            }
            Raw::Null if self.definition.clears() => Got::Nothing,
            Raw::Null | Raw::Absent => Got::Absent,
        }
    }

    /// A value of the record itself.
    pub fn own(&mut self, value: &Value, kind: Kind, must: bool) -> Got {
        let part = self.part;
        self.take(value, kind, must, (&part.here, &part.base))
    }
}
