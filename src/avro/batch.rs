//! Reads a publisher batch element by element, so that an invalid element does not prevent the others from being read.

use std::marker::PhantomData;
use std::rc::Rc;

use serde::de::{Deserialize, IgnoredAny};

use super::deserialize::Decoder;
use super::input::Blocks;
use super::json::Transcode;
use super::plan::{Node, NodeId, Skip, SkipId, TypedPlan, WriterField};
use super::{Error, Plan};

/// An element of a publisher batch, in its Avro encoding.
#[derive(Debug, Clone)]
pub struct EncodedElement<'a> {
    plan: &'a TypedPlan,
    node: NodeId,
    bytes: &'a [u8],
    around: Rc<EnclosingBatch>,
}

/// The encoded batch before and after its list. It is forwarded with each element, so a long value in it that nobody
/// reads is replaced with a short one of the same type.
#[derive(Debug, Default)]
struct EnclosingBatch {
    before: Vec<u8>,
    after: Vec<u8>,
}

impl EncodedElement<'_> {
    /// How many objects and arrays enclose an element.
    const DEPTH: usize = 2;

    /// The batch with only this element, for the same writer schema.
    pub fn batch_of_one(&self) -> Vec<u8> {
        let EnclosingBatch { before, after } = &*self.around;
        // A block with one item, and the block that ends a list.
        [&before[..], &[2], self.bytes, &[0], after].concat()
    }

    /// The size of the element in its batch, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The size of everything else in [`EncodedElement::batch_of_one`], in bytes.
    pub fn bytes_around(&self) -> usize {
        self.around.before.len() + self.around.after.len() + 2
    }

    /// The JSON text of the element, as [`super::to_json`] writes it.
    pub fn to_json(&self) -> Result<String, Error> {
        let mut out = Vec::with_capacity(self.bytes.len() * 2);
        let seed = Transcode {
            out: &mut out,
            depth: Self::DEPTH,
        };
        Decoder::new(self.plan, self.bytes, usize::MAX) // counted when the batch was read
            .value(self.node, seed)
            .map_err(|_| Error::Malformed)?;
        String::from_utf8(out).map_err(|_| Error::Malformed)
    }
}

/// The elements of a batch, each with its deserialised value, or none if the type refused it.
pub type Elements<'a, T> = Vec<(EncodedElement<'a>, Option<Box<T>>)>;

/// Reads the elements of the list with this name in a batch. [`Error::Refused`] means that the batch has no such list.
pub fn read<'a, T: Deserialize<'a>>(
    plan: &'a Plan,
    list: &str,
    bytes: &'a [u8],
    max_texts: usize,
) -> Result<Elements<'a, T>, Error> {
    let plan = plan.typed()?;
    let mut decoder = Decoder::new(plan, bytes, max_texts);
    let whole = decoder.input;
    let mut found = None;
    let mut around = EnclosingBatch::default();
    match decoder.branch(plan.root)? {
        Node::Record(fields) => {
            around.before.extend_from_slice(decoder.input.since(whole));
            for field in fields {
                let start = decoder.input;
                let side = match found {
                    None => &mut around.before,
                    Some(_) => &mut around.after,
                };
                match field {
                    WriterField::Skip(skip) => {
                        decoder.skip(*skip, 0)?;
                        shorten(plan, *skip, decoder.input.since(start), side);
                    }
                    WriterField::Read { name, node } => match decoder.branch(*node)? {
                        Node::Null => side.extend_from_slice(decoder.input.since(start)),
                        Node::List(item) if *name == list => {
                            side.extend_from_slice(decoder.input.since(start));
                            found = Some(elements(&mut decoder, plan, *item)?);
                        }
                        _ => return Err(Error::Malformed),
                    },
                }
            }
        }
        Node::Null => {}
        _ => return Err(Error::Malformed),
    }
    decoder.input.end()?;
    let mut elements = found.ok_or(Error::Refused)?;
    let around = Rc::new(around);
    for (element, _) in &mut elements {
        element.around = Rc::clone(&around);
    }
    Ok(elements)
}

/// Writes a value that was skipped or, if it is long, a short value of its type.
fn shorten(plan: &TypedPlan, skip: SkipId, bytes: &[u8], out: &mut Vec<u8>) {
    const LONG: usize = 64;
    const STEPS: usize = 256;
    let start = out.len();
    let mut left = (STEPS, bytes.len());
    if bytes.len() > LONG && short(plan, skip, out, &mut left) {
        return;
    }
    out.truncate(start);
    out.extend_from_slice(bytes);
}

/// Writes a short value of a type; returns false if it found none within the given numbers of steps and bytes.
fn short(plan: &TypedPlan, skip: SkipId, out: &mut Vec<u8>, left: &mut (usize, usize)) -> bool {
    let bytes = match plan.skip(skip) {
        Skip::Fixed(size) => *size,
        _ => 1,
    };
    let (Some(steps), Some(room)) = (left.0.checked_sub(1), left.1.checked_sub(bytes)) else {
        return false;
    };
    *left = (steps, room);
    match plan.skip(skip) {
        // Zero, the empty text, or no items.
        Skip::Number | Skip::Bytes | Skip::Array(_) | Skip::Map(_) => out.push(0),
        Skip::Fixed(size) => out.resize(out.len() + size, 0),
        Skip::Record(fields) => return fields.iter().all(|field| short(plan, *field, out, left)),
        Skip::Union(branches) => {
            let start = out.len();
            // The index of a branch takes one byte up to 63; zig-zag encoding doubles the number.
            return branches.iter().take(64).enumerate().any(|(at, branch)| {
                out.truncate(start);
                out.push(at as u8 * 2);
                short(plan, *branch, out, left)
            });
        }
        Skip::Pending => return false,
    }
    true
}

fn elements<'a, T: Deserialize<'a>>(
    decoder: &mut Decoder<'a, 'a>,
    plan: &'a TypedPlan,
    node: NodeId,
) -> Result<Elements<'a, T>, Error> {
    let mut elements = Vec::new();
    let around = Rc::new(EnclosingBatch::default());
    let mut blocks = Blocks::default();
    while blocks.advance(&mut decoder.input)? {
        let start = decoder.input;
        let texts_left = decoder.texts_left;
        let value = match decoder.value(node, PhantomData::<T>) {
            Ok(value) => Some(Box::new(value)),
            Err(Error::Refused) => {
                // Deserialisation may have stopped anywhere in the element; skipping it finds its end.
                decoder.input = start;
                decoder.texts_left = texts_left;
                decoder
                    .value(node, PhantomData::<IgnoredAny>)
                    .map_err(Error::or_malformed)?;
                None
            }
            Err(error) => return Err(error),
        };
        decoder.count_empty(start.left())?;
        let bytes = decoder.input.since(start);
        let element = EncodedElement {
            plan,
            node,
            bytes,
            around: Rc::clone(&around),
        };
        elements.push((element, value));
    }
    Ok(elements)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::Source;
    use crate::source::publisher_customers::CustomerWire;

    /// Each element is forwarded with what surrounds its list: twenty thousand elements after half a megabyte that
    /// nobody reads would make ten gigabytes.
    #[test]
    fn values_that_nobody_reads_are_forwarded_shortened() {
        const SCHEMA: &str = include_str!("../../schemas/publisher-customers.avsc");
        let mut schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
        let unread = serde_json::json!([
            {"name": "note", "type": ["string", "null"]},
            {"name": "blob", "type": {"type": "fixed", "name": "Blob", "size": 3}},
        ]);
        let fields = schema["fields"].as_array_mut().unwrap();
        fields.splice(0..0, unread.as_array().unwrap().iter().cloned());
        let plan = Plan::compile(Source::PublisherCustomers, &schema.to_string(), &[]).unwrap();
        let mut written = vec![0, 0xc0, 0x84, 0x3d];
        written.resize(4 + 500_000, b'n');
        written.extend_from_slice(b"abc");
        let mut out = Vec::new();
        let typed = plan.typed().unwrap();
        let skip = match typed.node(typed.root) {
            Node::Record(fields) => fields.iter().find_map(|field| match field {
                WriterField::Skip(skip) => Some(*skip),
                WriterField::Read { .. } => None,
            }),
            _ => None,
        };
        shorten(typed, skip.unwrap(), &written[..500_004], &mut out);
        assert_eq!(out, [0, 0]);
        // An empty list, with which the batch ends.
        written.push(0);
        let read = read::<CustomerWire<'_>>(&plan, "customers", &written, usize::MAX);
        assert!(read.is_ok_and(|elements| elements.is_empty()));
    }
}
