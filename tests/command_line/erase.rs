//! `keyfold erase` where it needs no Kafka to refuse.

use crate::{Run, keyfold};

/// Refused with exit code 2, before any broker is asked.
fn refused(args: &[&str], environment: &[(&str, &str)], says: &[&str]) {
    let all = [&["erase"], args].concat();
    let Run { code, out, err } = keyfold(&all, b"", environment);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
    for part in says {
        assert!(err.contains(part), "{part}: {err}");
    }
}

#[test]
fn an_id_that_no_null_value_can_name_is_refused() {
    for blank in ["", "  ", "\t", "\u{a0}"] {
        refused(
            &[blank, "--execute"],
            &[],
            &["nothing was written", "blank"],
        );
    }
    for framed in ["\"c1\"", "\u{1}c1", "\u{85}c1"] {
        refused(
            &[framed],
            &[],
            &["loyalty-customers", "invalid_key", "key_format"],
        );
    }
}

#[test]
fn a_source_that_does_not_erase_is_refused_with_the_setting() {
    let tombstone = "KEYFOLD__SOURCES__LOYALTY_CUSTOMERS__TOMBSTONE";
    refused(
        &["c1"],
        &[(tombstone, "retract")],
        &["no source erases", "tombstone = \"erase\""],
    );
    let console = ["c1", "--source", "console-customers"];
    refused(
        &console,
        &[],
        &["sources.console-customers.tombstone = \"erase\""],
    );
    refused(
        &["c1", "--source", "nobody"],
        &[],
        &["no source nobody", "loyalty-customers"],
    );
}

/// The null value of a row that was deleted says nothing.
#[test]
fn a_source_of_debezium_cannot_erase() {
    let folder = tempfile::tempdir().unwrap();
    let definition =
        "envelope = \"debezium\"\ncustomer_id = \"/id\"\n[fields]\nfirstName = \"/given\"\n";
    std::fs::write(folder.path().join("rows.toml"), definition).unwrap();
    let config =
        "[sources.rows]\ndefinition = \"rows.toml\"\ntopics = [\"rows\"]\ntombstone = \"erase\"\n";
    let config = crate::with_config(folder.path(), config);
    refused(
        &["c1", "--config", &config],
        &[],
        &["rows: a null value of Debezium says nothing"],
    );
}

#[test]
fn waiting_needs_something_to_wait_for() {
    refused(&["c1", "--wait"], &[], &["--execute"]);
    refused(&["c1", "--execute", "--timeout", "5s"], &[], &["--wait"]);
}
