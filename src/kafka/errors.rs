//! Translates errors of librdkafka for the engine.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::client_log::is_refusal;
use crate::engine::client_error::{ClientError, ErrorKind};

/// The code of an error, `Unknown` if it has none.
pub fn code_of(error: &KafkaError) -> RDKafkaErrorCode {
    error
        .rdkafka_error_code()
        .unwrap_or(RDKafkaErrorCode::Unknown)
}

/// An error with this code, as the engine sees it.
pub fn client_error(code: RDKafkaErrorCode, text: impl Into<String>) -> ClientError {
    ClientError {
        kind: kind_of(code),
        code: format!("{code:?}"),
        text: text.into(),
    }
}

fn kind_of(code: RDKafkaErrorCode) -> ErrorKind {
    match code {
        RDKafkaErrorCode::Fenced
        | RDKafkaErrorCode::ProducerFenced
        | RDKafkaErrorCode::InvalidProducerEpoch => ErrorKind::Fenced,
        RDKafkaErrorCode::MessageTimedOut
        | RDKafkaErrorCode::OperationTimedOut
        | RDKafkaErrorCode::RequestTimedOut => ErrorKind::TimedOut,
        RDKafkaErrorCode::MessageSizeTooLarge => ErrorKind::RecordTooLarge,
        RDKafkaErrorCode::InvalidRecord => ErrorKind::InvalidRecord,
        RDKafkaErrorCode::UnknownPartition | RDKafkaErrorCode::UnknownTopic => {
            ErrorKind::UnknownTopic
        }
        RDKafkaErrorCode::PolicyViolation => ErrorKind::PolicyViolation,
        code if is_refusal(code) => ErrorKind::NotAuthorized,
        code if is_outage(code) => ErrorKind::Unavailable,
        _ => ErrorKind::Other,
    }
}

/// Whether an error means that the cluster, or a part of it, cannot be reached or has no leader.
pub fn is_outage(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::Resolve
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::MessageTimedOut
            | RDKafkaErrorCode::RequestTimedOut
            | RDKafkaErrorCode::NetworkException
            | RDKafkaErrorCode::BrokerNotAvailable
            | RDKafkaErrorCode::LeaderNotAvailable
            | RDKafkaErrorCode::NotLeaderForPartition
            | RDKafkaErrorCode::ReplicaNotAvailable
            | RDKafkaErrorCode::CoordinatorLoadInProgress
            | RDKafkaErrorCode::CoordinatorNotAvailable
            | RDKafkaErrorCode::NotCoordinator
            | RDKafkaErrorCode::WaitingForCoordinator
            | RDKafkaErrorCode::NotEnoughReplicas
            | RDKafkaErrorCode::NotEnoughReplicasAfterAppend
    )
}
