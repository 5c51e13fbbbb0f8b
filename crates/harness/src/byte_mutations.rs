//! Mutations of bytes that know nothing of what the bytes mean.

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

/// No mutation makes more of it than this.
const MAX_BYTES: usize = 4096;

/// What stands where a decoder may look for a number, a length or a token.
const PIECES: [&[u8]; 24] = [
    b"\0",
    b"\x01",
    b"\x02",
    b"\x7f",
    b"\x80\x01",
    b"\xff\xff\xff\xff\x0f",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80",
    b"\x7f\xff\xff\xff\xff\xff\xff\xff",
    b"\x80\0\0\0\0\0\0\0",
    b"null",
    b"true",
    b"{}",
    b"[]",
    b"[[[[",
    b"{\"a\":",
    b"\"\"",
    b",",
    b"-0.0",
    b"1e400",
    b"9223372036854775808",
    b"\\ud800",
    b"\xed\xa0\x80",
    b"2016-12-31T23:59:60Z",
];

/// A few mutations of `bytes`; `other` is what pieces are taken from.
pub fn mutated(bytes: &[u8], other: &[u8], random: &mut StdRng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..random.random_range(1..5) {
        mutate(&mut bytes, other, random);
        bytes.truncate(MAX_BYTES);
    }
    bytes
}

fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &mut StdRng) {
    let at = random.random_range(0..=bytes.len());
    match (random.random_range(0..10), bytes.get(at).copied()) {
        (0, Some(_)) => bytes[at] = random.random(),
        (1, Some(byte)) => bytes[at] = byte ^ 1 << random.random_range(0..8),
        (2, Some(byte)) => bytes[at] = byte.wrapping_add(random.random_range(0..5)).wrapping_sub(2),
        (3, Some(_)) => drop(bytes.drain(at..end_of_piece(at, bytes.len(), random))),
        (4, Some(_)) => {
            let piece = bytes[at..end_of_piece(at, bytes.len(), random)].to_vec();
            let to = random.random_range(0..=bytes.len());
            bytes.splice(to..to, piece);
        }
        (5, _) => {
            let from = random.random_range(0..=other.len());
            let piece = &other[from..end_of_piece(from, other.len(), random)];
            bytes.splice(at..at, piece.iter().copied());
        }
        (6, _) => {
            let from = random.random_range(0..=other.len());
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        (7, _) => bytes.truncate(at),
        _ => {
            let piece = PIECES.choose(random).copied().unwrap_or_default();
            let over = if random.random() { piece.len() } else { 0 };
            let to = (at + over).min(bytes.len());
            bytes.splice(at..to, piece.iter().copied());
        }
    }
}

/// Mostly a short piece.
fn end_of_piece(from: usize, length: usize, random: &mut StdRng) -> usize {
    let most = if random.random_bool(0.8) { 8 } else { 200 };
    (from + random.random_range(0..=most)).min(length)
}
