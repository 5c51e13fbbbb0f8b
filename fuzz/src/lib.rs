//! The fuzz targets. Each takes any bytes and panics where something that keyfold promises does not hold.
//!
//! `fuzz_targets/` hands them to libFuzzer. `tests/fuzz.rs` of keyfold includes this file too, and runs every
//! target over the committed corpus and seeded mutations of it, on stable Rust and in a few seconds.

mod avro;
mod declared;
mod envelope;
mod frame;
mod json;
mod state;
mod verdict;

use keyfold::model::record::Source;

/// Something that any bytes are given to.
pub struct Target {
    /// The name of its file in `fuzz_targets/` and of its folder in `corpus/`.
    pub name: &'static str,
    run: fn(&[u8]),
}

pub const TARGETS: [Target; 14] = [
    Target {
        name: "json_loyalty_customers",
        run: |bytes| json::judge(Source::LoyaltyCustomers, bytes),
    },
    Target {
        name: "json_loyalty_actions",
        run: |bytes| json::judge(Source::LoyaltyActions, bytes),
    },
    Target {
        name: "json_console_customers",
        run: |bytes| json::judge(Source::ConsoleCustomers, bytes),
    },
    Target {
        name: "json_publisher_customers",
        run: |bytes| json::judge(Source::PublisherCustomers, bytes),
    },
    Target {
        name: "avro_loyalty_customers",
        run: |bytes| avro::judge(Source::LoyaltyCustomers, bytes),
    },
    Target {
        name: "avro_loyalty_actions",
        run: |bytes| avro::judge(Source::LoyaltyActions, bytes),
    },
    Target {
        name: "avro_console_customers",
        run: |bytes| avro::judge(Source::ConsoleCustomers, bytes),
    },
    Target {
        name: "avro_publisher_customers",
        run: |bytes| avro::judge(Source::PublisherCustomers, bytes),
    },
    Target {
        name: "avro_writer_schema",
        run: avro::compile_and_judge,
    },
    Target {
        name: "state",
        run: state::decode,
    },
    Target {
        name: "envelope",
        run: envelope::unwrap,
    },
    Target {
        name: "frame",
        run: frame::open,
    },
    Target {
        name: "definition",
        run: declared::define,
    },
    Target {
        name: "declared",
        run: declared::judge,
    },
];

/// Gives bytes to a target. Panics if there is none of that name.
pub fn run(name: &str, bytes: &[u8]) {
    match TARGETS.iter().find(|target| target.name == name) {
        Some(target) => (target.run)(bytes),
        None => panic!("there is no fuzz target {name}"),
    }
}
