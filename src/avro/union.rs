//! Which branches of a writer's union can be read.

use super::PlanError;

/// The branches that can be read, and none for those that cannot: a value of such a branch is a mismatch when it comes.
/// It is an error of the schema if no branch can be read.
pub(super) fn readable_branches<N>(
    branches: impl Iterator<Item = Result<N, PlanError>>,
) -> Result<Vec<Option<N>>, PlanError> {
    let mut refused = None;
    let branches: Vec<Option<N>> = branches
        .map(|branch| branch.map_err(|error| refused = Some(error)).ok())
        .collect();
    match refused {
        Some(error) if branches.iter().all(Option::is_none) => Err(error),
        _ => Ok(branches),
    }
}
