//! The handles that a guest holds of resources which live behind its links.
//!
//! Such a handle is stateless: its token, opaque bytes that the target made, says everything, so any replica can
//! serve it and dropping it concerns nobody but the guest. The guest sees a small number; this table turns it back.

use bytes::Bytes;

/// Handles of linked resources that one guest may hold.
const HANDLES_MAX: usize = 4096;

/// The tokens behind a guest's handles.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    tokens: Vec<Option<Bytes>>,
    free: Vec<u32>,
    lent: Vec<u32>,
}

impl Tokens {
    /// Keeps `token` and gives the number by which the guest's handle refers to it.
    pub(crate) fn insert(&mut self, token: Bytes) -> wasmtime::Result<u32> {
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
    pub(crate) fn lend(&mut self, token: Bytes) -> wasmtime::Result<u32> {
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

    /// The token of a handle.
    pub(crate) fn get(&self, index: u32) -> wasmtime::Result<Bytes> {
        let token = self.tokens.get(index as usize).cloned().flatten();
        token.ok_or_else(|| wasmtime::format_err!("handle {index} was dropped"))
    }

    /// Forgets a handle, and gives its token back.
    pub(crate) fn remove(&mut self, index: u32) -> wasmtime::Result<Bytes> {
        let token = self.tokens.get_mut(index as usize).and_then(Option::take);
        let token = token.ok_or_else(|| wasmtime::format_err!("handle {index} was dropped"))?;
        self.free.push(index);
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lent_handles_end_with_the_call() {
        let mut tokens = Tokens::default();
        let kept = tokens.insert(Bytes::from_static(b"kept")).unwrap();
        let lent = tokens.lend(Bytes::from_static(b"lent")).unwrap();
        tokens.end_call();
        assert!(tokens.get(lent).is_err());
        assert_eq!(tokens.get(kept).unwrap(), "kept");
    }

    #[test]
    fn dropped_handles_are_used_again_and_answer_nothing() {
        let mut tokens = Tokens::default();
        let a = tokens.insert(Bytes::from_static(b"a")).unwrap();
        assert_eq!(tokens.get(a).unwrap(), "a");
        tokens.remove(a).unwrap();
        assert!(tokens.get(a).is_err());
        assert_eq!(tokens.insert(Bytes::from_static(b"b")).unwrap(), a);
    }
}
