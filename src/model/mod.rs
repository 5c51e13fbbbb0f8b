//! What all other parts share: a record and how it is rejected, instants and dates, the partition of a key, countries, and
//! whole numbers as bytes.

pub(crate) mod country;
pub mod partition;
pub mod record;
pub mod time;
pub(crate) mod varint;
