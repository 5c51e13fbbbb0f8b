//! What the audit can find of a customer.

use super::evidence::At;

/// What was found of a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conclusion {
    Equal(Proof),
    /// At least one; of the worst kind first.
    Differs(Vec<Difference>),
    /// It differs, and yet nothing may be wrong.
    NotProvable(NotProvable),
}

/// How a customer was proved to be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// State and snapshot are what all the records lead to.
    Records,
    /// The records that are left say nothing that the state does not know, and the snapshot shows the state.
    State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotProvable {
    /// Its records moved whenever it was looked at.
    Moving,
    /// Which of its records count depends on their order, of which nothing is known any more.
    Order,
    /// It has records that are not read yet, so that its snapshot may come from before a rebuild.
    Unread,
}

impl NotProvable {
    pub const ALL: [NotProvable; 3] =
        [NotProvable::Moving, NotProvable::Order, NotProvable::Unread];

    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            NotProvable::Moving => "moving",
            NotProvable::Order => "order",
            NotProvable::Unread => "unread",
        }
    }

    /// For people.
    pub const fn reason(self) -> &'static str {
        match self {
            NotProvable::Moving => "records of theirs arrived whenever they were looked at",
            NotProvable::Order => {
                "a record of theirs was rejected, or would be, for the size of the state: which one, depends on the order in which they came"
            }
            NotProvable::Unread => {
                "they have records that are not processed yet, and the snapshot may be older than the state: while keyfold rebuilds, this is as it should be"
            }
        }
    }
}

/// The kinds of differences, the worst one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Different,
    Missing,
    TooMany,
}

impl Kind {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Different => "different",
            Kind::Missing => "missing",
            Kind::TooMany => "tooMany",
        }
    }
}

/// Where something is not as it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Snapshot,
    State,
}

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub kind: Kind,
    pub place: Place,
    /// None if nothing is there.
    pub at: Option<At>,
    /// Where in the snapshot; that of the state where the state differs. An empty one is the whole.
    pub pointers: Vec<String>,
    pub because: Option<Because>,
}

/// What explains a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Because {
    /// A record of the customer was rejected when it was processed, and would be valid today.
    ValidToday,
    /// A record of the customer was valid when it was processed, and would be rejected today.
    RejectedToday,
    /// The state and the records agree, only the snapshot does not.
    NotTheView,
    /// The state cannot be decoded.
    Unreadable,
    /// It lies in a partition that is not the customer's.
    Partition,
}

impl Because {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Because::ValidToday => "validToday",
            Because::RejectedToday => "rejectedToday",
            Because::NotTheView => "view",
            Because::Unreadable => "unreadable",
            Because::Partition => "partition",
        }
    }

    /// For people.
    pub const fn reason(self) -> &'static str {
        match self {
            Because::ValidToday => {
                "would be judged otherwise today: a record with a dead letter is valid now, and a rebuild would count it"
            }
            Because::RejectedToday => {
                "would be judged otherwise today: a record that was processed is rejected now, and a rebuild would leave it out"
            }
            Because::NotTheView => {
                "the state is right, so it was overwritten, or written under other settings of [merge] or [snapshot]"
            }
            Because::Unreadable => "the state cannot be decoded",
            Because::Partition => {
                "it lies in a partition that is not that of its key: keyfold did not write it"
            }
        }
    }
}
