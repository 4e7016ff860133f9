//! Callees that are brief, which the thread that reads from NATS begins itself.

use std::sync::{Arc, Mutex};

use futures::future::join_all;
use tokio::runtime::Handle;
use wicker_lattice::call::{Call, Invocation, Invoke, Reply};
use wicker_lattice::id::ObjectId;

use crate::common::{End, Hold, call, on_every_server, until};

/// What another callee does, briefly.
struct Brief(Arc<dyn Invoke>);

impl Invoke for Brief {
    fn invoke(&self, call: Call) -> Invocation<'_> {
        self.0.invoke(call)
    }

    fn is_brief(&self, _target: &ObjectId) -> bool {
        true
    }
}

/// Remembers which threads began its calls, and which runtime its tasks would belong to.
#[derive(Clone, Default)]
struct Where(Arc<Mutex<Vec<Place>>>);

type Place = (Option<String>, tokio::runtime::Id);

impl Invoke for Where {
    fn invoke(&self, call: Call) -> Invocation<'_> {
        Box::pin(async move {
            let thread = std::thread::current().name().map(str::to_owned);
            self.0.lock().unwrap().push((thread, Handle::current().id()));
            Ok(Reply { results: call.params, streams: Vec::new() })
        })
    }
}

#[test]
fn brief_call_begins_where_it_is_read_and_its_tasks_belong_to_the_workers() {
    on_every_server(|server| async move {
        let caller = End::caller(&server).await?;
        let (brief, other) = (Where::default(), Where::default());
        let brief_callee = End::start(&server, Arc::new(Brief(Arc::new(brief.clone())))).await?;
        let other_callee = End::start(&server, Arc::new(other.clone())).await?;
        for callee in [&brief_callee, &other_callee] {
            assert_eq!(caller.call(callee, "x").await?.results, "x");
        }
        let took = |places: &Where| places.0.lock().unwrap().pop().unwrap();
        let ((brief_thread, brief_runtime), (other_thread, other_runtime)) =
            (took(&brief), took(&other));
        assert_ne!(brief_thread, other_thread);
        assert_eq!(brief_runtime, Handle::current().id());
        assert_eq!(other_runtime, Handle::current().id());
        Ok(())
    });
}

#[test]
fn brief_call_that_waits_holds_up_nobody_and_can_be_cancelled() {
    on_every_server(|server| async move {
        let hold = Hold::default();
        let callee = End::start(&server, Arc::new(Brief(hold.serve()))).await?;
        let caller = End::caller(&server).await?;
        let remote = caller.rpc.remote(callee.id);
        let calls = join_all((0..100).map(|_| remote.invoke(call("x"))));
        tokio::select! {
            replies = calls => panic!("answered: {replies:?}"),
            () = hold.until_held(100) => {}
        }
        hold.until_dropped(100).await;
        until("nothing is in flight", || callee.rpc.in_flight() == 0).await;
        let replies = hold.let_go(join_all((0..100).map(|_| remote.invoke(call("x"))))).await;
        assert!(replies.iter().all(Result::is_ok));
        Ok(())
    });
}
