//! Prepares a definition: each of its values gets a column.

use super::envelope::{self, Layout, layouts};
use super::schemas;
use super::{
    ActionPlan, BatchPlan, CustomerPlan, Direct, EnvelopePlan, EventList, FieldsPlan, KeyPlan,
    ListPlan, OneOfPlan, Place, PlacePlan, Plan, Shape, TellsPlan, ValuePlan,
};
use crate::definition::pass::{Builder, Kind, Position};
use crate::definition::{
    ActionTable, Definition, ListName, ListTable, Origin, Pointer, Tells, Value,
};

pub(super) fn plan(definition: Definition) -> Result<Plan, String> {
    let document = schemas::document(&definition)?;
    let document = document.as_ref();
    let (mut record, is_checked) = schemas::checking(&definition, document);
    let layouts = layouts(definition.envelope).into_iter();
    let shapes = layouts
        .map(|layout| shape(&definition, layout, &mut record, (document, is_checked)))
        .collect::<Result<Vec<_>, _>>()?;
    let of_record = document.filter(|_| definition.each.is_none());
    let schema = of_record.map(|document| schemas::of_record(document, is_checked));
    let is_of_events = definition.envelope.is_of_events();
    Ok(Plan {
        pass: record.build(),
        shapes,
        event_list: (is_of_events && definition.each.is_none()).then(event_list),
        schema: schema.transpose()?,
        key: definition.envelope.is_of_rows().then(|| key(&definition)),
        needs_headers: is_of_events || definition.reads_headers(),
        reads_key: definition.reads_key(),
        definition,
    })
}

fn shape(
    definition: &Definition,
    layout: Layout,
    record: &mut Builder,
    (document, is_checked): (Option<&serde_json::Value>, bool),
) -> Result<Shape, String> {
    let data = record.follow(record.root(), &layout.data);
    let before = layout.before.as_ref().map(|pointer| {
        let here = record.follow(record.root(), pointer);
        let mut values = Values::of_record(record, here, String::new());
        let id = values.value(&definition.customer_id, Kind::Scalar);
        let updated_at = definition.updated_at.as_ref();
        (
            id,
            updated_at.map(|value| values.value(value, Kind::Scalar)),
        )
    });
    let before = match before {
        Some((id, updated_at)) => [Some(id), updated_at],
        None => [None, None],
    };
    let envelope: EnvelopePlan = envelope::capture(record, layout.kind, before);
    let Some(each) = &definition.each else {
        let mut values = Values::of_record(record, data, layout.shown.to_string());
        return Ok(Shape {
            envelope,
            batch: None,
            customer: values.customer(definition),
        });
    };
    let list = record.follow(data, each);
    let number = record.batch(list);
    let mut element = Builder::default();
    let pointer = Pointer([&layout.data.0[..], &each.0].concat());
    let schema = document
        .map(|document| schemas::of_batch(document, &pointer, is_checked, &mut element))
        .transpose()?;
    let here = element.root();
    let mut values = Values {
        here_builder: &mut element,
        here,
        shown: String::new(),
        record: Some(record),
    };
    let customer = values.customer(definition);
    Ok(Shape {
        envelope,
        batch: Some(BatchPlan {
            number,
            pointer: format!("{}{each}", layout.shown),
            pass: element.build(),
            schema,
        }),
        customer,
    })
}

fn event_list() -> EventList {
    let mut builder = Builder::default();
    let number = builder.batch(builder.root());
    EventList {
        pass: builder.build(),
        number,
        // Structured events come first in the shapes.
        shape: 0,
    }
}

fn key(definition: &Definition) -> KeyPlan {
    let mut builder = Builder::default();
    let wrapping = envelope::wrapping(&mut builder);
    let mut value = |pointer: Pointer| {
        let here = builder.follow(builder.root(), &pointer);
        let mut values = Values::of_record(&mut builder, here, String::new());
        values.value(&definition.customer_id, Kind::Scalar)
    };
    let plain = value(Pointer::default());
    let wrapped = value(envelope::inner("payload"));
    KeyPlan {
        wrapping,
        whole: builder.capture(builder.root(), Kind::Scalar),
        plain,
        wrapped,
        pass: builder.build(),
    }
}

/// Gives columns to the values of one customer.
struct Values<'b> {
    /// Of the pass over the record, or over the element of a batch.
    here_builder: &'b mut Builder,
    /// The customer's data in it.
    here: Position,
    /// Its pointer, as violations name it.
    shown: String,
    /// Of the pass over the record, if the customer is an element of a batch.
    record: Option<&'b mut Builder>,
}

impl<'b> Values<'b> {
    fn of_record(builder: &'b mut Builder, here: Position, shown: String) -> Values<'b> {
        Values {
            here_builder: builder,
            here,
            shown,
            record: None,
        }
    }

    fn customer(&mut self, definition: &Definition) -> CustomerPlan {
        let scalar = Kind::Scalar;
        let number = |value: &Value| match value.map {
            Some(_) => Kind::Scalar,
            None => Kind::Number,
        };
        let deleted = definition.deleted.as_ref();
        let event_type = definition.event_type.as_ref();
        let version = definition.version.as_ref();
        let rank = definition.rank.as_ref();
        CustomerPlan {
            customer_id: self.value(&definition.customer_id, scalar),
            updated_at: self.optional(definition.updated_at.as_ref(), scalar),
            rank: rank.map(|value| self.value(value, number(value))),
            created_at: self.optional(definition.created_at.as_ref(), scalar),
            tells: self.tells(&definition.tells),
            deleted: deleted.map(|deleted| self.one_of(&deleted.when, &deleted.is)),
            event_type: event_type.map(|one| self.one_of(&one.from, &one.is)),
            version: version.map(|one| self.value(&one.from, number(&one.from))),
        }
    }

    fn one_of(&mut self, value: &Value, is: &[String]) -> OneOfPlan {
        let kind = match is.iter().any(|text| text.starts_with(['{', '['])) {
            true => Kind::Json,
            false => Kind::Scalar,
        };
        let texts = is.iter().filter_map(|text| serde_json::from_str(text).ok());
        OneOfPlan {
            value: self.value(value, kind),
            is: is.to_vec(),
            texts: texts.collect(),
        }
    }

    fn tells(&mut self, tells: &Tells) -> TellsPlan {
        match tells {
            Tells::Action(action) => TellsPlan::Action(Box::new(self.action(action))),
            Tells::Customer {
                scalars,
                attributes,
                attribute,
                lists,
            } => TellsPlan::Customer(Box::new(FieldsPlan {
                scalars: scalars
                    .iter()
                    .map(|(field, value)| (*field, self.value(value, Kind::Scalar)))
                    .collect(),
                attributes: self.optional(attributes.as_ref(), Kind::Json),
                attribute: attribute
                    .iter()
                    .map(|(name, value)| (name.clone(), self.value(value, Kind::Json)))
                    .collect(),
                lists: [ListName::Addresses, ListName::Phones, ListName::Dependents]
                    .map(|name| self.lists(lists, name)),
            })),
        }
    }

    fn action(&mut self, action: &ActionTable) -> ActionPlan {
        let scalar = Kind::Scalar;
        ActionPlan {
            id: self.value(&action.id, scalar),
            kind: self.value(&action.kind, scalar),
            contract: self.optional(action.contract.as_ref(), scalar),
            utm: action
                .utm
                .each_ref()
                .map(|value| self.optional(value.as_ref(), scalar)),
        }
    }

    fn lists(&mut self, tables: &[ListTable], name: ListName) -> Vec<ListPlan> {
        let of_this = tables.iter().filter(|table| table.list == name);
        of_this.map(|table| self.list(table)).collect()
    }

    fn list(&mut self, table: &ListTable) -> ListPlan {
        let mut is_of_record = false;
        let mut shown = String::new();
        let list = match &table.each {
            Origin::Here(pointer) => {
                shown = format!("{}{pointer}", self.shown);
                let at = self.here_builder.follow(self.here, pointer);
                Some(self.here_builder.list(at))
            }
            Origin::Root(pointer) => {
                shown = pointer.to_string();
                is_of_record = self.record.is_some();
                let builder = match &mut self.record {
                    Some(record) => record,
                    None => &mut *self.here_builder,
                };
                let at = builder.follow(builder.root(), pointer);
                Some(builder.list(at))
            }
            Origin::Key | Origin::Timestamp | Origin::Header(_) => None,
        };
        // A value from outside of an element is there even if the element is empty.
        let is_outside = |origin: &Origin| !matches!(origin, Origin::Here(_));
        let mut fields = table.fields.iter();
        if let Some((list, _)) = list
            && fields.any(|(_, value)| value.from.iter().any(is_outside))
        {
            match &mut self.record {
                Some(record) if is_of_record => record.keep_empty(list),
                _ => self.here_builder.keep_empty(list),
            }
        }
        let in_row = list.map(|(_, position)| (position, is_of_record));
        let mut value = |value: &Value| self.row_value(value, in_row);
        ListPlan {
            name: table.list,
            number: list.map(|(list, _)| list.0),
            is_of_record,
            pointer: shown,
            id: value(&table.id),
            updated_at: table.updated_at.as_ref().map(&mut value),
            created_at: table.created_at.as_ref().map(&mut value),
            fields: table
                .fields
                .iter()
                .map(|(field, of)| (*field, value(of)))
                .collect(),
        }
    }

    fn optional(&mut self, value: Option<&Value>, kind: Kind) -> Option<ValuePlan> {
        value.map(|value| self.value(value, kind))
    }

    fn value(&mut self, value: &Value, kind: Kind) -> ValuePlan {
        self.value_with(value, kind, |values, pointer| {
            let at = values.here_builder.follow(values.here, pointer);
            PlacePlan {
                place: Place::Here(values.here_builder.capture(at, kind)),
                pointer: format!("{}{pointer}", values.shown),
            }
        })
    }

    /// A value of a list's element, which is at a position in the pass over the record, or in the customer's own.
    fn row_value(&mut self, value: &Value, row: Option<(Position, bool)>) -> ValuePlan {
        self.value_with(value, Kind::Scalar, |values, pointer| {
            let column = row.map(|(row, is_of_record)| {
                let builder = match &mut values.record {
                    Some(record) if is_of_record => record,
                    _ => &mut *values.here_builder,
                };
                let at = builder.follow(row, pointer);
                builder.capture(at, Kind::Scalar)
            });
            PlacePlan {
                place: Place::Row(column.unwrap_or(usize::MAX)),
                pointer: pointer.to_string(),
            }
        })
    }

    fn value_with(
        &mut self,
        value: &Value,
        kind: Kind,
        mut here: impl FnMut(&mut Self, &Pointer) -> PlacePlan,
    ) -> ValuePlan {
        let outside = |place| PlacePlan {
            place,
            pointer: String::new(),
        };
        let mut from = Vec::with_capacity(value.from.len());
        for origin in &value.from {
            from.push(match origin {
                Origin::Here(pointer) => here(self, pointer),
                Origin::Root(pointer) => self.root(pointer, kind),
                Origin::Key => outside(Place::Key),
                Origin::Timestamp => outside(Place::Timestamp),
                Origin::Header(name) => outside(Place::Header(name.clone())),
            });
        }
        let is_pointer = |origin: &Origin| matches!(origin, Origin::Here(_) | Origin::Root(_));
        ValuePlan {
            named: value.from.iter().position(is_pointer),
            direct: direct(value, &from),
            from,
            value: value.clone(),
        }
    }

    fn root(&mut self, pointer: &Pointer, kind: Kind) -> PlacePlan {
        let place = match &mut self.record {
            Some(record) => {
                let at = record.follow(record.root(), pointer);
                Place::Record(record.capture(at, kind))
            }
            None => {
                let at = self.here_builder.follow(self.here_builder.root(), pointer);
                Place::Here(self.here_builder.capture(at, kind))
            }
        };
        PlacePlan {
            place,
            pointer: pointer.to_string(),
        }
    }
}

fn direct(value: &Value, from: &[PlacePlan]) -> Option<Direct> {
    let (column, is_of_row) = match from.first()?.place {
        Place::Here(column) => (column, false),
        Place::Row(column) => (column, true),
        _ => return None,
    };
    let is_itself = value.map.is_none() && value.case.is_none();
    is_itself.then_some(Direct {
        column,
        is_of_row,
        is_only: from.len() == 1 && value.constant.is_none() && !value.required,
    })
}
