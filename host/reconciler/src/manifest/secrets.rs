//! Where a manifest names secrets instead of writing them: `secrets:` of a component, and `{ secret: NAME }` wherever a
//! value of a provider's or a link's config may stand.

use std::collections::BTreeMap;

use wicker_lattice::secret::is_secret_name;

use super::fields::Reader;
use super::yaml::{Node, Value};
use crate::diagnostic::Spanned;

/// Secrets by whatever they are used as: the names, where the file says them.
pub(super) type Named = BTreeMap<String, Spanned<String>>;

/// The key of a map that stands for a secret.
const SECRET: &str = "secret";

impl Reader<'_> {
    /// `[NAME, ...]`, or a map from the component's own names for them.
    pub(super) fn secrets(&mut self, node: &Node) -> Named {
        let mut named = Named::new();
        if let Value::List(items) = &node.value {
            for item in items {
                let name = self.text("a secret", item).and_then(|name| self.secret_name(name));
                named.extend(name.map(|name| (name.value.clone(), name)));
            }
            return named;
        }
        for (key, node) in self.entries("secrets", node).unwrap_or_default() {
            let name = self.text(&format!("secrets.{}", key.value), node);
            let name = name.and_then(|name| self.secret_name(name));
            named.extend(name.map(|name| (key.value.clone(), name)));
        }
        named
    }

    /// The config of a link: texts, and secrets.
    pub(super) fn config(&mut self, node: &Node) -> (BTreeMap<String, String>, Named) {
        let mut named = Named::new();
        let Value::Map(entries) = &node.value else {
            return (self.text_map("config", node), named);
        };
        let mut plain = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            match secret_of(value) {
                Some(name) => named.extend(
                    self.text("secret", name)
                        .and_then(|name| self.secret_name(name))
                        .map(|name| (key.value.clone(), name)),
                ),
                None => plain.push((key.clone(), value.clone())),
            }
        }
        let plain = Node { value: Value::Map(plain), ..node.clone() };
        (self.text_map("config", &plain), named)
    }

    /// The secrets that a provider's config names, at whatever depth.
    pub(super) fn secrets_in(&mut self, node: &Node, found: &mut Vec<Spanned<String>>) {
        if let Some(name) = secret_of(node) {
            let name = self.text("secret", name).and_then(|name| self.secret_name(name));
            found.extend(name);
            return;
        }
        match &node.value {
            Value::Scalar { .. } => {}
            Value::List(items) => items.iter().for_each(|item| self.secrets_in(item, found)),
            Value::Map(entries) => {
                entries.iter().for_each(|(_, value)| self.secrets_in(value, found))
            }
        }
    }

    fn secret_name(&mut self, name: Spanned<String>) -> Option<Spanned<String>> {
        if is_secret_name(&name.value) {
            return Some(name);
        }
        let message = format!("`{}` names no secret", name.value);
        self.error(name.span, message, "names are 1 to 128 of a-z, A-Z, 0-9, `.`, `_` and `-`");
        None
    }
}

/// What `{ secret: NAME }` names.
fn secret_of(node: &Node) -> Option<&Node> {
    match &node.value {
        Value::Map(entries) => match entries.as_slice() {
            [(key, name)] if key.value == SECRET => Some(name),
            _ => None,
        },
        Value::Scalar { .. } | Value::List(_) => None,
    }
}
