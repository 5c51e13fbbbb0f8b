//! Reads the tests in a definition.

use super::super::reader::{Entries, Reader};
use super::super::{Expected, Test};

impl Reader<'_> {
    pub(super) fn examples(&mut self, entries: &mut Entries<'_>) -> Vec<Test> {
        let tables = self.tables(entries, "tests");
        tables
            .into_iter()
            .filter_map(|table| self.example(table))
            .collect()
    }

    fn example(&mut self, mut table: Entries<'_>) -> Option<Test> {
        let expectations = ["snapshot", "nothing", "rejected"];
        let given = expectations.iter().filter(|name| table.has(name)).count();
        if given != 1 {
            let found = if given == 0 { "none" } else { "several" };
            let message = format!("expected one of snapshot, nothing and rejected, found {found}");
            self.problem("tests", table.line, message);
        }
        let line = table.line;
        let record = self.text(table.take("record"));
        let key = self.text(table.take("key"));
        let timestamp = self.timestamp(table.take("timestamp"));
        let headers = self.headers(table.take("headers"));
        let expected = self.expected(&mut table);
        Some(Test {
            line,
            record,
            key,
            timestamp,
            headers,
            expected: expected?,
        })
    }

    fn expected(&mut self, table: &mut Entries<'_>) -> Option<Expected> {
        if let Some(line) = table.line_of("snapshot") {
            let json = self.json(table.take("snapshot"))?;
            if !json.is_object() && !json.is_null() {
                self.problem("tests.snapshot", line, "expected an object, or null");
            }
            return Some(if json.is_null() {
                Expected::Nothing
            } else {
                Expected::Snapshot(json)
            });
        }
        if let Some(line) = table.line_of("nothing") {
            if self.flag(table.take("nothing"))? {
                return Some(Expected::Nothing);
            }
            self.problem("tests.nothing", line, "expected true, found false");
            return None;
        }
        let mut rejected = self.table(table, "rejected")?;
        let code = self.code(rejected.take("code"));
        let pointers = self.pointers(rejected.take("pointers"));
        Some(Expected::Rejected {
            code: code?,
            pointers: pointers.unwrap_or_default(),
        })
    }
}
