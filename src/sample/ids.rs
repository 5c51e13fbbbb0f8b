//! Which customers can be in the records of a definition.

use super::fill::Form;
use super::schema::View;

/// What an id must be at one of its places.
#[derive(Debug, Clone)]
pub(super) struct IdForm {
    form: Form,
    least: usize,
    most: Option<usize>,
    bounds: (Option<f64>, Option<f64>),
    is_uuid: bool,
}

impl IdForm {
    pub(super) fn of(form: Form, view: &View<'_>) -> IdForm {
        let (least, most) = view.counts("minLength", "maxLength");
        IdForm {
            form,
            least,
            most,
            bounds: view.bounds(),
            is_uuid: form == Form::Text && view.text("format") == Some("uuid"),
        }
    }

    pub(super) fn takes(&self, id: &str) -> bool {
        match self.form {
            Form::Text => {
                let length = id.chars().count();
                length >= self.least
                    && self.most.is_none_or(|most| length <= most)
                    && (!self.is_uuid || id.contains('-'))
            }
            Form::Whole => {
                let (low, high) = self.bounds;
                let number = id.parse::<u64>().ok().filter(|_| !id.starts_with('0'));
                number.is_some_and(|number| {
                    let number = number as f64;
                    low.is_none_or(|low| number >= low) && high.is_none_or(|high| number <= high)
                })
            }
        }
    }
}
