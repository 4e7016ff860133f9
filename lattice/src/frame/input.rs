//! Reads the fields of a frame: never beyond its end, and never more than there is.

use bytes::Bytes;

use super::error::FrameError;
use super::header::VERSION;
use super::stream::{STREAMS_MAX, StreamNumber};
use crate::call::TraceContext;

/// What is left of a message. Everything taken from it shares its memory.
pub(super) struct Input(pub(super) Bytes);

impl Input {
    pub(super) fn take(&mut self, len: usize) -> Result<Bytes, FrameError> {
        if self.0.len() < len { Err(FrameError::Short) } else { Ok(self.0.split_to(len)) }
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        let (array, _) = self.0.split_first_chunk::<N>().ok_or(FrameError::Short)?;
        let array = *array;
        bytes::Buf::advance(&mut self.0, N);
        Ok(array)
    }

    pub(super) fn u8(&mut self) -> Result<u8, FrameError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Result<u32, FrameError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, FrameError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn version(&mut self) -> Result<(), FrameError> {
        match self.u8()? {
            VERSION => Ok(()),
            other => Err(FrameError::Version(other)),
        }
    }

    pub(super) fn flags(&mut self, known: u8) -> Result<u8, FrameError> {
        let flags = self.u8()?;
        if flags & !known == 0 { Ok(flags) } else { Err(FrameError::Code(flags)) }
    }

    pub(super) fn streams(&mut self) -> Result<u8, FrameError> {
        let streams = self.u8()?;
        if usize::from(streams) <= STREAMS_MAX {
            Ok(streams)
        } else {
            Err(FrameError::Code(streams))
        }
    }

    pub(super) fn stream(&mut self) -> Result<StreamNumber, FrameError> {
        self.u8().map(StreamNumber)
    }

    /// A text of up to 255 bytes, as `read` reads it.
    pub(super) fn short<T>(
        &mut self,
        read: impl FnOnce(&str) -> Result<T, FrameError>,
    ) -> Result<T, FrameError> {
        let len = self.u8()?;
        let bytes = self.take(usize::from(len))?;
        read(std::str::from_utf8(&bytes).map_err(|_| FrameError::Utf8)?)
    }

    /// The rest, as text.
    pub(super) fn text(&mut self) -> Result<String, FrameError> {
        let bytes = std::mem::take(&mut self.0);
        std::str::from_utf8(&bytes).map(str::to_owned).map_err(|_| FrameError::Utf8)
    }

    pub(super) fn trace(&mut self) -> Result<TraceContext, FrameError> {
        Ok(TraceContext { trace_id: self.array()?, span_id: self.array()?, flags: self.u8()? })
    }
}
