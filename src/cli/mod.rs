//! The command line: one file a command (the contract, section 7).

pub mod config;
pub mod exit;
pub mod fold;
pub mod lines;
pub mod validate;
