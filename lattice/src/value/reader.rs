//! Reads values, strictly. Knows the primitives; [`Decode`](super::Decode) puts them together.

use bytes::Bytes;

use super::{DecodeError, Fault};
use crate::call::{ByteStream, VALUE_BYTES_MAX};
use crate::types::DEPTH_MAX;

/// Reads one encoded value from front to back.
///
/// Refuses what [`Writer`](super::Writer) does not write, with one exception: any NaN is read, as the canonical one.
#[derive(Debug)]
pub struct Reader<'a> {
    whole: &'a Bytes,
    rest: &'a [u8],
    streams: u32,
    attached: std::vec::IntoIter<ByteStream>,
    depth: u32,
}

impl<'a> Reader<'a> {
    /// Begins to read `value`.
    ///
    /// # Errors
    /// [`Fault::TooLarge`]: it is larger than [`VALUE_BYTES_MAX`].
    pub fn new(value: &'a Bytes) -> Result<Self, DecodeError> {
        if value.len() > VALUE_BYTES_MAX {
            return Err(DecodeError { fault: Fault::TooLarge(value.len()), offset: 0 });
        }
        let attached = Vec::new().into_iter();
        Ok(Self { whole: value, rest: value, streams: 0, attached, depth: 0 })
    }

    /// The same value, with the streams that came with it. Those that it does not refer to end with the reader.
    #[must_use]
    pub fn with_streams(self, streams: Vec<ByteStream>) -> Self {
        Self { attached: streams.into_iter(), ..self }
    }

    /// The error that `fault` is, here.
    #[must_use]
    pub fn error(&self, fault: Fault) -> DecodeError {
        DecodeError { fault, offset: self.whole.len() - self.rest.len() }
    }

    /// What has not been read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// How many streams the value has referred to so far; at its end, how many must come with it.
    #[must_use]
    pub fn streams(&self) -> u32 {
        self.streams
    }

    /// Ends the value.
    ///
    /// # Errors
    /// [`Fault::Trailing`]: it has not been read to its end.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(self.error(Fault::Trailing(left))),
        }
    }

    /// Reads one level further down with `read`. For values whose depth the program does not fix.
    ///
    /// # Errors
    /// [`Fault::TooDeep`] below [`DEPTH_MAX`] levels; otherwise what `read` says.
    pub fn nested<T, E: From<DecodeError>>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        if self.depth == DEPTH_MAX {
            return Err(self.error(Fault::TooDeep).into());
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }
}

/// One function a primitive. Each fails with [`Fault::CutOff`] at the end of the bytes, and as its fault says.
#[allow(clippy::missing_errors_doc, reason = "said once, above")]
impl<'a> Reader<'a> {
    /// Reads one byte.
    #[inline]
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        let Some((byte, rest)) = self.rest.split_first() else {
            return Err(self.error(Fault::CutOff));
        };
        self.rest = rest;
        Ok(*byte)
    }

    /// Reads `len` bytes, without copying them.
    #[inline]
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let Some((taken, rest)) = self.rest.split_at_checked(len) else {
            return Err(self.error(Fault::CutOff));
        };
        self.rest = rest;
        Ok(taken)
    }

    /// Reads `N` bytes.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some((taken, rest)) = self.rest.split_first_chunk() else {
            return Err(self.error(Fault::CutOff));
        };
        self.rest = rest;
        Ok(*taken)
    }

    /// Reads a `bool`, or the tag of an `option` or `result`.
    #[inline]
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.error(Fault::NotABool(other))),
        }
    }

    /// Reads an unsigned integer of at most 64 bits.
    #[inline]
    pub fn leb_u(&mut self) -> Result<u64, DecodeError> {
        let first = self.u8()?;
        if first < 0x80 {
            return Ok(first.into());
        }
        self.leb_u_long(first)
    }

    fn leb_u_long(&mut self, first: u8) -> Result<u64, DecodeError> {
        let mut value = u64::from(first & 0x7f);
        for shift in (7..64).step_by(7) {
            let byte = self.u8()?;
            if shift == 63 && byte > 1 {
                return Err(self.error(Fault::Overflow));
            }
            value |= u64::from(byte & 0x7f) << shift;
            match byte {
                0 => return Err(self.error(Fault::NotShortest)),
                1..0x80 => return Ok(value),
                _ => {}
            }
        }
        Err(self.error(Fault::Overflow))
    }

    /// Reads a signed integer of at most 64 bits.
    #[inline]
    pub fn leb_s(&mut self) -> Result<i64, DecodeError> {
        let mut value = 0_i64;
        let mut last = 0_u8;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            if shift == 63 && byte != 0 && byte != 0x7f {
                return Err(self.error(Fault::Overflow));
            }
            value |= i64::from(byte & 0x7f) << shift;
            if byte >= 0x80 {
                last = byte;
                continue;
            }
            // A last byte that only repeats the sign of the one before it need not be there.
            let is_sign = (byte == 0 && last & 0x40 == 0) || (byte == 0x7f && last & 0x40 != 0);
            if shift > 0 && is_sign {
                return Err(self.error(Fault::NotShortest));
            }
            let spare = 64_u32.saturating_sub(shift + 7);
            return Ok(value << spare >> spare);
        }
        Err(self.error(Fault::Overflow))
    }

    /// Reads an unsigned integer of a narrower type.
    #[inline]
    pub fn uint<T: TryFrom<u64>>(&mut self) -> Result<T, DecodeError> {
        T::try_from(self.leb_u()?).map_err(|_| self.error(Fault::Overflow))
    }

    /// Reads a signed integer of a narrower type.
    #[inline]
    pub fn sint<T: TryFrom<i64>>(&mut self) -> Result<T, DecodeError> {
        T::try_from(self.leb_s()?).map_err(|_| self.error(Fault::Overflow))
    }

    /// Reads the index of one of `count` cases.
    pub fn case(&mut self, count: usize) -> Result<usize, DecodeError> {
        let index = self.leb_u()?;
        match usize::try_from(index) {
            Ok(case) if case < count => Ok(case),
            _ => Err(self.error(Fault::NoSuchCase(index))),
        }
    }

    /// Reads the length of a list. An element takes one byte at least, so no list is longer than what is left.
    #[inline]
    pub fn list_len(&mut self) -> Result<usize, DecodeError> {
        let len = self.leb_u()?;
        match usize::try_from(len) {
            Ok(len) if len <= self.rest.len() => Ok(len),
            _ => Err(self.error(Fault::ListTooLong(len))),
        }
    }

    /// Reads a `list<u8>` without copying it.
    #[inline]
    pub fn slice(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.list_len()?;
        self.take(len)
    }

    /// Reads a `list<u8>` that shares the memory of the whole value, and keeps it alive.
    pub fn bytes(&mut self) -> Result<Bytes, DecodeError> {
        Ok(self.whole.slice_ref(self.slice()?))
    }

    /// Reads a `string` without copying it.
    #[inline]
    pub fn str(&mut self) -> Result<&'a str, DecodeError> {
        let bytes = self.slice()?;
        std::str::from_utf8(bytes).map_err(|_| self.error(Fault::NotUtf8))
    }

    /// Reads a `char`.
    pub fn char(&mut self) -> Result<char, DecodeError> {
        let len = match self.rest.first() {
            Some(0..0x80) | None => 1,
            Some(0x80..0xe0) => 2,
            Some(0xe0..0xf0) => 3,
            Some(0xf0..) => 4,
        };
        let text = std::str::from_utf8(self.take(len)?).map_err(|_| self.error(Fault::NotUtf8))?;
        text.chars().next().ok_or_else(|| self.error(Fault::NotUtf8))
    }

    /// Reads an `f32`; a NaN comes out canonical.
    pub fn f32(&mut self) -> Result<f32, DecodeError> {
        let value = f32::from_le_bytes(self.array()?);
        Ok(if value.is_nan() { f32::from_bits(0x7fc0_0000) } else { value })
    }

    /// Reads an `f64`; a NaN comes out canonical.
    pub fn f64(&mut self) -> Result<f64, DecodeError> {
        let value = f64::from_le_bytes(self.array()?);
        Ok(if value.is_nan() { f64::from_bits(0x7ff8_0000_0000_0000) } else { value })
    }

    /// Reads the bytes of `count` flags, lowest first.
    pub fn flags(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let bytes = self.take(count.div_ceil(8))?;
        let spare = match (bytes.last(), count % 8) {
            (Some(last), used @ 1..) => last >> used,
            _ => 0,
        };
        if spare == 0 { Ok(bytes) } else { Err(self.error(Fault::NoSuchFlag)) }
    }

    /// Reads a reference to the next stream of the call.
    pub fn stream(&mut self) -> Result<u32, DecodeError> {
        let index = self.uint::<u32>()?;
        if index != self.streams {
            return Err(self.error(Fault::StreamOrder));
        }
        self.streams += 1;
        Ok(index)
    }

    /// Reads a reference to the next stream of the call, and takes that stream.
    pub fn attached(&mut self) -> Result<ByteStream, DecodeError> {
        self.stream()?;
        self.attached.next().ok_or_else(|| self.error(Fault::StreamOrder))
    }
}
