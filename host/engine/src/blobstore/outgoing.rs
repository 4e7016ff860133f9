//! `outgoing-value`: what a guest writes, and the call that carries it away.

use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};
use wasmtime::component::Resource;
use wasmtime_wasi::p2::DynOutputStream;
use wicker_lattice::value::Stream;

use super::pipe::Pipe;
use super::wire::Blobs;
use super::{Answer, wasi};
use crate::instance::Guest;
use crate::log::{Level, Origin};

/// What a guest writes.
///
/// It goes to where `write-data` says, as it is written. A value whose stream the guest has dropped by then is complete:
/// `write-data` waits until it is kept. Any other is complete when `finish` says so; without, it breaks off.
#[derive(Debug, Default)]
pub struct OutgoingValue {
    pipe: Pipe,
    has_stream: bool,
    put: Option<Put>,
}

/// The call that carries a value away.
#[derive(Debug)]
enum Put {
    Done(Result<(), String>),
    /// It ends with the guard.
    UnderWay(oneshot::Receiver<Result<(), String>>, DropGuard),
}

impl OutgoingValue {
    /// The bytes for the call that carries them away, and whether they are all there.
    fn begin(&mut self) -> Result<(Stream, bool), String> {
        if self.put.is_some() {
            return Err("the value was written already: make another".to_owned());
        }
        self.put = Some(Put::Done(Err("the value was not kept".to_owned())));
        let is_whole = self.pipe.is_closed();
        if is_whole {
            self.pipe.end(Ok(()));
        }
        Ok((self.pipe.reader().into(), is_whole))
    }
}

impl Drop for OutgoingValue {
    fn drop(&mut self) {
        self.pipe.end(Err("the component dropped the value before it was finished"));
    }
}

impl Guest {
    /// Has `blobs` keep a value under `name`.
    pub(super) async fn write(
        &mut self,
        blobs: Blobs,
        (container, name): (String, String),
        value: &Resource<OutgoingValue>,
    ) -> Answer<()> {
        let value_now = self.wasi.table().get_mut(value)?;
        let (stream, is_whole) = match value_now.begin() {
            Ok(begun) => begun,
            Err(why) => return Ok(Err(why)),
        };
        let pipe = value_now.pipe.clone();
        let put = async move {
            let kept: Result<u64, _> = blobs.call("put", (container, name, stream)).await;
            kept.map(drop).map_err(String::from)
        };
        let (put, answer) = if is_whole {
            let kept = put.await;
            (Put::Done(kept.clone()), kept)
        } else {
            (self.carry(put, pipe), Ok(()))
        };
        self.wasi.table().get_mut(value)?.put = Some(put);
        Ok(answer)
    }

    /// Goes on with `put` while the guest writes.
    fn carry(
        &self,
        put: impl Future<Output = Result<(), String>> + Send + 'static,
        pipe: Pipe,
    ) -> Put {
        let (done, is_done) = oneshot::channel();
        let dropped = CancellationToken::new();
        let guard = dropped.clone().drop_guard();
        self.actor.tasks.spawn_work(async move {
            tokio::select! {
                // Nobody waits for it any more: whoever carries it out is told.
                () = dropped.cancelled() => {}
                kept = put => {
                    if let Err(why) = &kept {
                        pipe.fail(why);
                    }
                    // The guest may have gone.
                    let _ = done.send(kept);
                }
            }
        });
        Put::UnderWay(is_done, guard)
    }
}

impl wasi::types::HostOutgoingValue for Guest {
    async fn new_outgoing_value(&mut self) -> wasmtime::Result<Resource<OutgoingValue>> {
        Ok(self.wasi.table().push(OutgoingValue::default())?)
    }

    async fn outgoing_value_write_body(
        &mut self,
        this: Resource<OutgoingValue>,
    ) -> wasmtime::Result<Result<Resource<DynOutputStream>, ()>> {
        let table = self.wasi.table();
        let value = table.get_mut(&this)?;
        if std::mem::replace(&mut value.has_stream, true) {
            return Ok(Err(()));
        }
        let stream: DynOutputStream = Box::new(value.pipe.writer());
        Ok(Ok(table.push(stream)?))
    }

    async fn finish(&mut self, this: Resource<OutgoingValue>) -> Answer<()> {
        let mut value = self.wasi.table().delete(this)?;
        value.pipe.end(Ok(()));
        Ok(match value.put.take() {
            None => {
                Err("the value was finished before `write-data`: it was kept nowhere".to_owned())
            }
            Some(Put::Done(kept)) => kept,
            Some(Put::UnderWay(is_done, _guard)) => {
                is_done.await.unwrap_or_else(|_| Err("the host is stopping".to_owned()))
            }
        })
    }

    async fn drop(&mut self, this: Resource<OutgoingValue>) -> wasmtime::Result<()> {
        let value = self.wasi.table().delete(this)?;
        if matches!(value.put, Some(Put::UnderWay(..))) {
            let text = "a value was dropped before it was finished: the object is not written";
            self.template().guest_line(Origin::Engine, Level::Warn, text);
        }
        Ok(())
    }
}
