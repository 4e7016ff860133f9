//! Runs a command, a component that exports `wasi:cli/run`, to its exit code: what `wicker run` does.
//!
//! A command has the standard streams of this process and no deadline; files and environment only as granted, and links
//! as every component has them. Dropping the future ends it.

use std::sync::Arc;

use wasmtime::Store;
use wasmtime_wasi::{I32Exit, p2, p3};
use wicker_lattice::call::{CallError, Status};

use crate::actor::Actor;
use crate::deadline::Deadline;
use crate::failure;
use crate::flavor::Flavor;
use crate::instance::Guest;
use crate::wasi::{Stdio, Template};

/// The exit code of a command that says only that it failed.
const FAILED: u8 = 1;

impl Actor {
    /// Runs the component's `wasi:cli/run` with `arguments`, which come after its own name, and returns its exit code.
    ///
    /// # Errors
    /// `not-found`: it is no command. `trapped`: it ended otherwise than by returning or exiting. `denied`: a granted
    /// directory cannot be opened.
    pub async fn run(&self, arguments: Vec<String>) -> Result<u8, CallError> {
        if !self.program().is_command() {
            let message =
                format!("{} is no command: it does not export wasi:cli/run", self.config().id);
            return Err(CallError::new(Status::NotFound, message));
        }
        let mut config = self.config().clone();
        config.grants.arguments = arguments;
        let template = Template::new(&Arc::new(config), Stdio::Inherit)
            .map_err(|error| CallError::new(Status::Denied, format!("{error:#}")))?;
        let mut scope = self.scope(Deadline::Each(self.config().limits.deadline), None);
        scope.template = template;

        let mut store = self.store(scope);
        let result = match self.program().flavor() {
            Flavor::Concurrent => self.run_v3(&mut store).await,
            Flavor::Plain => self.run_v2(&mut store).await,
        };
        match result {
            Ok(Ok(())) => Ok(0),
            Ok(Err(())) => Ok(FAILED),
            Err(error) => match error.downcast_ref::<I32Exit>() {
                // Exit codes of processes have eight bits.
                Some(I32Exit(code)) => Ok(u8::try_from(code & 0xFF).unwrap_or(FAILED)),
                None => {
                    let guest = store.data();
                    Err(failure::failed(&guest.actor, Some(&guest.limiter), &error))
                }
            },
        }
    }

    async fn run_v2(&self, store: &mut Store<Guest>) -> wasmtime::Result<Result<(), ()>> {
        let indices = p2::bindings::CommandIndices::new(self.program().pre())?;
        let instance = self.program().pre().instantiate_async(&mut *store).await?;
        let command = indices.load(&mut *store, &instance)?;
        command.wasi_cli_run().call_run(&mut *store).await
    }

    /// A component for the engine that knows async may still export the older interface.
    async fn run_v3(&self, store: &mut Store<Guest>) -> wasmtime::Result<Result<(), ()>> {
        let Ok(indices) = p3::bindings::CommandIndices::new(self.program().pre()) else {
            return self.run_v2(store).await;
        };
        let instance = self.program().pre().instantiate_async(&mut *store).await?;
        let command = indices.load(&mut *store, &instance)?;
        store
            .run_concurrent(async |accessor| command.wasi_cli_run().call_run(accessor).await)
            .await?
    }
}
