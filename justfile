# The everyday commands, for https://just.systems. What CI runs too is defined in .ci/run, which needs no just.

# list the commands
default:
    @just --list --unsorted

# build the program, with optimisation
build:
    cargo build --release

# build the program as it is installed, with its line tables beside it (target/dist)
dist:
    .ci/run dist

# run all tests, those on a real Kafka included
test:
    .ci/run tests

# run only what needs no Kafka
test-unit *ARGS:
    cargo test --release --lib --bins {{ ARGS }}

# run only the tests on Kafka; with a name, those with that name
test-kafka *ARGS:
    cargo test --release --test kafka {{ ARGS }}

# run the fuzz targets on stable Rust, for some seconds
fuzz *ARGS:
    cargo test --release --test fuzz {{ ARGS }}

# harm keyfold with each kind of fault, in minutes; not part of `test`
faults:
    .ci/run faults

# harm keyfold in all variants, and for an hour in all ways at random
faults-long:
    cargo test --release --test faults -- --ignored --nocapture

# time each stage of a record; with a name, the stages of that name
bench *ARGS:
    cargo bench --bench stages -- {{ ARGS }}

# count what a record costs in instructions, and compare it with the baseline (needs valgrind)
instructions:
    .ci/run instructions

# check what generators make of the snapshot's schema (needs npm)
types:
    .ci/run types

# check what the Helm chart makes (needs Go and Python)
helm:
    .ci/run helm

# rewrite what is written from the tables of keys: the reference file, the schemas for editors, docs/configuration.md, docs/definitions.md
config-files:
    KEYFOLD_TEST_REWRITE=1 cargo test --test documentation table_of_keys

# rewrite the manual page, docs/keyfold.1, which is written from the definition of the command line
manual:
    KEYFOLD_TEST_REWRITE=1 cargo test --test manual that_of_the_command_line

# format all Rust code
fmt:
    cargo fmt --all
    cargo fmt --manifest-path fuzz/Cargo.toml

# check the format and run clippy, where a warning is an error
lint:
    .ci/run format lints

# check the licences and the sources of the dependencies
licences:
    .ci/run licences

# run everything that CI runs, in its order
ci:
    .ci/run
