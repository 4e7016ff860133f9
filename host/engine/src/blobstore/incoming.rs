//! `incoming-value`: what a guest reads, as it comes.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures::{Stream as _, StreamExt as _};
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynInputStream, InputStream, Pollable, StreamError, StreamResult};
use wicker_lattice::call::{self, ByteStream};

use super::{Answer, HELD_BYTES_MAX, wasi};
use crate::instance::Guest;

/// What a guest reads. Dropping it, or the stream that it becomes, ends the reading at the other end.
#[derive(Debug)]
pub struct IncomingValue {
    pub(super) data: ByteStream,
    /// How much will come.
    pub(super) bytes: u64,
}

impl wasi::types::Host for Guest {}

impl wasi::types::HostIncomingValue for Guest {
    async fn incoming_value_consume_sync(
        &mut self,
        this: Resource<IncomingValue>,
    ) -> Answer<Vec<u8>> {
        let IncomingValue { mut data, bytes } = self.wasi.table().delete(this)?;
        if bytes > HELD_BYTES_MAX as u64 {
            return Ok(Err(format!(
                "the value has {bytes} bytes, and this function takes {} MiB: use incoming-value-consume-async",
                HELD_BYTES_MAX >> 20
            )));
        }
        let mut all = Vec::new();
        while let Some(chunk) = data.next().await {
            match chunk {
                Ok(chunk) => all.extend_from_slice(&chunk),
                Err(error) => return Ok(Err(error.to_string())),
            }
        }
        Ok(Ok(all))
    }

    async fn incoming_value_consume_async(
        &mut self,
        this: Resource<IncomingValue>,
    ) -> Answer<Resource<DynInputStream>> {
        let table = self.wasi.table();
        let value = table.delete(this)?;
        let stream: DynInputStream = Box::new(Body::new(value.data));
        Ok(Ok(table.push(stream)?))
    }

    async fn size(&mut self, this: Resource<IncomingValue>) -> wasmtime::Result<u64> {
        Ok(self.wasi.table().get(&this)?.bytes)
    }

    async fn drop(&mut self, this: Resource<IncomingValue>) -> wasmtime::Result<()> {
        self.wasi.table().delete(this)?;
        Ok(())
    }
}

/// A stream of the lattice as one of WASI 0.2.
struct Body {
    /// `None` once it has ended.
    data: Option<ByteStream>,
    chunk: Bytes,
    failure: Option<call::StreamError>,
}

impl Body {
    fn new(data: ByteStream) -> Self {
        Self { data: Some(data), chunk: Bytes::new(), failure: None }
    }

    /// Ready once there is something to say: bytes, an end or a failure.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.chunk.is_empty() {
            let Some(data) = &mut self.data else { return Poll::Ready(()) };
            match std::task::ready!(Pin::new(data).poll_next(cx)) {
                Some(Ok(chunk)) => self.chunk = chunk,
                Some(Err(error)) => (self.data, self.failure) = (None, Some(error)),
                None => self.data = None,
            }
        }
        Poll::Ready(())
    }
}

impl InputStream for Body {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if self.poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            return Ok(Bytes::new());
        }
        if !self.chunk.is_empty() {
            let len = self.chunk.len().min(size);
            return Ok(self.chunk.split_to(len));
        }
        match self.failure.take() {
            Some(error) => Err(StreamError::LastOperationFailed(wasmtime::Error::new(error))),
            None => Err(StreamError::Closed),
        }
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Body {
    async fn ready(&mut self) {
        std::future::poll_fn(|cx| self.poll(cx)).await;
    }
}
