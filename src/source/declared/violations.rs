//! The violations of a definition, of which only the first by pointer are kept.

use crate::model::record::{Code, MAX_VIOLATIONS, Rejection, Violation};

/// A list may have a million bad elements, so not all violations are kept at once.
const MAX_KEPT: usize = 4 * MAX_VIOLATIONS;

#[derive(Debug, Default)]
pub(super) struct Violations {
    all: Vec<Violation>,
}

impl Violations {
    pub fn add(&mut self, pointer: String, keyword: &'static str, message: String) {
        if self.all.len() == MAX_KEPT {
            self.all.sort();
            self.all.truncate(MAX_VIOLATIONS);
        }
        self.all.push(Violation {
            pointer,
            keyword,
            message,
        });
    }

    /// The rejection, if there is a violation.
    pub fn rejection(self) -> Option<Rejection> {
        let is_any = !self.all.is_empty();
        is_any.then(|| Rejection::with_violations(Code::SchemaViolation, self.all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_by_pointer_are_kept() {
        let mut violations = Violations::default();
        for at in (100..1000).rev() {
            violations.add(format!("/{at}"), "type", String::new());
        }
        let rejection = violations.rejection().unwrap();
        let pointers: Vec<_> = rejection
            .violations
            .iter()
            .map(|one| &*one.pointer)
            .collect();
        assert_eq!(pointers.len(), MAX_VIOLATIONS);
        assert_eq!((pointers[0], pointers[15]), ("/100", "/115"));
        assert!(Violations::default().rejection().is_none());
    }
}
