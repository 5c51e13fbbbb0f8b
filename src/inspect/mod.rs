//! What the commands for operators (docs/contract.md, section 10) find in the logs of topics: the part of them without
//! I/O and without a clock. `crate::cli` reads the logs, gives their records to this, and shows what it found.

pub mod audit;
pub mod difference;
pub mod erase;
pub mod explain;
pub mod letter;
pub mod mention;
