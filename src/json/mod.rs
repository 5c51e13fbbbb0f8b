//! JSON: strict reading, and canonical writing. This module knows neither sources nor customers.
//!
//! [`strict`] reads what sources send, [`duplicate`] finds a field that occurs twice, [`canonical`] writes.

pub(crate) mod canonical;
pub(crate) mod duplicate;
pub mod strict;
