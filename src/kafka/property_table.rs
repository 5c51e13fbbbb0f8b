//! The properties of librdkafka as it lists them itself: their names and allowed values.

use std::ffi::CStr;
use std::ptr::null_mut;
use std::sync::OnceLock;

use rdkafka::bindings as rd;

/// A property of librdkafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    pub name: String,
    /// Its possible values: words separated by commas, or two numbers with `..` between them; `None` for free text.
    pub range: Option<String>,
}

/// All properties with their aliases, without those that are for librdkafka's own tests. Empty if the library does not
/// list them.
pub fn all() -> &'static [Property] {
    static ALL: OnceLock<Vec<Property>> = OnceLock::new();
    ALL.get_or_init(|| table_text().lines().filter_map(row).collect())
}

/// The property with this name.
pub fn find(name: &str) -> Option<&'static Property> {
    all().iter().find(|property| property.name == name)
}

/// Reads a row of the table: the name, the kind of client, the range, and more.
fn row(line: &str) -> Option<Property> {
    let mut cells = line.split(" | ").map(str::trim);
    let (name, _, range) = (cells.next()?, cells.next()?, cells.next()?);
    let is_name = |byte: u8| byte.is_ascii_lowercase() || matches!(byte, b'.' | b'_');
    let is_name = !name.is_empty() && name.bytes().all(is_name);
    is_name.then(|| Property {
        name: name.to_owned(),
        range: (!range.is_empty()).then(|| range.to_owned()),
    })
}

/// The table, which the library can only write to a file.
fn table_text() -> String {
    let (mut text, mut length) = (null_mut(), 0);
    // SAFETY: the file is closed before its text is read, which then ends with a null character and is freed once.
    unsafe {
        let file = libc::open_memstream(&raw mut text, &raw mut length);
        if file.is_null() {
            return String::new();
        }
        rd::rd_kafka_conf_properties_show(file);
        if libc::fclose(file) != 0 || text.is_null() {
            return String::new();
        }
        let table = CStr::from_ptr(text).to_string_lossy().into_owned();
        libc::free(text.cast());
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ranges_are_known() {
        let range = |name: &str| find(name).expect(name).range.as_deref();
        assert!(all().len() > 150, "{}", all().len());
        assert_eq!(range("check.crcs"), Some("true, false"));
        assert_eq!(range("retries"), Some("0 .. 2147483647"));
        assert!(range("security.protocol").is_some_and(|range| range.contains("sasl_ssl")));
        assert_eq!(range("sasl.username"), None);
        // of a topic, and an alias
        assert!(range("compression.type").is_some_and(|range| range.contains("zstd")));
        assert!(find("sasl.jaas.config").is_none());
        assert!(find("Property").is_none());
    }
}
