//! Compiles a plan: it resolves the writer schema against the reader schema, once.

use std::collections::HashMap;
use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::schema::{Name, RecordField, RecordSchema};

use super::bounds::Bounds;
use super::declared::{ReaderSchema, TextPlan};
use super::names::{Spelled, position_of};
use super::plan::{Node, NodeId, PlanError, Skip, SkipId, TypedPlan, WriterField};
use super::reader_schema::{self, ReaderField, Shape};
use super::text::Unit;
use super::union::readable_branches;
use super::writer_schema::{Underlying, WriterSchema, underlying};
use super::{Kind, Plan};
use crate::model::record::Source;

impl Plan {
    /// Compiles a writer schema for a source. `references` are the texts of the schemas that define types it refers to.
    /// The values of a declared source are read as their writer wrote them.
    pub fn compile(source: Source, schema: &str, references: &[&str]) -> Result<Plan, PlanError> {
        if let Source::Declared(_) = source {
            return Plan::declared(None, schema, references);
        }
        Plan::against(
            reader_schema::of(source)?,
            &WriterSchema::parse(schema, references)?,
        )
    }

    /// Compiles a writer schema for a declared source, resolved against the reader schema of its definition if that has
    /// one.
    pub fn declared(
        reader: Option<&ReaderSchema>,
        schema: &str,
        references: &[&str],
    ) -> Result<Plan, PlanError> {
        let writer = WriterSchema::parse(schema, references)?;
        TextPlan::compile(&writer, reader).map(|plan| Plan(Kind::Text(plan)))
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
            bounds: Bounds::default(),
        };
        let root = compiler.read(writer.root(), shape)?;
        // A union may have treated an exceeded bound as a branch that cannot be read.
        compiler.bounds.check()?;
        Ok(Plan(Kind::Typed(TypedPlan {
            nodes: compiler.nodes,
            skips: compiler.skips,
            root,
        })))
    }
}

impl Spelled for RecordField {
    fn name(&self) -> &str {
        &self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }
}

impl Spelled for ReaderField {
    fn name(&self) -> &str {
        &self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }
}

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
    bounds: Bounds,
}

impl<'s> Compiler<'s> {
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
        self.bounds.count(1)?;
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
        let read = branches.iter().map(|branch| self.read(branch, shape));
        let nodes = readable_branches(read)?.into_iter();
        let nodes = nodes.map(|node| node.unwrap_or_else(|| self.node(Node::Mismatch)));
        Ok(Node::Union(nodes.collect()))
    }

    fn record(
        &mut self,
        record: &'s RecordSchema,
        fields: &'static [ReaderField],
    ) -> Result<Node, PlanError> {
        self.bounds
            .count(record.fields.len().saturating_mul(fields.len()))?;
        let mut reader_fields: Vec<Option<&'static ReaderField>> = vec![None; record.fields.len()];
        for field in fields {
            // Two fields may share an alias.
            let place = position_of(field, fields, &record.fields)
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
        self.bounds.enter()?;
        let skip = self.skip_deeper(schema);
        self.bounds.leave();
        skip
    }

    fn skip_deeper(&mut self, schema: &'s Schema) -> Result<SkipId, PlanError> {
        self.bounds.count(1)?;
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
