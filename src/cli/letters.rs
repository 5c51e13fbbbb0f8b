//! Dead letters among the lines that `fold` and `validate` read: a letter is judged as the record that it was, of its
//! own topic and with its own timestamp, which its headers tell. Its own timestamp is the time of the rejection.

use crate::model::record::{Code, Rejection};

use super::line::Line;
use crate::engine::dead_letter::{
    HEADERS_OMITTED, KEY_OMITTED, PREFIX, VALUE_OMITTED, is_of_a_letter,
};

/// Gives the record that a dead letter holds its own topic's name, its timestamp, and its headers back. Does nothing where
/// the line is no letter. To be asked only where the line's own topic feeds no source: a record that was sent back to
/// its input still has a letter's headers, but is a record of that input.
pub fn restore(line: &mut Line) {
    let text = |name: &str| {
        let value = line.header(&format!("{PREFIX}{name}"))?;
        std::str::from_utf8(value).ok().map(str::to_owned)
    };
    let Some(topic) = text("topic") else {
        return;
    };
    let timestamp = text("timestamp").and_then(|millis| millis.parse().ok());
    let omitted = [VALUE_OMITTED, HEADERS_OMITTED, KEY_OMITTED]
        .iter()
        .any(|name| line.header(&format!("{PREFIX}{name}")).is_some());
    let code = text("code").and_then(|name| Code::ALL.into_iter().find(|code| code.name() == name));
    line.feeds = topic;
    line.set_timestamp(timestamp);
    line.drop_headers(is_of_a_letter);
    if omitted {
        // without its value it would be taken for a null value, which erases
        line.incomplete = Some(Rejection::with_message(
            code.unwrap_or(Code::TooLarge),
            "the dead letter holds only a part of the record, which did not fit into its topic, so it cannot be judged again; this is the code that it was rejected with",
        ));
    }
}
