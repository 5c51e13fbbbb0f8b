//! Records as lines of text, the way `kcat -C -J` prints them.

use std::io::Write;

use super::GeneratedRecord;

/// The record as a line that ends in a line feed, in the form and field order of `kcat -C -J`: `headers` is one flat
/// array of names and values, and is left out if there are none; a missing key or value is null. Bytes that are not
/// UTF-8 are written unchanged, so a line need not be valid text.
pub fn kcat_line<S>(
    record: &GeneratedRecord<S>,
    topic: &str,
    partition: i32,
    offset: i64,
) -> Vec<u8> {
    let value = record.value.as_deref();
    let mut line = Vec::with_capacity(256 + value.map_or(0, |value| value.len() * 5 / 4));
    line.extend_from_slice(b"{\"topic\":");
    push_string(&mut line, topic.as_bytes());
    // Writing to a vector cannot fail.
    let _ = write!(
        line,
        ",\"partition\":{partition},\"offset\":{offset},\"tstype\":\"create\",\"ts\":{},\"broker\":0",
        record.timestamp
    );
    if !record.headers.is_empty() {
        line.extend_from_slice(b",\"headers\":[");
        for (index, (name, value)) in record.headers.iter().enumerate() {
            if index > 0 {
                line.push(b',');
            }
            push_string(&mut line, name.as_bytes());
            line.push(b',');
            push_string(&mut line, value);
        }
        line.push(b']');
    }
    line.extend_from_slice(b",\"key\":");
    push_optional(&mut line, record.key.as_deref());
    line.extend_from_slice(b",\"payload\":");
    push_optional(&mut line, value);
    line.extend_from_slice(b"}\n");
    line
}

fn push_optional(line: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => push_string(line, bytes),
        None => line.extend_from_slice(b"null"),
    }
}

/// Escapes what yajl, kcat's JSON writer, escapes: the quote, the backslash and control characters.
fn push_string(line: &mut Vec<u8>, bytes: &[u8]) {
    line.push(b'"');
    let mut rest = bytes;
    while let Some(plain) = rest
        .iter()
        .position(|&byte| byte < 0x20 || byte == b'"' || byte == b'\\')
    {
        let (before, from) = rest.split_at(plain);
        line.extend_from_slice(before);
        if let Some((&byte, after)) = from.split_first() {
            match byte {
                b'"' => line.extend_from_slice(b"\\\""),
                b'\\' => line.extend_from_slice(b"\\\\"),
                b'\n' => line.extend_from_slice(b"\\n"),
                b'\r' => line.extend_from_slice(b"\\r"),
                b'\t' => line.extend_from_slice(b"\\t"),
                0x08 => line.extend_from_slice(b"\\b"),
                0x0c => line.extend_from_slice(b"\\f"),
                // Writing to a vector cannot fail.
                _ => drop(write!(line, "\\u{byte:04X}")),
            }
            rest = after;
        }
    }
    line.extend_from_slice(rest);
    line.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Source;

    fn record(key: Option<&[u8]>, value: Option<&[u8]>) -> GeneratedRecord {
        GeneratedRecord {
            source: Source::LoyaltyCustomers,
            timestamp: 17,
            key: key.map(<[u8]>::to_vec),
            value: value.map(<[u8]>::to_vec),
            headers: Vec::new(),
        }
    }

    #[test]
    fn a_line_has_the_form_of_kcat() {
        let mut full = record(Some(b"k\"1"), Some("{\"a\":\"é\\n\"}".as_bytes()));
        full.headers = vec![
            ("h".to_owned(), b"1".to_vec()),
            ("h".to_owned(), b"\x00".to_vec()),
        ];
        assert_eq!(
            String::from_utf8(kcat_line(&full, "t", 2, 30)).unwrap(),
            "{\"topic\":\"t\",\"partition\":2,\"offset\":30,\"tstype\":\"create\",\"ts\":17,\"broker\":0,\
             \"headers\":[\"h\",\"1\",\"h\",\"\\u0000\"],\"key\":\"k\\\"1\",\
             \"payload\":\"{\\\"a\\\":\\\"é\\\\n\\\"}\"}\n"
        );
        assert_eq!(
            kcat_line(&record(None, None), "t", 0, 0),
            b"{\"topic\":\"t\",\"partition\":0,\"offset\":0,\"tstype\":\"create\",\"ts\":17,\"broker\":0,\"key\":null,\"payload\":null}\n"
        );
    }

    #[test]
    fn bytes_that_are_not_text_stay_as_they_are() {
        let line = kcat_line(&record(Some(b""), Some(b"\xff\x7f\t\x1f")), "t", 0, 0);
        let end = b"\"key\":\"\",\"payload\":\"\xff\x7f\\t\\u001F\"}\n";
        assert!(line.ends_with(end));
    }
}
