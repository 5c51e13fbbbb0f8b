//! Asks the processor to bring memory into its cache that is used soon. A batch holds more customers than fit into the
//! cache, and a customer lies in some ten places; without this each of them is waited for when it is first read.

/// The bytes that the processor fetches at once.
const LINE: usize = 64;
/// The most bytes that are asked for of one value: a processor has a few dozen such requests open at a time.
const MOST: usize = 16 * LINE;

/// Asks for a value, or a slice, without waiting for it. It changes nothing but the time that the next use takes, and
/// does nothing on processors other than x86-64.
#[inline]
pub fn soon<T: ?Sized>(value: &T) {
    let bytes = size_of_val(value).min(MOST);
    let start = std::ptr::from_ref(value).cast::<i8>();
    for at in (0..bytes).step_by(LINE) {
        line(start.wrapping_add(at));
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn line(address: *const i8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: every x86-64 processor has this instruction, and it reads nothing, whatever the address is.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address) };
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn line(_address: *const i8) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_can_be_asked_for() {
        soon(&());
        soon::<[u8]>(&[]);
        soon(&[7_u8; 3][..]);
        let large = vec![7_u8; 10 * MOST];
        soon(&*large);
        assert_eq!(large, vec![7; 10 * MOST]);
    }
}
