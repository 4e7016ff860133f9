//! Header and trailer fields: a list of names and values, which are bytes.

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::call::{ByteStream, StreamError};
use crate::types::Type;
use crate::value::{DecodeError, Fault, Reader, Writer};

/// Bytes of all trailers, encoded, at most.
const TRAILERS_BYTES_MAX: usize = 64 << 10;

pub(super) fn wire_type() -> Type {
    let value = Type::List(Box::new(Type::U8));
    Type::List(Box::new(Type::Tuple(vec![Type::String, value])))
}

pub(super) fn encode(fields: &HeaderMap, writer: &mut Writer) {
    writer.put_len(fields.len());
    for (name, value) in fields {
        writer.put_str(name.as_str());
        writer.put_bytes(value.as_bytes());
    }
}

pub(super) fn decode(reader: &mut Reader<'_>) -> Result<HeaderMap, DecodeError> {
    let mut fields = HeaderMap::new();
    for _ in 0..reader.list_len()? {
        let name = HeaderName::from_bytes(reader.slice()?);
        let name = name.map_err(|_| reader.error(Fault::NotA("header name")))?;
        let value = HeaderValue::from_maybe_shared(reader.bytes()?);
        let value = value.map_err(|_| reader.error(Fault::NotA("header value")))?;
        let appended = fields.try_append(name, value);
        appended.map_err(|_| reader.error(Fault::NotA("number of headers")))?;
    }
    Ok(fields)
}

/// What a stream of trailers carries: nothing where there are none.
#[must_use]
pub fn encode_trailers(trailers: &HeaderMap) -> Bytes {
    if trailers.is_empty() {
        return Bytes::new();
    }
    let mut writer = Writer::new();
    encode(trailers, &mut writer);
    writer.finish()
}

/// Reads what [`encode_trailers`] wrote.
///
/// # Errors
/// It is no list of fields.
pub fn decode_trailers(bytes: &Bytes) -> Result<HeaderMap, DecodeError> {
    if bytes.is_empty() {
        return Ok(HeaderMap::new());
    }
    let mut reader = Reader::new(bytes)?;
    let trailers = decode(&mut reader)?;
    reader.finish()?;
    Ok(trailers)
}

/// A stream of trailers that are known already.
#[must_use]
pub fn trailers_stream(trailers: &HeaderMap) -> ByteStream {
    ByteStream::from_bytes(encode_trailers(trailers))
}

/// Reads a stream of trailers to its end. Read the body first: its writer may send nothing here before.
///
/// # Errors
/// The stream breaks, holds more than 64 KiB, or holds no trailers.
pub async fn read_trailers(mut stream: ByteStream) -> Result<HeaderMap, StreamError> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk?);
        if bytes.len() > TRAILERS_BYTES_MAX {
            return Err(StreamError::Aborted("trailers are too large".to_owned()));
        }
    }
    let refused = |error| StreamError::Aborted(format!("cannot read the trailers: {error}"));
    decode_trailers(&bytes.freeze()).map_err(refused)
}
