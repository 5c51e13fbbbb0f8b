//! Takes items out of a list in an encoded value, without decoding and encoding the rest.

use std::marker::PhantomData;

use serde::de::IgnoredAny;

use super::deserialize::Decoder;
use super::input::{Blocks, Input};
use super::plan::{Node, TypedPlan, WriterField};
use super::snapshot::write_long;
use super::{Error, Kind, Plan};

/// An encoded value, taken apart at the items of one of its lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListParts<'a> {
    /// What is before the first block of the list.
    pub before: &'a [u8],
    /// The encoded items.
    pub items: Vec<&'a [u8]>,
    /// What is behind the last block of the list.
    pub after: &'a [u8],
}

impl<'a> ListParts<'a> {
    /// Takes the value `whole` apart at a list whose blocks begin at `start`. `skip` reads an item.
    pub(super) fn read<T>(
        whole: &'a [u8],
        reader: &mut T,
        input: impl Fn(&mut T) -> &mut Input<'a>,
        mut skip: impl FnMut(&mut T) -> Result<(), Error>,
    ) -> Result<ListParts<'a>, Error> {
        let before = input(reader).since(Input::new(whole));
        let mut items = Vec::new();
        let mut blocks = Blocks::default();
        while blocks.advance(input(reader))? {
            let start = *input(reader);
            skip(reader)?;
            items.push(input(reader).since(start));
        }
        let after = whole.len().saturating_sub(input(reader).left());
        Ok(ListParts {
            before,
            items,
            after: whole.get(after..).unwrap_or_default(),
        })
    }

    /// The same value, for the same writer schema, with some of the items only.
    pub fn with(&self, keep: &[bool]) -> Vec<u8> {
        let kept = self.items.iter().zip(keep);
        let kept: Vec<&[u8]> = kept
            .filter(|(_, keep)| **keep)
            .map(|(item, _)| *item)
            .collect();
        let mut value = self.before.to_vec();
        if !kept.is_empty() {
            write_long(&mut value, kept.len() as i64);
            value.extend_from_slice(&kept.concat());
        }
        // The block that ends a list.
        value.push(0);
        value.extend_from_slice(self.after);
        value
    }
}

/// Takes a value apart at the list to which this path of field names leads, as the plan names the fields.
///
/// # Errors
/// [`Error::Refused`]: there is no list at this path. Otherwise the value cannot be read.
pub fn list_parts<'a>(plan: &Plan, path: &[&str], bytes: &'a [u8]) -> Result<ListParts<'a>, Error> {
    match (&plan.0, path) {
        (Kind::Typed(plan), [list]) => of_typed(plan, list, bytes),
        (Kind::Typed(_), _) => Err(Error::Refused),
        (Kind::Text(plan), path) => plan.list_parts(path, bytes),
    }
}

fn of_typed<'a>(plan: &TypedPlan, list: &str, bytes: &'a [u8]) -> Result<ListParts<'a>, Error> {
    // The lengths of texts are checked when a record is judged.
    let mut decoder = Decoder::new(plan, bytes, usize::MAX);
    let Node::Record(fields) = decoder.branch(plan.root)? else {
        return Err(Error::Refused);
    };
    let mut found = None;
    for field in fields {
        match field {
            WriterField::Skip(skip) => decoder.skip(*skip, 0)?,
            WriterField::Read { name, node } if *name == list && found.is_none() => {
                let Node::List(item) = decoder.branch(*node)? else {
                    return Err(Error::Refused);
                };
                let parts = ListParts::read(
                    bytes,
                    &mut decoder,
                    |decoder| &mut decoder.input,
                    |decoder| {
                        let start = decoder.input.left();
                        decoder.value(*item, PhantomData::<IgnoredAny>)?;
                        decoder.count_empty(start)
                    },
                )?;
                found = Some(parts);
            }
            WriterField::Read { node, .. } => {
                decoder.value(*node, PhantomData::<IgnoredAny>)?;
            }
        }
    }
    decoder.input.end()?;
    found.ok_or(Error::Refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record with a number, an object that may be null with a list of texts in it, and a number.
    const NESTED: &str = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"long"},
        {"name":"in","type":["null",{"type":"record","name":"In","fields":[
            {"name":"list","type":["null",{"type":"array","items":"string"}]}]}]},
        {"name":"z","type":"long"}]}"#;

    /// Two blocks, of which the first gives its size: "x", "", "y".
    const VALUE: &[u8] = &[9, 2, 2, 3, 6, 2, b'x', 0, 2, 2, b'y', 0, 7];

    #[test]
    fn items_are_taken_out_of_a_list() {
        let plan = Plan::declared(None, NESTED, &[]).unwrap();
        let parts = list_parts(&plan, &["in", "list"], VALUE).unwrap();
        assert_eq!(parts.items, [&[2, b'x'][..], &[0], &[2, b'y']]);
        let json = |keep: &[bool]| crate::avro::to_json(&plan, &parts.with(keep), 1_000).unwrap();
        assert_eq!(
            json(&[true, false, true]),
            r#"{"a":-5,"in":{"list":["x","y"]},"z":-4}"#
        );
        assert_eq!(json(&[]), r#"{"a":-5,"in":{"list":[]},"z":-4}"#);
        for wrong in [&["in"][..], &["list"], &["in", "list", "x"], &["a"], &[]] {
            assert_eq!(
                list_parts(&plan, wrong, VALUE),
                Err(Error::Refused),
                "{wrong:?}"
            );
        }
        let mut longer = VALUE.to_vec();
        longer.push(0);
        assert_eq!(
            list_parts(&plan, &["in", "list"], &longer),
            Err(Error::Malformed)
        );
        assert!(list_parts(&plan, &["in", "list"], &VALUE[..7]).is_err());
    }
}
