//! Reads a value by its plan, as a serde `Deserializer`: the same types that are read from JSON are read from Avro
//! directly.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::input::{BlockHead, Blocks, Input};
use super::plan::{Node, NodeId, Skip, SkipId, TypedPlan, WriterField};
use super::text::{write_date, write_timestamp};
use super::{Error, Plan};

/// Reads all of `bytes` as one value; its texts may have up to `max_texts` bytes.
pub fn read<'de, T: Deserialize<'de>>(
    plan: &Plan,
    bytes: &'de [u8],
    max_texts: usize,
) -> Result<T, Error> {
    let plan = plan.typed()?;
    let mut decoder = Decoder::new(plan, bytes, max_texts);
    let value = decoder.value(plan.root, std::marker::PhantomData)?;
    decoder.input.end()?;
    Ok(value)
}

/// How deeply types that are skipped may nest.
const MAX_SKIP_DEPTH: usize = 128;
/// How many list items of a value may have an empty encoding.
const MAX_EMPTY_ITEMS: usize = 65_536;

/// How many characters of the key of a map entry a message shows.
const MAX_SHOWN_NAME: usize = 100;

pub(super) struct Decoder<'p, 'de> {
    plan: &'p TypedPlan,
    pub(super) input: Input<'de>,
    /// The text of the logical type that is being read.
    scratch: Vec<u8>,
    /// How many more list items may have an empty encoding.
    empty_items: usize,
    /// How many more bytes of text may be read. One byte of a value may stand for a long text: the symbol of an
    /// enumeration.
    pub(super) texts_left: usize,
    /// The field that was read last, and the entry of its map that is not JSON, if there was one.
    field: &'static str,
    not_json: Option<&'de str>,
}

impl<'p, 'de> Decoder<'p, 'de> {
    pub(super) fn new(plan: &'p TypedPlan, bytes: &'de [u8], max_texts: usize) -> Decoder<'p, 'de> {
        Decoder {
            plan,
            input: Input::new(bytes),
            scratch: Vec::new(),
            empty_items: MAX_EMPTY_ITEMS,
            texts_left: max_texts,
            field: "",
            not_json: None,
        }
    }

    /// Counts a text against the limit before it is copied.
    #[inline]
    fn counted<'t>(&mut self, text: &'t str) -> Result<&'t str, Error> {
        self.texts_left = self
            .texts_left
            .checked_sub(text.len())
            .ok_or(Error::TooMuchText)?;
        Ok(text)
    }

    #[inline]
    fn text(&mut self) -> Result<&'de str, Error> {
        let text = self.input.text()?;
        self.counted(text)
    }

    /// A pointer to the text that should be JSON but is not.
    pub(super) fn not_json(&self) -> Option<String> {
        let name: String = self.not_json?.chars().take(MAX_SHOWN_NAME).collect();
        let name = name.replace('~', "~0").replace('/', "~1");
        Some(format!("/{}/{}", self.field, name.escape_debug()))
    }

    /// Reads the value from its beginning.
    pub(super) fn root<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        self.value(self.plan.root, seed)
    }

    /// Reads the next value.
    pub(super) fn value<S: DeserializeSeed<'de>>(
        &mut self,
        node: NodeId,
        seed: S,
    ) -> Result<S::Value, Error> {
        let node = self.plan.node(node);
        seed.deserialize(NodeDeserializer {
            decoder: self,
            node,
        })
    }

    /// Reads which branch of a union follows; any other node is returned as it is.
    #[inline]
    pub(super) fn branch(&mut self, id: NodeId) -> Result<&'p Node, Error> {
        match self.plan.node(id) {
            Node::Union(branches) => {
                let at = self.input.choose(branches)?;
                Ok(self.plan.node(branches[at]))
            }
            node => Ok(node),
        }
    }

    /// Counts an item that was read from `start` on if it took no bytes, because a few bytes may announce very many
    /// such items.
    pub(super) fn count_empty(&mut self, start: usize) -> Result<(), Error> {
        if self.input.left() == start {
            self.empty_items = self.empty_items.checked_sub(1).ok_or(Error::Malformed)?;
        }
        Ok(())
    }

    pub(super) fn skip(&mut self, id: SkipId, depth: usize) -> Result<(), Error> {
        if depth >= MAX_SKIP_DEPTH {
            return Err(Error::Malformed);
        }
        match self.plan.skip(id) {
            Skip::Number => self.input.long().map(drop),
            Skip::Bytes => self.input.bytes().map(drop),
            Skip::Fixed(size) => self.input.take(*size).map(drop),
            Skip::Record(fields) => fields
                .iter()
                .try_for_each(|field| self.skip(*field, depth + 1)),
            Skip::Array(item) => self.skip_blocks(*item, false, depth + 1),
            Skip::Map(value) => self.skip_blocks(*value, true, depth + 1),
            Skip::Union(branches) => {
                let at = self.input.choose(branches)?;
                self.skip(branches[at], depth + 1)
            }
            Skip::Pending => Err(Error::Malformed),
        }
    }

    fn skip_blocks(&mut self, item: SkipId, keys: bool, depth: usize) -> Result<(), Error> {
        while let Some(BlockHead { items, bytes }) = BlockHead::read(&mut self.input)? {
            if let Some(bytes) = bytes {
                self.input.take(bytes)?;
                continue;
            }
            if !keys && *self.plan.skip(item) == Skip::Fixed(0) {
                continue;
            }
            // Each item takes at least one byte, or fails, so the remaining bytes limit this loop.
            for _ in 0..items {
                if keys {
                    self.input.bytes()?;
                }
                self.skip(item, depth)?;
            }
        }
        Ok(())
    }
}

/// The next value.
struct NodeDeserializer<'d, 'p, 'de> {
    decoder: &'d mut Decoder<'p, 'de>,
    node: &'p Node,
}

impl<'p, 'de> NodeDeserializer<'_, 'p, 'de> {
    fn number<V: Visitor<'de>>(number: i64, visitor: V) -> Result<V::Value, Error> {
        match u64::try_from(number) {
            Ok(number) => visitor.visit_u64(number),
            Err(_) => visitor.visit_i64(number),
        }
    }

    fn text<V: Visitor<'de>>(
        &mut self,
        visitor: V,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<V::Value, Error> {
        let scratch = &mut self.decoder.scratch;
        scratch.clear();
        write(scratch);
        let left = self.decoder.texts_left.checked_sub(scratch.len());
        self.decoder.texts_left = left.ok_or(Error::TooMuchText)?;
        visitor.visit_str(std::str::from_utf8(scratch).map_err(|_| Error::Malformed)?)
    }
}

impl<'de> Deserializer<'de> for NodeDeserializer<'_, '_, 'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        let input = &mut self.decoder.input;
        match self.node {
            Node::Null => visitor.visit_unit(),
            Node::Boolean => visitor.visit_bool(input.boolean()?),
            Node::Int => Self::number(i64::from(input.int()?), visitor),
            Node::Long => Self::number(input.long()?, visitor),
            Node::Float => visitor.visit_f64(input.float()?),
            Node::Double => visitor.visit_f64(input.double()?),
            Node::Text => visitor.visit_borrowed_str(self.decoder.text()?),
            Node::Enum(symbols) => {
                let at = input.choose(symbols)?;
                visitor.visit_str(self.decoder.counted(&symbols[at])?)
            }
            Node::Timestamp(unit) => {
                let count = input.long()?;
                self.text(visitor, |out| write_timestamp(out, *unit, count))
            }
            Node::Date => {
                let day = input.int()?;
                self.text(visitor, |out| write_date(out, day))
            }
            Node::Record(fields) => visitor.visit_map(RecordAccess {
                decoder: self.decoder,
                fields: fields.iter(),
                value: &Node::Mismatch,
            }),
            Node::List(item) => visitor.visit_seq(ListAccess {
                decoder: self.decoder,
                item: *item,
                blocks: Blocks::default(),
            }),
            Node::JsonMap(value) => visitor.visit_map(JsonMapAccess {
                decoder: self.decoder,
                value: *value,
                blocks: Blocks::default(),
                name: "",
                text: "",
            }),
            Node::Union(branches) => {
                let at = input.choose(branches)?;
                let node = self.decoder.plan.node(branches[at]);
                // A branch of a union is not a union itself.
                NodeDeserializer { node, ..self }.deserialize_any(visitor)
            }
            Node::Mismatch => Err(Error::Unresolved),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let node = match self.node {
            Node::Union(branches) => {
                let at = self.decoder.input.choose(branches)?;
                self.decoder.plan.node(branches[at])
            }
            node => node,
        };
        match node {
            Node::Null => visitor.visit_none(),
            node => visitor.visit_some(NodeDeserializer { node, ..self }),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The fields of a record, except those that are null.
struct RecordAccess<'d, 'p, 'de> {
    decoder: &'d mut Decoder<'p, 'de>,
    fields: std::slice::Iter<'p, WriterField>,
    value: &'p Node,
}

impl<'de> MapAccess<'de> for RecordAccess<'_, '_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        for field in self.fields.by_ref() {
            match field {
                WriterField::Skip(skip) => self.decoder.skip(*skip, 0)?,
                WriterField::Read { name, node } => match self.decoder.branch(*node)? {
                    Node::Null => {}
                    node => {
                        self.value = node;
                        self.decoder.field = name;
                        let name = BorrowedStrDeserializer::new(name);
                        return seed.deserialize(name).map(Some);
                    }
                },
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(NodeDeserializer {
            decoder: self.decoder,
            node: self.value,
        })
    }
}

struct ListAccess<'d, 'p, 'de> {
    decoder: &'d mut Decoder<'p, 'de>,
    item: NodeId,
    blocks: Blocks,
}

impl<'de> SeqAccess<'de> for ListAccess<'_, '_, 'de> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        if !self.blocks.advance(&mut self.decoder.input)? {
            return Ok(None);
        }
        let start = self.decoder.input.left();
        let item = self.decoder.value(self.item, seed)?;
        self.decoder.count_empty(start)?;
        Ok(Some(item))
    }
}

/// The entries of a map from names to JSON texts, except those that are null.
struct JsonMapAccess<'d, 'p, 'de> {
    decoder: &'d mut Decoder<'p, 'de>,
    value: NodeId,
    blocks: Blocks,
    name: &'de str,
    text: &'de str,
}

impl<'de> MapAccess<'de> for JsonMapAccess<'_, '_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        while self.blocks.advance(&mut self.decoder.input)? {
            let name = self.decoder.text()?;
            match self.decoder.branch(self.value)? {
                Node::Null => {}
                Node::Text => {
                    self.text = self.decoder.text()?;
                    self.name = name;
                    return seed
                        .deserialize(BorrowedStrDeserializer::new(name))
                        .map(Some);
                }
                _ => return Err(Error::Malformed),
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let mut json = serde_json::Deserializer::from_str(self.text);
        // The seeds of this crate enforce the limit themselves.
        json.disable_recursion_limit();
        let value = seed.deserialize(&mut json);
        match value.and_then(|value| json.end().map(|()| value)) {
            Ok(value) => Ok(value),
            Err(_) => {
                self.decoder.not_json = Some(self.name);
                Err(Error::NotJson)
            }
        }
    }
}
