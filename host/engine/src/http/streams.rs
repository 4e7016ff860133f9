//! Bodies and the streams that carry them over a link: one for the data, one for the trailers that follow it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt as _, Stream, StreamExt as _, stream};
use http::HeaderMap;
use http_body::{Body, Frame};
use tokio::sync::oneshot;
use wicker_lattice::call::{ByteStream, CallError, Status, StreamError};
use wicker_lattice::http::{BODY, encode_trailers, read_trailers};

use super::BoxError;

/// The streams that carry `body`, in the order that [`wicker_lattice::http`] has them.
pub(super) fn split<B>(body: B) -> Vec<ByteStream>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    if body.is_end_stream() {
        return vec![ByteStream::from_bytes(Bytes::new()), ByteStream::from_bytes(Bytes::new())];
    }
    let (sender, receiver) = oneshot::channel();
    let trailers = stream::once(async {
        // Without a sender the body ended without trailers, or was not read to its end.
        receiver.await.map_or_else(|_| Bytes::new(), |trailers| encode_trailers(&trailers))
    });
    let trailers = trailers.filter(|bytes| std::future::ready(!bytes.is_empty())).map(Ok);
    let body = Data { body: Box::pin(body), trailers: Some(sender) };
    vec![ByteStream::new(body), ByteStream::new(trailers)]
}

/// The data of a body. Its trailers are sent aside.
struct Data<B> {
    body: Pin<Box<B>>,
    trailers: Option<oneshot::Sender<HeaderMap>>,
}

impl<B> Stream for Data<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Item = Result<Bytes, StreamError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let frame = match ready!(self.body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => {
                    let error: BoxError = error.into();
                    return Poll::Ready(Some(Err(StreamError::Aborted(error.to_string()))));
                }
                None => {
                    self.trailers = None;
                    return Poll::Ready(None);
                }
            };
            match frame.into_data() {
                Ok(data) if data.is_empty() => {}
                Ok(data) => return Poll::Ready(Some(Ok(data))),
                Err(frame) => {
                    if let (Ok(trailers), Some(sender)) =
                        (frame.into_trailers(), self.trailers.take())
                    {
                        // A reader that has no use for trailers has dropped its end.
                        _ = sender.send(trailers);
                    }
                }
            }
        }
    }
}

/// The body that `streams` carry.
///
/// # Errors
/// There are not two of them.
pub(super) fn join(streams: Vec<ByteStream>) -> Result<Joined, CallError> {
    let Ok([data, trailers]) = <[ByteStream; 2]>::try_from(streams) else {
        return Err(CallError::new(
            Status::BadFrame,
            "an HTTP message has two streams: body and trailers",
        ));
    };
    const { assert!(BODY == 0) };
    Ok(Joined { data: Some(data), trailers: Some(Box::pin(read_trailers(trailers))) })
}

/// A body that arrives over a link.
pub(super) struct Joined {
    data: Option<ByteStream>,
    trailers: Option<BoxFuture<'static, Result<HeaderMap, StreamError>>>,
}

impl Body for Joined {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        if let Some(data) = &mut self.data {
            match ready!(data.poll_next_unpin(cx)) {
                Some(Ok(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Some(Err(error)) => {
                    (self.data, self.trailers) = (None, None);
                    return Poll::Ready(Some(Err(error)));
                }
                None => self.data = None,
            }
        }
        let Some(trailers) = &mut self.trailers else { return Poll::Ready(None) };
        let trailers = ready!(trailers.poll_unpin(cx));
        self.trailers = None;
        Poll::Ready(match trailers {
            Ok(trailers) if trailers.is_empty() => None,
            Ok(trailers) => Some(Ok(Frame::trailers(trailers))),
            Err(error) => Some(Err(error)),
        })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http_body_util::{BodyExt as _, Empty, Full};

    use super::*;

    async fn cross<B>(body: B) -> (Bytes, HeaderMap)
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let collected = join(split(body)).unwrap().collect().await.unwrap();
        let trailers = collected.trailers().cloned().unwrap_or_default();
        (collected.to_bytes(), trailers)
    }

    #[tokio::test]
    async fn a_body_crosses_with_its_trailers() {
        let trailers =
            HeaderMap::from_iter([("x-sum".parse().unwrap(), HeaderValue::from_static("7"))]);
        let body = Full::new(Bytes::from_static(b"data"));
        let body = body.with_trailers(std::future::ready(Some(Ok(trailers.clone()))));
        assert_eq!(cross(body).await, (Bytes::from_static(b"data"), trailers));
        assert_eq!(cross(Empty::new()).await, (Bytes::new(), HeaderMap::new()));
    }

    #[tokio::test]
    async fn an_error_crosses_in_place_of_the_end() {
        let body = stream::iter([Ok(Frame::data(Bytes::from_static(b"a"))), Err("gone")]);
        let body = http_body_util::StreamBody::new(body);
        let error = join(split(body)).unwrap().collect().await.unwrap_err();
        assert_eq!(error, StreamError::Aborted("gone".into()));
    }
}
