//! The kinds of records that are made.

/// Who writes a record, and therefore its format: the four sources that keyfold reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    LoyaltyCustomers,
    LoyaltyActions,
    ConsoleCustomers,
    PublisherCustomers,
}

impl Source {
    pub const ALL: [Source; 4] = [
        Source::LoyaltyCustomers,
        Source::LoyaltyActions,
        Source::ConsoleCustomers,
        Source::PublisherCustomers,
    ];

    /// The position in [`Source::ALL`].
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}
