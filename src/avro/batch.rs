//! A batch, read element by element: a bad one does not keep the others from being read.

use std::marker::PhantomData;

use serde::de::{Deserialize, IgnoredAny};

use super::Error;
use super::deserialize::Decoder;
use super::input::Blocks;
use super::json::Transcode;
use super::plan::{Node, NodeId, Plan, Step};

/// An element of a batch.
#[derive(Debug, Clone, Copy)]
pub struct Element<'a> {
    plan: &'a Plan,
    node: NodeId,
    bytes: &'a [u8],
    /// What the batch holds before and after its list.
    around: (&'a [u8], &'a [u8]),
}

impl Element<'_> {
    /// The objects and arrays around an element.
    const DEPTH: usize = 2;

    /// The batch with this element alone, by the same writer schema.
    pub fn alone(&self) -> Vec<u8> {
        let (before, after) = self.around;
        // a block of one, and the block that ends a list
        [before, &[2], self.bytes, &[0], after].concat()
    }

    /// Its JSON text, as [`super::to_json`] makes it.
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

/// The elements of a batch, each with what its type makes of it, or none where the type refuses it.
pub type Elements<'a, T> = Vec<(Element<'a>, Option<Box<T>>)>;

/// Reads the elements of the list of a batch that has this name. [`Error::Refused`] says that the batch has no list.
pub fn read<'a, T: Deserialize<'a>>(
    plan: &'a Plan,
    list: &str,
    bytes: &'a [u8],
    max_texts: usize,
) -> Result<Elements<'a, T>, Error> {
    let mut decoder = Decoder::new(plan, bytes, max_texts);
    let whole = decoder.input;
    let mut found = None;
    let mut before = bytes;
    let mut rest = decoder.input;
    match decoder.branch(plan.root)? {
        Node::Record(steps) => {
            for step in steps {
                match step {
                    Step::Skip(skip) => decoder.skip(*skip, 0)?,
                    Step::Read { name, node } => match decoder.branch(*node)? {
                        Node::Null => {}
                        Node::List(item) if *name == list => {
                            before = decoder.input.since(whole);
                            found = Some(elements(&mut decoder, plan, *item)?);
                            rest = decoder.input;
                        }
                        _ => return Err(Error::Malformed),
                    },
                }
            }
        }
        Node::Null => {}
        _ => return Err(Error::Malformed),
    }
    let after = decoder.input.since(rest);
    decoder.input.end()?;
    let mut elements = found.ok_or(Error::Refused)?;
    for (element, _) in &mut elements {
        element.around = (before, after);
    }
    Ok(elements)
}

fn elements<'a, T: Deserialize<'a>>(
    decoder: &mut Decoder<'a, 'a>,
    plan: &'a Plan,
    node: NodeId,
) -> Result<Elements<'a, T>, Error> {
    let mut elements = Vec::new();
    let mut blocks = Blocks::default();
    while blocks.advance(&mut decoder.input)? {
        let start = decoder.input;
        let texts_left = decoder.texts_left;
        let value = match decoder.value(node, PhantomData::<T>) {
            Ok(value) => Some(Box::new(value)),
            Err(Error::Refused) => {
                // the type may have stopped anywhere; this finds the element's end
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
        let element = Element {
            plan,
            node,
            bytes,
            around: (&[], &[]),
        };
        elements.push((element, value));
    }
    Ok(elements)
}
