//! How the records of a definition are made: the record as a tree, with what is drawn at each place.

use keyfold_generate::{Home, Random, Subject};

use super::fill::{Fill, Who};
use super::tree::{ListOf, Needed, Only};
use crate::json::canonical::write_string;

/// How often a member is there that need not be.
const THERE: f64 = 0.85;
/// How often one that is there is null, if it may be.
const NULL: f64 = 0.04;

/// What is at a place.
#[derive(Debug)]
pub(super) enum Node {
    Object(Object),
    /// A list of customers, or of elements.
    Each(Each),
    /// A list of which each position is known.
    Positions(Vec<Node>),
    Leaf(Leaf),
}

#[derive(Debug, Default)]
pub(super) struct Object {
    pub(super) members: Vec<Member>,
    /// What further members are, and how many there are at least.
    pub(super) free: Option<(Box<Node>, usize)>,
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) node: Node,
    pub(super) needed: Needed,
    pub(super) only: Option<Only>,
    pub(super) is_nullable: bool,
}

#[derive(Debug)]
pub(super) struct Each {
    pub(super) of: ListOf,
    pub(super) least: usize,
    pub(super) most: usize,
    pub(super) element: Box<Node>,
}

#[derive(Debug)]
pub(super) struct Leaf {
    /// None: nothing that a record may have that tells something.
    pub(super) told: Option<Fill>,
    /// What it is in a record that says that its customer is gone, if that is what it says.
    pub(super) gone: Option<Fill>,
}

/// A record in the making.
pub(super) struct Making<'m> {
    pub(super) random: &'m mut Random,
    pub(super) subjects: &'m [Subject],
    /// It says that its customer is gone.
    pub(super) is_gone: bool,
}

impl Node {
    pub(super) fn write(&self, out: &mut Vec<u8>, making: &mut Making<'_>, who: Who<'_>) {
        match self {
            Node::Object(object) => object.write(out, making, who),
            Node::Each(each) => each.write(out, making, who),
            Node::Positions(nodes) => {
                write_list(out, nodes, |out, node| node.write(out, making, who));
            }
            Node::Leaf(leaf) => match leaf.fill(making.is_gone) {
                Some(fill) => fill.write(out, making.random, who),
                None => out.extend_from_slice(b"null"),
            },
        }
    }

    /// The list of customers, if there is one.
    pub(super) fn customers(&self) -> Option<&Each> {
        match self {
            Node::Each(each) if each.of == ListOf::Customers => Some(each),
            Node::Object(object) => {
                let mut members = object.members.iter();
                members.find_map(|member| member.node.customers())
            }
            Node::Each(_) | Node::Positions(_) | Node::Leaf(_) => None,
        }
    }
}

impl Leaf {
    pub(super) fn fill(&self, is_gone: bool) -> Option<&Fill> {
        match (is_gone, &self.gone) {
            (true, Some(gone)) => Some(gone),
            _ => self.told.as_ref(),
        }
    }
}

impl Object {
    fn write(&self, out: &mut Vec<u8>, making: &mut Making<'_>, who: Who<'_>) {
        out.push(b'{');
        let mut is_first = true;
        let mut name = |out: &mut Vec<u8>, name: &str| {
            if !std::mem::take(&mut is_first) {
                out.push(b',');
            }
            write_string(out, name);
            out.push(b':');
        };
        for member in &self.members {
            match member.draw(making) {
                Drawn::Absent => {}
                Drawn::Null => {
                    name(out, &member.name);
                    out.extend_from_slice(b"null");
                }
                Drawn::There => {
                    name(out, &member.name);
                    member.node.write(out, making, who);
                }
            }
        }
        if let Some((node, least)) = &self.free {
            let more = if making.is_gone { 0 } else { 2 };
            let count = making.random.index(more + 1).max(*least);
            for number in 1..=count {
                name(out, &free_name(number));
                node.write(out, making, who);
            }
        }
        out.push(b'}');
    }
}

/// The name of a member that nobody knows.
pub(super) fn free_name(number: usize) -> String {
    format!("note{number}")
}

enum Drawn {
    Absent,
    Null,
    There,
}

impl Member {
    fn draw(&self, making: &mut Making<'_>) -> Drawn {
        let is_of_others = match self.only {
            Some(Only::Told) => making.is_gone,
            Some(Only::Gone) => !making.is_gone,
            None => false,
        };
        if is_of_others {
            return if self.is_nullable {
                Drawn::Null
            } else {
                Drawn::Absent
            };
        }
        let needed = match making.is_gone {
            true => self.needed.gone,
            false => self.needed.told,
        };
        let is_empty =
            matches!(&self.node, Node::Leaf(leaf) if leaf.fill(making.is_gone).is_none());
        let may_be_null = self.is_nullable && !making.is_gone && self.only.is_none();
        match needed {
            true if is_empty => Drawn::Null,
            // It may be null although it is there in every record.
            true if may_be_null && making.random.chance(1.0 - THERE) => Drawn::Null,
            true => Drawn::There,
            false if making.is_gone || is_empty || !making.random.chance(THERE) => Drawn::Absent,
            false if may_be_null && making.random.chance(NULL) => Drawn::Null,
            false => Drawn::There,
        }
    }
}

impl Each {
    fn write(&self, out: &mut Vec<u8>, making: &mut Making<'_>, who: Who<'_>) {
        if self.of == ListOf::Customers {
            let subjects = making.subjects;
            return write_list(out, subjects, |out, subject| {
                self.element.write(out, making, Who::of(subject));
            });
        }
        let range = self.most - self.least.min(self.most) + 1;
        let count = self.least + making.random.index(range);
        write_list(out, 0..count, |out, number| {
            let home = match number {
                0 => who.subject.person.home,
                _ => who.subject.person.home.near(making.random),
            };
            self.element.write(out, making, who.with(number, home));
        });
    }
}

impl<'s> Who<'s> {
    pub(super) fn of(subject: &'s Subject) -> Who<'s> {
        Who {
            subject,
            number: 0,
            home: subject.person.home,
        }
    }

    fn with(self, number: usize, home: Home) -> Who<'s> {
        Who {
            number,
            home,
            ..self
        }
    }
}

fn write_list<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}
