//! Compiles a plan: it resolves the writer schema against the reader schema, once.

use std::collections::HashMap;
use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::schema::{Name, RecordSchema};

use super::plan::{Node, NodeId, Plan, PlanError, Skip, SkipId, WriterField};
use super::reader_schema::{self, ReaderField, Shape};
use super::text::Unit;
use super::writer_schema::{Underlying, WriterSchema, underlying};
use crate::model::record::Source;

impl Plan {
    /// Compiles a writer schema for a source. `references` are the texts of the schemas that define types it refers to.
    pub fn compile(source: Source, schema: &str, references: &[&str]) -> Result<Plan, PlanError> {
        Plan::against(
            reader_schema::of(source)?,
            &WriterSchema::parse(schema, references)?,
        )
    }

    /// Whether a schema's values are strings and nothing else. No source has a plan for such a schema.
    pub fn is_of_text(schema: &str, references: &[&str]) -> bool {
        WriterSchema::parse(schema, references)
            .is_ok_and(|writer| underlying(writer.root()) == Underlying::Text)
    }

    pub(super) fn against(shape: &'static Shape, writer: &WriterSchema) -> Result<Plan, PlanError> {
        let mut compiler = Compiler {
            writer,
            symbols: HashMap::new(),
            names: writer.names(),
            nodes: Vec::new(),
            skips: Vec::new(),
            read: HashMap::new(),
            skipped: HashMap::new(),
            depth: 0,
            work: 0,
        };
        let root = compiler.read(writer.root(), shape)?;
        // A union may have treated an exceeded bound as a branch that cannot be read.
        compiler.within_bounds()?;
        Ok(Plan {
            nodes: compiler.nodes,
            skips: compiler.skips,
            root,
        })
    }
}

/// How deeply named types may refer to each other. The nesting of the schema itself is limited by that of its JSON.
const MAX_REFERENCES: usize = 256;

/// How many steps resolving a schema may take. A step is a type that is read, or two fields that are compared. Schemas
/// with a thousand fields take some ten thousand steps.
const MAX_WORK: usize = 2_000_000;

struct Compiler<'s> {
    writer: &'s WriterSchema,
    symbols: HashMap<&'s Name, Arc<[Box<str>]>>,
    names: HashMap<Name, &'s Schema>,
    nodes: Vec<Node>,
    skips: Vec<Skip>,
    /// Records that are compiled already, by the addresses of schema and shape. Errors are kept too, because unions may
    /// ask for the same record a thousand times.
    read: HashMap<(*const RecordSchema, *const Shape), Result<NodeId, PlanError>>,
    skipped: HashMap<&'s Name, SkipId>,
    depth: usize,
    work: usize,
}

impl<'s> Compiler<'s> {
    fn within_bounds(&self) -> Result<(), PlanError> {
        match self.work > MAX_WORK {
            true => Err(PlanError::new(
                "the schema is too large, or its types refer to each other too often",
            )),
            false => Ok(()),
        }
    }

    fn count_work(&mut self, steps: usize) -> Result<(), PlanError> {
        self.work = self.work.saturating_add(steps);
        self.within_bounds()
    }

    fn node(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        NodeId(self.nodes.len() as u32 - 1)
    }

    fn definition(&self, name: &Name) -> Result<&'s Schema, PlanError> {
        self.names.get(name).copied().ok_or_else(|| {
            PlanError::new("the schema names a type that is not defined where it is named")
        })
    }

    /// Resolves a writer's type against the shape that the reader expects.
    fn read(&mut self, schema: &'s Schema, shape: &'static Shape) -> Result<NodeId, PlanError> {
        self.count_work(1)?;
        let node = match (schema, shape) {
            (Schema::Ref { name }, _) => return self.read(self.definition(name)?, shape),
            (Schema::Union(union), _) => self.union(union.variants(), shape)?,
            // Null means an absent field; the rules decide later whether it may be absent.
            (Schema::Null, _) => Node::Null,
            (Schema::Record(record), Shape::Object(fields)) => {
                let key = (&raw const *record, &raw const *shape);
                if let Some(known) = self.read.get(&key) {
                    return known.clone();
                }
                let read = self.record(record, fields).map(|node| self.node(node));
                self.read.insert(key, read.clone());
                return read;
            }
            (Schema::Array(array), Shape::List(item)) => Node::List(self.read(&array.items, item)?),
            (Schema::Map(map), Shape::JsonMap) => {
                Node::JsonMap(self.read(&map.types, &Shape::JsonText)?)
            }
            (Schema::Enum(symbols), Shape::Text | Shape::Time | Shape::NumberOrText) => {
                let texts = self.writer.symbols(&symbols.name).iter();
                let known = self.symbols.entry(&symbols.name);
                let texts =
                    known.or_insert_with(|| texts.map(|text| text.as_str().into()).collect());
                Node::Enum(Arc::clone(texts))
            }
            _ => scalar(schema, shape)?,
        };
        Ok(self.node(node))
    }

    fn union(&mut self, branches: &'s [Schema], shape: &'static Shape) -> Result<Node, PlanError> {
        let mut refused = None;
        let mut nodes = Vec::with_capacity(branches.len());
        for branch in branches {
            nodes.push(self.read(branch, shape).unwrap_or_else(|error| {
                refused = Some(error);
                self.node(Node::Mismatch)
            }));
        }
        let all = nodes
            .iter()
            .all(|id| matches!(self.nodes.get(id.0 as usize), Some(Node::Mismatch)));
        match refused {
            Some(error) if all => Err(error),
            _ => Ok(Node::Union(nodes.into())),
        }
    }

    fn record(
        &mut self,
        record: &'s RecordSchema,
        fields: &'static [ReaderField],
    ) -> Result<Node, PlanError> {
        self.count_work(record.fields.len().saturating_mul(fields.len()))?;
        let mut reader_fields: Vec<Option<&'static ReaderField>> = vec![None; record.fields.len()];
        for field in fields {
            // Two fields may share an alias.
            let place = position_of(field, fields, record)
                .and_then(|place| reader_fields.get_mut(place))
                .filter(|place| place.is_none());
            match place {
                Some(place) => *place = Some(field),
                None if field.optional => {}
                None => {
                    let name = &field.name;
                    return Err(PlanError::new(format!(
                        "a record of the schema has no field {name}"
                    )));
                }
            }
        }
        let mut steps = Vec::with_capacity(record.fields.len());
        for (written, field) in record.fields.iter().zip(reader_fields) {
            match field {
                Some(ReaderField { name, shape, .. }) => {
                    let node = self
                        .read(&written.schema, shape)
                        .map_err(|error| error.within(name))?;
                    steps.push(WriterField::Read { name, node });
                }
                None => {
                    let skip = self.skip(&written.schema)?;
                    if !self.is_nothing(skip) {
                        steps.push(WriterField::Skip(skip));
                    }
                }
            }
        }
        Ok(Node::Record(steps.into()))
    }

    /// Compiles how a value of a type is skipped.
    fn skip(&mut self, schema: &'s Schema) -> Result<SkipId, PlanError> {
        if self.depth >= MAX_REFERENCES {
            return Err(PlanError::new("the schema's types refer too deep"));
        }
        self.depth += 1;
        let skip = self.skip_deeper(schema);
        self.depth -= 1;
        skip
    }

    fn skip_deeper(&mut self, schema: &'s Schema) -> Result<SkipId, PlanError> {
        self.count_work(1)?;
        let id = SkipId(self.skips.len() as u32);
        if let Some(name) = schema.name() {
            if let Some(&known) = self.skipped.get(name) {
                return Ok(known);
            }
            if let Schema::Ref { name } = schema {
                return self.skip(self.definition(name)?);
            }
            self.skipped.insert(name, id);
        }
        // Reserve its index first, because the type may contain itself.
        self.skips.push(Skip::Pending);
        let skip = match schema {
            Schema::Record(record) => {
                let mut fields = Vec::new();
                for field in &record.fields {
                    let skip = self.skip(&field.schema)?;
                    if !self.is_nothing(skip) {
                        fields.push(skip);
                    }
                }
                match fields.is_empty() {
                    true => Skip::Fixed(0),
                    false => Skip::Record(fields.into()),
                }
            }
            Schema::Array(array) => Skip::Array(self.skip(&array.items)?),
            Schema::Map(map) => Skip::Map(self.skip(&map.types)?),
            Schema::Union(union) => {
                let branches = union.variants().iter().map(|branch| self.skip(branch));
                Skip::Union(branches.collect::<Result<_, _>>()?)
            }
            _ => match underlying(schema) {
                Underlying::Int | Underlying::Long | Underlying::Enum(_) => Skip::Number,
                Underlying::Text | Underlying::Bytes => Skip::Bytes,
                Underlying::Fixed(size) => Skip::Fixed(size),
                Underlying::Composite => Skip::Pending,
            },
        };
        if let Some(place) = self.skips.get_mut(id.0 as usize) {
            *place = skip;
        }
        Ok(id)
    }

    fn is_nothing(&self, id: SkipId) -> bool {
        self.skips.get(id.0 as usize) == Some(&Skip::Fixed(0))
    }
}

/// The index of the writer's field for a field of the reader: by its name, then by the reader's aliases, then by the
/// writer's aliases. A writer's field with the name of another field of the reader matches only that one.
fn position_of(
    field: &ReaderField,
    fields: &[ReaderField],
    record: &RecordSchema,
) -> Option<usize> {
    let named = |name: &String| record.fields.iter().position(|field| field.name == *name);
    let free = |place: &usize| {
        let written = record.fields.get(*place);
        written.is_some_and(|written| fields.iter().all(|field| field.name != written.name))
    };
    let by_alias = || field.aliases.iter().filter_map(named).find(free);
    let by_alias_of_writer = || {
        let mut places = 0..record.fields.len();
        places.find(|place| {
            free(place)
                && record
                    .fields
                    .get(*place)
                    .is_some_and(|written| written.aliases.contains(&field.name))
        })
    };
    named(&field.name)
        .or_else(by_alias)
        .or_else(by_alias_of_writer)
}

/// Resolves a type without parts.
fn scalar(schema: &Schema, shape: &Shape) -> Result<Node, PlanError> {
    if *shape == Shape::Time {
        let time = match schema {
            Schema::Date => Some(Node::Date),
            Schema::TimestampMillis | Schema::LocalTimestampMillis => {
                Some(Node::Timestamp(Unit::Millis))
            }
            Schema::TimestampMicros | Schema::LocalTimestampMicros => {
                Some(Node::Timestamp(Unit::Micros))
            }
            Schema::TimestampNanos | Schema::LocalTimestampNanos => {
                Some(Node::Timestamp(Unit::Nanos))
            }
            _ => None,
        };
        if let Some(time) = time {
            return Ok(time);
        }
    }
    let mismatch = || PlanError::new("the schema has a type that its reader schema cannot read");
    // The bytes of a decimal are a number, not a text.
    if matches!(schema, Schema::Decimal(_) | Schema::BigDecimal) {
        return Err(mismatch());
    }
    match (shape, underlying(schema)) {
        (Shape::Number | Shape::NumberOrText | Shape::Time, Underlying::Int) => Ok(Node::Int),
        (Shape::Number | Shape::NumberOrText | Shape::Time, Underlying::Long) => Ok(Node::Long),
        (Shape::Text | Shape::NumberOrText | Shape::Time, Underlying::Text | Underlying::Bytes) => {
            Ok(Node::Text)
        }
        (Shape::JsonText, Underlying::Text | Underlying::Bytes) => Ok(Node::Text),
        (Shape::Number, _) if *schema == Schema::Float => Ok(Node::Float),
        (Shape::Number, _) if *schema == Schema::Double => Ok(Node::Double),
        (Shape::Truth, _) if *schema == Schema::Boolean => Ok(Node::Boolean),
        _ => Err(mismatch()),
    }
}
