//! What is drawn at a place at which no other place is: what everything that looks at it takes, and its schema too.

use serde_json::Value as Json;

use super::fill::{Fill, Form, Lengths, TimeForm};
use super::recipe::Leaf;
use super::schema::{Types, View, is_equal};
use super::want::{DebeziumPart, TextOf, TimeOf, Want, none_of};
use crate::definition::NumberUnit;

/// What is at a place.
pub(super) enum Wanted {
    Leaf(Leaf),
    Object,
    List,
}

/// # Errors
/// Why nothing can be there.
pub(super) fn fill(wants: &[Want], view: &View<'_>) -> Result<Wanted, String> {
    let types = view.types();
    let excluded: Vec<Json> = wants.iter().flat_map(Want::removing).cloned().collect();
    let gone = gone(wants, view);
    let leaf = |told| Ok(Wanted::Leaf(Leaf { told, gone }));
    let strongest = wants.iter().filter(|want| want.order() != 9);
    let strongest = strongest.min_by_key(|want| want.order());
    let is_only_removal = wants.iter().all(|want| matches!(want, Want::Removal(..)));
    if let Some(values) = values(wants, view, strongest)? {
        let kept: Vec<&Json> = values
            .iter()
            .filter(|value| !excluded.iter().any(|one| is_equal(one, value)))
            .filter(|value| types.has(Types::of(value)) && !value.is_null())
            .collect();
        if kept.is_empty() {
            return match excluded.is_empty() {
                true => {
                    Err("no value is taken by all that looks at it and by its schema".to_owned())
                }
                false => leaf(None),
            };
        }
        let texts = kept.into_iter().map(Json::to_string).collect();
        return match wants.iter().any(|want| matches!(want, Want::ElementId(..))) {
            true => leaf(Some(Fill::ElementChoice(texts))),
            false => leaf(Some(Fill::Choice(texts))),
        };
    }
    let is_free = strongest.is_none_or(|want| matches!(want, Want::Any));
    if is_free && !excluded.is_empty() {
        let other = none_of(&excluded, types);
        return match other {
            Some(other) => leaf(Some(Fill::Choice(vec![other.to_string()]))),
            None if is_only_removal => leaf(None),
            None => Err("only values that say that a customer is gone are possible".to_owned()),
        };
    }
    match strongest {
        None | Some(Want::Any) => anything(view, leaf),
        Some(Want::Attributes) if types.has(Types::OBJECT) => Ok(Wanted::Object),
        Some(want) => leaf(Some(strong(want, view)?)),
    }
}

/// What is there in a record that says that its customer is gone.
fn gone(wants: &[Want], view: &View<'_>) -> Option<Fill> {
    let text = |operation: &str| Some(Fill::Choice(vec![operation.to_owned()]));
    wants.iter().find_map(|want| match want {
        Want::Debezium(DebeziumPart::Operation) => text("\"d\""),
        Want::Debezium(DebeziumPart::Deleted) => text("\"true\""),
        Want::Removal(is, true) => {
            let is_taken = |value: &&Json| {
                view.types().has(Types::of(value))
                    && view
                        .choices()
                        .is_none_or(|all| all.iter().any(|one| is_equal(one, value)))
            };
            let taken: Vec<String> = is.iter().filter(is_taken).map(Json::to_string).collect();
            (!taken.is_empty()).then_some(Fill::Choice(taken))
        }
        _ => None,
    })
}

/// The values of which one must be there, if they are counted.
fn values(
    wants: &[Want],
    view: &View<'_>,
    strongest: Option<&Want>,
) -> Result<Option<Vec<Json>>, String> {
    let common = |one: Vec<Json>, other: &[Json]| -> Vec<Json> {
        let kept = one.into_iter();
        kept.filter(|value| other.iter().any(|known| is_equal(known, value)))
            .collect()
    };
    // What is a text for one is none for another if it is true or false.
    let is_text = wants.iter().any(Want::is_text);
    let types = match is_text && view.types().has(Types::TEXT) {
        true => view.types().without(Types::FLAG),
        false => view.types(),
    };
    let mut only: Option<Vec<Json>> = None;
    let mut usual: Vec<Json> = Vec::new();
    for want in wants {
        match want.values(types) {
            Some((values, true)) => {
                only = Some(match only {
                    None => values,
                    Some(before) => common(before, &values),
                });
            }
            Some((values, false)) => usual.extend(values),
            None => {}
        }
    }
    if let Some(choices) = view.choices() {
        let choices: Vec<Json> = choices.into_iter().cloned().collect();
        only = Some(match only {
            None => choices,
            Some(before) => common(before, &choices),
        });
    }
    let is_weak = strongest.is_none_or(|want| want.order() >= 8);
    match (only, usual.is_empty()) {
        (Some(only), _) if only.is_empty() => {
            Err("no value is taken by all that looks at it and by its schema".to_owned())
        }
        (Some(only), _) => Ok(Some(only)),
        (None, false) if is_weak => Ok(Some(usual)),
        (None, _) => Ok(None),
    }
}

fn strong(want: &Want, view: &View<'_>) -> Result<Fill, String> {
    let types = view.types();
    Ok(match want {
        Want::CustomerId => Fill::CustomerId(form(types)?),
        Want::ElementId(list, table) => Fill::ElementId(*list, *table, form(types)?),
        Want::ActionId => Fill::ActionId(form(types)?),
        Want::Rank => Fill::Rank(match types.has(Types::WHOLE) {
            true => Form::Whole,
            false => form(types)?,
        }),
        Want::Debezium(part) => {
            let is_number = *part == DebeziumPart::Position && types.has(Types::WHOLE);
            Fill::Debezium(*part, if is_number { Form::Whole } else { form(types)? })
        }
        Want::Time(of, unit) => Fill::Time(*of, time_form(*unit, view, TimeForm::DateTime)?),
        Want::Date(of, unit) => Fill::Date(*of, time_form(*unit, view, TimeForm::Date)?),
        Want::Number(min, below) => number_from(*min, *below, types)?,
        Want::Country if types.has(Types::TEXT) => Fill::Country {
            is_alpha3: view.counts("minLength", "maxLength").0 == 3,
        },
        Want::Text(of) => text(*of, view)?,
        _ => {
            return Err(format!(
                "it must be {}, which its schema does not take",
                kind(want)
            ));
        }
    })
}

const fn kind(want: &Want) -> &'static str {
    match want {
        Want::Country => "the code of a country",
        Want::Attributes => "an object",
        _ => "something else",
    }
}

fn form(types: Types) -> Result<Form, String> {
    if types.has(Types::TEXT) {
        Ok(Form::Text)
    } else if types.has(Types::WHOLE) {
        Ok(Form::Whole)
    } else {
        Err("it must be a text or a whole number, and its schema takes neither".to_owned())
    }
}

fn time_form(
    unit: Option<NumberUnit>,
    view: &View<'_>,
    usual: TimeForm,
) -> Result<TimeForm, String> {
    let types = view.types();
    match (unit, view.text("format")) {
        (Some(unit), _) if types.has(Types::WHOLE) => Ok(TimeForm::Number(unit)),
        _ if !types.has(Types::TEXT) => Err(match unit {
            Some(_) => "it must be a time, and its schema takes neither a number nor a text",
            None => {
                "it must be a time in a text, which its schema does not take; a number has a `unit`"
            }
        }
        .to_owned()),
        (_, Some("date-time")) => Ok(TimeForm::DateTime),
        (_, Some("date")) => Ok(TimeForm::Date),
        _ => Ok(usual),
    }
}

fn number_from(min: f64, below: f64, types: Types) -> Result<Fill, String> {
    let whole = min.ceil();
    let text = match whole < below && types.has(Types::WHOLE) {
        true => format!("{whole:.0}"),
        false if types.has(Types::NUMBER) => serde_json::json!(min).to_string(),
        false => return Err("it must be a number, which its schema does not take".to_owned()),
    };
    Ok(Fill::Choice(vec![text]))
}

fn text(of: TextOf, view: &View<'_>) -> Result<Fill, String> {
    match form(view.types())? {
        Form::Whole => Ok(whole(view)),
        Form::Text => match (of, view.text("format")) {
            (TextOf::Unique | TextOf::Word, Some(format)) => Ok(formatted(format, view)),
            _ => Ok(Fill::Text(of, lengths(view))),
        },
    }
}

/// A text of a format.
fn formatted(format: &str, view: &View<'_>) -> Fill {
    match format {
        "date-time" => Fill::Time(TimeOf::Updated, TimeForm::DateTime),
        "date" => Fill::Time(TimeOf::Created, TimeForm::Date),
        "email" | "idn-email" => Fill::Text(TextOf::EmailAddress, lengths(view)),
        "uuid" => Fill::Uuid,
        "uri" | "iri" | "uri-reference" => Fill::Uri,
        _ => Fill::Text(TextOf::Word, lengths(view)),
    }
}

fn lengths(view: &View<'_>) -> Lengths {
    let (least, most) = view.counts("minLength", "maxLength");
    // Beyond that a record would be all text.
    let least = least.min(10_000);
    Lengths {
        least,
        most: most.unwrap_or(usize::MAX).max(least),
    }
}

fn whole(view: &View<'_>) -> Fill {
    let (low, high) = view.bounds();
    let low = low.unwrap_or_else(|| high.map_or(0.0, |high| (high - 10_000.0).min(0.0)));
    let high = high.unwrap_or(low + 10_000.0);
    let step = view.multiple_of().unwrap_or(1.0).max(1.0);
    let low = (low / step).ceil() * step;
    Fill::Whole {
        low: low as i64,
        high: high as i64,
        step: step as i64,
    }
}

/// Any value that the schema takes.
fn anything(
    view: &View<'_>,
    leaf: impl FnOnce(Option<Fill>) -> Result<Wanted, String>,
) -> Result<Wanted, String> {
    let types = view.types();
    if types.has(Types::TEXT) {
        leaf(Some(text(TextOf::Word, view)?))
    } else if types.has(Types::FLAG) {
        leaf(Some(Fill::Flag))
    } else if types.has(Types::WHOLE) || types.has(Types::NUMBER) {
        leaf(Some(whole(view)))
    } else if types.has(Types::OBJECT) {
        Ok(Wanted::Object)
    } else if types.has(Types::LIST) {
        Ok(Wanted::List)
    } else if types.has(Types::NULL) {
        leaf(Some(Fill::Null))
    } else {
        Err("its schema takes no value at all".to_owned())
    }
}
