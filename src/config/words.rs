//! The settings whose value is one of a few words.

/// A setting whose value is one of a few words.
pub(super) trait Word: Copy + PartialEq + 'static {
    /// Each word with what it means.
    const WORDS: &'static [(&'static str, Self)];

    /// The word for this value.
    fn word(self) -> &'static str {
        Self::WORDS
            .iter()
            .find(|(_, value)| *value == self)
            .map_or("", |(word, _)| word)
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl Word for $name {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, $name::$variant)),+];
        }
    };
}

words! {
    /// What happens when a committed offset is no longer in its topic.
    OnLostOffset {
        /// The processor stops.
        Fail = "fail",
        /// It goes on from the earliest record that is left.
        Earliest = "earliest",
    }
}

words! {
    /// What happens when somebody else has committed an offset for the group.
    OnForeignOffset {
        /// The processor stops.
        Fail = "fail",
        /// It goes on from there.
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
        /// JSON behind the frame of Confluent's wire format, or without one. The registry is not
        /// asked: the source's own JSON Schema judges.
        JsonRegistry = "json-registry",
    }
}

words! {
    /// The encoding of the published snapshots (docs/contract.md, section 4).
    SnapshotFormat {
        /// JSON in UTF-8.
        Json = "json",
        /// Avro in Confluent's wire format; the schema is registered.
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
        /// Nothing: the record is rejected with the code `null_value`.
        Reject = "reject",
    }
}

words! {
    /// How the key of a null value gives the customer id (docs/contract.md, section 2).
    KeyFormat {
        /// The key is the id.
        Text = "text",
        /// The key is a JSON string, the id.
        Json = "json",
        /// The key is an Avro string, the id, in the frame of the registry's clients.
        Avro = "avro",
    }
}

words! {
    /// What becomes of a customer with the status `DELETED` (docs/contract.md, section 4).
    Deleted {
        /// It stays a snapshot.
        Keep = "keep",
        /// It becomes a null value.
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
    Action {
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
        /// Outputs, state and offsets commit in one transaction.
        ExactlyOnce = "exactly_once",
        /// Nothing is lost; outputs may repeat after a stop or a crash.
        AtLeastOnce = "at_least_once",
    }
}

words! {
    /// Where an instance keeps the state of its customers.
    Store {
        /// In memory, caught up from the state topic at each start.
        Memory = "memory",
        /// In a folder, from which it is taken up again after a stop or a crash.
        Disk = "disk",
    }
}

words! {
    /// Whether `/customers/{id}` is served (docs/contract.md, section 8).
    Customers {
        /// Only where the server listens on the loopback.
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
        /// `Human` on a terminal, else `Json`.
        Auto = "auto",
        /// Lines for people.
        Human = "human",
        /// One JSON object a line.
        Json = "json",
    }
}
