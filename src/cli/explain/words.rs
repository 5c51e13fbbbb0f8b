//! An explanation in words.

use crate::customer::inventory::ListName;
use crate::inspect::explain::{
    Decision, ExplainedRecord, Explanation, Fate, Part, RecordNumber, RecordRef, RecordVerdict,
    Rule,
};

/// So many pointers of a record are told.
const MOST_POINTERS: usize = 4;
/// A value is cut after so many characters.
const MOST_OF_A_VALUE: usize = 60;

/// A record by its place: `TOPIC[PARTITION]@OFFSET`, with the pointer of an element of a batch.
pub fn place(record: &RecordRef) -> String {
    let location = &record.location;
    let place = format!(
        "{}[{}]@{}",
        location.topic, location.partition, location.offset
    );
    match record.pointer.as_str() {
        "" => place,
        pointer => format!("{place} {pointer}"),
    }
}

/// The places of records: the first few, and how many more there are.
pub fn places(explanation: &Explanation, records: &[RecordNumber], most: usize) -> String {
    let named = records.iter().take(most);
    let named = named.filter_map(|number| explanation.records.get(*number));
    let named: Vec<String> = named.map(|record| place(&record.record)).collect();
    match records.len().saturating_sub(most) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// What became of a record.
pub fn fate(explanation: &Explanation, record: &ExplainedRecord) -> String {
    let by = || match record.by.is_empty() {
        true => String::new(),
        false => format!(" by {}", places(explanation, &record.by, 2)),
    };
    let text = match record.fate {
        Fate::Shown => shown(record),
        Fate::Erases => erases(explanation, record),
        Fate::Hidden => format!("hidden{}", by()),
        Fate::Superseded => format!("superseded{}", by()),
        Fate::Erased => format!("erased{}", by()),
        Fate::LetGo => "let go: beyond merge.max_actions or merge.max_hidden".to_owned(),
        Fate::Repeated => format!("says the same as {}", places(explanation, &record.by, 1)),
        Fate::Nothing => "tells nothing".to_owned(),
        Fate::Rejected => rejected(record),
    };
    match record.record.is_pending {
        true => format!("{text} (not committed when this began)"),
        false => text,
    }
}

fn shown(record: &ExplainedRecord) -> String {
    let mut fates: Vec<Fate> = record.data.iter().map(|datum| datum.fate).collect();
    fates.sort_unstable();
    fates.dedup();
    let of_fate = |fate: &Fate| {
        let data = record.data.iter().filter(|datum| datum.fate == *fate);
        let mut pointers: Vec<&str> = Vec::new();
        for datum in data {
            if !pointers.contains(&datum.pointer.as_str()) {
                pointers.push(&datum.pointer);
            }
        }
        let more = pointers.len().saturating_sub(MOST_POINTERS);
        pointers.truncate(MOST_POINTERS);
        let more = match more {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("{}: {}{more}", fate.words(), pointers.join(" "))
    };
    let all: Vec<String> = fates.iter().map(of_fate).collect();
    all.join("; ")
}

/// What became of what a record tells at some pointers, with the values if they are asked for. None: it tells nothing
/// there.
pub fn fate_at(
    explanation: &Explanation,
    record: &ExplainedRecord,
    parts: &[Part],
    values: bool,
) -> Option<String> {
    let is_there = |told: &str| {
        let mut parts = parts.iter();
        parts.any(|part| {
            let rest = told.strip_prefix(part.pointer.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    let data = record.data.iter().filter(|datum| is_there(&datum.pointer));
    let mut told: Vec<String> = data
        .map(|datum| {
            let by = datum
                .by
                .map(|by| format!(" by {}", places(explanation, &[by], 1)));
            let value = datum.value.as_deref().filter(|_| values);
            let value = value.map(|value| format!(" {}", cut(&String::from_utf8_lossy(value))));
            format!(
                "{}{}: {}{}",
                datum.pointer,
                value.unwrap_or_default(),
                datum.fate.words(),
                by.unwrap_or_default()
            )
        })
        .collect();
    told.dedup();
    (!told.is_empty() && record.fate != Fate::Repeated).then(|| told.join("; "))
}

/// A value, cut if it is long.
pub fn cut(value: &str) -> String {
    match value.char_indices().nth(MOST_OF_A_VALUE) {
        Some((at, _)) => format!("{}…", &value[..at]),
        None => value.to_owned(),
    }
}

fn erases(explanation: &Explanation, record: &ExplainedRecord) -> String {
    let records = explanation.records.iter();
    let own = |number: &usize| {
        explanation.records.get(*number).map(|by| &by.record) == Some(&record.record)
    };
    let erased = records.filter(|other| {
        let mut data = other.data.iter();
        data.any(|datum| datum.fate == Fate::Erased && datum.by.as_ref().is_some_and(own))
    });
    format!(
        "erases all up to its time: data of {} records",
        erased.count()
    )
}

fn rejected(record: &ExplainedRecord) -> String {
    let RecordVerdict::Rejected(rejection) = &record.verdict else {
        return "rejected".to_owned();
    };
    let first = rejection.violations.first();
    let pointer = first.map(|violation| format!(" at {}", violation.pointer));
    format!(
        "rejected: {}{}",
        rejection.code.name(),
        pointer.unwrap_or_default()
    )
}

/// Why a part is as it is, in one line.
pub fn why(part: &Part) -> String {
    if part.pointer.starts_with("/actions/subscriptions/") {
        return "the newest action of this contract that is not a promotion".to_owned();
    }
    // Of what is not shown the content does not matter.
    let hides = |one: &&Decision| one.rule.hides();
    let all = match part.is_shown || !part.decisions.iter().any(|one| one.rule.hides()) {
        true => part.decisions.iter().collect(),
        false => part.decisions.iter().filter(hides).collect::<Vec<_>>(),
    };
    let is_list = ListName::ALL
        .iter()
        .any(|list| part.pointer == format!("/{}", list.name()));
    let told = all.iter().map(|one| match &one.source {
        Some(source) if is_list && !one.rule.is_of_lists() => {
            format!("{source}: {}", decision(one))
        }
        _ => decision(one),
    });
    // Several data of a part may have been decided in the same way, as when all of them are erased.
    let mut texts: Vec<String> = Vec::new();
    for text in told {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    let text = texts.join("; ");
    match part.is_shown {
        true => text,
        false => format!("not shown: {text}"),
    }
}

fn decision(decision: &Decision) -> String {
    let of = decision.others + 1;
    let source = decision.source.as_deref().unwrap_or("a source");
    let others = decision.others;
    let mut text = match decision.rule {
        Rule::Only => "the only record that tells it".to_owned(),
        Rule::Newest if others == 0 => "the newest".to_owned(),
        Rule::Newest => format!("the newest of {of}"),
        Rule::GreaterRank => {
            format!("the newest of {of}, by the greater rank: an update wins against a creation")
        }
        Rule::GreaterText => format!("of equal stamps the greater text, of {of}"),
        Rule::HighestVersion => format!("the highest version of {of}"),
        Rule::HighestRank => format!("the highest rank of {of}"),
        Rule::Priority => format!("merge.priority puts {source} before {others} other sources"),
        Rule::NewestSource => format!("{source} is the newest of {of} sources"),
        Rule::NewestList => format!("in the newest list of {source}"),
        Rule::Union => {
            format!("in a list of {source}, which none takes away under merge.lists = \"union\"")
        }
        Rule::NotListed => format!("the newest list of {source} does not have it"),
        Rule::Cleared => format!("{source} tells that there is nothing, by a null"),
        Rule::Whole => {
            format!("the newest record of {source} leaves it out, under merge = \"whole\"")
        }
        Rule::Erased => format!("erased, as all of {source} up to that time"),
        Rule::LetGo => "let go, beyond merge.max_actions or merge.max_hidden".to_owned(),
        Rule::Counted if decision.records.is_empty() => "no action was let go".to_owned(),
        Rule::Counted => "counted over the actions that are kept".to_owned(),
        Rule::Earliest => "the earliest of the actions that are kept".to_owned(),
        Rule::Latest => "the latest of the actions that are kept".to_owned(),
        Rule::Deleted => "the status is DELETED, and snapshot.deleted = \"tombstone\"".to_owned(),
        Rule::NeverTold => "no record tells it".to_owned(),
    };
    let is_open = matches!(decision.rule, Rule::LetGo | Rule::Counted | Rule::NeverTold);
    if decision.records.is_empty() && !is_open {
        text.push_str("; only keyfold's state knows it, the record is gone");
    }
    text
}
