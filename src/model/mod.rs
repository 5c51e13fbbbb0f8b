//! What all other modules share: records and rejections, instants and dates, the partition of a key, countries, the
//! nearest of the known names, and the encoding of whole numbers.

pub(crate) mod country;
pub(crate) mod nearest;
pub mod partition;
pub mod record;
pub mod time;
pub(crate) mod varint;
