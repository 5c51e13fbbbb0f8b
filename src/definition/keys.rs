//! **The table of keys** of a definition: name, what it accepts, what applies without it, and documentation of each.
//! Reading, the nearest known names, the schema for editors and the tables of the documentation come from it.

use std::sync::LazyLock;

use super::fields::{LISTS, SCALARS, UTM};
use super::shape::{Accepts, Key, Kind, Table};
use super::words::Word;
use super::{Case, Countries, Envelope, Merge, Nulls, NumberUnit, Order, RuleDefault};
use crate::model::record::Code;

/// All tables but that of a value.
pub(super) static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| {
    let mut tables = vec![
        record(),
        fields(),
        once("lists", "The lists of a customer.", Vec::new()),
    ];
    for list in &LISTS {
        tables.push(repeated(list.path, list.about, element()));
        let fields = list.fields.iter();
        let keys = fields.map(|(name, _, kind)| value(name, *kind, "not there", ""));
        tables.push(once(list.fields_path, list.fields_about, keys.collect()));
    }
    tables.extend([action(), utm(), deleted(), event_type(), version(), rules()]);
    tables.extend([test(), rejected()]);
    tables
});

/// The keys of a value that is written as a table.
pub(super) static VALUE: LazyLock<Table> = LazyLock::new(|| {
    once(
        "VALUE",
        "A value of the record. A text, or a list of texts, is short for a table with `from` alone.",
        vec![
            key(
                "from",
                Accepts::Origins,
                "none; give `const` then",
                "Where the value comes from. Of several places the first that is there and not null.",
            ),
            key(
                "const",
                Accepts::Constant,
                "none",
                "A value that is always there.",
            ),
            key(
                "required",
                Accepts::Flag,
                "`false`",
                "Whether a record in which nothing is there is rejected.",
            ),
            word::<Case>("case", "as it comes", "What a text becomes."),
            key(
                "map",
                Accepts::Constants,
                "no",
                "What each value stands for, by its text. Another value is a violation, unless there is an `otherwise`.",
            ),
            key(
                "otherwise",
                Accepts::Constant,
                "a violation",
                "What a value stands for that `map` does not have.",
            ),
            word::<NumberUnit>(
                "unit",
                "a number is a violation",
                "What a number counts, for a time or a date.",
            ),
        ],
    )
});

fn record() -> Table {
    once(
        "",
        "The record as a whole.",
        vec![
            key(
                "schema",
                Accepts::File,
                "none",
                "A file beside the definition: a JSON Schema (draft-07 or 2020-12) that the record must conform to. It is judged first.",
            ),
            key(
                "reader",
                Accepts::File,
                "the writer's schema",
                "A file beside the definition: the reader's schema for `format = \"avro\"`.",
            ),
            word::<Envelope>("envelope", "`\"none\"`", "What is around the record."),
            key(
                "each",
                Accepts::Pointer,
                "no batch",
                "The list whose elements are customers: each is judged by itself, and pointers are those of the element.",
            ),
            word::<Merge>(
                "merge",
                "`\"fields\"`",
                "What it means that a record leaves something out.",
            ),
            word::<Order>(
                "order",
                "`\"updated_at\"`",
                "Which of two records is newer.",
            ),
            word::<Nulls>("nulls", "`\"absent\"`", "What a null means."),
            word::<Countries>("countries", "`\"any\"`", "Which texts name a country."),
            value("customer_id", Kind::Id, "", "The id of the customer."),
            value(
                "updated_at",
                Kind::Time,
                "the envelope's time, else the record's timestamp",
                "The time from which the record holds. A record without it is rejected; `[\"/changed\", \"timestamp\"]` takes the record's timestamp then.",
            ),
            value(
                "rank",
                Kind::Rank,
                "0, or the envelope's position",
                "Decides between records of the same time, such as a revision or a version.",
            ),
            value(
                "created_at",
                Kind::Time,
                "not there",
                "When the customer, or the action, came to be.",
            ),
        ],
    )
}

fn fields() -> Table {
    let scalars = SCALARS.iter();
    let mut keys: Vec<Key> = scalars
        .map(|(name, _, kind)| value(name, *kind, "not there", ""))
        .collect();
    keys.push(value(
        "attributes",
        Kind::Object,
        "not there",
        "Attributes that are not known beforehand.",
    ));
    keys.push(value(
        "attributes.NAME",
        Kind::Json,
        "not there",
        "One attribute. The name is written in quotes: `\"attributes.tier\" = \"/contact/tier\"`.",
    ));
    once("fields", "The fields of a customer.", keys)
}

fn element() -> Vec<Key> {
    vec![
        key(
            "each",
            Accepts::List,
            "",
            "The list, or an object that is a list of one; `\"\"` is the customer itself. The other pointers are those of its elements.",
        ),
        value(
            "id",
            Kind::Id,
            "",
            "The id of the element; of a phone its `key`.",
        ),
        value(
            "updated_at",
            Kind::Time,
            "that of the record",
            "The time from which the element holds.",
        ),
        value(
            "created_at",
            Kind::Time,
            "that of the record",
            "When the element came to be.",
        ),
    ]
}

fn action() -> Table {
    once(
        "action",
        "The record is an action of a customer, and tells no fields and no lists.",
        vec![
            value(
                "id",
                Kind::Id,
                "",
                "The id of the action: its `interactionId`.",
            ),
            value(
                "type",
                Kind::ActionType,
                "",
                "The type. Those other than the four of the loyalty programme are counted in `byType` and shown in `recent` only.",
            ),
            value(
                "contract",
                Kind::Text,
                "not there",
                "The `subscriptionContractId`.",
            ),
        ],
    )
}

fn utm() -> Table {
    let keys = UTM.map(|name| value(name, Kind::Text, "not there", ""));
    once(
        "action.utm",
        "The UTM parameters of an action.",
        keys.into(),
    )
}

fn deleted() -> Table {
    once(
        "deleted",
        "Records that say that the customer is deleted. Such a record tells nothing else: what the source told up to its `updated_at` is retracted, or erased with all sources' data if the source's `tombstone` is \"erase\".",
        vec![
            key("when", Accepts::Origins, "", "Where a record says it."),
            key("is", Accepts::JsonValues, "", "The values that mean it."),
        ],
    )
}

fn event_type() -> Table {
    once(
        "event_type",
        "The type of event that the source has. Another one breaks the rule `event_type`.",
        vec![
            key("from", Accepts::Origins, "", "Where the type is."),
            key(
                "is",
                Accepts::JsonValues,
                "",
                "The types that the source has.",
            ),
        ],
    )
}

fn version() -> Table {
    once(
        "version",
        "The versions of the format that the source has. Another one breaks the rule `unsupported_version`.",
        vec![
            key(
                "from",
                Accepts::Origins,
                "",
                "Where the version is, a number.",
            ),
            key("min", Accepts::Number, "", "The lowest version."),
            key(
                "below",
                Accepts::Number,
                "",
                "The first version above that is not supported.",
            ),
        ],
    )
}

fn rules() -> Table {
    let codes = Code::SEMANTIC
        .into_iter()
        .filter(|code| !code.always_rejects());
    let keys = codes.map(|code| {
        let (unset, about) = rule_of(code);
        word::<RuleDefault>(code.name(), unset, about)
    });
    once(
        "rules",
        "What is done with a record of this source that breaks a rule. `validation.rules` of the configuration takes precedence.",
        keys.collect(),
    )
}

/// What is done without an entry in the table, and what it means that the rule is broken.
fn rule_of(code: Code) -> (&'static str, &'static str) {
    let (warn, reject) = ("`\"warn\"`", "`\"reject\"`");
    match code {
        Code::EventType => (reject, "The type of the event is none of `[event_type]`."),
        Code::UnsupportedVersion => (reject, "The version is none of `[version]`."),
        Code::CountryCode => (warn, "A country is not one of `countries`."),
        Code::FutureTimestamp => (
            reject,
            "An `updated_at` lies further than `validation.max_future_skew` ahead of the record's timestamp.",
        ),
        Code::CreatedAfterUpdated => (warn, "A `created_at` is later than its `updated_at`."),
        Code::DuplicateElement => (warn, "A list has the same id twice."),
        _ => (reject, ""),
    }
}

fn test() -> Table {
    repeated(
        "tests",
        "A record, and what must become of it: either `snapshot`, or `nothing`, or `rejected`. `keyfold sources test` runs the tests.",
        vec![
            key(
                "record",
                Accepts::Text,
                "a null value",
                "The value of the record.",
            ),
            key("key", Accepts::Text, "none", "The key of the record."),
            key(
                "timestamp",
                Accepts::Timestamp,
                "none",
                "The timestamp of the record.",
            ),
            key(
                "headers",
                Accepts::Headers,
                "none",
                "The headers of the record.",
            ),
            key(
                "snapshot",
                Accepts::Json,
                "not compared",
                "What the snapshot of the record alone must contain; `'null'` is the same as `nothing = true`.",
            ),
            key(
                "nothing",
                Accepts::Flag,
                "`false`",
                "Nothing is left to show, or the record tells nothing.",
            ),
        ],
    )
}

fn rejected() -> Table {
    once(
        "tests.rejected",
        "The record is rejected.",
        vec![
            key("code", Accepts::Code, "", "The code of the rejection."),
            key(
                "pointers",
                Accepts::Pointers,
                "not compared",
                "The pointers of all violations.",
            ),
        ],
    )
}

fn once(path: &'static str, about: &'static str, keys: Vec<Key>) -> Table {
    Table {
        path,
        about,
        is_repeated: false,
        keys,
    }
}

fn repeated(path: &'static str, about: &'static str, keys: Vec<Key>) -> Table {
    Table {
        path,
        about,
        is_repeated: true,
        keys,
    }
}

fn key(name: &'static str, accepts: Accepts, unset: &'static str, about: &'static str) -> Key {
    Key {
        name,
        accepts,
        unset,
        about,
    }
}

fn value(name: &'static str, kind: Kind, unset: &'static str, about: &'static str) -> Key {
    key(name, Accepts::Value(kind), unset, about)
}

fn word<W: Word>(name: &'static str, unset: &'static str, about: &'static str) -> Key {
    key(name, Accepts::Word(W::meanings), unset, about)
}

/// The table at a path.
pub(super) fn table(path: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.path == path)
}
