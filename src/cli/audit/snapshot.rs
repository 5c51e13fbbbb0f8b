//! Reads the values of snapshots.

use crate::avro;
use crate::config::{Config, SnapshotFormat};

/// Makes the JSON text of a snapshot's value, in the format that the configuration says.
pub fn reader_of(config: &Config) -> fn(&[u8]) -> Option<Vec<u8>> {
    match config.snapshot.format {
        SnapshotFormat::Json => |value| Some(value.to_vec()),
        SnapshotFormat::Avro => from_avro,
    }
}

/// The number of bytes before an Avro value: a zero, and the id of its schema.
const FRAME: usize = 5;

fn from_avro(value: &[u8]) -> Option<Vec<u8>> {
    match value.split_at_checked(FRAME)? {
        ([0, ..], body) => avro::snapshot::decode(body),
        _ => None,
    }
}
