//! Which letters a command is about, as its arguments say it.

use clap::builder::PossibleValuesParser;

use crate::cli::when::{When, now_millis};
use crate::exit::Failure;
use crate::inspect::letter::LetterId;
use crate::inspect::letter::filter::Filter;
use crate::model::record::{Code, Stage};

fn stages() -> PossibleValuesParser {
    PossibleValuesParser::new(Stage::ALL.map(Stage::name))
}

fn codes() -> PossibleValuesParser {
    PossibleValuesParser::new(Code::ALL.map(Code::name))
}

/// A letter must match each filter that is given. A filter given several times is met by one of its values.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Filters")]
pub struct FilterArgs {
    /// Records of this source
    #[arg(long, value_name = "NAME")]
    source: Vec<String>,
    /// Rejected in this stage
    #[arg(long, value_name = "STAGE", value_parser = stages(), hide_possible_values = true)]
    stage: Vec<String>,
    /// Rejected with this code
    #[arg(long, value_name = "CODE", value_parser = codes(), hide_possible_values = true)]
    code: Vec<String>,
    /// Records of this topic
    #[arg(long, value_name = "TOPIC")]
    topic: Vec<String>,
    /// With a violation at this JSON pointer; `*` stands for the indices of a list
    #[arg(long, value_name = "POINTER")]
    pointer: Vec<String>,
    /// Records with this key
    #[arg(long, value_name = "TEXT")]
    key: Vec<String>,
    /// Rejected since then: RFC 3339, or how long ago (2h, 30m)
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
    /// Rejected before then
    #[arg(long, value_name = "TIME")]
    until: Option<When>,
    /// Also letters that are settled; they are never sent again
    #[arg(long)]
    all: bool,
}

impl FilterArgs {
    /// Whether settled letters are meant too.
    pub fn all(&self) -> bool {
        self.all
    }

    /// Whether any letter is meant.
    fn is_empty(&self) -> bool {
        let lists = [
            &self.source,
            &self.stage,
            &self.code,
            &self.topic,
            &self.pointer,
            &self.key,
        ];
        lists.iter().all(|list| list.is_empty()) && self.since.is_none() && self.until.is_none()
    }

    /// The filter, and letters by their names in its place.
    pub fn filter(&self, letters: &[LetterId]) -> Result<Filter, Failure> {
        if !letters.is_empty() && !self.is_empty() {
            return Err(Failure::Usage(
                "give letters or filters, not both: a letter that is named is meant whatever it is"
                    .to_owned(),
            ));
        }
        let now = now_millis();
        Ok(Filter {
            sources: self.source.clone(),
            stages: self.stage.clone(),
            codes: self.code.clone(),
            topics: self.topic.clone(),
            pointers: self.pointer.clone(),
            keys: self.key.clone(),
            since: self.since.map(|when| when.millis(now)),
            until: self.until.map(|when| when.millis(now)),
            ..Filter::of_letters(letters)
        })
    }
}
