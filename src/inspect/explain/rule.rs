//! The rules by which a part of a snapshot is decided.

/// Declares the rules: the name of each in JSON.
macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident = $name:literal,)*) => {
        /// Why a part of the snapshot is as it is (docs/contract.md, sections 3 and 9).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Rule { $($(#[$doc])* $rule,)* }

        impl Rule {
            /// The name in JSON.
            pub const fn name(self) -> &'static str {
                match self { $(Rule::$rule => $name,)* }
            }
        }
    };
}

rules! {
    /// No other record of the source tells it.
    Only = "only",
    /// The greatest time.
    Newest = "newest",
    /// Of equal times the greater rank: an update wins against a creation.
    GreaterRank = "greater_rank",
    /// Of equal stamps the greater JSON text.
    GreaterText = "greater_text",
    /// The greatest version of the console.
    HighestVersion = "highest_version",
    /// The greatest rank of a source with `order = "rank"`.
    HighestRank = "highest_rank",
    /// `merge.priority` puts this source before the others.
    Priority = "priority",
    /// Of the values of several sources the newest.
    NewestSource = "newest_source",
    /// The newest event that carries the list names the element.
    NewestList = "newest_list",
    /// Some event names the element, under `merge.lists = "union"`.
    Union = "union",
    /// The newest event that carries the list does not name the element.
    NotListed = "not_listed",
    /// Told as nothing: a null under `nulls = "clear"`.
    Cleared = "cleared",
    /// The newest record leaves it out, and tells so by that: `merge = "whole"`.
    Whole = "whole",
    /// Up to the time of an erasure.
    Erased = "erased",
    /// Beyond `merge.max_actions` or `merge.max_hidden`.
    LetGo = "let_go",
    /// Counted over the actions that are kept.
    Counted = "counted",
    /// The earliest of the actions that are kept.
    Earliest = "earliest",
    /// The latest of the actions that are kept.
    Latest = "latest",
    /// The status is `DELETED`, and `snapshot.deleted = "tombstone"`.
    Deleted = "deleted",
    /// No record tells it.
    NeverTold = "never_told",
}

impl Rule {
    /// Whether it says why something is not shown.
    pub const fn hides(self) -> bool {
        matches!(
            self,
            Rule::NotListed
                | Rule::Cleared
                | Rule::Whole
                | Rule::Erased
                | Rule::LetGo
                | Rule::Deleted
                | Rule::NeverTold
        )
    }

    /// Whether it says which elements a list has.
    pub const fn is_of_lists(self) -> bool {
        matches!(self, Rule::NewestList | Rule::Union | Rule::NotListed)
    }
}
