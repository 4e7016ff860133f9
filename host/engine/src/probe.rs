//! Asks a component whether it is ready: beside its calls, in an instance of its own. Being busy is not being unready, and
//! no warm instance is kept alive by it.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use wicker_lattice::call::{Call, CallError, DEFAULT_LINK, LinkRef, Status};
use wicker_lattice::id::CallId;
use wicker_lattice::interface::InterfaceKey;
use wicker_lattice::store::record::{Probe, Ready};
use wicker_lattice::types::{FunctionType, Type};
use wicker_lattice::wave;

use crate::actor::Actor;
use crate::codec::Payload;
use crate::instance::Live;

impl Actor {
    /// Asks what [`ActorConfig::ready`](crate::ActorConfig::ready) says. Takes no longer than that says, either.
    ///
    /// # Errors
    /// It is not ready; why, for people.
    pub async fn probe(&self) -> Result<(), String> {
        let Some(Ready { probe, timeout_ms, .. }) = &self.config().ready else { return Ok(()) };
        let deadline = self.deadline(Some(Instant::now() + Duration::from_millis(*timeout_ms)));
        match probe {
            Probe::Path(path) => match self.probe_path(path, deadline).await {
                Ok(status) if status.is_success() => Ok(()),
                Ok(status) => Err(format!("GET {path} answered {status}")),
                Err(error) => Err(format!("GET {path}: {error}")),
            },
            Probe::Function { interface, name } => {
                let verdict = self.probe_function(interface, name, deadline).await;
                verdict.map_err(|why| format!("{interface}.{name} {why}"))
            }
        }
    }

    async fn probe_function(
        &self,
        interface: &InterfaceKey,
        name: &str,
        deadline: Instant,
    ) -> Result<(), String> {
        let mut exports = self.program().world().exports.iter();
        let functions = exports.find(|(export, _)| export.key() == *interface);
        let ty = functions.and_then(|(_, functions)| functions.get(name));
        let ty = ty.ok_or_else(|| "is not exported".to_owned())?;
        let results = self.ask(interface, name, ty, deadline).await;
        let results = results.map_err(|error| format!("failed: {error}"))?;
        let is_good = match (&ty.result, results.first()) {
            (Some(Type::Bool), first) => first == Some(&1),
            (Some(Type::Result { .. }), first) => first == Some(&0),
            _ => true,
        };
        let printed =
            || wave::print_results(ty, &results).unwrap_or_else(|error| error.to_string());
        if is_good { Ok(()) } else { Err(format!("answered {}", printed())) }
    }

    async fn ask(
        &self,
        interface: &InterfaceKey,
        name: &str,
        ty: &FunctionType,
        deadline: Instant,
    ) -> Result<Bytes, CallError> {
        let id = &self.config().id;
        let call = Call {
            id: CallId::generate(),
            target: id.clone(),
            source: id.clone(),
            link: LinkRef { name: DEFAULT_LINK.into(), revision: 0 },
            interface: interface.clone(),
            function: name.into(),
            type_hash: ty.hash(),
            deadline,
            trace: None,
            fence: None,
            params: Bytes::new(),
            streams: Vec::new(),
        };
        let (export, plan) = self.program().exports().get(&call)?;
        if plan.has_streams() {
            return Err(CallError::new(Status::Unsupported, "it answers with a stream"));
        }
        let work = async {
            let (store, instance) = self.instantiate(self.scope(deadline, None)).await?;
            let mut live = Live { store, instance };
            let function = export.function(&mut live)?;
            let params = Payload::new(call.params, call.streams);
            let results = plan.call(&mut live, function, params).await;
            results.map_err(|error| self.failed(&live.store, &error))
        };
        Ok(self.within(deadline, work).await?.bytes)
    }
}
