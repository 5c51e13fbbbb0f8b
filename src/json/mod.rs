//! JSON: strict reading, and canonical writing. It knows no source and no customer.
//!
//! [`strict`] reads what sources send, [`duplicate`] finds a field that is given twice, [`canonical`] writes.

pub(crate) mod canonical;
pub(crate) mod duplicate;
pub mod strict;
