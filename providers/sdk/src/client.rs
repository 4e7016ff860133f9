//! The calling side: what the clients that [`crate::bindgen!`] writes are made of.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wicker_lattice::call::{Call, CallError, DEFAULT_TIMEOUT, Invoke, LinkRef, Reply, Status};
use wicker_lattice::id::{CallId, ObjectId};
use wicker_lattice::interface::InterfaceKey;
use wicker_lattice::link::Binding;
use wicker_lattice::release;
use wicker_lattice::types::TypeHash;
use wicker_lattice::value::{Decode, DecodeError, Encode as _, Handle, Pins, Reader, Writer};

use crate::scope::Scope;

/// Calls one target over one link. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    source: ObjectId,
    target: ObjectId,
    link: LinkRef,
    invoke: Arc<dyn Invoke>,
    timeout: Duration,
}

/// Which function is called.
#[derive(Debug, Clone, Copy)]
pub struct Callee<'a> {
    /// Of which interface.
    pub interface: &'a InterfaceKey,
    /// As the component ABI names it.
    pub function: &'a str,
    /// Its signature.
    pub type_hash: TypeHash,
}

impl Client {
    /// Calls what `binding` leads to, as `source`.
    #[must_use]
    pub fn new(source: ObjectId, binding: Binding) -> Self {
        let Binding { target, link, invoke } = binding;
        Self { source, target, link, invoke, timeout: DEFAULT_TIMEOUT }
    }

    /// The same, with another limit on how long a call takes.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Who is called.
    #[must_use]
    pub fn target(&self) -> &ObjectId {
        &self.target
    }

    /// Calls a function with its parameters, written as one tuple, and waits for its result; inside a call that is
    /// being answered, no longer than that one's deadline.
    ///
    /// # Errors
    /// As [`CallError`] says; [`wicker_lattice::call::Status::Trapped`] also where the result cannot be read.
    pub async fn call<R: Decode>(
        &self,
        callee: Callee<'_>,
        params: Writer,
    ) -> Result<R, CallError> {
        let outer = Scope::current();
        let own = Instant::now() + self.timeout;
        let pins = params.pins();
        let (params, streams) = params.finish_with_streams();
        let call = Call {
            id: CallId::generate(),
            target: self.target.clone(),
            source: self.source.clone(),
            link: self.link.clone(),
            interface: callee.interface.clone(),
            function: callee.function.into(),
            type_hash: callee.type_hash,
            deadline: outer.as_ref().map_or(own, |scope| scope.deadline.min(own)),
            trace: outer.and_then(|scope| scope.trace),
            fence: None,
            params,
            streams,
        };
        let reply = match pins {
            None => self.invoke.invoke(call).await?,
            Some(Pins::One(owner)) => self.invoke.invoke_at(owner, call).await?,
            Some(Pins::Several) => return Err(scattered()),
        };
        read(reply).map_err(DecodeError::in_results)
    }

    /// Drops handles that came by way of `interface`. Stateless ones need not be dropped, and may be.
    ///
    /// # Errors
    /// As [`CallError`] says. What the call did not reach goes when its lease ends.
    pub async fn release(
        &self,
        interface: &InterfaceKey,
        handles: Vec<Handle>,
    ) -> Result<(), CallError> {
        let mut params = Writer::new();
        handles.encode(&mut params);
        let callee =
            Callee { interface, function: release::FUNCTION, type_hash: release::type_hash() };
        self.call(callee, params).await
    }
}

fn scattered() -> CallError {
    let message = "the handles of this call are kept by different processes: no one could serve it";
    CallError::new(Status::Unsupported, message)
}

fn read<R: Decode>(reply: Reply) -> Result<R, DecodeError> {
    let mut reader = Reader::new(&reply.results)?.with_streams(reply.streams);
    let result = R::decode(&mut reader)?;
    reader.finish()?;
    Ok(result)
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("source", &self.source)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}
