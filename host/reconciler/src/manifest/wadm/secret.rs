//! Secrets: what wadm names in a backend is here a secret of the lattice, called as its key there.

use super::{Node, Spanned, Wadm, get, items, map, scalar, text};

/// The type of policies that say from which backend secrets come.
const BACKEND: &str = "policy.secret.wasmcloud.dev/v1alpha1";

impl Wadm<'_, '_> {
    /// The user's own name of each secret, and what it is called.
    pub(super) fn secrets(
        &mut self,
        list: Option<&Node>,
    ) -> Vec<(Spanned<String>, Spanned<String>)> {
        let mut secrets = Vec::new();
        for each in items(list) {
            let properties = get(each, "properties");
            if let Some(field) = properties.and_then(|node| get(node, "field")) {
                let help = "make that field a secret of its own, and take this out";
                self.no_counterpart(field.span, "a field of a secret", help);
            }
            match (text(each, "name"), properties.and_then(|node| text(node, "key"))) {
                (Some(name), Some(key)) => secrets.push((name, key)),
                _ => {
                    let help = "write `name: NAME` and `properties: {key: KEY}`";
                    let message = "a secret is not named".to_owned();
                    self.reader.error(each.span, message, help);
                }
            }
        }
        secrets
    }

    /// Secrets as values of a config.
    pub(super) fn secret_values(&mut self, list: Option<&Node>) -> Vec<(Spanned<String>, Node)> {
        let value = |(name, key): (Spanned<String>, Spanned<String>)| {
            let secret = scalar(&key.value, key.span);
            let field = Spanned::new("secret".to_owned(), key.span);
            (name, map(key.span, vec![(field, secret)]))
        };
        self.secrets(list).into_iter().map(value).collect()
    }

    /// A policy says from which backend secrets come; here they come from the lattice.
    pub(super) fn policy(&mut self, policy: &Node) {
        let part = |field: &str| text(policy, field).map(|part| format!("`{}`", part.value));
        let what: Vec<String> = ["name", "type"].map(part).into_iter().flatten().collect();
        let what = format!("the policy {}", what.join(" of "));
        if text(policy, "type").is_some_and(|kind| kind.value == BACKEND) {
            let message = format!("{what} does nothing here");
            let help = "secrets are kept by the lattice: wicker secret set KEY";
            return self.reader.problems.warning(self.reader.source, policy.span, message, help);
        }
        self.no_counterpart(policy.span, &what, "take it out");
    }
}
