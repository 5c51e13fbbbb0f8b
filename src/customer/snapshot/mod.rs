//! The snapshot: what other teams see of a customer. It is assembled by copying the canonical texts of the state
//! (docs/contract.md, section 4).

mod actions;
mod actions_of_all;
mod elements;
mod priority;
mod several;

use std::sync::Arc;

pub use priority::Priority;
pub use several::{ShownField, shown_fields};

use super::contribution::{ConsoleParts, Publisher, Status};
use super::declared::ShownSource;
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
    let console = shown_console(customer).unwrap_or(NO_CONSOLE);
    // Without declared sources each field has one source only, and its texts are copied as they are.
    let several = customer.declared.is_some();
    let scalars = several.then(|| several::Scalars::of(customer, &console, view));
    let is_deleted = match &scalars {
        Some(scalars) => scalars.is_deleted(),
        None => {
            let status = customer.scalars.status.as_ref();
            status.is_some_and(|status| status.value == Status::Deleted)
        }
    };
    let Some(updated_at) = customer
        .newest()
        .filter(|_| !(view.deleted_is_null && is_deleted))
    else {
        return false;
    };
    let publisher = customer.publisher.as_ref();
    let publisher = publisher.map(|publisher| publisher.view(&customer.texts));

    out.extend_from_slice(b"{\"schemaVersion\":1,\"customerId\":");
    write_string(out, id);
    match &scalars {
        Some(scalars) => {
            scalars.write(out);
            elements::write_phones(customer, console.phones, view, out);
            elements::write_addresses(customer, console.addresses, view, out);
            elements::write_dependents(customer, view, out);
            several::write_attributes(customer, &console, view, out);
            actions_of_all::write(customer, view, out);
        }
        None => {
            write_scalars(customer, console.names, out);
            write_raw(out, "phones", console.phones);
            write_addresses(customer, console.addresses, view, out);
            write_dependents(customer, view, out);
            write_raw(out, "attributes", console.attributes);
            if !customer.actions.kept.is_empty() {
                actions::write(customer, view, out);
            }
        }
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
    put_addresses(customer, view, start, out);
    out.push(b']');
}

/// Appends the addresses of the loyalty programme to an array that began at `start`.
fn put_addresses(customer: &Customer, view: &View, start: usize, out: &mut Vec<u8>) {
    let addresses = &customer.addresses;
    for address in addresses.shown(&customer.texts, view.union, Instant::NEVER) {
        separate(out, start);
        out.extend_from_slice(b"{\"source\":\"loyalty\",\"addressId\":");
        write_utf8(out, address.id);
        address.content.write(out);
    }
}

fn write_dependents(customer: &Customer, view: &View, out: &mut Vec<u8>) {
    write_name(out, "dependents");
    out.push(b'[');
    let start = out.len();
    put_dependents(customer, view, start, out);
    out.push(b']');
}

/// Appends the dependents of the loyalty programme to an array that began at `start`.
fn put_dependents(customer: &Customer, view: &View, start: usize, out: &mut Vec<u8>) {
    let dependents = &customer.dependents;
    for dependent in dependents.shown(&customer.texts, view.union, Instant::NEVER) {
        separate(out, start);
        out.extend_from_slice(b"{\"dependentId\":");
        write_utf8(out, dependent.id);
        dependent.content.write(out);
    }
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
        for source in customer.declared_sources() {
            if let Some(shown) = source.shown(&customer.texts) {
                out.push(b',');
                write_utf8(out, customer.texts.get(source.name));
                out.push(b':');
                write_declared(shown, out);
            }
        }
    });
}

/// Appends what is known of the records of a declared source.
fn write_declared(shown: ShownSource<'_>, out: &mut Vec<u8>) {
    write_object(out, |out| {
        if let Some(created_at) = shown.created_at {
            write_raw(out, "createdAt", created_at);
        }
        if let Some(rank) = shown.rank {
            write_name(out, "rank");
            write_number(out, rank);
        }
        write_instant(out, "updatedAt", shown.updated_at);
    });
}

/// Appends `opening` and the time of a source's newest datum, and closes the object of the source.
fn end_source(out: &mut Vec<u8>, opening: &[u8], updated_at: Instant) {
    out.extend_from_slice(opening);
    write_instant_text(out, updated_at);
    out.push(b'}');
}
