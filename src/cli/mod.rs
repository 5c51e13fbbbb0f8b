//! The command line: one file a command (docs/contract.md, section 7).

pub mod config;
pub mod demo;
pub mod fold;
pub mod generate;
pub mod healthcheck;
pub mod letters;
pub mod line;
pub mod lines;
pub mod log;
pub mod run;
pub mod schemas;
pub mod topics;
pub mod validate;
