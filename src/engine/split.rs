//! What is forwarded with each element of a publisher batch: the record's headers and key, and the fields around the
//! elements. With many elements that would be too much: a batch of 1 MB can have 80,000 elements and headers of 64 KiB,
//! or as many bytes in fields that nobody reads.

use std::collections::BTreeSet;

use super::origin::{Header, Origin};
use crate::definition::Definition;
use crate::model::record::{Code, Rejection};
use crate::source::BatchElement;
use crate::source::framing::GUID_HEADER;

/// The maximum bytes of these that are repeated, over all elements of a batch.
const MAX_REPEATED_BYTES: usize = 32 * 1024 * 1024;
/// The maximum length of a header that names a writer schema.
const GUID_BYTES: usize = 17;

/// What the elements of a batch are forwarded with.
#[derive(Debug)]
pub struct Share<'a> {
    pub origin: Origin,
    pub headers: Vec<Header<'a>>,
    /// The fields around an element are too large to repeat, so the element is forwarded as JSON without them, if that
    /// is shorter.
    prefers_json: bool,
}

impl<'a> Share<'a> {
    /// `definition` is that of a declared source, which may read headers and key: these are never left out.
    ///
    /// # Errors
    /// If what the definition reads is too large to repeat with each element.
    pub fn of(
        origin: &Origin,
        headers: &[Header<'a>],
        elements: &[BatchElement<'_>],
        definition: Option<&Definition>,
    ) -> Result<Share<'a>, Rejection> {
        let too_many = |bytes: usize| bytes.saturating_mul(elements.len()) > MAX_REPEATED_BYTES;
        let bytes = |(name, value): &Header<'_>| name.len() + value.map_or(0, <[u8]>::len);
        let in_headers: usize = headers.iter().map(bytes).sum();
        let mut share = Share {
            origin: origin.clone(),
            headers: headers.to_vec(),
            prefers_json: elements
                .first()
                .is_some_and(|one| too_many(one.bytes_around())),
        };
        let key = origin.key.as_ref().map_or(0, Vec::len);
        if too_many(in_headers + key) {
            share.headers = needed(headers, definition);
            share.origin.omitted.headers = share.headers.len() < headers.len();
        }
        if too_many(key) && !definition.is_some_and(Definition::reads_key) {
            share.origin.key = None;
            share.origin.omitted.key = true;
        }
        let left: usize = share.headers.iter().map(bytes).sum();
        if too_many(left) || too_many(share.origin.key.as_ref().map_or(0, Vec::len)) {
            return Err(Rejection::with_message(
                Code::TooLarge,
                "the batch has too many elements for the headers and the key that its definition reads, which are repeated with each",
            ));
        }
        Ok(share)
    }

    /// The value of an element as a batch with one element; `frame` is the frame of the whole batch. Notes in the
    /// origin whether the value is JSON instead of the source's format.
    pub fn take(&mut self, element: &BatchElement<'_>, frame: &[u8]) -> Vec<u8> {
        if element.is_other_form() {
            self.origin.omitted.form = true;
            return element.batch_of_one();
        }
        let json = self.prefers_json.then(|| element.json_batch_of_one());
        let original_bytes = frame.len() + element.bytes_around() + element.bytes();
        match json.flatten().filter(|json| json.len() < original_bytes) {
            Some(json) => {
                self.origin.omitted.form = true;
                json
            }
            None => {
                self.origin.omitted.form = false;
                [frame, &element.batch_of_one()].concat()
            }
        }
    }
}

/// The headers that an element is read by: the last one of each name that is needed. One of the registry's that is
/// longer than any schema's name is none.
fn needed<'a>(headers: &[Header<'a>], definition: Option<&Definition>) -> Vec<Header<'a>> {
    let mut seen = BTreeSet::new();
    let mut needed: Vec<Header<'a>> = headers
        .iter()
        .rev()
        .filter(|(name, value)| {
            let is_guid = *name == GUID_HEADER;
            let is_read = definition.is_some_and(|definition| definition.reads_header(name));
            let is_schema = is_guid && value.map_or(0, <[u8]>::len) <= GUID_BYTES;
            (is_guid || is_read) && seen.insert(*name) && (is_schema || is_read)
        })
        .copied()
        .collect();
    needed.reverse();
    needed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::engine::dead_letter::DeadLetterTemplate;
    use crate::engine::origin::Omitted;
    use crate::model::record::{RawRecord, Source};
    use crate::source::{self, Verdict};

    const CUSTOMER: &str = r#"{"sourceCustomerId":"c","organizationId":"5","postalCode":"7","country":"US",
        "customerCreationDate":"2017-01-01T08:00:00Z","enrollmentStartDate":"2023-01-01T08:00:00Z",
        "enrollmentOptInStatus":"A","alertOptInStatus":[],"targetingIndicator":"T","accounts":[]}"#;

    /// What is forwarded with each element of a batch of `customers` elements: the headers' names, whether there is a
    /// key, and which parts an element's dead letter says are omitted.
    fn forwarded_with(
        customers: usize,
        key: usize,
        header: usize,
    ) -> (Vec<String>, bool, Vec<String>) {
        let value = format!(
            "{{\"customers\":[{}]}}",
            [CUSTOMER].repeat(customers).join(",")
        );
        let record = RawRecord {
            source: Source::PublisherCustomers,
            timestamp: Some(1_800_000_000_000),
            key: None,
            value: Some(value.as_bytes()),
        };
        let config = Config::default();
        let judged = source::judge(&record, &config);
        let Verdict::Batch { elements, .. } = judged.verdict else {
            panic!("no batch");
        };
        assert_eq!(elements.len(), customers);
        let origin = Origin {
            source: Source::PublisherCustomers,
            topic: "input".to_owned(),
            partition: 0,
            offset: 7,
            timestamp: None,
            key: Some(vec![b'k'; key]),
            omitted: Omitted::default(),
        };
        let (large, guid) = (vec![b'h'; header], [1; GUID_BYTES]);
        let headers: [Header<'_>; 3] = [
            (GUID_HEADER, Some(b"an older one")),
            ("trace", Some(&large)),
            (GUID_HEADER, Some(&guid)),
        ];
        let share = Share::of(&origin, &headers, &elements, None).unwrap();
        let dead_letter_template = DeadLetterTemplate {
            application: "keyfold".to_owned(),
            version: "1",
            max_bytes: 10_000_000,
        };
        let rejection = Rejection::new(Code::StateTooLarge);
        let letter = dead_letter_template.write(&share.origin, None, &share.headers, &rejection);
        let letter = letter.unwrap().headers.into_iter();
        let omitted = letter.filter_map(|(name, _)| {
            let name = name
                .strip_prefix("__keyfold.errors.")?
                .strip_suffix(".omitted")?;
            Some(name.to_owned())
        });
        let names = share.headers.iter().map(|(name, _)| (*name).to_owned());
        (
            names.collect(),
            share.origin.key.is_some(),
            omitted.collect(),
        )
    }

    #[test]
    fn headers_and_key_are_left_out_when_repeated_too_often() {
        let texts = |all: &[&str]| -> Vec<String> { all.iter().map(|one| (*one).into()).collect() };
        let all = texts(&[GUID_HEADER, "trace", GUID_HEADER]);
        assert_eq!(
            forwarded_with(10, 1_000, 30_000),
            (all.clone(), true, texts(&[]))
        );
        assert_eq!(
            forwarded_with(2_000, 1_000, 10_000),
            (all, true, texts(&[]))
        );
        let guid = texts(&[GUID_HEADER]);
        let found = forwarded_with(2_000, 1_000, 20_000);
        assert_eq!(found, (guid.clone(), true, texts(&["headers"])));
        let found = forwarded_with(2_000, 20_000, 1_000);
        assert_eq!(found, (guid, false, texts(&["headers", "key"])));
    }
}
