//! Waiting for a condition, with a deadline.

use std::time::{Duration, Instant};

/// Asks `condition` until it gives a value. Panics, naming `what`, once `limit` has passed.
#[track_caller]
pub fn wait_until<T>(limit: Duration, what: &str, condition: impl FnMut() -> Option<T>) -> T {
    within(limit, condition).unwrap_or_else(|| panic!("waited {limit:?} for {what}"))
}

/// Asks `condition` until it gives a value, or until `limit` has passed.
pub fn within<T>(limit: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        let value = condition();
        if value.is_some() || start.elapsed() >= limit {
            return value;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Runs a future to its end on this thread.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(future)
}
