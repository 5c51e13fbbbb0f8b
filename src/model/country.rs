//! Countries of ISO 3166-1, by their codes and English short names.

use std::collections::HashMap;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Apostrophes in all their forms, and the full stop: they are ignored, because no two countries differ only in them.
const APOSTROPHES: &str = "'\u{2019}\u{2018}\u{2bc}\u{60}\u{b4}\u{2032}.";

/// Names that are not in ISO's list: former names, and common names from other lists that follow ISO 3166.
const OTHER_NAMES: [(&str, &str); 5] = [
    ("Holy See (Vatican City State)", "VA"),
    ("Netherlands", "NL"),
    ("Turkey", "TR"),
    ("United Kingdom", "GB"),
    ("United States", "US"),
];

/// All names of countries that the console and the publisher may use, [folded].
static NAMES: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
    let mut names = HashMap::new();
    for country in rust_iso3166::ALL {
        names.insert(folded(country.name), country.alpha2);
    }
    for (name, alpha2) in OTHER_NAMES {
        names.insert(folded(name), alpha2);
    }
    names
});

/// Reads an alpha-2 code in any case; returns it in upper case. The text must be trimmed already.
pub fn from_alpha2(text: &str) -> Option<&'static str> {
    let &[first, second] = text.as_bytes() else {
        return None;
    };
    let upper = [first.to_ascii_uppercase(), second.to_ascii_uppercase()];
    let upper = std::str::from_utf8(&upper).ok()?;
    rust_iso3166::from_alpha2(upper).map(|country| country.alpha2)
}

/// Reads an alpha-2 code, an alpha-3 code or an English short name, in any case; returns the alpha-2 code. The text
/// must be trimmed already.
pub fn from_any(text: &str) -> Option<&'static str> {
    from_alpha2(text)
        .or_else(|| from_alpha3(text))
        .or_else(|| NAMES.get(&folded(text)).copied())
}

fn from_alpha3(text: &str) -> Option<&'static str> {
    let code = text.to_ascii_uppercase();
    rust_iso3166::from_alpha3(&code).map(|country| country.alpha2)
}

/// A name in lower case, without accents, in one normalisation form, and without its punctuation and articles: ISO's
/// own lists write "Bahamas (the)" and "Korea (the Republic of)", others "Bahamas" and "Korea, Republic of".
fn folded(name: &str) -> String {
    // decomposed twice, because the lower case of "İ" is again a letter with a combining mark
    let lower: String = name.nfkd().flat_map(char::to_lowercase).nfkd().collect();
    let lower: String = lower
        .chars()
        .filter(|character| !is_combining_mark(*character) && !APOSTROPHES.contains(*character))
        .map(|character| match character {
            // in Turkish, this is the lower case of "I"
            'ı' => 'i',
            other => other,
        })
        .collect();
    let words = lower
        .split(|character: char| character.is_whitespace() || "()[],".contains(character))
        .filter(|word| !word.is_empty() && *word != "the");
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_codes_and_names_in_any_case() {
        assert_eq!(from_alpha2("gb"), Some("GB"));
        assert_eq!(from_alpha2("GBR"), None);
        assert_eq!(from_alpha2("XK"), None);
        assert_eq!(from_alpha2("UK"), None);
        assert_eq!(from_any("aus"), Some("AU"));
        assert_eq!(from_any("united states of america"), Some("US"));
        assert_eq!(from_any("CÔTE D'IVOIRE"), Some("CI"));
        assert_eq!(from_any("Türkiye"), Some("TR"));
        assert_eq!(from_any("Bahamas (the)"), Some("BS"));
        assert_eq!(from_any("Korea (the Republic of)"), Some("KR"));
        assert_eq!(from_any("Palestine, State of"), Some("PS"));
        assert_eq!(from_any("Côte d\u{2019}Ivoire"), Some("CI"));
        assert_eq!(from_any("the Netherlands"), Some("NL"));
        assert_eq!(from_any("UNITED KINGDOM"), Some("GB"));
        assert_eq!(from_any("United States"), Some("US"));
        assert_eq!(from_any("Atlantis"), None);
        for no_code in [
            "U.S.",
            "U.S.A.",
            "(US)",
            "the US",
            "US,",
            "[gbr]",
            "S\u{212a}",
        ] {
            assert_eq!(from_any(no_code), None, "{no_code}");
        }
        assert_eq!(from_any(""), None);
    }

    /// Every name as it is, in upper and in lower case, in each normalisation form, and without accents.
    #[test]
    fn knows_every_name_however_it_is_written() {
        let all = rust_iso3166::ALL.iter().map(|one| (one.name, one.alpha2));
        for (name, alpha2) in all.chain(OTHER_NAMES) {
            let bare = name
                .nfd()
                .filter(|character| !is_combining_mark(*character));
            for written in [name.to_owned(), bare.collect()] {
                for cased in [
                    written.clone(),
                    written.to_uppercase(),
                    written.to_lowercase(),
                ] {
                    let forms = [
                        cased.nfc().collect::<String>(),
                        cased.nfd().collect(),
                        cased.nfkc().collect(),
                        cased.nfkd().collect(),
                    ];
                    for form in forms {
                        assert_eq!(from_any(&form), Some(alpha2), "{form}");
                    }
                }
            }
        }
        for (text, alpha2) in [
            ("TÜRKİYE", "TR"),
            ("Tu\u{308}rkiye", "TR"),
            ("türkıye", "TR"),
            ("Cote d\u{2bc}Ivoire", "CI"),
            ("Re\u{301}union", "RE"),
            ("ALAND ISLANDS", "AX"),
            ("curacao", "CW"),
            ("São Tomé and Príncipe", "ST"),
        ] {
            assert_eq!(from_any(text), Some(alpha2), "{text}");
        }
        assert_eq!(from_alpha2("T\u{308}R"), None);
    }

    #[test]
    fn no_two_countries_share_a_name() {
        let all = rust_iso3166::ALL.len() + OTHER_NAMES.len();
        assert_eq!(NAMES.len(), all);
    }

    #[test]
    fn the_list_is_that_of_iso_3166() {
        assert_eq!(rust_iso3166::ALL.len(), 249);
    }
}
