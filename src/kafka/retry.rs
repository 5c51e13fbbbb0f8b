//! How long the cluster is asked again before that is a failure.

use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// How long a request to the cluster may take.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How long one question is waited for that can be asked again: on a connection that is only half open there is no
/// answer, and the next one goes over another.
pub const ATTEMPT: Duration = Duration::from_secs(10);
/// The same for the first question, whose failure may be one that no patience mends.
pub const FIRST_ATTEMPT: Duration = Duration::from_secs(3);
/// Between two attempts.
pub const PAUSE: Duration = Duration::from_millis(200);

/// The code of a failure, also of one of the admin client, of which the Rust binding tells none.
pub fn code_of(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    match error {
        KafkaError::AdminOp(code) => Some(*code),
        _ => error.rdkafka_error_code(),
    }
}

/// Asks again where the way to the brokers broke, or a broker did not answer.
pub fn with_retries<T, E>(
    ask: impl Fn() -> Result<T, E>,
    code: impl Fn(&E) -> Option<RDKafkaErrorCode>,
) -> Result<T, E> {
    let mut budget = RetryBudget::of(ATTEMPT);
    let broke = |error: &E| {
        matches!(
            code(error),
            Some(
                RDKafkaErrorCode::BrokerTransportFailure
                    | RDKafkaErrorCode::AllBrokersDown
                    | RDKafkaErrorCode::OperationTimedOut
                    | RDKafkaErrorCode::RequestTimedOut
            )
        )
    };
    loop {
        let began = Instant::now();
        match ask() {
            Err(error) if broke(&error) && !budget.ends(began.elapsed()) => {
                std::thread::sleep(PAUSE);
            }
            answer => return answer,
        }
    }
}

/// How long the cluster was waited for. An attempt counts for no longer than it may take: in the rest this process
/// did not run, which says nothing of the cluster.
pub struct RetryBudget {
    attempt: Duration,
    spent: Duration,
}

impl RetryBudget {
    pub fn of(attempt: Duration) -> RetryBudget {
        let spent = Duration::ZERO;
        RetryBudget { attempt, spent }
    }

    /// After an attempt that failed, whether that was the last one.
    pub fn ends(&mut self, took: Duration) -> bool {
        self.spent += took.min(self.attempt) + PAUSE;
        self.spent >= PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_in_which_the_process_did_not_run_counts_for_one_attempt() {
        let mut budget = RetryBudget::of(ATTEMPT);
        assert!(!budget.ends(PATIENCE * 10));
        assert!(!budget.ends(Duration::ZERO));
        assert!(!budget.ends(ATTEMPT));
        assert!(budget.ends(ATTEMPT));
    }
}
