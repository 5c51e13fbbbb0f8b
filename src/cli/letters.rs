//! Dead letters among the lines that `fold` and `validate` read: each is judged as the record that was rejected, whose
//! topic and timestamp are in its headers. The timestamp of the dead letter itself is the time of the rejection.

use crate::model::record::{Code, Rejection};

use super::line::Line;
use crate::engine::dead_letter::{
    HEADERS_OMITTED, KEY_OMITTED, PREFIX, VALUE_OMITTED, is_of_a_letter,
};

/// Turns a dead letter back into the rejected record, with its own topic, timestamp and headers. Does nothing if the
/// line is not a dead letter. Must only be called if the line's topic is not an input: a record that was sent back to
/// its input still has the headers of a dead letter, but is a record of that input.
pub fn unwrap(line: &mut Line) {
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
    line.input_topic = topic;
    line.set_timestamp(timestamp);
    line.drop_headers(is_of_a_letter);
    if omitted {
        // Without its value it would be taken for a tombstone, which erases the customer.
        line.incomplete = Some(Rejection::with_message(
            code.unwrap_or(Code::TooLarge),
            "the dead letter holds only a part of the record, which did not fit into its topic, so it cannot be judged again; this is the code that it was rejected with",
        ));
    }
}
