//! Places at which a test can let the process die. Nothing of it is in a build without the feature `failpoints`.

/// Reads from the environment which places are deadly: `FAILPOINTS`, as the crate `fail` describes it.
pub fn set_up() {
    #[cfg(feature = "failpoints")]
    std::mem::forget(fail::FailScenario::setup());
}

/// Dies here, as by `kill -9`, if a test wants it (`<place>=return`).
#[inline]
pub fn reached(place: &str) {
    #[cfg(feature = "failpoints")]
    fail::fail_point!(place, |_| {
        let _ = signal_hook::low_level::raise(signal_hook::consts::SIGKILL);
    });
    #[cfg(not(feature = "failpoints"))]
    let _ = place;
}
