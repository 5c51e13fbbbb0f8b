//! What all rooms speak of: a record and how it is rejected, instants, the partition of a key, and countries.

pub mod country;
pub mod partition;
pub mod record;
pub mod time;
