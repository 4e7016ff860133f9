//! What is called in a component: finds the function, compares signatures, and runs it in an instance.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Accessor, Component, ComponentExportIndex, Func};
use wicker_lattice::call::{Call, CallError, Reply, Status};
use wicker_lattice::interface::{InterfaceKey, InterfaceName};
use wicker_lattice::types::{FunctionType, TypeHash, World};

use crate::actor::Actor;
use crate::admission::Permit;
use crate::codec::shape::{FLAT_PARAMS_MAX, Shape, shape};
use crate::codec::val::Numbers;
use crate::codec::{Payload, direct, val};
use crate::config::{ActorConfig, Codec};
use crate::failure;
use crate::import::Imports;
use crate::instance::{Guest, Live};

/// The functions that a component serves, found once.
#[derive(Debug, Default)]
pub(crate) struct Exports {
    functions: HashMap<InterfaceKey, HashMap<String, Export>>,
}

/// One function that a component serves.
#[derive(Debug)]
struct Export {
    index: ComponentExportIndex,
    hash: TypeHash,
    /// How to call it, or why it cannot be called over a link.
    plan: Result<Arc<Plan>, String>,
}

/// How to call a function.
#[derive(Debug)]
struct Plan {
    shape: Shape,
    codec: Codec,
    ty: FunctionType,
    numbers: Arc<Numbers>,
}

impl Exports {
    pub(crate) fn find(
        component: &Component,
        world: &World,
        imports: &Imports,
        codec: Codec,
    ) -> Self {
        let mut exports = Self::default();
        for (name, item) in component.component_type().exports(component.engine()) {
            // What has no such name was meant for somebody else: `init`, or an instance called `exports`.
            let Ok(interface) = name.parse::<InterfaceName>() else { continue };
            let (ComponentItem::ComponentInstance(items), Some(types)) =
                (item.ty, world.exports.get(&interface))
            else {
                continue;
            };
            let Some(parent) = component.get_export_index(None, name) else { continue };
            let functions = exports.functions.entry(interface.key()).or_default();
            for (name, item) in items.exports(component.engine()) {
                let ComponentItem::ComponentFunc(function) = item.ty else { continue };
                let (Some(index), Some(ty)) =
                    (component.get_export_index(Some(&parent), name), types.get(name))
                else {
                    continue;
                };
                let plan = shape(&function, &imports.resources).map(|shape| {
                    let numbers = Arc::clone(&imports.numbers);
                    Arc::new(Plan { shape, codec, ty: ty.clone(), numbers })
                });
                functions.insert(name.to_owned(), Export { index, hash: ty.hash(), plan });
            }
        }
        exports
    }

    fn get(&self, call: &Call) -> Result<(&Export, Arc<Plan>), CallError> {
        let Call { target, interface, function, .. } = call;
        let Some(functions) = self.functions.get(interface) else {
            let message = format!("{target} does not export {interface}");
            return Err(CallError::new(Status::NotFound, message));
        };
        let Some(export) = functions.get(&**function) else {
            let message = format!("{interface} of {target} has no function {function}");
            return Err(CallError::new(Status::NotFound, message));
        };
        if export.hash != call.type_hash {
            let message = format!(
                "{interface}.{function} of {target} has type {}, called as {}",
                export.hash, call.type_hash
            );
            return Err(CallError::new(Status::TypeMismatch, message));
        }
        match &export.plan {
            Ok(plan) => Ok((export, Arc::clone(plan))),
            Err(why) => {
                let message = format!("{interface}.{function} of {target}: {why}");
                Err(CallError::new(Status::Unsupported, message))
            }
        }
    }
}

impl Plan {
    fn is_direct(&self) -> bool {
        // Wasmtime takes more parameters than it can pass flat only when it knows their size at compile time.
        self.codec == Codec::Direct && self.shape.params_flat <= FLAT_PARAMS_MAX
    }

    async fn call(
        &self,
        live: &mut Live,
        function: Func,
        params: Payload,
    ) -> wasmtime::Result<Payload> {
        if self.is_direct() {
            direct::call(&mut live.store, function, self.shape.results_flat, params).await
        } else {
            val::call(&mut live.store, function, (&self.ty, &self.numbers), params).await
        }
    }

    async fn call_concurrent(
        &self,
        accessor: &Accessor<Guest>,
        function: Func,
        params: Payload,
    ) -> wasmtime::Result<Payload> {
        if self.is_direct() {
            direct::call_concurrent(accessor, function, self.shape.results_flat, params).await
        } else {
            val::call_concurrent(accessor, function, (&self.ty, &self.numbers), params).await
        }
    }
}

/// Serves one call.
pub(crate) async fn serve(actor: &Actor, call: Call) -> Result<Reply, CallError> {
    let (export, plan) = actor.program().exports().get(&call)?;
    let deadline = actor.deadline(Some(call.deadline));
    let permit = actor.admit(deadline).await?;
    let scope = actor.scope(deadline, call.trace);
    let params = Payload::new(call.params, call.streams);
    let work = async {
        let mut live = actor.take(scope).await?;
        let function = find(&mut live, export)?;
        if plan.shape.has_streams {
            return serve_streams(actor, Streaming { live, function, plan, params, permit }).await;
        }
        match plan.call(&mut live, function, params).await {
            Ok(results) => {
                actor.give_back(live);
                Ok(Reply { results: results.bytes, streams: results.streams })
            }
            Err(error) => Err(actor.failed(&live.store, &error)),
        }
    };
    actor.within(deadline, work).await
}

fn find(live: &mut Live, export: &Export) -> Result<Func, CallError> {
    let function = live.instance.get_func(&mut live.store, export.index);
    function.ok_or_else(|| CallError::new(Status::NotFound, "the function is gone"))
}

/// A call with streams: its instance lives on after the reply, until the streams of the reply have ended.
struct Streaming {
    live: Live,
    function: Func,
    plan: Arc<Plan>,
    params: Payload,
    permit: Permit,
}

async fn serve_streams(actor: &Actor, streaming: Streaming) -> Result<Reply, CallError> {
    let (answer, answered) = oneshot::channel();
    let given_up = CancellationToken::new();
    // Dropped with this future, if the caller gives up before the reply.
    let guard = given_up.clone().drop_guard();
    let config = actor.shared_config();
    actor.tasks().spawn_work(async move {
        tokio::select! {
            // Dropping the run drops the store, and with it the guest, wherever it is.
            () = given_up.cancelled() => {}
            () = run(streaming, config, answer) => {}
        }
    });
    let reply = answered.await;
    guard.disarm();
    reply.unwrap_or_else(|_gone| Err(CallError::new(Status::Draining, "the engine is stopping")))
}

type Answer = oneshot::Sender<Result<Reply, CallError>>;

async fn run(streaming: Streaming, config: Arc<ActorConfig>, answer: Answer) {
    let Streaming { mut live, function, plan, params, permit } = streaming;
    let mut answer = Some(answer);
    let result = live.store.run_concurrent(async |accessor| {
        let results = plan.call_concurrent(accessor, function, params).await?;
        let reply = Reply { results: results.bytes, streams: results.streams };
        if let Some(answer) = answer.take() {
            // Whoever called may have gone; then the streams end at once.
            let _ = answer.send(Ok(reply));
        }
        for ending in &results.endings {
            ending.reached().await;
        }
        wasmtime::Result::Ok(())
    });
    let result = result.await.and_then(|inner| inner);
    if let Err(error) = result {
        let error = failure::failed(&config, Some(&live.store.data().limiter), &error);
        if let Some(answer) = answer.take() {
            let _ = answer.send(Err(error));
        }
    }
    drop(permit);
}
