//! Where the pinned handles of a guest came from, and how the process that keeps them is told that they were dropped.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use wicker_lattice::call::{Call, CallError, Reply};
use wicker_lattice::id::{CallId, ProcessId};
use wicker_lattice::interface::InterfaceKey;
use wicker_lattice::link::Binding;
use wicker_lattice::release;
use wicker_lattice::value::{Encode as _, Handle, PinnedHandle, Writer};

use crate::config::ActorConfig;
use crate::log::{Level, LogLine, Origin};

/// How long a dropped handle may take to reach its owner. After that its lease ends it.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);

/// Where handles came from: calls with them go back there, wherever the link leads by then.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) binding: Binding,
    /// The interface that gave them out.
    pub(crate) interface: InterfaceKey,
    pub(crate) actor: Arc<ActorConfig>,
}

/// Where a call must go, because of a handle among its parameters.
#[derive(Debug, Clone)]
pub(crate) struct Pin {
    pub(crate) owner: ProcessId,
    pub(crate) home: Arc<Home>,
}

impl Home {
    /// Carries `call` to the process `owner`.
    pub(crate) async fn carry(&self, owner: ProcessId, call: Call) -> Result<Reply, CallError> {
        self.binding.invoke.invoke_at(owner, call).await
    }

    fn is_that_of(&self, other: &Self) -> bool {
        let (a, b) = (&self.binding, &other.binding);
        (&a.target, &a.link, &self.interface) == (&b.target, &b.link, &other.interface)
    }

    /// Tells `owner` that `handles` were dropped. It is told whether or not anybody waits for the answer.
    fn release(
        self: &Arc<Self>,
        owner: ProcessId,
        handles: &[PinnedHandle],
    ) -> oneshot::Receiver<()> {
        let (home, (done, is_done)) = (Arc::clone(self), oneshot::channel());
        let handles: Vec<Handle> = handles.iter().copied().map(Handle::Pinned).collect();
        let call = self.drop_call(&handles);
        self.actor.tasks.spawn_work(async move {
            if let Err(error) = home.carry(owner, call).await {
                let count = handles.len();
                let text = format!("{count} dropped handles wait for their lease to end: {error}");
                let line = LogLine { origin: Origin::Engine, level: Level::Debug, text: &text };
                home.actor.log.write(line);
            }
            // Nobody waits where an instance has ended.
            let _ = done.send(());
        });
        is_done
    }

    fn drop_call(&self, handles: &[Handle]) -> Call {
        let mut params = Writer::new();
        params.put_len(handles.len());
        handles.iter().for_each(|handle| handle.encode(&mut params));
        Call {
            id: CallId::generate(),
            target: self.binding.target.clone(),
            source: self.actor.id.clone(),
            link: self.binding.link.clone(),
            interface: self.interface.clone(),
            function: release::FUNCTION.into(),
            type_hash: release::type_hash(),
            deadline: Instant::now() + RELEASE_TIMEOUT,
            trace: None,
            fence: self.actor.fence,
            params: params.finish(),
            streams: Vec::new(),
        }
    }
}

/// Tells the owner of one handle that it was dropped, and waits until it knows.
pub(crate) async fn release(handle: PinnedHandle, home: &Arc<Home>) {
    // Fails only where the process stops.
    let _ = home.release(handle.owner, &[handle]).await;
}

/// Tells all owners of what an ended instance has left, each once.
pub(crate) fn release_all(mut left: Vec<(PinnedHandle, Arc<Home>)>) {
    while let Some((first, home)) = left.first().cloned() {
        let is_same = |(handle, of): &mut (PinnedHandle, Arc<Home>)| {
            handle.owner == first.owner && of.is_that_of(&home)
        };
        let same: Vec<PinnedHandle> =
            left.extract_if(.., is_same).map(|(handle, _)| handle).collect();
        drop(home.release(first.owner, &same));
    }
}
