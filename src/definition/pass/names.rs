//! The names of an object's members that matter, and a quick look-up of them.

const BUCKETS: usize = 64;

/// Names with a number each.
#[derive(Debug, Default)]
pub(super) struct Names {
    entries: Vec<Entry>,
    /// For each bucket the first of its entries, counted from 1; 0 if it has none. Empty without names.
    buckets: Vec<u16>,
}

#[derive(Debug)]
struct Entry {
    name: Box<str>,
    ends: Ends,
    value: usize,
    /// The next entry of the bucket, counted from 1.
    next: u16,
}

impl Names {
    pub fn new(names: impl IntoIterator<Item = (String, usize)>) -> Names {
        let mut all = Names::default();
        for (name, value) in names {
            if all.buckets.is_empty() {
                all.buckets = vec![0; BUCKETS];
            }
            let Ok(number) = u16::try_from(all.entries.len() + 1) else {
                // A definition is refused before it has as many names.
                break;
            };
            let ends = Ends::of(&name);
            let first = &mut all.buckets[ends.bucket()];
            all.entries.push(Entry {
                name: name.into(),
                ends,
                value,
                next: *first,
            });
            *first = number;
        }
        all
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The name at a position.
    pub fn name(&self, position: usize) -> &str {
        self.entries
            .get(position)
            .map(|entry| &*entry.name)
            .unwrap_or_default()
    }

    /// The position of a name, and its number.
    #[inline]
    pub fn find(&self, name: &str) -> Option<(usize, usize)> {
        let ends = Ends::of(name);
        let mut next = *self.buckets.get(ends.bucket())?;
        while next != 0 {
            let at = usize::from(next) - 1;
            let entry = self.entries.get(at)?;
            if entry.ends == ends && (ends.are_all() || *entry.name == *name) {
                return Some((at, entry.value));
            }
            next = entry.next;
        }
        None
    }
}

/// The length of a name, its first eight bytes and its last eight, which overlap if it is shorter than sixteen: comparing
/// them compares most names as a whole, without a call for their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ends {
    length: usize,
    first: u64,
    last: u64,
}

impl Ends {
    #[inline]
    fn of(name: &str) -> Ends {
        let bytes = name.as_bytes();
        let (first, last) = match (bytes.first_chunk(), bytes.last_chunk()) {
            (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
            _ => Ends::of_short(bytes),
        };
        Ends {
            length: bytes.len(),
            first,
            last,
        }
    }

    /// Those of less than eight bytes.
    #[inline]
    fn of_short(bytes: &[u8]) -> (u64, u64) {
        match (bytes.first_chunk(), bytes.last_chunk()) {
            (Some(first), Some(last)) => (
                u32::from_le_bytes(*first).into(),
                u32::from_le_bytes(*last).into(),
            ),
            _ => {
                let all = bytes.iter();
                let all = all.fold(0, |all, byte| all << 8 | u64::from(*byte));
                (all, all)
            }
        }
    }

    /// Whether they are the whole name.
    #[inline]
    fn are_all(self) -> bool {
        self.length <= 16
    }

    #[inline]
    fn bucket(self) -> usize {
        // The highest bits of a product depend on all bits of its factors.
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        let mixed = (self.first ^ self.last.rotate_left(29)).wrapping_mul(SPREAD);
        (mixed >> (64 - BUCKETS.ilog2())) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_found_and_no_other() {
        let lengths = (1..40).map(|length| "x".repeat(length));
        let all: Vec<String> = (0..500)
            .map(|at| format!("n{}", at * 7))
            .chain([
                "".to_owned(),
                "a".to_owned(),
                "12345678_abcdefgh".to_owned(),
            ])
            .chain(lengths)
            .collect();
        let names = Names::new(all.iter().cloned().zip(1000..));
        for (at, name) in all.iter().enumerate() {
            assert_eq!(names.find(name), Some((at, 1000 + at)));
            assert_eq!(names.name(at), name);
        }
        let other_middle = "12345678-abcdefgh";
        let others = ["n1", "b", "n", "nn7", "xxxy", "yxx", "xy", other_middle];
        for other in others
            .map(str::to_owned)
            .into_iter()
            .chain(["x".repeat(40)])
        {
            assert_eq!(names.find(&other), None, "{other}");
        }
        assert_eq!(Names::default().find("a"), None);
    }
}
