//! The defaults of the semantic rules.

use crate::config::{RuleAction, Rules};
use crate::model::record::{Code, Source};

#[test]
fn defaults_are_the_contracts() {
    let rules = Rules::default();
    for source in Source::BUILT_IN {
        for code in Code::SEMANTIC {
            let expected = match (code, source) {
                (Code::CreatedAfterUpdated | Code::DuplicateElement, _)
                | (Code::CountryCode, Source::ConsoleCustomers | Source::PublisherCustomers) => {
                    RuleAction::Warn
                }
                _ => RuleAction::Reject,
            };
            assert_eq!(rules.action(code, source), expected, "{}", code.name());
        }
    }
    assert_eq!(
        rules.action(Code::TooLarge, Source::ConsoleCustomers),
        RuleAction::Reject
    );
}

#[test]
fn a_code_that_was_set_applies_to_all_sources() {
    let mut rules = Rules::default();
    rules.set(Code::CountryCode, RuleAction::Warn);
    rules.set(Code::CountryCode, RuleAction::Off);
    rules.set(Code::BlankId, RuleAction::Off);
    for source in Source::BUILT_IN {
        assert_eq!(rules.action(Code::CountryCode, source), RuleAction::Off);
        assert_eq!(rules.action(Code::BlankId, source), RuleAction::Reject);
    }
}
