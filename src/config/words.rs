//! The keys whose value is one of a few words, each with its meaning.

use super::section::Setting;
use super::shape::Word;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[doc = $meaning:literal])+ $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[doc = $meaning])+ $variant,)+
        }

        impl $name {
            /// The word in the configuration.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }
        }

        impl Word for $name {
            const MEANINGS: &'static [(&'static str, &'static str)] =
                &[$(($word, concat!($($meaning),+))),+];
        }

        impl Setting for $name {
            fn from_toml(value: &toml::Value) -> Option<Self> {
                match value.as_str()? {
                    $($word => Some($name::$variant),)+
                    _ => None,
                }
            }

            fn to_toml(&self) -> Option<toml::Value> {
                Some(toml::Value::from(self.word()))
            }
        }
    };
}

words! {
    /// What happens when a committed offset is no longer in its topic.
    OnLostOffset {
        /// The processor stops.
        Fail = "fail",
        /// It continues from the earliest record that is left.
        Earliest = "earliest",
    }
}

words! {
    /// What happens when somebody else has committed an offset for the group.
    OnForeignOffset {
        /// The processor stops.
        Fail = "fail",
        /// It continues from that offset.
        Accept = "accept",
    }
}

words! {
    /// The encoding of a source's record values (docs/contract.md, section 1).
    Format {
        /// JSON in UTF-8.
        Json = "json",
        /// Avro in Confluent's wire format; the writer's schema is in the registry.
        Avro = "avro",
        /// JSON in Confluent's wire format or plain; no registry is asked.
        JsonRegistry = "json-registry",
    }
}

words! {
    /// The encoding of the published snapshots (docs/contract.md, section 4).
    SnapshotFormat {
        /// JSON in UTF-8.
        Json = "json",
        /// Avro in Confluent's wire format, with `schemas/customer-snapshot.avsc`.
        Avro = "avro",
    }
}

words! {
    /// How the subject of the snapshots' schema is named; the strategies are Confluent's.
    SubjectStrategy {
        /// `<topic>-value`.
        TopicName = "topic_name",
        /// The full name of the schema's record.
        RecordName = "record_name",
        /// `<topic>-` and the full name of the schema's record.
        TopicRecordName = "topic_record_name",
    }
}

words! {
    /// What a record with a null value does (docs/contract.md, section 3).
    Tombstone {
        /// Forgets the customer's data of every source up to the record's timestamp.
        Erase = "erase",
        /// Forgets the customer's data of this source up to the record's timestamp.
        Retract = "retract",
        /// The record is rejected with the code `null_value`.
        Reject = "reject",
    }
}

words! {
    /// How the key of a null value gives the customer id (docs/contract.md, section 2).
    KeyFormat {
        /// The key is the id as it is.
        Text = "text",
        /// The key is a JSON string, the id.
        Json = "json",
        /// The key is an Avro string, the id, in Confluent's wire format.
        Avro = "avro",
    }
}

words! {
    /// What becomes of a customer with the status `DELETED` (docs/contract.md, section 4).
    Deleted {
        /// A snapshot.
        Keep = "keep",
        /// A null value.
        Tombstone = "tombstone",
    }
}

words! {
    /// What a newer list of addresses or dependents means for elements that it does not contain
    /// (docs/contract.md, section 3).
    Lists {
        /// They are no longer shown.
        Replace = "replace",
        /// They stay.
        Union = "union",
    }
}

words! {
    /// What becomes of a record that breaks a semantic rule (docs/contract.md, section 2).
    RuleAction {
        /// The record goes to the dead letters.
        Reject = "reject",
        /// It is accepted, counted and logged.
        Warn = "warn",
        /// It is accepted.
        Off = "off",
    }
}

words! {
    /// The delivery guarantee (docs/contract.md, section 6).
    Guarantee {
        /// Snapshots, dead letters, state and offsets commit in one transaction.
        ExactlyOnce = "exactly_once",
        /// Nothing is lost; outputs may be repeated after a stop or a crash.
        AtLeastOnce = "at_least_once",
    }
}

words! {
    /// Where an instance keeps the state of its customers.
    Store {
        /// In memory, restored from the state topic at each start.
        Memory = "memory",
        /// In a folder, where a restart finds it again.
        Disk = "disk",
    }
}

words! {
    /// Whether `/customers/{id}` is served (docs/contract.md, section 8).
    ServeCustomers {
        /// Only if the server listens on a loopback address.
        Auto = "auto",
        /// Always.
        On = "on",
        /// Never.
        Off = "off",
    }
}

words! {
    /// The form of the log.
    LogFormat {
        /// "human" on a terminal, else "json".
        Auto = "auto",
        /// Lines for people.
        Human = "human",
        /// One JSON object a line.
        Json = "json",
    }
}
