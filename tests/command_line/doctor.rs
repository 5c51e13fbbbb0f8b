//! `keyfold doctor` with a configuration that cannot be used.

use crate::{keyfold, with_config};

/// All that is wrong is told before any check, and the exit code is that of a wrong configuration.
#[test]
fn a_wrong_configuration_is_told_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let config = with_config(
        folder.path(),
        "[snapshot]\ntopc = 'x'\n[kafka.properties]\n\"sasl.mechanizm\" = 'PLAIN'\n[sources.people]\ndefinition = 'people.toml'\ntopics = ['p']\n",
    );
    let run = keyfold(&["doctor", "--config", &config], b"", &[]);
    assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{}", run.err);
    for part in ["snapshot.topc", "sasl.mechanizm", "people.toml"] {
        assert!(run.err.contains(part), "{part} in: {}", run.err);
    }
    let run = keyfold(&["doctor", "--output", "xml"], b"", &[]);
    assert_eq!(run.code, Some(2), "{}", run.err);
}
