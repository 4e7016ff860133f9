//! One function behind a link, as a guest calls it: lifts its parameters, carries the call, lowers the results.

use std::sync::Arc;

use wasmtime::component::LinkerInstance;
use wasmtime::{AsContextMut as _, StoreContextMut};
use wicker_lattice::call::{Call, CallError, Reply};
use wicker_lattice::id::CallId;
use wicker_lattice::interface::InterfaceKey;
use wicker_lattice::link::{Binding, Links};
use wicker_lattice::types::{FunctionType, Type, TypeHash};

use crate::codec::direct::{Lifted, Lowered};
use crate::codec::shape::{FLAT_PARAMS_MAX, Shape};
use crate::codec::val::{self, Numbers};
use crate::codec::{Payload, Side};
use crate::config::ActorConfig;
use crate::failure::Refusal;
use crate::home::{Home, Pin};
use crate::instance::Guest;
use crate::log::{Level, LogLine, Origin};

/// One function behind a link.
#[derive(Debug)]
pub(super) struct Linked {
    interface: InterfaceKey,
    name: Arc<str>,
    hash: TypeHash,
    refusal: Refusal,
    /// Whether it may give the guest a handle, by which it will call again.
    gives_handles: bool,
}

/// A call that is ready to go, and where.
type Ready = Result<(Call, Way), CallError>;

/// Where a call goes.
enum Way {
    /// Along the link that the call being served has pinned.
    Link(Arc<Links>),
    /// To the process that keeps what one of its parameters stands for.
    Pin(Pin),
}

impl Linked {
    pub(super) fn new(interface: InterfaceKey, name: &str, ty: &FunctionType) -> Self {
        let gives_handles = ty.result.as_ref().is_some_and(holds_handle);
        let (name, hash, refusal) = (name.into(), ty.hash(), Refusal::of(ty));
        Self { interface, name, hash, refusal, gives_handles }
    }

    /// Makes the call that the guest wants: the links, the deadline and the trace of the call that it serves.
    fn prepare(&self, guest: &Guest, params: Payload) -> Ready {
        let source = &guest.actor.id;
        let links = &guest.call.links;
        let binding = match &params.pin {
            Some(pin) => &pin.home.binding,
            None => links.resolve(source, &self.interface)?,
        };
        let call = Call {
            id: CallId::generate(),
            target: binding.target.clone(),
            source: source.clone(),
            link: binding.link.clone(),
            interface: self.interface.clone(),
            function: Arc::clone(&self.name),
            type_hash: self.hash,
            deadline: guest.call.deadline.get(),
            trace: guest.call.trace,
            fence: guest.actor.fence,
            params: params.bytes,
            streams: params.streams,
        };
        let way = params.pin.map_or_else(|| Way::Link(Arc::clone(links)), Way::Pin);
        Ok((call, way))
    }

    async fn carry(&self, ready: Ready, actor: &Arc<ActorConfig>) -> Carried {
        let (call, way) = ready?;
        let binding: &Binding = match &way {
            Way::Link(links) => links.resolve(&call.source, &self.interface)?,
            Way::Pin(pin) => &pin.home.binding,
        };
        let reply = match &way {
            Way::Link(_) => binding.invoke.invoke(call).await?,
            Way::Pin(pin) => pin.home.carry(pin.owner, call).await?,
        };
        let home = self.gives_handles.then(|| {
            let (binding, interface) = (binding.clone(), self.interface.clone());
            Arc::new(Home { binding, interface, actor: Arc::clone(actor) })
        });
        Ok((reply, home))
    }

    /// What the guest gets: the results, its interface's own error, or a trap.
    fn answer(&self, guest: &Guest, reply: Carried) -> wasmtime::Result<Payload> {
        let error = match reply {
            Ok((reply, home)) => {
                return Ok(Payload { home, ..Payload::new(reply.results, reply.streams) });
            }
            Err(error) => error,
        };
        let text = format!("{}.{} failed: {error}", self.interface, self.name);
        guest.actor.log.write(LogLine { origin: Origin::Engine, level: Level::Warn, text: &text });
        match self.refusal.results(&error) {
            Some(bytes) => Ok(Payload::new(bytes, Vec::new())),
            None => Err(wasmtime::format_err!("{text}")),
        }
    }

    async fn call(
        &self,
        store: &mut StoreContextMut<'_, Guest>,
        params: Payload,
    ) -> wasmtime::Result<Payload> {
        let ready = self.prepare(store.data(), params);
        let reply = self.carry(ready, &store.data().actor).await;
        self.answer(store.data(), reply)
    }
}

/// What a call came to, and where the handles in it came from.
type Carried = Result<(Reply, Option<Arc<Home>>), CallError>;

fn holds_handle(ty: &Type) -> bool {
    match ty {
        Type::Own(..) | Type::Borrow(..) => true,
        Type::List(inner) | Type::Option(inner) => holds_handle(inner),
        Type::Result { ok, err } => ok.iter().chain(err).any(|ty| holds_handle(ty)),
        Type::Tuple(types) => types.iter().any(holds_handle),
        Type::Record(fields) => fields.iter().any(|(_, ty)| holds_handle(ty)),
        Type::Variant(cases) => cases.iter().any(|(_, ty)| ty.as_ref().is_some_and(holds_handle)),
        _ => false,
    }
}

/// Gives the guest `linked` by the direct codec.
pub(super) fn add_direct(
    instance: &mut LinkerInstance<'_, Guest>,
    name: &str,
    linked: Arc<Linked>,
    shape: Shape,
) -> wasmtime::Result<()> {
    // A result that is not passed flat is stored where the runtime type says, whatever the count.
    match shape.results_flat {
        0 => add_by_params::<0>(instance, name, linked, shape),
        _ => add_by_params::<1>(instance, name, linked, shape),
    }
}

fn add_by_params<const M: usize>(
    instance: &mut LinkerInstance<'_, Guest>,
    name: &str,
    linked: Arc<Linked>,
    shape: Shape,
) -> wasmtime::Result<()> {
    macro_rules! by_count {
        ($($count:literal)*) => {
            match shape.params_flat {
                $($count => add_typed::<$count, M>(instance, name, linked, shape),)*
                // Parameters that are not passed flat are read where the runtime type says.
                _ => add_typed::<0, M>(instance, name, linked, shape),
            }
        };
    }
    const { assert!(FLAT_PARAMS_MAX == 16) };
    by_count!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
}

fn add_typed<const N: usize, const M: usize>(
    instance: &mut LinkerInstance<'_, Guest>,
    name: &str,
    linked: Arc<Linked>,
    shape: Shape,
) -> wasmtime::Result<()> {
    if !shape.is_async {
        return instance.func_wrap_async(name, move |mut store, Lifted::<N>(params)| {
            let linked = Arc::clone(&linked);
            Box::new(async move {
                let params = params.finish(store.as_context_mut())?;
                let results = linked.call(&mut store, params).await?;
                Ok(Lowered::<M>::new(results, Side::Results))
            })
        });
    }
    instance.func_wrap_concurrent(name, move |accessor, Lifted::<N>(params)| {
        let linked = Arc::clone(&linked);
        Box::pin(async move {
            let (ready, actor) = accessor.with(|mut access| -> wasmtime::Result<_> {
                let params = params.finish(access.as_context_mut())?;
                let guest = access.get();
                Ok((linked.prepare(guest, params), Arc::clone(&guest.actor)))
            })?;
            let reply = linked.carry(ready, &actor).await;
            let results = accessor.with(|mut access| linked.answer(access.get(), reply))?;
            Ok(Lowered::<M>::new(results, Side::Results))
        })
    })
}

/// Gives the guest `linked` by way of dynamic values.
pub(super) fn add_val(
    instance: &mut LinkerInstance<'_, Guest>,
    name: &str,
    linked: Arc<Linked>,
    types: (FunctionType, Arc<Numbers>),
) -> wasmtime::Result<()> {
    let types = Arc::new(types);
    if !types.0.is_async {
        return instance.func_new_async(name, move |mut store, _, params, results| {
            let (linked, types) = (Arc::clone(&linked), Arc::clone(&types));
            Box::new(async move {
                let (ty, numbers) = &*types;
                let param_types = ty.params.iter().map(|(_, ty)| ty);
                let params = val::encode(store.as_context_mut(), param_types, params)?;
                let reply = linked.call(&mut store, params).await?;
                let values = val::decode(store, numbers, ty.result.iter(), reply)?;
                results.iter_mut().zip(values).for_each(|(slot, value)| *slot = value);
                Ok(())
            })
        });
    }
    instance.func_new_concurrent(name, move |accessor, _, params, results| {
        let (linked, types) = (Arc::clone(&linked), Arc::clone(&types));
        Box::pin(async move {
            let (ty, numbers) = &*types;
            let (ready, actor) = accessor.with(|mut access| -> wasmtime::Result<_> {
                let param_types = ty.params.iter().map(|(_, ty)| ty);
                let params = val::encode(access.as_context_mut(), param_types, params)?;
                let guest = access.get();
                Ok((linked.prepare(guest, params), Arc::clone(&guest.actor)))
            })?;
            let reply = linked.carry(ready, &actor).await;
            let values = accessor.with(|mut access| {
                let reply = linked.answer(access.get(), reply)?;
                val::decode(access.as_context_mut(), numbers, ty.result.iter(), reply)
            })?;
            results.iter_mut().zip(values).for_each(|(slot, value)| *slot = value);
            Ok(())
        })
    })
}
