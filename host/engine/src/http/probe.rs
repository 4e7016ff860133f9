//! The question whether a component that answers requests is ready for them.

use http::{Request, StatusCode};
use tokio::time::Instant;
use wicker_lattice::call::{CallError, Status};

use super::Incoming;
use super::exchange::nothing;
use super::request::Entered;
use crate::actor::Actor;
use crate::admission::Permit;
use crate::deadline::Deadline;
use crate::instance::Warm;

impl Actor {
    /// What a `GET` of `path` answers, from an instance that serves nothing else.
    pub(crate) async fn probe_path(
        &self,
        path: &str,
        deadline: Instant,
    ) -> Result<StatusCode, CallError> {
        let request = Request::get(format!("http://localhost{path}")).body(nothing());
        let request = request.map_err(|error| {
            CallError::new(Status::BadFrame, format!("`{path}` is no path: {error}"))
        })?;
        let incoming = Incoming { deadline: Some(deadline), ..Incoming::default() };
        let limit = self.config().limits.deadline;
        let deadline = Deadline::of_exchange(deadline, limit);
        let entered = Entered { incoming, deadline, permit: Permit::beside() };
        // Dropping the response stops the guest.
        match self.begin(request, entered, &Warm::none()).await? {
            Ok(response) => Ok(response.status()),
            Err(error) => Err(CallError::new(Status::Trapped, error.to_string())),
        }
    }
}
