//! Who can be called here, by the last tokens of a request's subject. Reading them costs more than looking them up.

use std::sync::{Arc, Mutex};

use super::table::{Map, lock};
use crate::subject::Callee;

/// Callees that are remembered; more are parsed each time they are called.
const CALLEES_MAX: usize = 4096;

#[derive(Default)]
pub(super) struct Callees(Mutex<Map<String, Arc<Callee>>>);

impl Callees {
    /// `None` where the tokens name nobody.
    pub(super) fn get(&self, tokens: &str) -> Option<Arc<Callee>> {
        let mut callees = lock(&self.0);
        if let Some(callee) = callees.get(tokens) {
            return Some(Arc::clone(callee));
        }
        let callee = Arc::new(Callee::from_tokens(tokens)?);
        if callees.len() < CALLEES_MAX {
            callees.insert(tokens.to_owned(), Arc::clone(&callee));
        }
        Some(callee)
    }
}
