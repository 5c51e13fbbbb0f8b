//! The keys of a definition whose value is one of a few words, each with its meaning.

use super::{Case, Countries, Envelope, Merge, NumberUnit, RuleDefault};
use super::{Nulls, Order};

/// A type whose values are a few words.
pub(super) trait Word: Copy + 'static {
    /// Each value with its word and what it means.
    const WORDS: &'static [(Self, &'static str, &'static str)];

    /// Each word with its meaning.
    fn meanings() -> Vec<(&'static str, &'static str)> {
        let words = Self::WORDS.iter();
        words.map(|(_, word, meaning)| (*word, *meaning)).collect()
    }
}

macro_rules! words {
    ($($of:ident { $($variant:ident = $word:literal, $meaning:literal;)+ })+) => {
        $(impl Word for $of {
            const WORDS: &'static [($of, &'static str, &'static str)] =
                &[$(($of::$variant, $word, $meaning)),+];
        })+
    };
}

words! {
    Envelope {
        None = "none", "The value is the record itself.";
        Debezium = "debezium", "The value is a change of a row, as Debezium writes it; pointers are those of the row.";
        CloudEvents = "cloudevents", "The value is a CloudEvent, structured or binary; pointers are those of its data.";
    }
    Merge {
        Fields = "fields", "A field that a record leaves out stays as it was.";
        Whole = "whole", "What the newest record leaves out is not there.";
    }
    Order {
        UpdatedAt = "updated_at", "The later time wins, at equal times the greater rank.";
        Rank = "rank", "The greater rank wins, at equal ranks the later time.";
    }
    Nulls {
        Absent = "absent", "A null is as if the field were not there.";
        Clear = "clear", "A null says that there is nothing: what was known is no longer shown.";
    }
    Countries {
        Any = "any", "ISO 3166-1 alpha-2 and alpha-3 codes, and English short names.";
        Alpha2 = "alpha-2", "ISO 3166-1 alpha-2 codes only.";
    }
    Case {
        Lower = "lower", "In lower case.";
        Upper = "upper", "In upper case.";
    }
    NumberUnit {
        Seconds = "seconds", "Seconds since 1970.";
        Millis = "millis", "Milliseconds since 1970.";
        Micros = "micros", "Microseconds since 1970.";
        Nanos = "nanos", "Nanoseconds since 1970.";
        Days = "days", "Days since 1970.";
    }
    RuleDefault {
        Reject = "reject", "The record goes to the dead letters.";
        Warn = "warn", "The record is taken; it is counted and logged.";
        Off = "off", "The record is taken.";
    }
}
