//! Work that mostly waits, done on threads of a scope.

use std::thread::ScopedJoinHandle;

/// The result of a thread, whose panic becomes this one's.
pub fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
