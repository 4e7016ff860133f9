//! Calls to an actor through the one boundary, [`Invoke`]: each runs in an instance, and its streams keep that alive.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use wasmtime::component::Func;
use wicker_lattice::call::{Call, CallError, Invocation, Invoke, Reply, Status};
use wicker_lattice::http::interface;

use crate::actor::Actor;
use crate::admission::Permit;
use crate::codec::Payload;
use crate::config::ActorConfig;
use crate::export::Plan;
use crate::failure;
use crate::http;
use crate::instance::Live;

impl Invoke for Actor {
    fn invoke(&self, call: Call) -> Invocation<'_> {
        Box::pin(async move {
            if call.interface == interface() {
                return http::serve(self, call).await;
            }
            let result = serve(self, call).await;
            self.count(&result);
            result
        })
    }
}

/// Runs one call in an instance.
async fn serve(actor: &Actor, call: Call) -> Result<Reply, CallError> {
    let (export, plan) = actor.program().exports().get(&call)?;
    let deadline = actor.deadline(Some(call.deadline));
    let permit = actor.admit(deadline).await?;
    let scope = actor.scope(deadline, call.trace);
    let params = Payload::new(call.params, call.streams);
    let work = async {
        let mut live = actor.take(scope).await?;
        let function = export.function(&mut live)?;
        if plan.has_streams() {
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
