//! The bytes of a value, and Avro's encodings of primitive types. Every length is compared with the remaining bytes
//! before it is used.

use super::Error;
use crate::model::varint;

/// The remaining bytes of a value.
#[derive(Debug, Clone, Copy)]
pub struct Input<'de> {
    bytes: &'de [u8],
}

impl<'de> Input<'de> {
    pub fn new(bytes: &'de [u8]) -> Input<'de> {
        Input { bytes }
    }

    pub fn left(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes that were read since `start`, an earlier state of the same input.
    pub fn since(&self, start: Input<'de>) -> &'de [u8] {
        let length = start.left().saturating_sub(self.left());
        start.bytes.get(..length).unwrap_or(&[])
    }

    pub fn end(&self) -> Result<(), Error> {
        if self.bytes.is_empty() {
            Ok(())
        } else {
            Err(Error::Malformed)
        }
    }

    pub fn take(&mut self, length: usize) -> Result<&'de [u8], Error> {
        let (taken, rest) = self
            .bytes
            .split_at_checked(length)
            .ok_or(Error::Malformed)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (taken, rest) = self.bytes.split_first_chunk().ok_or(Error::Malformed)?;
        self.bytes = rest;
        Ok(*taken)
    }

    /// A number in the variable-length zig-zag encoding.
    #[inline]
    pub fn long(&mut self) -> Result<i64, Error> {
        let (number, rest) = varint::read(self.bytes).ok_or(Error::Malformed)?;
        self.bytes = rest;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub fn int(&mut self) -> Result<i32, Error> {
        i32::try_from(self.long()?).map_err(|_| Error::Malformed)
    }

    pub fn boolean(&mut self) -> Result<bool, Error> {
        match self.array::<1>()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(Error::Malformed),
        }
    }

    pub fn float(&mut self) -> Result<f64, Error> {
        finite(f64::from(self.any_float()?))
    }

    pub fn double(&mut self) -> Result<f64, Error> {
        finite(self.any_double()?)
    }

    /// A float that may be infinite or NaN.
    pub fn any_float(&mut self) -> Result<f32, Error> {
        self.array().map(f32::from_le_bytes)
    }

    /// A double that may be infinite or NaN.
    pub fn any_double(&mut self) -> Result<f64, Error> {
        self.array().map(f64::from_le_bytes)
    }

    /// Bytes that follow their length.
    #[inline]
    pub fn bytes(&mut self) -> Result<&'de [u8], Error> {
        let length = usize::try_from(self.long()?).map_err(|_| Error::Malformed)?;
        self.take(length)
    }

    #[inline]
    pub fn text(&mut self) -> Result<&'de str, Error> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Error::Malformed)
    }

    /// The index of a union's branch or of an enumeration's symbol.
    #[inline]
    pub fn choose<T>(&mut self, of: &'_ [T]) -> Result<usize, Error> {
        usize::try_from(self.long()?)
            .ok()
            .filter(|at| *at < of.len())
            .ok_or(Error::Malformed)
    }
}

/// An error for infinities and NaN, which JSON does not have.
fn finite(number: f64) -> Result<f64, Error> {
    if number.is_finite() {
        Ok(number)
    } else {
        Err(Error::Malformed)
    }
}

/// The blocks in which the items of an array or a map are encoded.
#[derive(Debug, Default)]
pub struct Blocks {
    /// Remaining items of this block.
    left: u64,
    done: bool,
}

/// The head of a block.
pub struct BlockHead {
    pub items: u64,
    /// The block's size in bytes, if it is given.
    pub bytes: Option<usize>,
}

impl BlockHead {
    /// None after the last block.
    pub fn read(input: &mut Input<'_>) -> Result<Option<BlockHead>, Error> {
        let items = input.long()?;
        let bytes = if items < 0 {
            let bytes = usize::try_from(input.long()?).map_err(|_| Error::Malformed)?;
            if bytes > input.left() {
                return Err(Error::Malformed);
            }
            Some(bytes)
        } else {
            None
        };
        let items = items.unsigned_abs();
        Ok((items > 0).then_some(BlockHead { items, bytes }))
    }
}

impl Blocks {
    /// Whether there is another item.
    pub fn advance(&mut self, input: &mut Input<'_>) -> Result<bool, Error> {
        if self.left == 0 && !self.done {
            match BlockHead::read(input)? {
                Some(head) => self.left = head.items,
                None => self.done = true,
            }
        }
        if self.done {
            return Ok(false);
        }
        self.left -= 1;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_up_to_their_width() {
        let long = |bytes: &[u8]| {
            let mut input = Input::new(bytes);
            input.long().and_then(|long| input.end().map(|()| long))
        };
        assert_eq!(long(&[0]), Ok(0));
        assert_eq!(long(&[1]), Ok(-1));
        assert_eq!(long(&[0x80, 0x01]), Ok(64));
        let mut widest = [0xff; 10];
        widest[9] = 1;
        assert_eq!(long(&widest), Ok(i64::MIN));
        widest[0] = 0xfe;
        assert_eq!(long(&widest), Ok(i64::MAX));
        widest[9] = 2;
        assert_eq!(long(&widest), Err(Error::Malformed));
        assert_eq!(long(&[0x80; 11]), Err(Error::Malformed));
        assert_eq!(long(&[0x80]), Err(Error::Malformed));
        assert_eq!(long(&[]), Err(Error::Malformed));
        // 2^31, which does not fit an int.
        let mut input = Input::new(&[0x80, 0x80, 0x80, 0x80, 0x10]);
        assert_eq!(input.int(), Err(Error::Malformed));
    }

    #[test]
    fn a_negative_count_gives_the_size_of_its_block() {
        // Three items in two bytes, then the end.
        let mut input = Input::new(&[5, 4, 7, 7, 0]);
        let head = BlockHead::read(&mut input).unwrap().unwrap();
        assert_eq!((head.items, head.bytes), (3, Some(2)));
        // A size beyond the end, a negative one, and a count that cannot be negated.
        assert!(BlockHead::read(&mut Input::new(&[5, 4, 7])).is_err());
        assert!(BlockHead::read(&mut Input::new(&[5, 1, 7])).is_err());
        let mut least = [0xff; 11];
        (least[9], least[10]) = (1, 0);
        let head = BlockHead::read(&mut Input::new(&least)).unwrap().unwrap();
        assert_eq!(head.items, 1 << 63);
    }
}
