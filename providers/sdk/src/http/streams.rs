//! Bodies as they cross a link: one stream for the body, one for the trailers that come after it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures::Stream;
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};
use tokio::sync::oneshot;
use wicker_lattice::call::{ByteStream, StreamError};
use wicker_lattice::http::{BODY, TRAILERS, decode_trailers, encode_trailers};

use super::body::{Body, BoxError};

/// Bytes of all trailers at most: what the other end would read.
const TRAILERS_BYTES_MAX: usize = 64 << 10;

/// Splits a body into the two streams of a request or a response, in their order.
#[must_use]
pub fn into_streams<B>(body: B) -> Vec<ByteStream>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let body = match Body::new(body) {
        Body::Empty => return vec![empty(), empty()],
        body => body,
    };
    let (tx, rx) = oneshot::channel();
    let chunks = Chunks { body, trailers: Some(tx) };
    let trailers = async move {
        // The sender is dropped without a word where there are none.
        let trailers: HeaderMap = rx.await.ok()?;
        Some(Ok::<_, StreamError>(encode_trailers(&trailers)))
    };
    let trailers =
        futures::StreamExt::filter_map(futures::stream::once(trailers), std::future::ready);
    vec![ByteStream::new(chunks), ByteStream::new(trailers)]
}

/// Joins the streams of a request or a response to a body again.
///
/// A body of known length keeps it: `length` is what the `content-length` header says, if there is one.
#[must_use]
pub fn from_streams(streams: Vec<ByteStream>, length: Option<u64>) -> Body {
    let mut streams: Vec<Option<ByteStream>> = streams.into_iter().map(Some).collect();
    let mut take = |at: usize| streams.get_mut(at).and_then(Option::take);
    let (body, trailers) = (take(BODY), take(TRAILERS));
    match body {
        None => Body::Empty,
        Some(_) if length == Some(0) => Body::Empty,
        Some(body) => {
            let trailers = trailers.unwrap_or_else(empty);
            Body::Stream(Box::pin(Joined { state: State::Body(body, trailers), length }))
        }
    }
}

fn empty() -> ByteStream {
    ByteStream::from_bytes(Bytes::new())
}

/// The data of a body; its trailers are handed over when they come.
struct Chunks {
    body: Body,
    trailers: Option<oneshot::Sender<HeaderMap>>,
}

impl Stream for Chunks {
    type Item = Result<Bytes, StreamError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
            let frame = match frame {
                None => {
                    self.trailers = None;
                    return Poll::Ready(None);
                }
                Some(Err(error)) => {
                    self.trailers = None;
                    self.body = Body::Empty;
                    return Poll::Ready(Some(Err(StreamError::Lost(error.to_string()))));
                }
                Some(Ok(frame)) => frame,
            };
            match frame.into_data() {
                Ok(data) if data.is_empty() => {}
                Ok(data) => return Poll::Ready(Some(Ok(data))),
                Err(frame) => {
                    if let (Ok(trailers), Some(tx)) = (frame.into_trailers(), self.trailers.take())
                    {
                        // Nobody reads them: then they do not matter.
                        drop(tx.send(trailers));
                    }
                }
            }
        }
    }
}

/// A body read from two streams, one after the other.
struct Joined {
    state: State,
    /// What is still to come, where it is known.
    length: Option<u64>,
}

enum State {
    Body(ByteStream, ByteStream),
    Trailers(ByteStream, BytesMut),
    End,
}

impl http_body::Body for Joined {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            match std::mem::replace(&mut self.state, State::End) {
                State::Body(mut body, trailers) => match Pin::new(&mut body).poll_next(cx) {
                    Poll::Pending => {
                        self.state = State::Body(body, trailers);
                        return Poll::Pending;
                    }
                    Poll::Ready(Some(Ok(chunk))) => {
                        self.state = State::Body(body, trailers);
                        self.length =
                            self.length.map(|left| left.saturating_sub(chunk.len() as u64));
                        return Poll::Ready(Some(Ok(Frame::data(chunk))));
                    }
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error.into()))),
                    Poll::Ready(None) => self.state = State::Trailers(trailers, BytesMut::new()),
                },
                State::Trailers(mut stream, mut bytes) => {
                    match Pin::new(&mut stream).poll_next(cx) {
                        Poll::Pending => {
                            self.state = State::Trailers(stream, bytes);
                            return Poll::Pending;
                        }
                        Poll::Ready(Some(Ok(chunk))) => {
                            if bytes.len() + chunk.len() > TRAILERS_BYTES_MAX {
                                return Poll::Ready(Some(Err("trailers are too large".into())));
                            }
                            bytes.extend_from_slice(&chunk);
                            self.state = State::Trailers(stream, bytes);
                        }
                        Poll::Ready(Some(Err(error))) => {
                            return Poll::Ready(Some(Err(error.into())));
                        }
                        Poll::Ready(None) => return Poll::Ready(last_frame(&bytes.freeze())),
                    }
                }
                State::End => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::End)
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

fn last_frame(trailers: &Bytes) -> Option<Result<Frame<Bytes>, BoxError>> {
    match decode_trailers(trailers) {
        Ok(trailers) if trailers.is_empty() => None,
        Ok(trailers) => Some(Ok(Frame::trailers(trailers))),
        Err(error) => Some(Err(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;
    use http::HeaderValue;
    use http_body_util::{BodyExt as _, StreamBody};

    use super::*;

    fn frames(frames: Vec<Result<Frame<Bytes>, BoxError>>) -> Body {
        Body::new(StreamBody::new(futures::stream::iter(frames)))
    }

    #[tokio::test]
    async fn body_and_trailers_survive_a_link() {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        let body = frames(vec![
            Ok(Frame::data(Bytes::from_static(b"one "))),
            Ok(Frame::data(Bytes::new())),
            Ok(Frame::data(Bytes::from_static(b"two"))),
            Ok(Frame::trailers(trailers.clone())),
        ]);
        let joined = from_streams(into_streams(body), None).collect().await.unwrap();
        assert_eq!(joined.trailers(), Some(&trailers));
        assert_eq!(joined.to_bytes(), "one two");
    }

    #[tokio::test]
    async fn body_without_trailers_ends() {
        let body = frames(vec![Ok(Frame::data(Bytes::from_static(b"one")))]);
        let joined = from_streams(into_streams(body), Some(3));
        assert_eq!(joined.size_hint().exact(), Some(3));
        let joined = joined.collect().await.unwrap();
        assert_eq!(joined.trailers(), None);
        assert_eq!(joined.to_bytes(), "one");
    }

    #[tokio::test]
    async fn body_that_breaks_is_lost_on_the_other_side() {
        let body = frames(vec![
            Ok(Frame::data(Bytes::from_static(b"one"))),
            Err("the client is gone".into()),
        ]);
        let mut streams = into_streams(body);
        let chunks: Vec<_> = streams.remove(BODY).collect().await;
        let lost = StreamError::Lost("the client is gone".to_owned());
        assert_eq!(chunks, [Ok(Bytes::from_static(b"one")), Err(lost)]);
        assert_eq!(streams.remove(0).count().await, 0);
    }

    #[tokio::test]
    async fn empty_body_is_two_empty_streams() {
        for stream in into_streams(Body::Empty) {
            assert_eq!(stream.count().await, 0);
        }
    }
}
