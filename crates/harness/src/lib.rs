//! What the tests and benchmarks of keyfold have in common. It is built once for all of them.
//!
//! On a real Kafka (`tests/kafka`, `tests/faults`):
//!
//! - [`app`] is a keyfold of a test's own: its topics, its configuration, and its records. [`program`] runs the real
//!   program, as a [`child`] process that does not outlive the tests.
//! - [`broker`] starts an Apache Kafka, [`cluster`] three of them that are one, and [`registry`] a schema registry, with [`registry_proxy`] before it. What they
//!   are made of is fetched once ([`downloads`]), and where they listen [`ports`] says. [`slots`] limits how many tests run side by side.
//! - [`client`] produces [`record`]s, and [`reading`] reads them; [`foreign_clients`] does what others do to keyfold's
//!   topics and group; [`python_client`] shares no code with keyfold. [`acls`] grants permissions, [`certificates`] makes those of TLS. [`prometheus`] scrapes the program, and
//!   [`debian`] finds the programs that cargo cannot fetch.
//! - [`expected`] compares what came out with the offline fold, and [`drained`] says when keyfold has done its work.
//!   [`avro_records`] and [`avro_lines`] do the same for Avro. [`lost_markers`] recognizes a broker that has lost data.
//!
//! Without Kafka:
//!
//! - [`terminal`] is a terminal, for what is written to people only.
//! - [`examples`] reads the examples under `schemas/examples`.
//! - [`explained`] holds an explanation of a customer against the fold.
//! - [`avro_evolution`], [`json_mutations`], [`byte_mutations`] and [`random_documents`] make many inputs of few.
//!
//! Every wait is for a condition, with a deadline.

pub mod acls;
pub mod app;
pub mod avro_evolution;
pub mod avro_lines;
pub mod avro_records;
pub mod broker;
pub mod browser;
pub mod byte_mutations;
pub mod certificates;
pub mod child;
pub mod client;
pub mod cluster;
pub mod debian;
pub mod downloads;
pub mod drained;
pub mod examples;
pub mod expected;
pub mod explained;
pub mod foreign_clients;
pub mod json_mutations;
pub mod lost_markers;
pub mod metrics;
pub mod ports;
pub mod program;
pub mod prometheus;
pub mod python_client;
pub mod random_documents;
pub mod reading;
pub mod record;
pub mod registry;
pub mod registry_proxy;
pub mod slots;
pub mod terminal;
pub mod wait;

use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("the root is two folders up")
}

/// The build directory of this profile, `target/debug` or `target/release`. Cargo puts test programs into its folder
/// `deps`.
pub(crate) fn build_directory() -> PathBuf {
    let test = std::env::current_exe().expect("the path of the test program");
    let directory = test.ancestors().nth(2).expect("a folder above `deps`");
    directory.to_path_buf()
}

/// The program under test. Cargo names it to the tests at run time since 1.94; an older Cargo has put it beside them.
pub fn program_path() -> PathBuf {
    match std::env::var_os("CARGO_BIN_EXE_keyfold") {
        Some(path) => path.into(),
        None => build_directory().join("keyfold"),
    }
}
