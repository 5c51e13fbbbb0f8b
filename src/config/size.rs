//! Sizes in bytes as people write them: `64MiB`, `1GB`.

/// The units, each with its bytes, the largest first. Upper and lower case mean the same.
const UNITS: [(&str, i64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1000),
    ("B", 1),
];

/// The bytes of a text that is a whole number with a unit, perhaps with space between them. None if it is something else,
/// or more than an `i64` holds.
pub(super) fn bytes_of(text: &str) -> Option<i64> {
    let text = text.trim();
    let end = text.find(|char: char| !char.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(end)?;
    let unit = unit.trim_start();
    let (_, bytes) = UNITS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    number.parse::<i64>().ok()?.checked_mul(*bytes)
}

/// The size in the largest unit of which it is a whole number, such as `64MiB`; in bytes if there is none.
pub(super) fn text_of(bytes: i64) -> String {
    let fits = |unit: i64| bytes >= unit && bytes % unit == 0;
    let unit = UNITS.iter().find(|(_, unit)| fits(*unit));
    let (name, unit) = unit.copied().unwrap_or(("B", 1));
    format!("{}{name}", bytes / unit)
}

/// What a text must look like, for the JSON Schema.
pub(super) const PATTERN: &str = r"^\s*[0-9]+\s*([kKmMgGtT][iI]?)?[bB]\s*$";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_a_unit() {
        for (text, bytes) in [
            ("1MiB", 1_048_576),
            ("1MB", 1_000_000),
            ("64KiB", 65_536),
            (" 2 GiB ", 2_147_483_648),
            ("2gib", 2_147_483_648),
            ("900kB", 900_000),
            ("5B", 5),
            ("0B", 0),
            ("1TiB", 1_099_511_627_776),
        ] {
            assert_eq!(bytes_of(text), Some(bytes), "{text}");
        }
        for text in [
            "",
            "1",
            "MiB",
            "1M",
            "1Mi",
            "1.5MiB",
            "-1MiB",
            "+1MiB",
            "1MiBs",
            "1 M iB",
            "1_0MiB",
            "9223372036854775807KiB",
            "99999999999999999999B",
            "１MiB",
        ] {
            assert_eq!(bytes_of(text), None, "{text}");
        }
    }

    #[test]
    fn a_size_is_shown_as_it_is_read() {
        for (bytes, text) in [
            (1_048_576, "1MiB"),
            (1024 * 1_048_576, "1GiB"),
            (900_000, "900KB"),
            (1_000_000, "1MB"),
            (1_048_577, "1048577B"),
            (0, "0B"),
        ] {
            assert_eq!(text_of(bytes), text);
            assert_eq!(bytes_of(text), Some(bytes));
        }
    }
}
