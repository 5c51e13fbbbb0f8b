//! Writer schemas made of a reader schema as Avro lets schemas evolve, and values written by them.

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use keyfold::model::time::Instant;
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use serde_json::{Value, json};

/// What a schema may become.
#[derive(Debug, Clone, Copy, Default)]
pub struct Evolution {
    /// Fields and union branches in another order, unknown fields, nulls where there were none.
    pub layout: bool,
    /// Numbers of fewer bits, and bytes for strings.
    pub promotions: bool,
    /// Any logical type for a time, not only that of the reader schema.
    pub times: bool,
}

/// A writer schema, and what its unknown fields are written with.
pub struct Evolved {
    pub text: String,
    extras: HashMap<String, Avro>,
    names: usize,
}

impl Evolved {
    pub fn of(reader: &str, evolution: Evolution, random: &mut StdRng) -> Evolved {
        let mut evolved = Evolved {
            text: String::new(),
            extras: HashMap::new(),
            names: 0,
        };
        let mut schema: Value = serde_json::from_str(reader).unwrap();
        evolved.change(&mut schema, evolution, random);
        evolved.text = schema.to_string();
        evolved
    }

    fn change(&mut self, schema: &mut Value, evolution: Evolution, random: &mut StdRng) {
        match schema {
            Value::Array(branches) => return self.change_union(branches, evolution, random),
            Value::Object(parts) if parts["type"] == "record" => {
                let fields = parts["fields"].as_array_mut().unwrap();
                self.change_fields(fields, evolution, random);
            }
            Value::Object(parts) => {
                for name in ["items", "values"] {
                    if let Some(of) = parts.get_mut(name) {
                        self.change(of, evolution, random);
                    }
                }
            }
            Value::String(_) => {}
            _ => panic!("{schema}"),
        }
        if evolution.promotions && random.random_bool(0.3) {
            promote(schema, random);
        }
    }

    fn change_union(
        &mut self,
        branches: &mut Vec<Value>,
        evolution: Evolution,
        random: &mut StdRng,
    ) {
        let null = branches[0] == "null";
        let text = branches.contains(&json!("string"));
        for branch in branches.iter_mut() {
            // a time keeps its text for what the logical type cannot hold
            if !text || is_no_time(branch) {
                self.change(branch, evolution, random);
            }
        }
        let mut times = branches
            .iter_mut()
            .filter(|one| one["logicalType"].is_string());
        if evolution.times
            && let Some(time) = times.next()
        {
            change_time(time, random);
        }
        if evolution.promotions && branches.contains(&json!("long")) {
            branches.push(json!("int"));
        }
        if evolution.layout {
            if !null && random.random_bool(0.3) {
                branches.push(json!("null"));
            }
            branches.shuffle(random);
        }
    }

    fn change_fields(
        &mut self,
        fields: &mut Vec<Value>,
        evolution: Evolution,
        random: &mut StdRng,
    ) {
        for field in fields.iter_mut() {
            field.as_object_mut().unwrap().remove("default");
            self.change(&mut field["type"], evolution, random);
        }
        if evolution.layout {
            for _ in 0..random.random_range(0..3) {
                fields.push(self.extra(random));
            }
            fields.shuffle(random);
        }
    }

    /// A field that the reader does not know.
    fn extra(&mut self, random: &mut StdRng) -> Value {
        self.names += 1;
        let name = format!("extra{}", self.names);
        let many = Avro::Array(vec![Avro::Long(1 << 40), Avro::Long(-1)]);
        let (of, value) = match random.random_range(0..12) {
            0 => (json!("null"), Avro::Null),
            1 => (json!("boolean"), Avro::Boolean(true)),
            2 => (json!("int"), Avro::Int(-70_000)),
            3 => (json!("float"), Avro::Float(1.5)),
            4 => (json!("double"), Avro::Double(f64::NAN)),
            5 => (json!("bytes"), Avro::Bytes(vec![0xff; 200])),
            6 => (
                json!({"type": "fixed", "name": format!("Fixed{name}"), "size": 7}),
                Avro::Fixed(7, vec![9; 7]),
            ),
            7 => (
                json!({"type": "enum", "name": format!("Enum{name}"), "symbols": ["A", "B"]}),
                Avro::Enum(1, "B".to_owned()),
            ),
            8 => (
                json!({"type": "map", "values": {"type": "array", "items": "long"}}),
                Avro::Map([("k".to_owned(), many)].into()),
            ),
            9 => {
                let leaf = |children| {
                    Avro::Record(vec![
                        ("children".to_owned(), Avro::Array(children)),
                        (
                            "label".to_owned(),
                            Avro::Union(1, Box::new(Avro::String("x".to_owned()))),
                        ),
                    ])
                };
                let tree = format!("Tree{name}");
                (
                    json!({"type": "record", "name": tree, "namespace": "other", "fields": [
                        {"name": "children", "type": {"type": "array", "items": tree}},
                        {"name": "label", "type": ["null", "string"]}]}),
                    leaf(vec![leaf(vec![]), leaf(vec![leaf(vec![])])]),
                )
            }
            10 => (
                json!({"type": "array", "items": "null"}),
                Avro::Array(vec![Avro::Null; 3]),
            ),
            _ => (
                json!(["null", {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}]),
                Avro::Union(0, Box::new(Avro::Null)),
            ),
        };
        self.extras.insert(name.clone(), value);
        json!({"name": name, "type": of})
    }

    /// A JSON value as this writer schema writes it; none where the schema cannot hold it.
    pub fn value(&self, json: Option<&Value>, schema: &Schema) -> Option<Avro> {
        let json = json.filter(|json| !json.is_null());
        match (schema, json) {
            (Schema::Null, None) => Some(Avro::Null),
            (Schema::Union(union), json) => {
                let branches = union.variants().iter().enumerate();
                // the logical types and the narrow numbers come first where they hold the value
                let mut branches: Vec<_> = branches.collect();
                branches.sort_by_key(|(_, branch)| match branch {
                    Schema::String | Schema::Bytes | Schema::Double => 1,
                    _ => 0,
                });
                branches.into_iter().find_map(|(at, branch)| {
                    Some(Avro::Union(at as u32, Box::new(self.value(json, branch)?)))
                })
            }
            (Schema::Record(record), Some(Value::Object(fields))) => {
                let fields = record.fields.iter().map(|field| {
                    let value = match self.extras.get(&field.name) {
                        Some(extra) => extra.clone(),
                        None => self.value(fields.get(&field.name), &field.schema)?,
                    };
                    Some((field.name.clone(), value))
                });
                Some(Avro::Record(fields.collect::<Option<_>>()?))
            }
            (Schema::Array(array), Some(Value::Array(items))) => {
                let items = items
                    .iter()
                    .map(|item| self.value(Some(item), &array.items));
                Some(Avro::Array(items.collect::<Option<_>>()?))
            }
            (Schema::Map(map), Some(Value::Object(members))) => {
                let members = members.iter().map(|(name, member)| {
                    let text = Value::String(serde_json::to_string(member).unwrap());
                    Some((name.clone(), self.value(Some(&text), &map.types)?))
                });
                Some(Avro::Map(members.collect::<Option<_>>()?))
            }
            (_, Some(json)) => scalar(json, schema),
            (_, None) => None,
        }
    }
}

/// A narrower type, of which the reader's is a promotion.
fn promote(schema: &mut Value, random: &mut StdRng) {
    match schema.as_str() {
        Some("double") => {
            let narrower = [
                json!(["int", "double"]),
                json!(["double", "long"]),
                json!(["float", "double"]),
            ];
            *schema = narrower.choose(random).unwrap().clone();
        }
        Some("string") => *schema = json!("bytes"),
        _ => {}
    }
}

/// Whether a branch has no logical type.
fn is_no_time(branch: &Value) -> bool {
    branch["logicalType"].is_null()
}

fn change_time(time: &mut Value, random: &mut StdRng) {
    if time["logicalType"] == "date" {
        return;
    }
    let types = [
        "timestamp-millis",
        "timestamp-micros",
        "timestamp-nanos",
        "local-timestamp-millis",
        "local-timestamp-micros",
        "local-timestamp-nanos",
    ];
    time["logicalType"] = json!(types.choose(random).unwrap());
}

fn scalar(json: &Value, schema: &Schema) -> Option<Avro> {
    let micros = || Instant::parse(json.as_str()?).map(Instant::micros);
    let millis = || {
        micros()
            .filter(|micros| micros % 1000 == 0)
            .map(|micros| micros / 1000)
    };
    Some(match schema {
        Schema::Boolean => Avro::Boolean(json.as_bool()?),
        Schema::Int => Avro::Int(i32::try_from(whole(json)?).ok()?),
        Schema::Long => Avro::Long(whole(json)?),
        Schema::Float => {
            let number = json.as_f64()?;
            Avro::Float(Some(number as f32).filter(|float| f64::from(*float) == number)?)
        }
        Schema::Double => Avro::Double(json.as_f64()?),
        Schema::String => Avro::String(json.as_str()?.to_owned()),
        Schema::Bytes => Avro::Bytes(json.as_str()?.as_bytes().to_vec()),
        Schema::Enum(of) => {
            let at = of
                .symbols
                .iter()
                .position(|symbol| Some(&**symbol) == json.as_str())?;
            Avro::Enum(at as u32, json.as_str()?.to_owned())
        }
        Schema::TimestampMillis => Avro::TimestampMillis(millis()?),
        Schema::TimestampMicros => Avro::TimestampMicros(micros()?),
        Schema::TimestampNanos => Avro::TimestampNanos(micros()?.checked_mul(1000)?),
        Schema::LocalTimestampMillis => Avro::LocalTimestampMillis(millis()?),
        Schema::LocalTimestampMicros => Avro::LocalTimestampMicros(micros()?),
        Schema::LocalTimestampNanos => Avro::LocalTimestampNanos(micros()?.checked_mul(1000)?),
        Schema::Date => {
            let midnight = format!("{}T00:00:00Z", json.as_str()?);
            let micros = Instant::parse(&midnight)?.micros();
            Avro::Date((micros / 86_400_000_000) as i32)
        }
        _ => return None,
    })
}

/// A JSON number without a fraction.
fn whole(json: &Value) -> Option<i64> {
    json.as_i64().or_else(|| {
        let number = json.as_f64()?;
        (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
    })
}

/// The bytes of a value, as `apache-avro` writes them.
pub fn written(schema: &Schema, value: Avro) -> Vec<u8> {
    let writer = GenericDatumWriter::builder(schema).build().unwrap();
    writer.write_value_to_vec(value).unwrap()
}

/// The value that `apache-avro` reads, resolved against a reader schema if there is one; none where it refuses.
/// No bytes may be left.
pub fn read(writer: &Schema, reader: Option<&Schema>, mut bytes: &[u8]) -> Option<Avro> {
    let datum = GenericDatumReader::builder(writer).maybe_reader_schema(reader);
    let value = datum.build().unwrap().read_value(&mut bytes).ok()?;
    assert!(bytes.is_empty());
    Some(value)
}
