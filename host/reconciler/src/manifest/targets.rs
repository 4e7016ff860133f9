//! Who serves a link or answers a route: one, or several that share the calls.

use super::Target;
use super::fields::Reader;
use super::known::SHARE;
use super::yaml::{Node, Value};

impl Reader<'_> {
    /// A name, or a list of maps with `target` and `weight`.
    pub(super) fn targets(&mut self, what: &str, node: &Node) -> Option<Vec<Target>> {
        let Value::List(items) = &node.value else {
            return Some(vec![Target { name: self.text(what, node)?, weight: 1 }]);
        };
        let found = self.problems.len();
        let shares: Vec<Target> = items.iter().filter_map(|item| self.share(what, item)).collect();
        if self.problems.len() > found {
            return None;
        }
        for (index, Target { name, .. }) in shares.iter().enumerate() {
            if shares.iter().take(index).any(|other| other.name.value == name.value) {
                let message = format!("{what} leads to `{}` twice", name.value);
                self.error(name.span, message, "add the weights together");
            }
        }
        if shares.iter().all(|share| share.weight == 0) {
            let help = "write `- {target: NAME, weight: 90}` for each that shares the calls";
            self.error(node.span, format!("{what} leads nowhere"), help);
        }
        (self.problems.len() == found).then_some(shares)
    }

    fn share(&mut self, what: &str, node: &Node) -> Option<Target> {
        let fields = self.fields(&format!("a target of {what}"), node, node.span, &SHARE)?;
        for field in SHARE.required {
            if fields.get(field).is_none() {
                let help = "write it as `{target: NAME, weight: 90}`";
                self.error(node.span, format!("a target of {what} has no {field}"), help);
            }
        }
        let name = fields.get("target").and_then(|node| self.text("target", node));
        let weight = fields.get("weight").and_then(|node| self.number("weight", node));
        Some(Target { name: name?, weight: weight? })
    }
}
