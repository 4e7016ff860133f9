//! Calls of singletons that were held up on their way: who has heard of a later claim refuses what comes by an earlier one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use wicker_lattice::call::{Call, CallError, Status};
use wicker_lattice::id::ObjectId;

/// The highest token of each singleton that has called.
#[derive(Debug, Default)]
pub(crate) struct Fences(Mutex<HashMap<ObjectId, u64>>);

impl Fences {
    /// Lets a call in, unless a later start of its source has called already. Calls of what is no singleton pass.
    pub(crate) fn admit(&self, call: &Call) -> Result<(), CallError> {
        let Some(token) = call.fence else { return Ok(()) };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get_mut(&call.source) {
            Some(highest) if *highest > token => {
                let message = format!(
                    "{} is a singleton and runs elsewhere by now: this call came from before",
                    call.source
                );
                Err(CallError::new(Status::Denied, message))
            }
            Some(highest) => {
                *highest = token;
                Ok(())
            }
            None => {
                known.insert(call.source.clone(), token);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio::time::Instant;
    use wicker_lattice::call::LinkRef;
    use wicker_lattice::id::CallId;
    use wicker_lattice::types::TypeHash;

    use super::*;

    fn call(source: &str, fence: Option<u64>) -> Call {
        Call {
            id: CallId::generate(),
            target: "t/a/target".parse().unwrap(),
            source: source.parse().unwrap(),
            link: LinkRef { name: "default".into(), revision: 1 },
            interface: "shop:cart/api".parse().unwrap(),
            function: "add".into(),
            type_hash: TypeHash([0; 8]),
            deadline: Instant::now(),
            trace: None,
            fence,
            params: Bytes::new(),
            streams: Vec::new(),
        }
    }

    #[test]
    fn call_from_before_a_later_claim_is_refused() {
        let fences = Fences::default();
        let status = |source, fence| fences.admit(&call(source, fence)).err().map(|e| e.status);
        assert_eq!(status("t/a/one", Some(7)), None);
        assert_eq!(status("t/a/one", Some(9)), None);
        assert_eq!(status("t/a/one", Some(9)), None);
        assert_eq!(status("t/a/one", Some(7)), Some(Status::Denied));
        assert_eq!(status("t/a/other", Some(7)), None, "each source has its own");
        assert_eq!(status("t/a/one", None), None, "it is no singleton any more");
    }
}
