//! The places of a definition that contradict its other keys: they would be seen at no record, or only where a record
//! is forwarded.

use super::super::noted::Places;
use super::super::reader::{Reader, quoted};
use super::super::{Definition, Origin, Pointer};
use crate::avro::declared::{self, ReaderSchema, Step};
use crate::definition::plan::data_pointers;
use crate::model::nearest::closest;

impl Reader<'_> {
    pub(super) fn note_places(&mut self, key: &str, line: usize, from: &[Origin]) {
        self.places.push(Places {
            key: key.to_owned(),
            line,
            from: from.to_vec(),
            list: None,
        });
    }

    /// The places that were noted from `start` on are in the elements of a list.
    pub(super) fn note_list(&mut self, start: usize, each: &Origin) {
        for places in self.places.iter_mut().skip(start) {
            places.list = Some(each.clone());
        }
    }

    pub(super) fn check_places(&mut self, definition: &Definition, line_of_each: usize) {
        let all = std::mem::take(&mut self.places);
        if let Some(each) = &definition.each {
            for places in &all {
                self.check_root(places, each);
            }
        }
        let text = definition.reader.as_deref();
        let Some(Ok(schema)) = text.map(ReaderSchema::parse) else {
            return;
        };
        let known = Known {
            schema: schema.known(),
            data: data_pointers(definition.envelope),
        };
        if let Some(each) = &definition.each {
            let batch = Places {
                key: "each".to_owned(),
                line: line_of_each,
                from: vec![Origin::Here(each.clone())],
                list: None,
            };
            self.check_against(&batch, None, &known);
        }
        for places in &all {
            self.check_against(places, definition.each.as_ref(), &known);
        }
    }

    /// An element of a batch is judged again where it is forwarded to, without the others.
    fn check_root(&mut self, places: &Places, each: &Pointer) {
        for origin in &places.from {
            if let Origin::Root(pointer) = origin
                && (pointer.0.starts_with(&each.0) || each.0.starts_with(&pointer.0))
            {
                let message = format!("`root:{pointer}` lies in the list of `each`, or around it");
                self.problem(&places.key, places.line, message);
            }
        }
    }

    /// A value of which the reader's schema has no place would never be there.
    fn check_against(&mut self, places: &Places, each: Option<&Pointer>, known: &Known<'_>) {
        let mut first = None;
        for origin in &places.from {
            let pointer = match origin {
                Origin::Here(pointer) | Origin::Root(pointer) => pointer,
                Origin::Key | Origin::Timestamp | Origin::Header(_) => return,
            };
            let around = Around::of(origin, places.list.as_ref(), each);
            match known.lacks(pointer, &around) {
                Some(hint) => first = first.or(Some((pointer, hint))),
                None => return,
            }
        }
        let Some((pointer, hint)) = first else {
            return;
        };
        let own = quoted(&pointer.to_string());
        let hint = quoted(&hint.to_string());
        let message = format!("the schema of `reader` has no {own}; did you mean {hint}?");
        self.problem(&places.key, places.line, message);
    }
}

/// What is on the way from the root of a record to the value in which a pointer begins.
#[derive(Default)]
struct Around<'d> {
    /// Whether that value is in the data of an envelope.
    is_in_data: bool,
    /// The list of the batch, then that of the table.
    lists: Vec<&'d Pointer>,
}

impl<'d> Around<'d> {
    fn of(origin: &Origin, list: Option<&'d Origin>, each: Option<&'d Pointer>) -> Around<'d> {
        let of_data = || Around {
            is_in_data: true,
            lists: each.into_iter().collect(),
        };
        match (origin, list) {
            (Origin::Here(_), Some(Origin::Here(list))) => {
                let mut around = of_data();
                around.lists.push(list);
                around
            }
            (Origin::Here(_), Some(Origin::Root(list))) => Around {
                is_in_data: false,
                lists: vec![list],
            },
            (Origin::Here(_), _) => of_data(),
            _ => Around::default(),
        }
    }
}

/// What can be in a record.
struct Known<'d> {
    schema: declared::Known<'d>,
    /// Where the data are, for each form of the envelope.
    data: Vec<Pointer>,
}

impl Known<'_> {
    /// If there is never anything at a pointer: the nearest pointer at which there may be something.
    fn lacks(&self, pointer: &Pointer, around: &Around<'_>) -> Option<Pointer> {
        let mut lacks = None;
        for data in &self.data {
            let mut steps: Vec<Step<'_>> = Vec::new();
            if around.is_in_data {
                steps.extend(names(data));
            }
            for list in &around.lists {
                steps.extend(names(list).chain([Step::Each]));
            }
            let begin = steps.len();
            steps.extend(names(pointer));
            let (at, known) = self.schema.unknown_step(&steps)?;
            // Without the way to its beginning, the envelope has another form, or the list is what is wrong.
            if let Some(at) = at.checked_sub(begin) {
                lacks.get_or_insert_with(|| nearest(pointer, at, known));
            }
        }
        lacks
    }
}

/// A pointer with the nearest known name at a position.
fn nearest(pointer: &Pointer, at: usize, known: Vec<String>) -> Pointer {
    let mut nearest = pointer.clone();
    if let Some(name) = nearest.0.get_mut(at) {
        *name = closest(name, known.into_iter());
    }
    nearest
}

fn names(pointer: &Pointer) -> impl Iterator<Item = Step<'_>> {
    pointer.0.iter().map(|part| Step::Name(part))
}
