//! Compiles a plan of JSON text: by the writer schema alone, or resolved against a reader schema.

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::schema::{EnumSchema, RecordSchema};

use super::plan::{Field, Node, NodeId, TextPlan};
use super::scalar::{own, resolved};
use super::types::Types;
use super::{ReaderSchema, defaults};
use crate::avro::PlanError;
use crate::avro::bounds::Bounds;
use crate::avro::names::{OriginalField, position_of};
use crate::avro::union::readable_branches;
use crate::avro::writer_schema::{Underlying, WriterSchema, underlying};
use crate::json::canonical::write_string;

impl TextPlan {
    pub(in crate::avro) fn compile(
        writer: &WriterSchema,
        reader: Option<&ReaderSchema>,
    ) -> Result<TextPlan, PlanError> {
        let types = Types::of(writer);
        let of_reader = reader.map(|reader| Types::of(&reader.0));
        let reader = reader.map(|reader| reader.0.root());
        Compiler::compile(&types, of_reader.as_ref(), writer.root(), reader)
    }
}

/// A type of the writer and one of the reader, by their addresses.
type Pair<T> = (*const T, Option<*const T>);

struct Compiler<'t, 's> {
    writer: &'t Types<'s>,
    reader: Option<&'t Types<'s>>,
    nodes: Vec<Node>,
    /// Records that are compiled already, or are being compiled: a record may contain itself. Errors are kept too,
    /// because unions may ask for the same record a thousand times.
    records: HashMap<Pair<RecordSchema>, Result<NodeId, PlanError>>,
    enums: HashMap<Pair<EnumSchema>, NodeId>,
    bounds: Bounds,
}

impl<'t, 's> Compiler<'t, 's> {
    fn compile(
        writer: &'t Types<'s>,
        reader: Option<&'t Types<'s>>,
        schema: &'s Schema,
        of_reader: Option<&'s Schema>,
    ) -> Result<TextPlan, PlanError> {
        let mut compiler = Compiler {
            writer,
            reader,
            nodes: Vec::new(),
            records: HashMap::new(),
            enums: HashMap::new(),
            bounds: Bounds::default(),
        };
        let root = compiler.read(schema, of_reader)?;
        // A union may have treated an exceeded bound as a branch that cannot be read.
        compiler.bounds.check()?;
        Ok(TextPlan {
            nodes: compiler.nodes,
            root,
        })
    }

    fn node(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        NodeId(self.nodes.len() as u32 - 1)
    }

    /// Resolves a type of the writer against that of the reader, if there is one.
    fn read(
        &mut self,
        writer: &'s Schema,
        reader: Option<&'s Schema>,
    ) -> Result<NodeId, PlanError> {
        self.bounds.count(1)?;
        self.bounds.enter()?;
        let node = self.read_deeper(writer, reader);
        self.bounds.leave();
        node
    }

    fn read_deeper(
        &mut self,
        writer: &'s Schema,
        reader: Option<&'s Schema>,
    ) -> Result<NodeId, PlanError> {
        let writer = self.writer.definition(writer)?;
        let reader = match (self.reader, reader) {
            (Some(types), Some(reader)) => Some(types.definition(reader)?),
            _ => None,
        };
        let node = match (writer, reader) {
            (Schema::Union(union), _) => self.union(union.variants(), reader)?,
            // The definition says later whether it may be null.
            (Schema::Null, _) => Node::Null,
            (_, Some(Schema::Union(union))) => {
                return self.branch_of_reader(writer, union.variants());
            }
            (Schema::Record(record), None) => return self.record(record, None),
            (Schema::Record(record), Some(Schema::Record(of_reader))) => {
                return self.record(record, Some(of_reader));
            }
            (Schema::Array(array), None) => Node::Array(self.read(&array.items, None)?),
            (Schema::Array(array), Some(Schema::Array(of_reader))) => {
                Node::Array(self.read(&array.items, Some(&of_reader.items))?)
            }
            (Schema::Map(map), None) => Node::Map(self.read(&map.types, None)?),
            (Schema::Map(map), Some(Schema::Map(of_reader))) => {
                Node::Map(self.read(&map.types, Some(&of_reader.types))?)
            }
            (Schema::Enum(symbols), None) => return self.symbols(symbols, None),
            (Schema::Enum(symbols), Some(Schema::Enum(of_reader))) => {
                return self.symbols(symbols, Some(of_reader));
            }
            (Schema::Enum(symbols), Some(of_reader))
                if underlying(of_reader) == Underlying::Text =>
            {
                return self.symbols(symbols, None);
            }
            (_, None) => own(writer),
            (_, Some(of_reader)) => resolved(writer, of_reader)?,
        };
        Ok(self.node(node))
    }

    fn union(
        &mut self,
        branches: &'s [Schema],
        reader: Option<&'s Schema>,
    ) -> Result<Node, PlanError> {
        let read = branches.iter().map(|branch| self.read(branch, reader));
        let nodes = readable_branches(read)?.into_iter();
        let nodes = nodes.map(|node| node.unwrap_or_else(|| self.node(Node::Mismatch)));
        Ok(Node::Union(nodes.collect()))
    }

    /// The first branch of the reader that can read a type that is no union: first those of the same type and name,
    /// then those of the same type.
    fn branch_of_reader(
        &mut self,
        writer: &'s Schema,
        branches: &'s [Schema],
    ) -> Result<NodeId, PlanError> {
        let name = self.writer.name(writer);
        let mut ranked = Vec::with_capacity(branches.len());
        for branch in branches {
            let Some(types) = self.reader else {
                break;
            };
            let branch = types.definition(branch)?;
            let is_other_type = std::mem::discriminant(writer) != std::mem::discriminant(branch);
            let is_other_name = name != types.name(branch);
            ranked.push((is_other_type, is_other_name, branch));
        }
        ranked.sort_by_key(|(is_other_type, is_other_name, _)| (*is_other_type, *is_other_name));
        let mut refused = PlanError::new("the reader schema has a union that no type fits");
        for (_, _, branch) in ranked {
            match self.read(writer, Some(branch)) {
                Ok(node) => return Ok(node),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    fn symbols(
        &mut self,
        writer: &'s EnumSchema,
        reader: Option<&'s EnumSchema>,
    ) -> Result<NodeId, PlanError> {
        let pair = (&raw const *writer, reader.map(|reader| &raw const *reader));
        if let Some(known) = self.enums.get(&pair) {
            return Ok(*known);
        }
        let of_reader = match (self.reader, reader) {
            (Some(types), Some(reader)) => Some(types.original(&reader.name)?),
            _ => None,
        };
        let original = self.writer.original(&writer.name)?;
        if let Some(reader) = of_reader {
            let steps = original.symbols.len().saturating_mul(reader.symbols.len());
            self.bounds.count(steps)?;
        }
        let shown = |symbol: &'s String| match of_reader {
            Some(reader) if !reader.symbols.contains(symbol) => reader.default.as_deref(),
            _ => Some(symbol.as_str()),
        };
        let symbols = original.symbols.iter();
        let texts = symbols.map(|symbol| shown(symbol).map(|shown| quoted(shown).into()));
        let node = Node::Enum(texts.collect());
        let id = self.node(node);
        self.enums.insert(pair, id);
        Ok(id)
    }

    fn record(
        &mut self,
        writer: &'s RecordSchema,
        reader: Option<&'s RecordSchema>,
    ) -> Result<NodeId, PlanError> {
        let pair = (&raw const *writer, reader.map(|reader| &raw const *reader));
        if let Some(known) = self.records.get(&pair) {
            return known.clone();
        }
        // Reserve its index first, because the record may contain itself.
        let id = self.node(Node::Mismatch);
        self.records.insert(pair, Ok(id));
        let node = match reader {
            None => self.own_record(writer),
            Some(reader) => self.resolved_record(writer, reader),
        };
        match node {
            Ok(node) => {
                if let Some(place) = self.nodes.get_mut(id.0 as usize) {
                    *place = node;
                }
                Ok(id)
            }
            Err(error) => {
                self.records.insert(pair, Err(error.clone()));
                Err(error)
            }
        }
    }

    fn own_record(&mut self, record: &'s RecordSchema) -> Result<Node, PlanError> {
        let original = self.writer.original(&record.name)?;
        let mut fields = Vec::with_capacity(record.fields.len());
        for (field, OriginalField { name, .. }) in record.fields.iter().zip(&original.fields) {
            let node = self.read(&field.schema, None)?;
            let name = Some(named(name));
            fields.push(Field { name, node });
        }
        Ok(Node::Record {
            fields: fields.into(),
            rest: Box::default(),
        })
    }

    fn resolved_record(
        &mut self,
        writer: &'s RecordSchema,
        reader: &'s RecordSchema,
    ) -> Result<Node, PlanError> {
        let Some(types) = self.reader else {
            return self.own_record(writer);
        };
        let written = &self.writer.original(&writer.name)?.fields;
        let wanted = &types.original(&reader.name)?.fields;
        self.bounds
            .count(written.len().saturating_mul(wanted.len()))?;
        let mut places: Vec<Option<(&'s OriginalField, &'s Schema)>> = vec![None; written.len()];
        let mut rest = String::new();
        for (field, of_reader) in wanted.iter().zip(&reader.fields) {
            // Two fields may share an alias.
            let place = position_of(field, wanted, written)
                .and_then(|place| places.get_mut(place))
                .filter(|place| place.is_none());
            if let Some(place) = place {
                *place = Some((field, &of_reader.schema));
            } else if let Some(default) = default(types, field, &of_reader.schema)? {
                rest.push_str(if rest.is_empty() { "" } else { "," });
                rest.push_str(&named(&field.name));
                rest.push_str(&default);
            }
        }
        let mut fields = Vec::with_capacity(places.len());
        for (written, place) in writer.fields.iter().zip(places) {
            let (name, node) = match place {
                Some((field, of_reader)) => {
                    let node = self.read(&written.schema, Some(of_reader));
                    let node = node.map_err(|error| error.within(&field.name))?;
                    (Some(named(&field.name)), node)
                }
                None => (None, self.read(&written.schema, None)?),
            };
            fields.push(Field { name, node });
        }
        Ok(Node::Record {
            fields: fields.into(),
            rest: rest.into(),
        })
    }
}

/// What a field of the reader is that the writer does not have: JSON text, or none if it is absent.
pub(super) fn default<'s>(
    types: &Types<'s>,
    field: &OriginalField,
    schema: &'s Schema,
) -> Result<Option<String>, PlanError> {
    let name = &field.name;
    match &field.default {
        Some(serde_json::Value::Null) => Ok(None),
        Some(value) => {
            let bytes = defaults::encoded(types, schema, value);
            let plan = Compiler::compile(types, None, schema, None)?;
            let text = bytes.and_then(|bytes| plan.write(&bytes, defaults::MAX_TEXTS).ok());
            let unfit = || PlanError::new("the default of the reader schema does not fit its type");
            text.map(Some).ok_or_else(|| unfit().within(name))
        }
        None => match types.definition(schema)? {
            Schema::Null => Ok(None),
            Schema::Union(union) if union.is_nullable() => Ok(None),
            _ => Err(PlanError::new(format!(
                "a record of the schema has no field {name}"
            ))),
        },
    }
}

fn quoted(text: &str) -> String {
    let mut out = Vec::new();
    write_string(&mut out, text);
    String::from_utf8(out).unwrap_or_default()
}

/// `"name":`.
pub(super) fn named(name: &str) -> Box<str> {
    let mut text = quoted(name);
    text.push(':');
    text.into()
}
