//! Records of a declared source, made of its definition and its schema, for load tests. Like everything around it, it is
//! pure: what is drawn comes from the seed of the stream.
//!
//! | file | subject |
//! |---|---|
//! | `layout` | the envelope around the data |
//! | `find`, `tree`, `want` | the places that a definition looks at, and what it looks for there |
//! | `schema` | what the JSON Schema says of a place |
//! | `compile`, `choose`, `ids` | from both to a recipe, with everything that cannot be made |
//! | `recipe`, `fill` | a record is written by the recipe |
//! | `spoil` | a record gets a fault |
//! | `check` | the records are judged as any others, before the first one is used |
//!
//! Who the records are about and when they are written is decided by the stream ([`keyfold_generate::OwnGenerator`]).

mod check;
mod choose;
mod compile;
mod fill;
mod find;
mod ids;
mod layout;
mod recipe;
mod schema;
mod spoil;
mod tree;
mod want;

use std::sync::Arc;

use keyfold_generate::{Content, Format, Random, Subject};

use crate::config::{Config, KeyFormat, SourceConfig, Tombstone};
use crate::definition::{Definition, Plan};
use crate::json::canonical::write_string;
use crate::model::record::{Header, RawRecord, Source};
use crate::source::framing::Payload;
use crate::source::{self, Judged};
use compile::{Compiler, Unmakeable};
use fill::Who;
use ids::IdForm;
use layout::Layout;
use recipe::{Leaf, Making, Node};
use schema::View;

/// Makes the records of a declared source.
#[derive(Clone)]
pub struct Samples {
    source: Source,
    config: Arc<Config>,
    recipe: Arc<Recipe>,
    /// Which fault is tried next.
    next_fault: usize,
}

struct Recipe {
    value: Node,
    key: Key,
    headers: Vec<(String, Leaf)>,
    ids: Vec<IdForm>,
    has_removals: bool,
    is_free_of_key: bool,
    null: Null,
}

/// What the key of a record is.
enum Key {
    /// What the definition looks for.
    Leaf(Leaf),
    /// An object with the id of the row, as Debezium writes it: the names on the way to the id.
    Row(Vec<String>, Node),
    Id,
    /// A batch is about several customers.
    None,
}

/// What a record without a value is.
#[derive(Clone, Copy)]
enum Null {
    Rejected,
    Keyed(KeyFormat),
    /// Behind the record of a deletion, with the same key.
    LikeOthers,
}

impl Samples {
    /// Prepares the records of a source that is on, and judges some of them under the configuration.
    ///
    /// # Errors
    /// What of them cannot be made: a place in the record, and why.
    pub fn new(source: Source, config: Arc<Config>) -> Result<Samples, Vec<String>> {
        let Some(plan) = config.sources.plan(source) else {
            return Err(vec!["the source has no definition".to_owned()]);
        };
        let recipe = Recipe::of(plan, source, &config).map_err(|problems| told(&problems))?;
        let samples = Samples {
            source,
            recipe: Arc::new(recipe),
            next_fault: 0,
            config,
        };
        let wrong = check::violations(&samples);
        match wrong.is_empty() {
            true => Ok(samples),
            false => Err(told(&wrong)),
        }
    }

    /// The verdict on a record.
    pub fn judge<T>(
        &self,
        content: &Content,
        timestamp: i64,
        with: impl FnOnce(Judged<'_>) -> T,
    ) -> T {
        let record = RawRecord {
            source: self.source,
            timestamp: Some(timestamp),
            key: content.key.as_deref(),
            value: content.value.as_deref(),
        };
        let payload = record.value.map_or(Payload::Null, Payload::Json);
        let headers: Vec<Header<'_>> = content
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), Some(value.as_slice())))
            .collect();
        with(source::judge_payload(
            &record,
            &payload,
            &headers,
            &*self.config,
        ))
    }

    fn make(&self, random: &mut Random, subjects: &[Subject], is_gone: bool) -> Content {
        let Some(first) = subjects.first() else {
            return Content::default();
        };
        let who = Who::of(first);
        let mut making = Making {
            random,
            subjects,
            is_gone,
        };
        let mut value = Vec::with_capacity(512);
        self.recipe.value.write(&mut value, &mut making, who);
        let mut headers = Vec::new();
        for (name, leaf) in &self.recipe.headers {
            if let Some(text) = text_of(leaf, &mut making, who) {
                headers.push((name.clone(), text));
            }
        }
        Content {
            key: self.recipe.key.of(&mut making, who),
            value: Some(value),
            headers,
        }
    }
}

/// In words for people.
fn told(problems: &[Unmakeable]) -> Vec<String> {
    let problems = problems.iter();
    problems
        .map(|problem| match problem.pointer.as_str() {
            "" => format!("the record as a whole: {}", problem.message),
            pointer => format!("`{pointer}`: {}", problem.message),
        })
        .collect()
}

/// The text of a value that is not in JSON.
fn text_of(leaf: &Leaf, making: &mut Making<'_>, who: Who<'_>) -> Option<Vec<u8>> {
    let fill = leaf.fill(making.is_gone)?;
    let mut json = Vec::new();
    fill.write(&mut json, making.random, who);
    let text = serde_json::from_slice::<String>(&json);
    Some(text.map_or(json, String::into_bytes))
}

impl Recipe {
    fn of(plan: &Plan, source: Source, config: &Config) -> Result<Recipe, Vec<Unmakeable>> {
        let definition = &plan.definition;
        let document: Option<serde_json::Value> = definition
            .schema
            .as_ref()
            .and_then(|text| serde_json::from_str(text).ok());
        let view = View::of(document.as_ref());
        let layout = Layout::of(definition, &view);
        let places = find::places(definition, layout, &view);
        let mut compiler = Compiler::default();
        compiler.has_all = layout.has_removals();
        let value = compiler.node(places.value, &view, "");
        let mut outside = |wants: &[want::Want], pointer: &str| match compiler.node(
            tree::Tree::of(wants),
            &View::default(),
            pointer,
        ) {
            Some(Node::Leaf(leaf)) => Some(leaf),
            _ => None,
        };
        let headers = places.headers.iter();
        let headers = headers
            .filter_map(|(name, wants)| Some((name.clone(), outside(wants, "a header")?)))
            .collect();
        let key = match (places.key.as_slice(), layout) {
            ([], Layout::Change { .. } | Layout::Row) => row_key(definition, &mut compiler, &view),
            ([], _) if definition.each.is_some() => Key::None,
            ([], _) => Key::Id,
            (wants, _) => outside(wants, "the key").map_or(Key::Id, Key::Leaf),
        };
        match (value, compiler.problems.is_empty()) {
            (Some(value), true) => Ok(Recipe {
                value,
                key,
                headers,
                ids: compiler.ids,
                has_removals: layout.has_removals() || definition.deleted.is_some(),
                is_free_of_key: !plan.reads_key(),
                null: Null::of(definition, config.sources.get(source)),
            }),
            _ => {
                compiler.problems.sort();
                compiler.problems.dedup();
                Err(compiler.problems)
            }
        }
    }
}

impl Null {
    fn of(definition: &Definition, settings: Option<&SourceConfig>) -> Null {
        match settings.map(|settings| (settings.tombstone, settings.key_format)) {
            _ if definition.envelope.null_says_nothing() => Null::LikeOthers,
            None | Some((Tombstone::Reject, _) | (_, KeyFormat::Avro)) => Null::Rejected,
            Some((_, format)) => Null::Keyed(format),
        }
    }
}

/// The key that Debezium gives to the records of a row.
fn row_key(definition: &Definition, compiler: &mut Compiler, view: &View<'_>) -> Key {
    let here = definition.customer_id.from.iter();
    let mut here = here.filter_map(|origin| match origin {
        crate::definition::Origin::Here(pointer) => Some(pointer.0.clone()),
        _ => None,
    });
    let Some(names) = here.next() else {
        return Key::Id;
    };
    let layout = Layout::of(definition, view);
    let all = [layout.data(), names.clone()].concat();
    let view_of_id = all
        .iter()
        .fold(view.clone(), |view, name| view.member(name));
    let wants = [want::Want::of(
        &definition.customer_id,
        want::Want::CustomerId,
    )];
    match compiler.node(tree::Tree::of(&wants), &view_of_id, "the key") {
        Some(node) => Key::Row(names, node),
        None => Key::Id,
    }
}

impl Key {
    fn of(&self, making: &mut Making<'_>, who: Who<'_>) -> Option<Vec<u8>> {
        match self {
            Key::Leaf(leaf) => text_of(leaf, making, who),
            Key::Row(names, node) => {
                let mut key = Vec::new();
                for name in names {
                    key.push(b'{');
                    write_string(&mut key, name);
                    key.push(b':');
                }
                node.write(&mut key, making, who);
                key.extend(names.iter().map(|_| b'}'));
                Some(key)
            }
            Key::Id => Some(who.subject.id.clone().into_bytes()),
            Key::None => None,
        }
    }
}

impl Format for Samples {
    fn size(&mut self, random: &mut Random) -> usize {
        match self.recipe.value.customers() {
            Some(each) => {
                // Mostly few.
                let unit = random.unit();
                let range = (each.most - each.least) as f64 + 1.0;
                each.least + (unit * unit * range) as usize
            }
            None => 1,
        }
    }

    fn takes(&self, id: &str) -> bool {
        self.recipe.ids.iter().all(|form| form.takes(id))
    }

    fn told(&mut self, random: &mut Random, subjects: &[Subject]) -> Content {
        self.make(random, subjects, false)
    }

    fn removed(&mut self, random: &mut Random, subject: &Subject) -> Option<Content> {
        let subjects = std::slice::from_ref(subject);
        let has_room = self
            .recipe
            .value
            .customers()
            .is_none_or(|each| each.least <= 1);
        (self.recipe.has_removals && has_room).then(|| self.make(random, subjects, true))
    }

    fn key_of_null(&self, random: &mut Random, subject: &Subject) -> Option<Vec<u8>> {
        match self.recipe.null {
            Null::Rejected => None,
            Null::Keyed(KeyFormat::Json) => {
                let mut key = Vec::new();
                write_string(&mut key, &subject.id);
                Some(key)
            }
            Null::Keyed(_) => Some(subject.id.clone().into_bytes()),
            Null::LikeOthers => {
                let subjects = std::slice::from_ref(subject);
                self.make(random, subjects, true).key
            }
        }
    }

    fn spoilt(
        &mut self,
        random: &mut Random,
        subjects: &[Subject],
        timestamp: i64,
    ) -> Option<(Content, &'static str)> {
        spoil::spoilt(self, random, subjects, timestamp)
    }

    fn is_free_of_key(&self) -> bool {
        self.recipe.is_free_of_key
    }
}
