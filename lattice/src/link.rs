//! Links as a component's imports see them: resolved when they change, never when they are called. Where targets share
//! the calls of a link there is one snapshot for each ([`crate::weighted`]), and a call draws one.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::call::{CallError, Invoke, LinkRef, Status};
use crate::id::ObjectId;
use crate::interface::InterfaceKey;
use crate::store::record::Scope;

/// One source's links, resolved. Each incoming call pins one of these until it ends, so that a re-point never
/// changes the target of a call half-way.
#[derive(Debug, Default)]
pub struct Links {
    bindings: HashMap<InterfaceKey, Binding>,
}

/// What one import leads to.
#[derive(Clone)]
pub struct Binding {
    /// Who is called.
    pub target: ObjectId,
    /// The link that says so.
    pub link: LinkRef,
    /// How to reach the target: a router that knows where it runs just now.
    pub invoke: Arc<dyn Invoke>,
}

impl Links {
    /// Links from what each import leads to.
    #[must_use]
    pub fn new(bindings: HashMap<InterfaceKey, Binding>) -> Self {
        Self { bindings }
    }

    /// What `interface` leads to, for a call by `source`.
    ///
    /// # Errors
    /// [`Status::Unavailable`] where no link leads anywhere; the message is the command that would help.
    pub fn resolve(
        &self,
        source: &ObjectId,
        interface: &InterfaceKey,
    ) -> Result<&Binding, CallError> {
        self.bindings.get(interface).ok_or_else(|| {
            let package = interface.package();
            let message = format!(
                "{source} has no link for {interface}; make one: wicker link set {source} {package} TARGET"
            );
            CallError::new(Status::Unavailable, message)
        })
    }
}

/// The scopes of links that cover `interface`, the narrower ones first.
///
/// HTTP and blobs over a link have one wire interface each ([`crate::http::INTERFACE`], [`crate::blobs::INTERFACE`]),
/// whichever interface of WASI a component was built for; a link for any of them covers it.
#[must_use]
pub fn scopes(interface: &InterfaceKey) -> Vec<Scope> {
    let mut keys = vec![interface.clone()];
    let imports: &[&str] = match interface.as_str() {
        crate::http::INTERFACE => &HTTP_IMPORTS,
        crate::blobs::INTERFACE => &crate::blobs::IMPORTS,
        _ => &[],
    };
    keys.extend(imports.iter().filter_map(|import| import.parse().ok()));
    let narrow = keys.iter().cloned().map(Scope::Interface);
    let wide = keys.iter().map(|key| Scope::Package(key.package()));
    narrow.chain(wide).collect()
}

/// What components import that means outgoing HTTP.
const HTTP_IMPORTS: [&str; 2] = ["wasi:http/outgoing-handler@0.2", "wasi:http/client@0.3"];

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Binding")
            .field("target", &self.target)
            .field("link", &self.link)
            .finish_non_exhaustive()
    }
}
