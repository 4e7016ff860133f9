//! Everything of a request and a response but their bodies, in the types of the `http` crate.

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Method, StatusCode, Uri, request, response};

use super::fields;
use crate::types::Type;
use crate::value::{Decode, DecodeError, Encode, Fault, Reader, Writer};

/// A request without its body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestHead {
    /// `GET`.
    pub method: Method,
    /// `http` or `https`.
    pub scheme: Option<Scheme>,
    /// `example.org:8080`.
    pub authority: Option<Authority>,
    /// `/path?query`.
    pub path_with_query: Option<PathAndQuery>,
    /// Names may repeat.
    pub headers: HeaderMap,
}

/// A response without its body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponseHead {
    /// 200.
    pub status: StatusCode,
    /// Names may repeat.
    pub headers: HeaderMap,
}

impl RequestHead {
    /// The request's URI.
    ///
    /// # Errors
    /// The parts do not make one: there is a scheme and no authority.
    pub fn uri(&self) -> Result<Uri, http::Error> {
        let mut parts = http::uri::Parts::default();
        parts.scheme.clone_from(&self.scheme);
        parts.authority.clone_from(&self.authority);
        parts.path_and_query.clone_from(&self.path_with_query);
        // `http` wants all three parts or one: no path is `/`, and an authority alone (`host:port`) may stay so.
        if parts.scheme.is_some() && parts.path_and_query.is_none() {
            parts.path_and_query = Some(PathAndQuery::from_static("/"));
        }
        if parts.scheme.is_none() && parts.authority.is_some() && parts.path_and_query.is_some() {
            parts.scheme = Some(Scheme::HTTP);
        }
        Ok(Uri::from_parts(parts)?)
    }

    /// The same, for a client or a typed guest. Extensions are empty, the version is HTTP/1.1.
    ///
    /// # Errors
    /// As [`RequestHead::uri`].
    pub fn into_parts(self) -> Result<request::Parts, http::Error> {
        let uri = self.uri()?;
        let (mut parts, ()) = http::Request::new(()).into_parts();
        (parts.method, parts.uri, parts.headers) = (self.method, uri, self.headers);
        Ok(parts)
    }
}

impl From<request::Parts> for RequestHead {
    fn from(parts: request::Parts) -> Self {
        let uri = parts.uri.into_parts();
        Self {
            method: parts.method,
            scheme: uri.scheme,
            authority: uri.authority,
            path_with_query: uri.path_and_query,
            headers: parts.headers,
        }
    }
}

impl From<ResponseHead> for response::Parts {
    fn from(head: ResponseHead) -> Self {
        let (mut parts, ()) = http::Response::new(()).into_parts();
        (parts.status, parts.headers) = (head.status, head.headers);
        parts
    }
}

impl From<response::Parts> for ResponseHead {
    fn from(parts: response::Parts) -> Self {
        Self { status: parts.status, headers: parts.headers }
    }
}

pub(super) fn request_type() -> Type {
    let text = || Type::Option(Box::new(Type::String));
    record([
        ("method", Type::String),
        ("scheme", text()),
        ("authority", text()),
        ("path-with-query", text()),
        ("headers", fields::wire_type()),
        ("body", byte_stream()),
        ("trailers", byte_stream()),
    ])
}

pub(super) fn response_type() -> Type {
    record([
        ("status", Type::U16),
        ("headers", fields::wire_type()),
        ("body", byte_stream()),
        ("trailers", byte_stream()),
    ])
}

fn byte_stream() -> Type {
    Type::Stream(Some(Box::new(Type::U8)))
}

pub(super) fn record<const N: usize>(fields: [(&str, Type); N]) -> Type {
    Type::Record(fields.into_iter().map(|(name, ty)| (name.to_owned(), ty)).collect())
}

impl Encode for RequestHead {
    fn encode(&self, writer: &mut Writer) {
        writer.put_str(self.method.as_str());
        self.scheme.as_ref().map(Scheme::as_str).encode(writer);
        self.authority.as_ref().map(Authority::as_str).encode(writer);
        self.path_with_query.as_ref().map(PathAndQuery::as_str).encode(writer);
        fields::encode(&self.headers, writer);
        writer.put_stream();
        writer.put_stream();
    }
}

impl Decode for RequestHead {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let method = reader.str()?;
        let method = method
            .parse()
            .map_err(|_: http::method::InvalidMethod| reader.error(Fault::NotA("method")))?;
        let scheme = part(reader, "scheme")?;
        let authority = part(reader, "authority")?;
        let path_with_query = path(reader)?;
        let headers = fields::decode(reader)?;
        reader.stream()?;
        reader.stream()?;
        Ok(Self { method, scheme, authority, path_with_query, headers })
    }
}

/// An optional part of a URI.
fn part<T>(reader: &mut Reader<'_>, what: &'static str) -> Result<Option<T>, DecodeError>
where
    T: for<'a> TryFrom<&'a str>,
{
    if !reader.bool()? {
        return Ok(None);
    }
    let text = reader.str()?;
    T::try_from(text).map(Some).map_err(|_| reader.error(Fault::NotA(what)))
}

/// A path with its query. The parser drops a fragment, and takes nothing for `/`; neither is written by anybody.
fn path(reader: &mut Reader<'_>) -> Result<Option<PathAndQuery>, DecodeError> {
    if !reader.bool()? {
        return Ok(None);
    }
    let text = reader.str()?;
    let path = PathAndQuery::try_from(text).ok().filter(|path| path.as_str() == text);
    path.map(Some).ok_or_else(|| reader.error(Fault::NotA("path")))
}

impl Encode for ResponseHead {
    fn encode(&self, writer: &mut Writer) {
        self.status.as_u16().encode(writer);
        fields::encode(&self.headers, writer);
        writer.put_stream();
        writer.put_stream();
    }
}

impl Decode for ResponseHead {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let status = StatusCode::from_u16(reader.uint()?);
        let status = status.map_err(|_| reader.error(Fault::NotA("status")))?;
        let headers = fields::decode(reader)?;
        reader.stream()?;
        reader.stream()?;
        Ok(Self { status, headers })
    }
}
