//! `keyfold dlq export`: letters as lines for an editor, and for `replay --from`.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Serialize;

use super::list::write_json;
use super::named;
use super::scan::{Found, Scan};
use super::selection::FilterArgs;
use crate::config::Config;
use crate::exit::{Done, Failure, unless_closed};
use crate::inspect::letter::LetterId;

/// Write letters to a file, a line each as `kcat -C -J` prints records.
///
/// What is no UTF-8 is in base64 (payload_base64, key_base64, a header's value as a list with one text). The file holds
/// keys and values of records; only its owner may read it. Edit the payloads, and send them by `replay --from FILE`.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// The file, which must not be there yet; `-` for standard output
    file: PathBuf,
    /// PARTITION@OFFSET
    #[arg(value_name = "LETTER")]
    letters: Vec<LetterId>,
    #[command(flatten)]
    filters: FilterArgs,
}

/// A header's name or value.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Part<'a> {
    Text(&'a str),
    Base64([String; 1]),
}

#[derive(Debug, Serialize)]
struct ExportedLine<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    tstype: &'static str,
    ts: i64,
    headers: Vec<Option<Part<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
}

pub fn run(config: &Config, args: &ExportArgs) -> Result<Done, Failure> {
    let filter = args.filters.filter(&args.letters)?;
    let mut scan = Scan::open(config)?;
    named::check(&scan, &args.letters)?;
    let settlements = scan.settlements([])?;
    let mut out = create(&args.file)?;
    let mut letters = 0_u64;
    // A letter that is named is meant whatever it is.
    let with_settled = args.filters.all() || !args.letters.is_empty();
    scan.read("exporting dead letters", &filter, &settlements, |found| {
        if found.settled.is_some() && !with_settled {
            return Ok(());
        }
        letters += 1;
        let line = line(&found, &config.dead_letters.topic);
        unless_closed(write_json(&mut out, &line), "the lines")
    })?;
    unless_closed(out.flush(), "the lines")?;
    eprintln!("{letters} letters exported");
    scan.tell_beside((!with_settled).then_some("letters are not exported; --all exports them"));
    Ok(Done::Clean)
}

fn create(file: &Path) -> Result<BufWriter<Box<dyn Write>>, Failure> {
    if file == Path::new("-") {
        return Ok(BufWriter::new(Box::new(io::stdout())));
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let open = options.open(file).map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AlreadyExists => ": it is there already, and is not overwritten",
            _ => "",
        };
        Failure::Usage(format!("cannot create {}{hint}: {error}", file.display()))
    })?;
    Ok(BufWriter::new(Box::new(open)))
}

fn line<'a>(found: &'a Found<'a>, topic: &'a str) -> ExportedLine<'a> {
    let letter = &found.letter;
    let part = |bytes: &'a [u8]| match std::str::from_utf8(bytes) {
        Ok(text) => Part::Text(text),
        Err(_) => Part::Base64([BASE64_STANDARD.encode(bytes)]),
    };
    let headers = found.headers.iter();
    let headers = headers.flat_map(|(name, value)| [Some(Part::Text(name)), value.map(part)]);
    let (key, key_base64) = text_or_base64(letter.key);
    let (payload, payload_base64) = text_or_base64(letter.value);
    ExportedLine {
        topic,
        partition: letter.id.partition,
        offset: letter.id.offset,
        tstype: match letter.rejected_at {
            Some(_) => "create",
            None => "unknown",
        },
        ts: letter.rejected_at.unwrap_or(-1),
        headers: headers.collect(),
        key,
        key_base64,
        payload,
        payload_base64,
    }
}

/// The text, which may be null, or what stands for it.
fn text_or_base64(bytes: Option<&[u8]>) -> (Option<Option<&str>>, Option<String>) {
    let Some(bytes) = bytes else {
        return (Some(None), None);
    };
    match std::str::from_utf8(bytes) {
        Ok(text) => (Some(Some(text)), None),
        Err(_) => (None, Some(BASE64_STANDARD.encode(bytes))),
    }
}
