//! The snapshot: what other teams see of a customer. It is assembled by copying the canonical texts of the state
//! (docs/contract.md, section 4).

mod actions;
mod priority;

use std::sync::Arc;

pub use priority::Priority;

use super::contribution::{ConsoleParts, Publisher, Status};
use super::{Customer, StoredConsole};
use crate::json::canonical::{
    write_instant, write_instant_text, write_name, write_number, write_object, write_plain,
    write_raw, write_string, write_utf8,
};
use crate::model::time::Instant;

/// How the state is shown. These settings change snapshots, but not the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// `merge.lists = "union"`: elements are never removed by absence.
    pub union: bool,
    /// `snapshot.recent_actions`: how many actions are listed.
    pub recent_actions: usize,
    /// `snapshot.deleted = "tombstone"`: a deleted customer's snapshot is a null value.
    pub deleted_is_null: bool,
    /// `merge.priority`: whose value is shown if several sources have one.
    pub priority: Arc<Priority>,
}

/// What is shown if there is no console customer.
const NO_CONSOLE: ConsoleParts<&[u8]> = ConsoleParts {
    names: b"",
    phones: b"[]",
    addresses: b"",
    attributes: b"{}",
};

/// Appends the snapshot of a customer as JSON. If the snapshot is a null value, it appends nothing and returns false.
pub fn write(customer: &Customer, id: &str, view: &View, out: &mut Vec<u8>) -> bool {
    let status = customer.scalars.status.as_ref();
    let is_deleted = status.is_some_and(|status| status.value == Status::Deleted);
    let Some(updated_at) = customer
        .newest()
        .filter(|_| !(view.deleted_is_null && is_deleted))
    else {
        return false;
    };
    let console = shown_console(customer).unwrap_or(NO_CONSOLE);
    let publisher = customer.publisher.as_ref();
    let publisher = publisher.map(|publisher| publisher.view(&customer.texts));

    out.extend_from_slice(b"{\"schemaVersion\":1,\"customerId\":");
    write_string(out, id);
    write_scalars(customer, console.names, out);
    write_raw(out, "phones", console.phones);
    write_addresses(customer, console.addresses, view, out);
    write_dependents(customer, view, out);
    write_raw(out, "attributes", console.attributes);
    if !customer.actions.kept.is_empty() {
        actions::write(customer, view, out);
    }
    if let Some(Publisher { enrollment, .. }) = publisher {
        write_raw(out, "enrollment", enrollment);
    }
    write_raw(
        out,
        "accounts",
        publisher.map_or(b"[]", |publisher| publisher.accounts),
    );
    write_sources(customer, out);
    write_instant(out, "updatedAt", updated_at);
    out.push(b'}');
    true
}

fn shown_console(customer: &Customer) -> Option<ConsoleParts<&[u8]>> {
    let parts = customer.console.as_ref()?.parts?;
    Some(parts.view(&customer.texts))
}

/// Writes the fields with a single value; `names` are those of the console.
fn write_scalars(customer: &Customer, names: &[u8], out: &mut Vec<u8>) {
    let scalars = &customer.scalars;
    if let Some(status) = &scalars.status {
        write_name(out, "status");
        write_plain(out, status.value.text());
    }
    // A comma follows each name.
    if let Some((_, names)) = names.split_last() {
        out.push(b',');
        out.extend_from_slice(names);
    }
    if let Some(date) = &scalars.date_of_birth {
        write_name(out, "dateOfBirth");
        write_plain(out, date.value.bytes());
    }
    for (name, opt_in) in [
        ("marketingOptIn", &scalars.marketing_opt_in),
        ("smsOptIn", &scalars.sms_opt_in),
    ] {
        if let Some(opt_in) = opt_in {
            write_raw(out, name, if opt_in.value { b"true" } else { b"false" });
        }
    }
}

/// Writes the addresses of the console, followed by those of the loyalty programme.
fn write_addresses(customer: &Customer, console: &[u8], view: &View, out: &mut Vec<u8>) {
    write_name(out, "addresses");
    out.push(b'[');
    let start = out.len();
    out.extend_from_slice(console);
    for address in customer.addresses.shown(&customer.texts, view.union) {
        separate(out, start);
        out.extend_from_slice(b"{\"source\":\"loyalty\",\"addressId\":");
        write_utf8(out, address.id);
        address.content.write(out);
    }
    out.push(b']');
}

fn write_dependents(customer: &Customer, view: &View, out: &mut Vec<u8>) {
    write_name(out, "dependents");
    out.push(b'[');
    let start = out.len();
    for dependent in customer.dependents.shown(&customer.texts, view.union) {
        separate(out, start);
        out.extend_from_slice(b"{\"dependentId\":");
        write_utf8(out, dependent.id);
        dependent.content.write(out);
    }
    out.push(b']');
}

/// Writes the comma before an item of an array that began at `start`, unless the item is the first.
fn separate(out: &mut Vec<u8>, start: usize) {
    if out.len() > start {
        out.push(b',');
    }
}

fn write_sources(customer: &Customer, out: &mut Vec<u8>) {
    write_name(out, "sources");
    write_object(out, |out| {
        if let Some(created) = &customer.scalars.created_at {
            out.extend_from_slice(b",\"loyalty\":{\"createdAt\":");
            write_instant_text(out, created.value);
            end_source(out, b",\"updatedAt\":", created.stamp.at());
        }
        if let Some(newest) = customer.actions.kept.first() {
            end_source(out, b",\"actions\":{\"updatedAt\":", newest.stamp.at());
        }
        if let Some(console) = &customer.console
            && let StoredConsole {
                version,
                at,
                parts: Some(_),
            } = **console
        {
            out.extend_from_slice(b",\"console\":{\"version\":");
            write_number(out, version);
            end_source(out, b",\"updatedAt\":", at);
        }
        if let Some(publisher) = &customer.publisher {
            end_source(out, b",\"publisher\":{\"updatedAt\":", publisher.at);
        }
    });
}

/// Appends `opening` and the time of a source's newest datum, and closes the object of the source.
fn end_source(out: &mut Vec<u8>, opening: &[u8], updated_at: Instant) {
    out.extend_from_slice(opening);
    write_instant_text(out, updated_at);
    out.push(b'}');
}
