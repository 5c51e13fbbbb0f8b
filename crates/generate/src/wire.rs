//! What the wire formats of the sources share.

use serde::Serialize;

use super::random::Random;

/// The envelope of both loyalty events.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event<B> {
    pub(super) event_type: &'static str,
    pub(super) event_action: &'static str,
    pub(super) version: f64,
    pub(super) body: B,
}

/// A version of the loyalty events' schemas: mostly 1.0, otherwise from 1 to below 2 (docs/contract.md, section 2).
pub(super) fn event_version(random: &mut Random) -> f64 {
    if random.chance(0.03) { 1.1 } else { 1.0 }
}

/// The value as compact JSON.
pub(super) fn json<T: Serialize>(value: &T) -> Vec<u8> {
    let mut text = Vec::with_capacity(1024);
    // Texts, whole numbers and lists always serialise, and writing to a vector cannot fail.
    if serde_json::to_writer(&mut text, value).is_err() {
        text.clear();
    }
    text
}

/// Text as people type it: sometimes with white space around it, which keyfold trims.
pub(super) fn typed(random: &mut Random, text: impl Into<String>) -> String {
    let text = text.into();
    match random.below(100) {
        0 => format!(" {text}"),
        1 => format!("{text} "),
        2 => format!("{text}\u{a0}"),
        _ => text,
    }
}

/// An alpha-2 code as systems write it: sometimes in lower case or padded.
pub(super) fn country_code(random: &mut Random, code: &str) -> String {
    match random.below(100) {
        0..4 => code.to_lowercase(),
        4..6 => format!("{code} "),
        _ => code.to_owned(),
    }
}
