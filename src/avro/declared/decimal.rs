//! Decimals as numbers of JSON.

/// The most bytes of an unscaled value. With more it may be beyond the range of a double, which JSON numbers have here.
const MAX_BYTES: usize = 127;
/// The most digits that a negative scale may make of a number, for the same reason.
const MAX_DIGITS: usize = 300;

/// Appends the number whose unscaled value is given, as a big-endian number in two's complement. False, and nothing is
/// appended, if it is too large.
pub(super) fn write(out: &mut Vec<u8>, unscaled: &[u8], scale: i64) -> bool {
    let Some((is_negative, digits)) = digits(unscaled) else {
        return false;
    };
    let is_zero = digits == b"0";
    let Ok(scale) = usize::try_from(scale) else {
        let zeros = usize::try_from(scale.unsigned_abs()).unwrap_or(usize::MAX);
        if is_zero {
            out.push(b'0');
            return true;
        }
        let length = digits.len().saturating_add(zeros);
        if length > MAX_DIGITS {
            return false;
        }
        out.extend_from_slice(if is_negative { b"-" } else { b"" });
        out.extend_from_slice(&digits);
        out.resize(out.len() + zeros, b'0');
        return true;
    };
    out.extend_from_slice(if is_negative { b"-" } else { b"" });
    if scale == 0 {
        out.extend_from_slice(&digits);
        return true;
    }
    match digits.len().checked_sub(scale) {
        None | Some(0) => {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + scale - digits.len(), b'0');
            out.extend_from_slice(&digits);
        }
        Some(whole) => {
            let (whole, fraction) = digits.split_at(whole);
            out.extend_from_slice(whole);
            out.push(b'.');
            out.extend_from_slice(fraction);
        }
    }
    true
}

/// The sign and the digits of a whole number.
fn digits(bytes: &[u8]) -> Option<(bool, Vec<u8>)> {
    let is_negative = bytes.first().is_some_and(|first| *first >= 0x80);
    let filler = if is_negative { 0xff } else { 0 };
    let start = bytes.iter().position(|byte| *byte != filler);
    let bytes = bytes.get(start.unwrap_or(bytes.len())..)?;
    if bytes.len() > MAX_BYTES {
        return None;
    }
    // The magnitude in limbs of 32 bits, the lowest first.
    let mut limbs: Vec<u32> = bytes
        .rchunks(4)
        .map(|chunk| {
            let fold = |limb: u32, byte: &u8| limb << 8 | u32::from(byte ^ filler);
            chunk.iter().fold(0, fold)
        })
        .collect();
    if is_negative {
        // In two's complement the magnitude is one more than the inverted bits.
        limbs.push(0);
        for limb in &mut limbs {
            let (sum, carries) = limb.overflowing_add(1);
            *limb = sum;
            if !carries {
                break;
            }
        }
    }
    Some((is_negative, decimal(limbs)))
}

/// The digits of a number, without leading zeros.
fn decimal(mut limbs: Vec<u32>) -> Vec<u8> {
    const STEP: u64 = 1_000_000_000;
    const DIGITS: usize = 9;
    let mut reversed = Vec::new();
    while limbs.iter().any(|limb| *limb != 0) {
        let mut rest = 0_u64;
        for limb in limbs.iter_mut().rev() {
            let part = rest << 32 | u64::from(*limb);
            *limb = (part / STEP) as u32;
            rest = part % STEP;
        }
        for _ in 0..DIGITS {
            reversed.push(b'0' + (rest % 10) as u8);
            rest /= 10;
        }
    }
    while reversed.last() == Some(&b'0') {
        reversed.pop();
    }
    if reversed.is_empty() {
        reversed.push(b'0');
    }
    reversed.reverse();
    reversed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(unscaled: &[u8], scale: i64) -> Option<String> {
        let mut out = Vec::new();
        write(&mut out, unscaled, scale).then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn decimals_are_numbers() {
        for (unscaled, scale, expected) in [
            (&[][..], 0, "0"),
            (&[0], 2, "0.00"),
            (&[0x30, 0x39], 2, "123.45"),
            (&[0x30, 0x39], 0, "12345"),
            (&[0x30, 0x39], 5, "0.12345"),
            (&[0x30, 0x39], 7, "0.0012345"),
            (&[0x30, 0x39], -3, "12345000"),
            (&[0], -3_000_000, "0"),
            (&[0xff], 1, "-0.1"),
            (&[0xff, 0xff, 0xff], 0, "-1"),
            (&[0x80], 0, "-128"),
            (&[0xff, 0x00], 0, "-256"),
            (&[0xff, 0x00, 0x00, 0x00, 0x00], 0, "-4294967296"),
            (&[0, 0xff], 0, "255"),
        ] {
            let found = number(unscaled, scale);
            assert_eq!(found.as_deref(), Some(expected), "{unscaled:?} {scale}");
        }
    }

    #[test]
    fn all_of_128_bits_are_the_digits_that_rust_writes() {
        for whole in [
            i128::MIN,
            i128::MIN + 1,
            -1,
            1,
            i128::MAX,
            1 << 64,
            -(1 << 96),
        ] {
            let bytes = whole.to_be_bytes();
            assert_eq!(number(&bytes, 0).unwrap(), whole.to_string());
            // With its sign filled up.
            let filler = if whole < 0 { 0xff } else { 0 };
            let wide = [&[filler; 9][..], &bytes].concat();
            assert_eq!(number(&wide, 0).unwrap(), whole.to_string());
        }
    }

    #[test]
    fn a_number_beyond_a_double_is_refused() {
        let widest = number(&[&[0][..], &[0xff; 127]].concat(), 0).unwrap();
        assert!(widest.parse::<f64>().unwrap().is_finite());
        assert_eq!(number(&[&[0][..], &[0xff; 128]].concat(), 0), None);
        assert_eq!(number(&[1], -300), None);
        assert_eq!(number(&[1], i64::MIN), None);
        assert_eq!(number(&[1], -299).unwrap().len(), 300);
    }
}
