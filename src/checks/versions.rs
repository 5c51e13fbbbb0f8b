//! How old the brokers are. Each says by itself which requests it knows (ApiVersions, KIP-35), before anybody logs in;
//! what it knows says which version it has at least.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::time::Duration;

use super::{Check, network, tls};
use crate::config::Config;

const CHECK: &str = "version";
/// How long a broker may be silent.
const TIMEOUT: Duration = Duration::from_secs(5);
/// More than any broker answers, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

const FETCH: i16 = 1;
const API_VERSIONS: i16 = 18;
const ADD_PARTITIONS_TO_TXN: i16 = 24;
const TXN_OFFSET_COMMIT: i16 = 28;
const DESCRIBE_CLUSTER: i16 = 60;

/// The request that the oldest supported version is the first to know: the commit of a transaction names the member of
/// the group, so that one which the group has put out can commit nothing (KIP-447).
const OLDEST: &str = "2.5";

/// The versions of each request that a broker knows, from the first to the last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known(BTreeMap<i16, (i16, i16)>);

impl Known {
    fn has(&self, request: i16, version: i16) -> bool {
        let known = self.0.get(&request);
        known.is_some_and(|(_, last)| *last >= version)
    }

    /// The newest version of Kafka that it is not older than, as far as that is told apart; none: it is older than the
    /// oldest one that is supported.
    fn at_least(&self) -> Option<&'static str> {
        // Kafka 4.0 has given up the first versions (KIP-896); of other requests it goes on to name them for old clients
        let is_4 = self.0.get(&FETCH).is_some_and(|(first, _)| *first >= 4);
        let versions = [
            (is_4, "4.0"),
            (self.has(ADD_PARTITIONS_TO_TXN, 4), "3.5"),
            (self.has(FETCH, 13), "3.1"),
            (self.has(DESCRIBE_CLUSTER, 0), "2.8"),
            (self.has(TXN_OFFSET_COMMIT, 3), OLDEST),
        ];
        let mut versions = versions.into_iter();
        versions.find(|(is, _)| *is).map(|(_, version)| version)
    }
}

/// Asks the broker at an address.
///
/// # Errors
/// It does not answer in time, or with something else.
pub fn ask(config: &Config, host: &str, port: u16, uses_tls: bool) -> Result<Known, String> {
    let stream = network::connect(host, port).map_err(|_| "there is no connection to it")?;
    let limits = stream
        .set_read_timeout(Some(TIMEOUT))
        .and_then(|()| stream.set_write_timeout(Some(TIMEOUT)));
    limits.map_err(|error| error.to_string())?;
    match uses_tls {
        true => of_stream(tls::connect(stream, host, &config.kafka.properties)?),
        false => of_stream(stream),
    }
    .map_err(|error| format!("it does not say which requests it knows: {error}"))
}

fn of_stream(mut stream: impl Read + Write) -> io::Result<Known> {
    // the request in its first version, with the number 1 and without a name of the client
    let mut request = Vec::new();
    for part in [API_VERSIONS, 0, 0, 1, -1] {
        request.extend_from_slice(&part.to_be_bytes());
    }
    let length = u32::try_from(request.len()).unwrap_or_default();
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(&request)?;
    stream.flush()?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > MAX_ANSWER {
        return Err(io::Error::other("the answer is none of Kafka"));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer)?;
    parsed(&answer).ok_or_else(|| io::Error::other("the answer is none of Kafka"))
}

/// An answer: its number, an error, and the requests, each with its first and last version.
fn parsed(answer: &[u8]) -> Option<Known> {
    let (number, rest) = answer.split_first_chunk::<4>()?;
    let (error, rest) = rest.split_first_chunk::<2>()?;
    let (count, rest) = rest.split_first_chunk::<4>()?;
    let count = usize::try_from(i32::from_be_bytes(*count)).ok()?;
    if i32::from_be_bytes(*number) != 1 || i16::from_be_bytes(*error) != 0 {
        return None;
    }
    let all: Vec<&[u8]> = rest.chunks_exact(6).collect();
    if all.len() < count {
        return None;
    }
    let number = |bytes: &[u8], at: usize| -> Option<i16> {
        let bytes: [u8; 2] = bytes.get(at..at + 2)?.try_into().ok()?;
        Some(i16::from_be_bytes(bytes))
    };
    let known = all.into_iter().take(count);
    let known = known.map(|one| Some((number(one, 0)?, (number(one, 2)?, number(one, 4)?))));
    known.collect::<Option<BTreeMap<_, _>>>().map(Known)
}

/// One line for all brokers that are new enough, and one for each other.
pub fn checks(found: &[(String, Result<Known, String>)]) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut versions = Vec::new();
    for (server, known) in found {
        match known.as_ref().map(Known::at_least) {
            Ok(Some(version)) => versions.push(version),
            Ok(None) => checks.push(Check::bad(
                CHECK,
                server,
                format!("it is older than Kafka {OLDEST}: a member that the group has put out could commit all the same, and a record would count twice or not at all (must be fixed)"),
                format!("run brokers of Kafka {OLDEST} or newer; a broker whose inter.broker.protocol.version is older may count as older too"),
            )),
            Err(reason) => checks.push(Check::not_checkable(CHECK, server, reason)),
        }
    }
    let oldest = versions.iter().min();
    if let Some(oldest) = oldest {
        let count = versions.len();
        let detail = format!("Kafka {oldest} or newer, brokers: {count}");
        checks.insert(0, Check::good(CHECK, "", detail));
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(known: &[(i16, i16, i16)]) -> Vec<u8> {
        let mut answer = vec![0, 0, 0, 1, 0, 0];
        answer.extend_from_slice(&i32::try_from(known.len()).unwrap().to_be_bytes());
        for (request, first, last) in known {
            for part in [request, first, last] {
                answer.extend_from_slice(&part.to_be_bytes());
            }
        }
        answer
    }

    fn version(known: &[(i16, i16, i16)]) -> Option<&'static str> {
        parsed(&answer(known)).unwrap().at_least()
    }

    #[test]
    fn what_a_broker_knows_says_how_old_it_is() {
        assert_eq!(version(&[(FETCH, 0, 11), (TXN_OFFSET_COMMIT, 0, 2)]), None);
        assert_eq!(version(&[(TXN_OFFSET_COMMIT, 0, 3)]), Some("2.5"));
        let of_3_1 = [
            (TXN_OFFSET_COMMIT, 0, 3),
            (FETCH, 0, 13),
            (DESCRIBE_CLUSTER, 0, 0),
        ];
        assert_eq!(version(&of_3_1), Some("3.1"));
        assert_eq!(version(&[(FETCH, 4, 17)]), Some("4.0"));
    }

    #[test]
    fn an_answer_that_is_none_is_refused() {
        let whole = answer(&[(FETCH, 0, 11)]);
        assert!(parsed(&whole).is_some());
        assert_eq!(parsed(&whole[..whole.len() - 1]), None);
        assert_eq!(parsed(b"HTTP/1.1 400 Bad"), None);
        let mut refused = whole;
        refused[5] = 35;
        assert_eq!(parsed(&refused), None);
    }

    #[test]
    fn brokers_that_are_new_enough_are_one_line() {
        let known = |all: &[(i16, i16, i16)]| parsed(&answer(all)).ok_or(String::new());
        let found = [
            ("a:1".to_owned(), known(&[(FETCH, 4, 17)])),
            ("b:1".to_owned(), known(&[(FETCH, 0, 13)])),
            ("c:1".to_owned(), known(&[])),
            ("d:1".to_owned(), Err("no answer".to_owned())),
        ];
        let checks = checks(&found);
        let lines: Vec<(&str, &str)> = checks
            .iter()
            .map(|one| (one.result.word(), one.subject.as_deref().unwrap_or("")))
            .collect();
        assert_eq!(
            lines,
            [("good", ""), ("bad", "c:1"), ("not checkable", "d:1")]
        );
        assert_eq!(checks[0].detail, "Kafka 3.1 or newer, brokers: 2");
    }
}
