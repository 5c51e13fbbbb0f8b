//! Sizes in bytes.

use super::*;

const BATCH: &str = "KEYFOLD__PROCESSING__MAX_BATCH_BYTES";

#[test]
fn a_size_is_a_number_of_bytes_or_has_a_unit() {
    let state = |value: &str| {
        let config = from_toml(&format!("[validation]\nmax_state_bytes = {value}"));
        config.validation.max_state_bytes
    };
    assert_eq!(state("2_000_000"), 2_000_000);
    assert_eq!(state("'1MiB'"), 1_048_576);
    assert_eq!(state("'1MB'"), 1_000_000);
    assert_eq!(state("'64 kib'"), 65_536);
    // at the bounds
    assert_eq!(state("'1KiB'"), 1024);
    assert_eq!(state("'100MiB'"), 104_857_600);
    let batch = |value| from_env(&[(BATCH, value)]).processing.max_batch_bytes;
    assert_eq!(batch("1048576"), 1_048_576);
    assert_eq!(batch(" 128MiB "), 134_217_728);
    assert_eq!(batch("1GiB"), 1_073_741_824);
}

/// Each key that ends in `_bytes`, and no other.
#[test]
fn every_size_takes_a_unit() {
    let mut sizes = 0;
    for path in keys() {
        let is_size = path.ends_with("_bytes");
        let shape = &names::spec(&path).unwrap().shape;
        let takes =
            shape.check(&toml::Value::from("32MiB")).is_ok() && shape.expected().contains("MiB");
        assert_eq!(takes, is_size, "{path}");
        sizes += usize::from(is_size);
    }
    assert!(sizes >= 5, "{sizes}");
}

#[test]
fn a_wrong_size_names_the_key_and_what_is_accepted() {
    let accepted = "expected a size such as \"64MiB\" or \"64MB\", or a whole number of bytes, from 1KiB to 100MiB, found ";
    for (value, found) in [
        ("'1M'", "\"1M\""),
        ("'1.5MiB'", "\"1.5MiB\""),
        ("'1048576'", "\"1048576\""),
        ("'1023B'", "\"1023B\""),
        ("'101MiB'", "\"101MiB\""),
        ("1023", "1023"),
        ("1.5", "1.5"),
        ("true", "a boolean"),
    ] {
        let message = error(&format!("[validation]\nmax_record_bytes = {value}"));
        assert!(
            message.contains("`validation.max_record_bytes`"),
            "{message}"
        );
        assert!(
            message.ends_with(&format!("{accepted}{found}")),
            "{message}"
        );
    }
    let message = env_error(BATCH, "64Mb/s");
    assert!(message.contains(BATCH), "{message}");
    assert!(
        message.contains("from 1KiB to 1GiB, found \"64Mb/s\""),
        "{message}"
    );
}

#[test]
fn a_size_is_printed_in_bytes_and_in_words() {
    let toml = "[validation]\nmax_state_bytes = '2MiB'\nmax_metadata_bytes = 5001";
    let (config, origins) = load_with_origins(toml, &[]).unwrap();
    let printed = config.print_with(&origins);
    for line in [
        "max_state_bytes = 2097152  # 2MiB, keyfold.toml, line 2\n",
        "max_metadata_bytes = 5001  # keyfold.toml, line 3\n",
        "max_batch_bytes = 268435456  # 256MiB\n",
    ] {
        assert!(printed.contains(line), "{line}{printed}");
    }
    assert_eq!(from_toml(&printed), config);
}
