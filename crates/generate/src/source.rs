//! The kinds of records that are generated.

/// Who writes a record, which determines its format: the four sources that keyfold reads.
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
