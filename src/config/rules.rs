//! What becomes of a record that breaks a semantic rule (docs/contract.md, section 2).

use super::words::Action;
use crate::model::record::{Code, Source};

/// Whether a code cannot be anything but `reject`.
pub(super) fn always_rejects(code: Code) -> bool {
    matches!(
        code,
        Code::BlankId | Code::NoTimestamp | Code::StateTooLarge
    )
}

/// The action for each semantic code. A code that was set holds for all sources, the others have
/// the defaults that are promised (docs/contract.md, section 2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    set: Vec<(Code, Action)>,
}

impl Rules {
    /// What becomes of a record of `source` that breaks the rule of `code`. Codes of the stages
    /// `decode` and `schema` always reject.
    #[must_use]
    pub fn action(&self, code: Code, source: Source) -> Action {
        match self.explicit(code) {
            Some(action) if !always_rejects(code) => action,
            _ => default_action(code, source),
        }
    }

    /// Sets a code for all sources. Without effect for a code that always rejects.
    pub fn set(&mut self, code: Code, action: Action) {
        match self.set.iter_mut().find(|(known, _)| *known == code) {
            Some((_, current)) => *current = action,
            None => self.set.push((code, action)),
        }
    }

    /// The action that was set for a code, if any was.
    pub(super) fn explicit(&self, code: Code) -> Option<Action> {
        self.set
            .iter()
            .find_map(|(known, action)| (*known == code).then_some(*action))
    }
}

fn default_action(code: Code, source: Source) -> Action {
    match code {
        Code::CountryCode => match source {
            Source::LoyaltyCustomers | Source::LoyaltyActions => Action::Reject,
            Source::ConsoleCustomers | Source::PublisherCustomers => Action::Warn,
        },
        Code::CreatedAfterUpdated | Code::DuplicateElement => Action::Warn,
        _ => Action::Reject,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_contracts() {
        let rules = Rules::default();
        for source in Source::ALL {
            for code in Code::SEMANTIC {
                let expected = match (code, source) {
                    (Code::CreatedAfterUpdated | Code::DuplicateElement, _)
                    | (Code::CountryCode, Source::ConsoleCustomers | Source::PublisherCustomers) => {
                        Action::Warn
                    }
                    _ => Action::Reject,
                };
                assert_eq!(rules.action(code, source), expected, "{}", code.name());
            }
        }
        assert_eq!(
            rules.action(Code::TooLarge, Source::ConsoleCustomers),
            Action::Reject
        );
    }

    #[test]
    fn a_code_that_was_set_holds_for_all_sources() {
        let mut rules = Rules::default();
        rules.set(Code::CountryCode, Action::Warn);
        rules.set(Code::CountryCode, Action::Off);
        rules.set(Code::BlankId, Action::Off);
        for source in Source::ALL {
            assert_eq!(rules.action(Code::CountryCode, source), Action::Off);
            assert_eq!(rules.action(Code::BlankId, source), Action::Reject);
        }
    }
}
