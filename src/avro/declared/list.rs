//! Takes a value of a declared source apart at one of its lists.

use super::plan::{Node, NodeId, TextPlan};
use super::write::{Writer, deeper};
use crate::avro::Error;
use crate::avro::input::Blocks;
use crate::avro::list::ListParts;

impl TextPlan {
    /// See [`crate::avro::list_parts`].
    pub(in crate::avro) fn list_parts<'a>(
        &self,
        path: &[&str],
        bytes: &'a [u8],
    ) -> Result<ListParts<'a>, Error> {
        let mut finder = Finder {
            // The lengths of texts are checked when a record is judged.
            writer: Writer::new(self, bytes, usize::MAX),
            plan: self,
            bytes,
            found: None,
        };
        finder.find(self.root, path, 0)?;
        finder.writer.input.end()?;
        finder.found.ok_or(Error::Refused)
    }
}

struct Finder<'p, 'de> {
    /// What it writes is thrown away: it moves behind values.
    writer: Writer<'p, 'de>,
    plan: &'p TextPlan,
    bytes: &'de [u8],
    found: Option<ListParts<'de>>,
}

impl Finder<'_, '_> {
    /// Moves behind the next value, and takes it apart if the path leads to it.
    fn find(&mut self, id: NodeId, path: &[&str], depth: usize) -> Result<(), Error> {
        match (self.plan.node(id), path) {
            (Node::Union(branches), _) => {
                let at = self.writer.input.choose(branches)?;
                // A branch of a union is not a union itself.
                self.find(branches[at], path, deeper(depth)?)
            }
            (Node::Array(item), []) if self.found.is_none() => {
                let parts = ListParts::read(
                    self.bytes,
                    &mut self.writer,
                    |writer| &mut writer.input,
                    |writer| skip(writer, *item),
                )?;
                self.found = Some(parts);
                Ok(())
            }
            (Node::Record { fields, .. }, [first, rest @ ..]) => {
                let first = super::compile::named(first);
                for field in fields {
                    match field.name.as_ref() == Some(&first) {
                        true => self.find(field.node, rest, deeper(depth)?)?,
                        false => skip(&mut self.writer, field.node)?,
                    }
                }
                Ok(())
            }
            (Node::Map(value), [first, rest @ ..]) => {
                let mut blocks = Blocks::default();
                while blocks.advance(&mut self.writer.input)? {
                    match self.writer.input.text()? == *first {
                        true => self.find(*value, rest, deeper(depth)?)?,
                        false => skip(&mut self.writer, *value)?,
                    }
                }
                Ok(())
            }
            _ => skip(&mut self.writer, id),
        }
    }
}

fn skip(writer: &mut Writer<'_, '_>, id: NodeId) -> Result<(), Error> {
    writer.value(id, 0)?;
    writer.out.clear();
    Ok(())
}
