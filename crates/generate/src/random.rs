//! The generator's only source of randomness. It draws from ChaCha8 by a few rules of its own, because the
//! distributions of the `rand` crate may change their results between versions.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Draws that depend only on the seed and on the draws before them. It uses no floating-point function whose result
/// differs between platforms.
pub struct Random(ChaCha8Rng);

impl Random {
    pub fn new(seed: u64) -> Random {
        let mut bytes = *b"........keyfold's generator.v001";
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Random(ChaCha8Rng::from_seed(bytes))
    }

    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        // A double holds 53 bits.
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Uniform in `0..bound`, and 0 if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// Uniform in `0..bound`, and 0 if `bound` is 0.
    pub fn index(&mut self, bound: usize) -> usize {
        self.below(bound as u64) as usize
    }

    /// Uniform in `low..=high`, and `low` if the range is empty.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = high.saturating_sub(low).saturating_add(1).max(0) as u64;
        low.saturating_add(self.below(width) as i64)
    }

    /// One of the elements, each as likely as the others.
    pub fn pick<T: Copy, const N: usize>(&mut self, choices: &[T; N]) -> T {
        const { assert!(N > 0) };
        choices[self.index(N)]
    }

    /// In `0..bound`, small values far more often than large ones: the first hundredth of the range
    /// gets a seventh of the draws, the first fifth more than half, and no single value more than a few
    /// per cent, however large the range is.
    pub fn skewed(&mut self, bound: u32) -> u32 {
        const A: f64 = 0.1;
        let point = self.unit() + A;
        let share =
            (point * point * point - A * A * A) / ((1.0 + A) * (1.0 + A) * (1.0 + A) - A * A * A);
        ((share * f64::from(bound)) as u32).min(bound.saturating_sub(1))
    }
}

/// A fixed function that mixes the bits of a number well: for properties of a customer that need no draw.
pub(super) fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A version 4 UUID with 122 of the given bits.
pub(super) fn uuid(high: u64, low: u64) -> String {
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | ((low >> 48) & 0x3fff),
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_stay_in_their_ranges() {
        let mut random = Random::new(1);
        for _ in 0..10_000 {
            assert!((0.0..1.0).contains(&random.unit()));
            assert!(random.below(7) < 7);
            assert!((-3..=3).contains(&random.between(-3, 3)));
            assert!(random.skewed(5) < 5);
        }
        assert_eq!(random.below(0), 0);
        assert_eq!(random.skewed(0), 0);
        assert_eq!(random.between(5, 4), 5);
    }

    #[test]
    fn few_values_get_many_of_the_skewed_draws() {
        let mut random = Random::new(1);
        let draws: Vec<u32> = (0..20_000).map(|_| random.skewed(1_000)).collect();
        let share = |bound| draws.iter().filter(|&&draw| draw < bound).count() as f64 / 20_000.0;
        assert!((0.10..0.18).contains(&share(10)));
        assert!(share(200) > 0.5);
        assert!(share(1) < 0.05);
    }

    #[test]
    fn uuids_are_of_version_4() {
        assert_eq!(
            uuid(u64::MAX, u64::MAX),
            "ffffffff-ffff-4fff-bfff-ffffffffffff"
        );
        assert_eq!(uuid(0, 0), "00000000-0000-4000-8000-000000000000");
    }
}
