//! Random Avro types, with values of them and the JSON text that these become.

use std::collections::HashMap;

use apache_avro::types::Value as Avro;
use base64::prelude::{BASE64_STANDARD, Engine};
use keyfold::model::time::Instant;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

#[derive(Debug, Clone)]
pub enum Kind {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Text,
    Bytes,
    Fixed(String),
    Enum(String),
    /// An int with this logical type.
    OfInt(&'static str),
    /// A long with this logical type.
    OfLong(&'static str),
    /// With this scale.
    Decimal(usize),
    FixedDecimal(String, usize),
    FixedUuid(String),
    Array(Box<Kind>),
    Map(Box<Kind>),
    /// Null and others.
    Union(Vec<Kind>),
    Record(String, Vec<(String, Kind)>),
    /// A field of a reader schema with a default.
    Defaulted,
}

const SYMBOLS: [&str; 3] = ["ONE", "TWO", "three"];
const FIXED: usize = 5;

pub struct Types {
    pub random: StdRng,
    /// Whether logical types take part.
    logical: bool,
    names: usize,
}

impl Types {
    pub fn new(seed: u64) -> Types {
        Types {
            random: StdRng::seed_from_u64(seed),
            logical: true,
            names: 0,
        }
    }

    pub fn plain(seed: u64) -> Types {
        Types {
            logical: false,
            ..Types::new(seed)
        }
    }

    pub fn one_of(&mut self, kinds: &[Kind]) -> Kind {
        kinds.choose(&mut self.random).unwrap().clone()
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("N{}", self.names)
    }

    pub fn record(&mut self, depth: usize) -> Kind {
        let name = self.name();
        let count = self.random.random_range(0..7);
        let fields = (0..count).map(|at| (format!("f{at}"), self.kind(depth - 1)));
        Kind::Record(name, fields.collect())
    }

    fn kind(&mut self, depth: usize) -> Kind {
        match self.random.random_range(0..10) {
            0 if depth > 0 => self.record(depth),
            1 if depth > 0 => Kind::Array(Box::new(self.kind(depth - 1))),
            2 if depth > 0 => Kind::Map(Box::new(self.kind(depth - 1))),
            3 if depth > 0 => self.union(depth - 1),
            _ => self.scalar(),
        }
    }

    fn union(&mut self, depth: usize) -> Kind {
        let other = loop {
            match self.kind(depth) {
                Kind::Null | Kind::Union(_) => {}
                other => break other,
            }
        };
        let mut branches = vec![Kind::Null, other];
        // `apache-avro` also reads a map as a record
        if depth > 0 && !matches!(branches[1], Kind::Record(..) | Kind::Map(_)) {
            branches.push(self.record(depth));
        }
        branches.shuffle(&mut self.random);
        Kind::Union(branches)
    }

    fn scalar(&mut self) -> Kind {
        let name = self.name();
        let plain = [
            Kind::Null,
            Kind::Boolean,
            Kind::Int,
            Kind::Long,
            Kind::Float,
            Kind::Double,
            Kind::Text,
            Kind::Bytes,
            Kind::Fixed(name.clone()),
            Kind::Enum(name.clone()),
        ];
        if !self.logical || self.random.random_bool(0.5) {
            return self.one_of(&plain);
        }
        self.one_of(&[
            Kind::OfInt("date"),
            Kind::OfInt("time-millis"),
            Kind::OfLong("timestamp-millis"),
            Kind::OfLong("timestamp-micros"),
            Kind::OfLong("local-timestamp-nanos"),
            Kind::OfLong("time-micros"),
            Kind::Decimal(0),
            Kind::Decimal(4),
            Kind::FixedDecimal(name.clone(), 2),
            Kind::FixedUuid(name),
        ])
    }

    /// The schema of a type, with or without its logical types.
    pub fn schema(&self, kind: &Kind, logical: bool) -> Value {
        let with = |mut schema: Value, name: &str| {
            if logical {
                schema["logicalType"] = name.into();
            }
            schema
        };
        let decimal = |mut schema: Value, scale: usize| {
            schema["precision"] = 38.into();
            schema["scale"] = scale.into();
            with(schema, "decimal")
        };
        let fixed = |name: &str, size: usize| json!({"type": "fixed", "name": name, "size": size});
        match kind {
            Kind::Null => "null".into(),
            Kind::Boolean => "boolean".into(),
            Kind::Int => "int".into(),
            Kind::Long => "long".into(),
            Kind::Float => "float".into(),
            Kind::Double => "double".into(),
            Kind::Text => "string".into(),
            Kind::Bytes => "bytes".into(),
            Kind::Fixed(name) => fixed(name, FIXED),
            Kind::Enum(name) => json!({"type": "enum", "name": name, "symbols": SYMBOLS}),
            Kind::OfInt(logical) => with(json!({"type": "int"}), logical),
            Kind::OfLong(logical) => with(json!({"type": "long"}), logical),
            Kind::Decimal(scale) => decimal(json!({"type": "bytes"}), *scale),
            Kind::FixedDecimal(name, scale) => decimal(fixed(name, 16), *scale),
            Kind::FixedUuid(name) => with(fixed(name, 16), "uuid"),
            Kind::Array(item) => json!({"type": "array", "items": self.schema(item, logical)}),
            Kind::Map(value) => json!({"type": "map", "values": self.schema(value, logical)}),
            Kind::Union(branches) => {
                let branches = branches.iter();
                branches
                    .map(|branch| self.schema(branch, logical))
                    .collect()
            }
            Kind::Record(name, fields) => {
                let field = |(name, kind): &(String, Kind)| match kind {
                    Kind::Defaulted => {
                        json!({"name": name, "type": {"type": "array", "items": ["long", "string"]}, "default": [7, 8]})
                    }
                    kind => json!({"name": name, "type": self.schema(kind, logical)}),
                };
                let fields: Vec<Value> = fields.iter().map(field).collect();
                json!({"type": "record", "name": name, "fields": fields})
            }
            Kind::Defaulted => panic!("only a field has a default"),
        }
    }

    /// A random value, and its JSON text.
    pub fn value(&mut self, kind: &Kind, text: &mut String) -> Avro {
        match kind {
            Kind::Array(item) => {
                let count = self.random.random_range(0..4);
                text.push('[');
                let mut items = Vec::new();
                for at in 0..count {
                    text.push_str(if at > 0 { "," } else { "" });
                    items.push(self.value(item, text));
                }
                text.push(']');
                Avro::Array(items)
            }
            Kind::Map(value) => {
                // one member at most, because the order of others is not known
                let mut members = HashMap::new();
                text.push('{');
                if self.random.random() {
                    text.push_str("\"a\\n\":");
                    members.insert("a\n".to_owned(), self.value(value, text));
                }
                text.push('}');
                Avro::Map(members)
            }
            Kind::Union(branches) => {
                let at = self.random.random_range(0..branches.len());
                Avro::Union(at as u32, Box::new(self.value(&branches[at], text)))
            }
            Kind::Record(_, fields) => {
                text.push('{');
                let mut written = Vec::new();
                for (at, (name, kind)) in fields.iter().enumerate() {
                    text.push_str(if at > 0 { "," } else { "" });
                    text.push_str(&format!("\"{name}\":"));
                    written.push((name.clone(), self.value(kind, text)));
                }
                text.push('}');
                Avro::Record(written)
            }
            scalar => self.scalar_value(scalar, text),
        }
    }

    fn scalar_value(&mut self, kind: &Kind, text: &mut String) -> Avro {
        let (value, shown) = match kind {
            Kind::Null => (Avro::Null, "null".to_owned()),
            Kind::Boolean => {
                let truth: bool = self.random.random();
                (Avro::Boolean(truth), truth.to_string())
            }
            Kind::Int | Kind::OfInt("time-millis") => {
                let number: i32 = self.random.random();
                (Avro::Int(number), number.to_string())
            }
            Kind::Long | Kind::OfLong("time-micros") => {
                let number: i64 = self.random.random();
                (Avro::Long(number), number.to_string())
            }
            Kind::Float => {
                let number = self.random.random_range(-1_000_000..1_000_000) as f32 / 4.0;
                (Avro::Float(number), format!("{number:?}"))
            }
            Kind::Double => {
                let number = self.random.random_range(-1_000_000..1_000_000) as f64 / 4.0;
                (Avro::Double(number), format!("{number:?}"))
            }
            Kind::Text => {
                let chosen = *["", "x", "é\"\\", "\u{1}", "🦀"]
                    .choose(&mut self.random)
                    .unwrap();
                (Avro::String(chosen.to_owned()), json!(chosen).to_string())
            }
            Kind::Bytes => {
                let chosen: &[u8] = [&b"text"[..], b"\xff\0", b""]
                    .choose(&mut self.random)
                    .unwrap();
                let shown = match std::str::from_utf8(chosen) {
                    Ok(text) => json!(text),
                    Err(_) => json!({"base64": BASE64_STANDARD.encode(chosen)}),
                };
                (Avro::Bytes(chosen.to_vec()), shown.to_string())
            }
            Kind::Fixed(_) => {
                let bytes: [u8; FIXED] = self.random.random();
                let shown = json!({"base64": BASE64_STANDARD.encode(bytes)}).to_string();
                (Avro::Fixed(FIXED, bytes.to_vec()), shown)
            }
            Kind::Enum(_) => {
                let at = self.random.random_range(0..SYMBOLS.len());
                let symbol = SYMBOLS[at];
                (
                    Avro::Enum(at as u32, symbol.to_owned()),
                    format!("\"{symbol}\""),
                )
            }
            logical => self.logical_value(logical),
        };
        text.push_str(&shown);
        value
    }

    fn logical_value(&mut self, kind: &Kind) -> (Avro, String) {
        match kind {
            Kind::OfInt(_) => {
                let day = self.random.random_range(-100_000..100_000);
                let shown = Instant::from_micros(i64::from(day) * 86_400_000_000).to_string();
                (Avro::Int(day), format!("\"{}\"", &shown[..10]))
            }
            Kind::OfLong(logical) => {
                let number: i64 = self.random.random_range(0..1_000_000_000_000);
                let micros = match *logical {
                    "timestamp-millis" => number * 1_000,
                    "timestamp-micros" => number,
                    _ => number / 1_000,
                };
                (
                    Avro::Long(number),
                    format!("\"{}\"", Instant::from_micros(micros)),
                )
            }
            Kind::Decimal(scale) => {
                let number = i128::from(self.random.random::<i64>()) * 1_000_003;
                let shown = with_point(number, *scale);
                (Avro::Bytes(number.to_be_bytes().to_vec()), shown)
            }
            Kind::FixedDecimal(_, scale) => {
                let number = i128::from(self.random.random::<i16>());
                let shown = with_point(number, *scale);
                (Avro::Fixed(16, number.to_be_bytes().to_vec()), shown)
            }
            Kind::FixedUuid(_) => {
                let number: u128 = self.random.random();
                let digits = format!("{number:032x}");
                let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &digits[part]);
                (
                    Avro::Fixed(16, number.to_be_bytes().to_vec()),
                    format!("\"{}\"", parts.join("-")),
                )
            }
            other => panic!("{other:?}"),
        }
    }
}

/// A number with so many digits behind its point.
fn with_point(number: i128, scale: usize) -> String {
    let sign = if number < 0 { "-" } else { "" };
    let power = 10_u128.pow(scale as u32);
    let (whole, rest) = (number.unsigned_abs() / power, number.unsigned_abs() % power);
    match scale {
        0 => number.to_string(),
        _ => format!("{sign}{whole}.{rest:0scale$}"),
    }
}
