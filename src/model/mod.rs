//! What all other modules share: records and rejections, sources, instants and dates, the partition of a key, how long a
//! topic keeps its records, countries, the nearest of the known names, and the encoding of whole numbers.

pub(crate) mod country;
pub mod lifetime;
pub(crate) mod nearest;
pub mod partition;
pub mod record;
mod source;
pub mod time;
pub(crate) mod varint;
