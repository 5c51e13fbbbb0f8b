//! What keyfold reports about its work: the ledger of a committed batch as metrics, the readiness of a worker, and log
//! lines that are not repeated too often.

pub(crate) mod outage;
mod record_log;
pub(crate) mod reporter;
pub mod restore_progress;
pub(crate) mod summary;
pub(crate) mod throttle;
