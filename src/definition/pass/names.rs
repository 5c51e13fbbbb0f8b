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
            let first = &mut all.buckets[bucket(&name)];
            all.entries.push(Entry {
                name: name.into(),
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
        let mut next = *self.buckets.get(bucket(name))?;
        while next != 0 {
            let at = usize::from(next) - 1;
            let entry = self.entries.get(at)?;
            if *entry.name == *name {
                return Some((at, entry.value));
            }
            next = entry.next;
        }
        None
    }
}

/// Names that a definition maps hardly ever have the same length, first and last byte.
#[inline]
fn bucket(name: &str) -> usize {
    let bytes = name.as_bytes();
    let (first, last) = match bytes {
        [] => (0, 0),
        [first, .., last] => (*first, *last),
        [one] => (*one, *one),
    };
    (bytes.len() + usize::from(first) * 7 + usize::from(last) * 13) % BUCKETS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_found_and_no_other() {
        let all: Vec<String> = (0..500)
            .map(|at| format!("n{}", at * 7))
            .chain(["".to_owned(), "a".to_owned()])
            .collect();
        let names = Names::new(all.iter().cloned().zip(1000..));
        for (at, name) in all.iter().enumerate() {
            assert_eq!(names.find(name), Some((at, 1000 + at)));
            assert_eq!(names.name(at), name);
        }
        for other in ["n1", "b", "n", "nn7"] {
            assert_eq!(names.find(other), None);
        }
        assert_eq!(Names::default().find("a"), None);
    }
}
