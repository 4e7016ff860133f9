//! The handshake with launched providers, from the host's side: each gets a token at its launch, and is ready when it
//! has come back with it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;
use wicker_lattice::call::{CallError, Status};
use wicker_lattice::fence::Right as _;
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::rpc::Rpc;
use wicker_lattice::token::{Issuer, TokenError, Verifier};
use wicker_provider::process::{HOLD, Hold, REGISTER, Registered, Registration};

use crate::fence::Guard;
use crate::member::Member;

/// Launches that have not been answered yet. Clones share them.
#[derive(Clone)]
pub struct Registrations(Arc<Shared>);

struct Shared {
    member: Member,
    issuer: Issuer,
    verifier: Verifier,
    expected: Mutex<HashMap<ProcessId, oneshot::Sender<Registration>>>,
    /// By what launched singletons run.
    lent: Mutex<HashMap<ObjectId, Guard>>,
}

impl Registrations {
    /// With a key of this start of the host.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn new(member: Member) -> Result<Self, TokenError> {
        let issuer = Issuer::generate(member.process)?;
        let mut verifier = Verifier::default();
        verifier.trust(issuer.public_key())?;
        let (expected, lent) = (Mutex::default(), Mutex::default());
        Ok(Self(Arc::new(Shared { member, issuer, verifier, expected, lent })))
    }

    /// Answers those that come back.
    pub fn answer_on(&self, rpc: &Rpc) {
        let this = self.clone();
        rpc.on_query(REGISTER, move |registration: Registration| {
            let answer = this.register(registration);
            async move { answer }
        });
        let this = self.clone();
        rpc.on_query(HOLD, move |hold: Hold| {
            let left = this.left(&hold);
            async move { Ok::<u64, CallError>(left) }
        });
    }

    /// From now on the process that runs `object` may do so while `guard` holds.
    pub fn lend(&self, object: &ObjectId, guard: &Guard) {
        let mut lent = self.0.lent.lock().unwrap_or_else(PoisonError::into_inner);
        lent.insert(object.clone(), guard.clone());
    }

    /// For how many milliseconds a process may go on.
    fn left(&self, hold: &Hold) -> u64 {
        let lent = self.0.lent.lock().unwrap_or_else(PoisonError::into_inner);
        let guard = lent.get(&hold.object).filter(|guard| guard.token() == hold.token);
        let left = guard.map(Guard::left).unwrap_or_default();
        u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
    }

    /// A token for `object`, about to be launched as `process`, and its registration once it comes. An older launch of
    /// the same process is not waited for any more.
    ///
    /// # Errors
    /// The key does not sign.
    pub fn expect(
        &self,
        object: &ObjectId,
        process: ProcessId,
    ) -> Result<(String, oneshot::Receiver<Registration>), TokenError> {
        let Member { lattice, clock, .. } = &self.0.member;
        let token = self.0.issuer.launch(lattice, object, process, clock.unix_seconds())?;
        let (told, registered) = oneshot::channel();
        self.0.expected.lock().unwrap_or_else(PoisonError::into_inner).insert(process, told);
        Ok((token, registered))
    }

    fn register(&self, registration: Registration) -> Result<Registered, CallError> {
        let denied = |why: String| CallError::new(Status::Denied, why);
        let Member { lattice, clock, .. } = &self.0.member;
        let token = registration.token.as_deref().unwrap_or_default();
        let claims = self.0.verifier.launch(token, lattice, clock.unix_seconds());
        let claims = claims.map_err(|error| denied(error.to_string()))?;
        if claims.sub != registration.process || claims.object != registration.object {
            return Err(denied("the token is another provider's".to_owned()));
        }
        let mut expected = self.0.expected.lock().unwrap_or_else(PoisonError::into_inner);
        // One that asks twice, because the first answer was lost, is welcome twice.
        if let Some(told) = expected.remove(&registration.process) {
            let _ = told.send(registration);
        }
        Ok(Registered {})
    }
}

impl fmt::Debug for Registrations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Registrations")
    }
}
