//! What happens to a record that breaks a semantic rule (docs/contract.md, section 2).

use super::section::{Key, Section, Setting, Table};
use super::shape::{Shape, Word};
use super::words::RuleAction;
use crate::definition::RuleDefault;
use crate::model::record::{Code, Source};

/// The action for each semantic code. A code that is set explicitly applies to all sources; the others have the
/// documented defaults (docs/contract.md, section 2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    set: Vec<(Code, RuleAction)>,
}

impl Rules {
    /// The action for a record of `source` that breaks the rule of `code`. Codes of the stages `decode` and `schema`
    /// always reject.
    #[must_use]
    pub fn action(&self, code: Code, source: Source) -> RuleAction {
        match self.explicit(code) {
            Some(action) if !code.always_rejects() => action,
            _ => default_action(code, source),
        }
    }

    /// The same for a source that has a default of its own for the code.
    #[must_use]
    pub fn action_or(&self, code: Code, source: Source, own: Option<RuleDefault>) -> RuleAction {
        let own = || own.filter(|_| !code.always_rejects());
        match (self.explicit(code), own()) {
            (None, Some(RuleDefault::Reject)) => RuleAction::Reject,
            (None, Some(RuleDefault::Warn)) => RuleAction::Warn,
            (None, Some(RuleDefault::Off)) => RuleAction::Off,
            _ => self.action(code, source),
        }
    }

    /// Sets the action of a code for all sources. Has no effect for a code that always rejects.
    pub fn set(&mut self, code: Code, action: RuleAction) {
        match self.set.iter_mut().find(|(known, _)| *known == code) {
            Some((_, current)) => *current = action,
            None => self.set.push((code, action)),
        }
    }

    /// The action that is set explicitly for a code, if any.
    pub(super) fn explicit(&self, code: Code) -> Option<RuleAction> {
        self.set
            .iter()
            .find_map(|(known, action)| (*known == code).then_some(*action))
    }
}

fn default_action(code: Code, source: Source) -> RuleAction {
    match code {
        Code::CountryCode => match source {
            Source::LoyaltyCustomers | Source::LoyaltyActions => RuleAction::Reject,
            Source::ConsoleCustomers | Source::PublisherCustomers | Source::Declared(_) => {
                RuleAction::Warn
            }
        },
        Code::CreatedAfterUpdated | Code::DuplicateElement => RuleAction::Warn,
        _ => RuleAction::Reject,
    }
}

impl Section for Rules {
    const ABOUT: &'static str = " What is done with a record that breaks a semantic rule. What is set here holds for all sources.";

    fn add_tables(&self, path: &str, tables: &mut Vec<Table>) {
        let keys = Code::SEMANTIC.map(|code| {
            let (unset, example) = documented_default(code);
            let spec = Shape::Word(RuleAction::MEANINGS).optional(unset, example);
            Key::new(code.name(), documentation(code), spec, &self.explicit(code))
        });
        tables.push(Table::new(path, Self::ABOUT, keys.into()));
    }

    fn set_key(&mut self, path: &str, value: &toml::Value) {
        let code = Code::SEMANTIC.into_iter().find(|code| code.name() == path);
        if let (Some(code), Some(action)) = (code, RuleAction::from_toml(value)) {
            Rules::set(self, code, action);
        }
    }
}

/// The default action in words, and as a value in TOML.
fn documented_default(code: Code) -> (&'static str, &'static str) {
    if code.always_rejects() {
        return ("always \"reject\"", "\"reject\"");
    }
    match code {
        Code::CountryCode => (
            "\"reject\" for the loyalty sources, \"warn\" for the others",
            "\"reject\"",
        ),
        Code::CreatedAfterUpdated | Code::DuplicateElement => ("\"warn\"", "\"warn\""),
        _ => ("\"reject\"", "\"reject\""),
    }
}

fn documentation(code: Code) -> &'static str {
    match code {
        Code::EventType => "The event type is not that of the source.",
        Code::UnsupportedVersion => "The version of the event is not supported.",
        Code::BlankId => "An id is empty or only white space.",
        Code::CountryCode => "The country is not in ISO 3166-1.",
        Code::FutureTimestamp => {
            "A time is later than the record's timestamp and `max_future_skew`."
        }
        Code::CreatedAfterUpdated => "Something was created after its last update.",
        Code::DuplicateElement => "A list contains the same id twice.",
        Code::NoTimestamp => "The record needs a timestamp and has none.",
        Code::StateTooLarge => "The state of the customer would exceed `max_state_bytes`.",
        _ => "",
    }
}
