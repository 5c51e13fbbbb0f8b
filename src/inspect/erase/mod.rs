//! What an erasure of a customer must cover, and what is still readable of the customer afterwards, place by place.
//!
//! | file | subject |
//! |---|---|
//! | [`times`] | the timestamp of the null value: which times are known, and which of them decides |
//! | [`copies`] | the records of the customer that a topic holds |
//! | [`bounds`] | until when these can be read, by the topic's settings |
//! | [`places`] | the report on a place |

pub mod bounds;
pub mod copies;
pub mod places;
pub mod times;
