//! The sources: the four that are built in, and those that definitions of the user declare.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// A kind of input: one of the four that are built in (docs/contract.md, section 1), or one that a definition of the
/// user declares (section 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    LoyaltyCustomers,
    LoyaltyActions,
    ConsoleCustomers,
    PublisherCustomers,
    Declared(DeclaredSource),
}

/// The name of a declared source. It stays in memory until the process ends; the configuration is read once, so there
/// are as few as it declares.
#[derive(Debug, Clone, Copy, Eq)]
pub struct DeclaredSource(&'static str);

impl DeclaredSource {
    /// Whether it is the same text in memory, as it nearly always is if the names are equal. Each record's source is
    /// compared several times, and this needs no comparison of bytes.
    #[inline]
    fn is_same(self, other: DeclaredSource) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl PartialEq for DeclaredSource {
    #[inline]
    fn eq(&self, other: &DeclaredSource) -> bool {
        self.is_same(*other) || self.0 == other.0
    }
}

impl PartialOrd for DeclaredSource {
    #[inline]
    fn partial_cmp(&self, other: &DeclaredSource) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DeclaredSource {
    #[inline]
    fn cmp(&self, other: &DeclaredSource) -> Ordering {
        match self.is_same(*other) {
            true => Ordering::Equal,
            false => self.0.cmp(other.0),
        }
    }
}

impl Hash for DeclaredSource {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl DeclaredSource {
    pub fn new(name: &str) -> DeclaredSource {
        DeclaredSource(Box::leak(name.into()))
    }

    pub const fn name(self) -> &'static str {
        self.0
    }
}

impl Source {
    /// The sources that need no definition.
    pub const BUILT_IN: [Source; 4] = [
        Source::LoyaltyCustomers,
        Source::LoyaltyActions,
        Source::ConsoleCustomers,
        Source::PublisherCustomers,
    ];

    /// The name in the configuration, in metrics and in dead letters.
    pub const fn name(self) -> &'static str {
        match self {
            Source::LoyaltyCustomers => "loyalty-customers",
            Source::LoyaltyActions => "loyalty-actions",
            Source::ConsoleCustomers => "console-customers",
            Source::PublisherCustomers => "publisher-customers",
            Source::Declared(declared) => declared.name(),
        }
    }

    /// The position in [`Source::BUILT_IN`]; its length for a declared source.
    pub const fn index(self) -> usize {
        match self {
            Source::LoyaltyCustomers => 0,
            Source::LoyaltyActions => 1,
            Source::ConsoleCustomers => 2,
            Source::PublisherCustomers => 3,
            Source::Declared(_) => Source::BUILT_IN.len(),
        }
    }

    /// The built-in source with this name.
    pub fn built_in(name: &str) -> Option<Source> {
        Source::BUILT_IN
            .into_iter()
            .find(|source| source.name() == name)
    }

    /// Whether it is one of the loyalty programme's, whose countries are alpha-2 codes.
    pub const fn is_loyalty(self) -> bool {
        matches!(self, Source::LoyaltyCustomers | Source::LoyaltyActions)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
