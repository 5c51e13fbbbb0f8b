//! Verdicts as people read them: a line for each record, below it what is wrong and where, and a summary at the end.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use crate::cli::output::plain;
use crate::model::record::{Code, Rejection, Violation};

/// Behind the verdict, under the place of the record.
const INDENT: &str = "          ";

pub struct ForPeople<W> {
    out: W,
    styles: Styles,
    valid: u64,
    /// Valid records that have a warning.
    warned: u64,
    rejected: BTreeMap<Code, u64>,
}

/// All are plain where nothing is coloured.
#[derive(Default)]
struct Styles {
    valid: Style,
    rejected: Style,
    warning: Style,
    code: Style,
}

impl<W: Write> ForPeople<W> {
    pub fn new(out: W, is_coloured: bool) -> ForPeople<W> {
        let styles = match is_coloured {
            false => Styles::default(),
            true => Styles {
                valid: AnsiColor::Green.on_default(),
                rejected: AnsiColor::Red.on_default().bold(),
                warning: AnsiColor::Yellow.on_default(),
                code: Style::new().bold(),
            },
        };
        ForPeople {
            out,
            styles,
            valid: 0,
            warned: 0,
            rejected: BTreeMap::new(),
        }
    }

    /// Writes the verdict on the record at a place.
    pub fn write(
        &mut self,
        place: &str,
        rejection: Option<&Rejection>,
        warnings: &[Violation],
    ) -> io::Result<()> {
        let (place, styles) = (plain(place), &self.styles);
        match rejection {
            None => {
                self.valid += 1;
                self.warned += u64::from(!warnings.is_empty());
                let style = styles.valid;
                writeln!(self.out, "{style}valid{style:#}     {place}")?;
            }
            Some(rejection) => {
                *self.rejected.entry(rejection.code).or_default() += 1;
                let (style, bold) = (styles.rejected, styles.code);
                let (stage, code) = (rejection.code.stage().name(), rejection.code.name());
                let message = plain(&rejection.message);
                writeln!(
                    self.out,
                    "{style}rejected{style:#}  {place}  {stage} {bold}{code}{bold:#}: {message}"
                )?;
                for violation in &rejection.violations {
                    // a rule that has one message, which stands above, is not repeated for each place
                    let (pointer, keyword) = (pointer_of(violation), violation.keyword);
                    match violation.message == rejection.message {
                        true => writeln!(self.out, "{INDENT}{pointer}")?,
                        false => {
                            let message = plain(&violation.message);
                            writeln!(self.out, "{INDENT}{pointer}  {keyword}: {message}")?;
                        }
                    }
                }
            }
        }
        for warning in warnings {
            let (style, pointer, code) = (styles.warning, pointer_of(warning), warning.keyword);
            let message = plain(&warning.message);
            writeln!(
                self.out,
                "{INDENT}{style}warning{style:#} {pointer}  {code}: {message}"
            )?;
        }
        Ok(())
    }

    /// Writes how many records had which verdict; the most frequent codes first.
    pub fn finish(mut self) -> io::Result<()> {
        let rejected: u64 = self.rejected.values().sum();
        let (valid, warned) = (self.valid, self.warned);
        let records = valid + rejected;
        let warned = match warned {
            0 => String::new(),
            warned => format!(" ({warned} with warnings)"),
        };
        if records > 0 {
            writeln!(self.out)?;
        }
        let noun = if records == 1 { "record" } else { "records" };
        let (good, bad) = (self.styles.valid, self.styles.rejected);
        let bad = if rejected == 0 { Style::new() } else { bad };
        writeln!(
            self.out,
            "{records} {noun}: {good}{valid} valid{good:#}{warned}, {bad}{rejected} rejected{bad:#}"
        )?;
        let mut codes: Vec<(Code, u64)> = self.rejected.into_iter().collect();
        codes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        for (code, count) in codes {
            let (stage, code) = (code.stage().name(), code.name());
            writeln!(self.out, "{count:>8}  {stage} {code}")?;
        }
        self.out.flush()
    }
}

/// The place in the value; the empty pointer is hard to see.
fn pointer_of(violation: &Violation) -> String {
    match violation.pointer.as_str() {
        "" => "(the whole value)".to_owned(),
        pointer => plain(pointer).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(is_coloured: bool) -> String {
        let mut bytes = Vec::new();
        let mut out = ForPeople::new(&mut bytes, is_coloured);
        let violation = |pointer: &str, message: &str| Violation {
            pointer: pointer.to_owned(),
            keyword: "type",
            message: message.to_owned(),
        };
        let mut schema = Rejection::new(Code::SchemaViolation);
        schema.violations = vec![
            violation("", "must be an object"),
            violation("/a\u{1b}", "no"),
        ];
        let mut blank = Rejection::new(Code::BlankId);
        blank.violations = vec![Violation::semantic("/id".to_owned(), Code::BlankId)];
        let warning = Violation::semantic("/x".to_owned(), Code::CountryCode);
        out.write("t[0]@1", Some(&blank), &[]).unwrap();
        out.write("t[0]@2", None, &[]).unwrap();
        out.write("t[0]@3", Some(&schema), &[]).unwrap();
        out.write("t[0]@4", None, std::slice::from_ref(&warning))
            .unwrap();
        out.write("t[0]@5", Some(&schema), &[]).unwrap();
        out.finish().unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn each_record_has_its_verdict_and_the_end_a_summary() {
        let schema = Code::SchemaViolation.meaning();
        let (blank, country) = (Code::BlankId.meaning(), Code::CountryCode.meaning());
        let broken = |offset| {
            format!(
                "rejected  t[0]@{offset}  schema schema_violation: {schema}\n          \
                 (the whole value)  type: must be an object\n          /a\\u{{1b}}  type: no\n"
            )
        };
        let expected = format!(
            "rejected  t[0]@1  semantic blank_id: {blank}\n          /id\nvalid     t[0]@2\n{}\
             valid     t[0]@4\n          warning /x  country_code: {country}\n{}\n\
             5 records: 2 valid (1 with warnings), 3 rejected\n       \
             2  schema schema_violation\n       1  semantic blank_id\n",
            broken(3),
            broken(5)
        );
        assert_eq!(written(false), expected);
    }

    #[test]
    fn colours_change_nothing_else() {
        let coloured = written(true);
        assert!(
            coloured.contains("\u{1b}[32mvalid\u{1b}[0m     t[0]@2\n"),
            "{coloured}"
        );
        let mut plain = String::new();
        let mut parts = coloured.split('\u{1b}');
        plain += parts.next().unwrap();
        parts.for_each(|part| plain += part.split_once('m').unwrap().1);
        assert_eq!(plain, written(false));
    }

    #[test]
    fn no_record_is_said_too() {
        let mut bytes = Vec::new();
        ForPeople::new(&mut bytes, false).finish().unwrap();
        assert_eq!(bytes, b"0 records: 0 valid, 0 rejected\n");
    }
}
