//! The handles that a guest holds of resources which live behind its links.
//!
//! The guest sees a small number; this table turns it back. A stateless handle's token, opaque bytes that the target
//! made, says everything, so dropping it concerns nobody but the guest. What a pinned handle stands for is kept by some
//! process, which is told when the handle is dropped: by the guest, or because its instance has ended.

use std::sync::Arc;

use bytes::Bytes;
use wicker_lattice::call::{CallError, Status};
use wicker_lattice::value::{Handle, PinnedHandle};

use crate::home::{self, Home};

/// Handles of linked resources that one guest may hold.
const HANDLES_MAX: usize = 4096;

/// What is behind a guest's handle.
#[derive(Debug, Clone)]
pub(crate) enum Held {
    /// The token says everything.
    Stateless(Bytes),
    /// A process keeps it; and where the handle came from.
    Pinned(PinnedHandle, Arc<Home>),
}

impl Held {
    /// What a guest will hold that is given `handle` by a call that went to `home`.
    pub(crate) fn new(handle: Handle, home: Option<&Arc<Home>>) -> wasmtime::Result<Self> {
        match (handle, home) {
            // The whole message would live as long as the handle.
            (Handle::Stateless(token), _) => Ok(Self::Stateless(Bytes::copy_from_slice(&token))),
            (Handle::Pinned(pinned), Some(home)) => Ok(Self::Pinned(pinned, Arc::clone(home))),
            (Handle::Pinned(_), None) => {
                let message = "a handle that another component was given cannot be passed on";
                Err(wasmtime::Error::new(CallError::new(Status::Unsupported, message)))
            }
        }
    }
}

/// What is behind a guest's handles.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    tokens: Vec<Option<Held>>,
    free: Vec<u32>,
    lent: Vec<u32>,
}

impl Tokens {
    /// Keeps `token` and gives the number by which the guest's handle refers to it.
    pub(crate) fn insert(&mut self, token: Held) -> wasmtime::Result<u32> {
        if let Some(index) = self.free.pop() {
            if let Some(slot) = self.tokens.get_mut(index as usize) {
                *slot = Some(token);
            }
            return Ok(index);
        }
        if self.tokens.len() >= HANDLES_MAX {
            wasmtime::bail!("more than {HANDLES_MAX} handles of linked resources");
        }
        let index = u32::try_from(self.tokens.len())?;
        self.tokens.push(Some(token));
        Ok(index)
    }

    /// Keeps `token` until the call ends: the guest borrows it, so it will not drop it.
    pub(crate) fn lend(&mut self, token: Held) -> wasmtime::Result<u32> {
        let index = self.insert(token)?;
        self.lent.push(index);
        Ok(index)
    }

    /// Forgets what was lent for a call that has ended.
    pub(crate) fn end_call(&mut self) {
        for index in std::mem::take(&mut self.lent) {
            // A guest cannot drop what it borrowed, so it is there.
            let _ = self.remove(index);
        }
    }

    /// What is behind a handle.
    pub(crate) fn get(&self, index: u32) -> wasmtime::Result<Held> {
        let token = self.tokens.get(index as usize).cloned().flatten();
        token.ok_or_else(|| wasmtime::format_err!("handle {index} was dropped"))
    }

    /// Forgets a handle, and gives back what was behind it.
    pub(crate) fn remove(&mut self, index: u32) -> wasmtime::Result<Held> {
        let token = self.tokens.get_mut(index as usize).and_then(Option::take);
        let token = token.ok_or_else(|| wasmtime::format_err!("handle {index} was dropped"))?;
        self.free.push(index);
        Ok(token)
    }
}

/// The instance has ended, however: its pinned handles are dropped with it.
impl Drop for Tokens {
    fn drop(&mut self) {
        let left = self.tokens.drain(..).flatten().filter_map(|held| match held {
            Held::Stateless(_) => None,
            Held::Pinned(handle, home) => Some((handle, home)),
        });
        home::release_all(left.collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &'static str) -> Held {
        Held::Stateless(Bytes::from_static(text.as_bytes()))
    }

    fn is(held: wasmtime::Result<Held>, text: &str) -> bool {
        matches!(held, Ok(Held::Stateless(token)) if token == text)
    }

    #[test]
    fn lent_handles_end_with_the_call() {
        let mut tokens = Tokens::default();
        let kept = tokens.insert(token("kept")).unwrap();
        let lent = tokens.lend(token("lent")).unwrap();
        tokens.end_call();
        assert!(tokens.get(lent).is_err());
        assert!(is(tokens.get(kept), "kept"));
    }

    #[test]
    fn dropped_handles_are_used_again_and_answer_nothing() {
        let mut tokens = Tokens::default();
        let a = tokens.insert(token("a")).unwrap();
        assert!(is(tokens.get(a), "a"));
        tokens.remove(a).unwrap();
        assert!(tokens.get(a).is_err());
        assert_eq!(tokens.insert(token("b")).unwrap(), a);
    }
}
