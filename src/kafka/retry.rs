//! How long a request to the cluster is repeated before it counts as failed.

use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// How long a request to the cluster may take, with all its attempts.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one attempt may take: a connection that is only half open never answers, and the next attempt uses another.
pub(super) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// Like [`ATTEMPT_TIMEOUT`], for the first request to the cluster, which may fail for a reason that waiting does not
/// change.
pub(super) const FIRST_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(200);

/// The code of an error. It also knows the errors of the admin client, for which the Rust binding returns no code.
pub(super) fn code_of(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    match error {
        KafkaError::AdminOp(code) => Some(*code),
        _ => error.rdkafka_error_code(),
    }
}

/// Repeats a request while `again` returns true, for [`REQUEST_TIMEOUT`] in total; returns the last answer.
pub(super) fn repeat<T>(
    attempt_timeout: Duration,
    ask: impl Fn() -> T,
    again: impl Fn(&T) -> bool,
) -> T {
    let mut budget = RetryBudget::of(attempt_timeout);
    loop {
        let began = Instant::now();
        let answer = ask();
        if !again(&answer) || budget.is_spent_after(began.elapsed()) {
            return answer;
        }
        std::thread::sleep(PAUSE);
    }
}

/// Repeats a request if its connection broke, or if a broker did not answer.
pub(super) fn with_retries<T, E>(
    ask: impl Fn() -> Result<T, E>,
    code: impl Fn(&E) -> Option<RDKafkaErrorCode>,
) -> Result<T, E> {
    repeat(ATTEMPT_TIMEOUT, ask, |answer| {
        matches!(
            answer.as_ref().err().and_then(&code),
            Some(
                RDKafkaErrorCode::BrokerTransportFailure
                    | RDKafkaErrorCode::AllBrokersDown
                    | RDKafkaErrorCode::OperationTimedOut
                    | RDKafkaErrorCode::RequestTimedOut
            )
        )
    })
}

/// The time that failed attempts have taken. An attempt counts for at most its timeout: if it took longer, this process
/// was suspended, which says nothing about the cluster.
struct RetryBudget {
    attempt_timeout: Duration,
    spent: Duration,
}

impl RetryBudget {
    fn of(attempt_timeout: Duration) -> RetryBudget {
        RetryBudget {
            attempt_timeout,
            spent: Duration::ZERO,
        }
    }

    /// Adds a failed attempt; returns whether it was the last one.
    fn is_spent_after(&mut self, took: Duration) -> bool {
        self.spent += took.min(self.attempt_timeout) + PAUSE;
        self.spent >= REQUEST_TIMEOUT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_in_which_the_process_did_not_run_counts_for_one_attempt() {
        let mut budget = RetryBudget::of(ATTEMPT_TIMEOUT);
        assert!(!budget.is_spent_after(REQUEST_TIMEOUT * 10));
        assert!(!budget.is_spent_after(Duration::ZERO));
        assert!(!budget.is_spent_after(ATTEMPT_TIMEOUT));
        assert!(budget.is_spent_after(ATTEMPT_TIMEOUT));
    }
}
