//! All values of a definition.

use crate::definition::{Definition, Origin, Tells, Value};

/// Whether a value of the definition comes from a header.
pub(super) fn uses_headers(definition: &Definition) -> bool {
    let mut found = false;
    each_value(definition, &mut |value| {
        let is_header = |origin: &Origin| matches!(origin, Origin::Header(_));
        found |= value.from.iter().any(is_header);
    });
    found
}

/// Calls a function with each value of a definition.
pub(super) fn each_value(definition: &Definition, see: &mut impl FnMut(&Value)) {
    see(&definition.customer_id);
    let times = [&definition.updated_at, &definition.created_at];
    for value in times.into_iter().chain([&definition.rank]).flatten() {
        see(value);
    }
    if let Some(deleted) = &definition.deleted {
        see(&deleted.when);
    }
    if let Some(event_type) = &definition.event_type {
        see(&event_type.from);
    }
    if let Some(version) = &definition.version {
        see(&version.from);
    }
    match &definition.tells {
        Tells::Customer {
            scalars,
            attributes,
            attribute,
            lists,
        } => {
            scalars.iter().for_each(|(_, value)| see(value));
            attributes.iter().for_each(&mut *see);
            attribute.iter().for_each(|(_, value)| see(value));
            for table in lists {
                let times = [&table.updated_at, &table.created_at];
                times.into_iter().flatten().for_each(&mut *see);
                see(&table.id);
                table.fields.iter().for_each(|(_, value)| see(value));
            }
        }
        Tells::Action(action) => {
            see(&action.id);
            see(&action.kind);
            action.contract.iter().for_each(&mut *see);
            action.utm.iter().flatten().for_each(&mut *see);
        }
    }
}
