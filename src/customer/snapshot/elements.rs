//! The lists of the snapshot if there are declared sources (docs/contract.md, section 9).

use super::{View, put_addresses, put_dependents, separate};
use crate::customer::Customer;
use crate::customer::declared::{DeclaredStamp, SourceState};
use crate::customer::list::List;
use crate::json::canonical::{write_name, write_utf8};

/// Writes the phones of the console, a JSON array, followed by those of the declared sources.
pub(super) fn write_phones(customer: &Customer, console: &[u8], view: &View, out: &mut Vec<u8>) {
    write_name(out, "phones");
    out.push(b'[');
    let start = out.len();
    let inside = console
        .strip_prefix(b"[")
        .and_then(|rest| rest.strip_suffix(b"]"));
    out.extend_from_slice(inside.unwrap_or_default());
    for source in customer.declared_sources() {
        put(customer, source, &source.phones, "key", view, start, out);
    }
    out.push(b']');
}

/// Writes the addresses of all sources, by the names of these; `console` are those of the console, separated by commas.
pub(super) fn write_addresses(customer: &Customer, console: &[u8], view: &View, out: &mut Vec<u8>) {
    write_name(out, "addresses");
    out.push(b'[');
    let start = out.len();
    let name = |source: &&SourceState| customer.texts.get(source.name);
    let mut sources = customer.declared_sources().iter().peekable();
    let mut put_until = |built_in: Option<&[u8]>, out: &mut Vec<u8>| {
        while let Some(source) =
            sources.next_if(|source| built_in.is_none_or(|built_in| name(source) < built_in))
        {
            let list = &source.addresses;
            put(customer, source, list, "addressId", view, start, out);
        }
    };
    put_until(Some(b"console"), out);
    if !console.is_empty() {
        separate(out, start);
        out.extend_from_slice(console);
    }
    put_until(Some(b"loyalty"), out);
    put_addresses(customer, view, start, out);
    put_until(None, out);
    out.push(b']');
}

/// Writes the dependents of the loyalty programme, followed by those of the declared sources.
pub(super) fn write_dependents(customer: &Customer, view: &View, out: &mut Vec<u8>) {
    write_name(out, "dependents");
    out.push(b'[');
    let start = out.len();
    put_dependents(customer, view, start, out);
    for source in customer.declared_sources() {
        let list = &source.dependents;
        put(customer, source, list, "dependentId", view, start, out);
    }
    out.push(b']');
}

/// Appends the elements of a source to an array that began at `start`.
fn put(
    customer: &Customer,
    source: &SourceState,
    list: &List<DeclaredStamp>,
    id_name: &str,
    view: &View,
    start: usize,
    out: &mut Vec<u8>,
) {
    for element in list.shown(&customer.texts, view.union, source.erased) {
        separate(out, start);
        put_source(out, customer.texts.get(source.name));
        write_name(out, id_name);
        write_utf8(out, element.id);
        element.content.write(out);
    }
}

/// Opens an object with the name of its source.
pub(super) fn put_source(out: &mut Vec<u8>, name: &[u8]) {
    out.extend_from_slice(b"{\"source\":");
    write_utf8(out, name);
}
