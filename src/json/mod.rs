//! JSON: strict reading, and canonical writing. This module knows neither sources nor customers.
//!
//! [`strict`] reads what sources send, [`duplicate`] finds a field that occurs twice, [`canonical`] writes,
//! [`members`] splits an object that was written, [`normal`] says whether two texts say the same.

pub(crate) mod canonical;
pub(crate) mod duplicate;
pub(crate) mod members;
pub(crate) mod messages;
pub(crate) mod normal;
pub mod schema;
pub mod strict;
