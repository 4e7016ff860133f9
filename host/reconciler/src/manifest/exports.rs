//! `exports:`, read: what other teams may link to.

use wicker_lattice::store::record::{Quota, Terms};

use super::Export;
use super::fields::{Fields, Reader};
use super::known::{EXPORT, TERMS};
use super::yaml::{Node, Value};
use crate::diagnostic::Spanned;
use crate::pattern::InterfacePattern;
use crate::suggest;

impl Reader<'_> {
    pub(super) fn export(&mut self, name: Spanned<String>, node: &Node) -> Option<Export> {
        let what = format!("export {}", name.value);
        let fields = self.fields(&what, node, name.span, &EXPORT)?;
        let target = fields.get("target").and_then(|node| self.text("target", node));
        for (field, help) in [
            ("interfaces", "add `interfaces: [namespace:package/interface]`"),
            ("to", "add `to: [TEAM]`"),
        ] {
            if fields.get(field).is_none() {
                self.error(name.span, format!("{what} says nothing of `{field}`"), help);
            }
        }
        let interfaces = self.patterns(&fields);
        let to = fields.get("to").map(|node| self.grantees(node)).unwrap_or_default();
        let target = target.unwrap_or_else(|| name.clone());
        Some(Export { name, target, interfaces, to })
    }

    pub(super) fn exports_lead_to_objects(&mut self, exports: &[Export], names: &[&str]) {
        for Export { name, target, .. } in exports {
            if !names.contains(&target.value.as_str()) {
                let message = format!(
                    "the export {} leads to `{}`, which is no component or provider here",
                    name.value, target.value
                );
                let help = suggest::help(&target.value, names.iter().copied());
                self.error(target.span, message, help);
            }
        }
    }

    fn patterns(&mut self, fields: &Fields<'_>) -> Vec<Spanned<InterfacePattern>> {
        let Some(node) = fields.get("interfaces") else { return Vec::new() };
        let items = match &node.value {
            Value::List(items) => items.as_slice(),
            Value::Scalar { .. } | Value::Map(_) => std::slice::from_ref(node),
        };
        let mut patterns = Vec::with_capacity(items.len());
        for item in items {
            let Some(text) = self.text("interfaces", item) else { continue };
            let pattern = self.interface(&text);
            patterns.extend(pattern.map(|pattern| Spanned::new(pattern, text.span)));
        }
        patterns
    }

    /// A list of teams, or a map from each to its terms.
    fn grantees(&mut self, node: &Node) -> Vec<(Spanned<String>, Terms)> {
        let named: Vec<(Option<Spanned<String>>, Terms)> = match &node.value {
            Value::List(items) => {
                items.iter().map(|item| (self.text("to", item), Terms::default())).collect()
            }
            Value::Scalar { .. } | Value::Map(_) => {
                let entries = self.entries("to", node).unwrap_or_default();
                entries
                    .iter()
                    .map(|(key, node)| (Some(key.clone()), self.terms(key, node)))
                    .collect()
            }
        };
        let mut to: Vec<(Spanned<String>, Terms)> = Vec::with_capacity(named.len());
        for (team, terms) in named {
            let Some(team) = team.and_then(|team| self.name("a team", team)) else { continue };
            if to.iter().any(|(other, _)| other.value == team.value) {
                let message = format!("team `{}` is here twice", team.value);
                self.error(team.span, message, "remove one");
                continue;
            }
            to.push((team, terms));
        }
        to
    }

    fn terms(&mut self, team: &Spanned<String>, node: &Node) -> Terms {
        let what = format!("the terms of {}", team.value);
        let Some(fields) = self.fields(&what, node, team.span, &TERMS) else {
            return Terms::default();
        };
        let count = |name: &str| fields.get(name);
        let quota = Quota {
            calls_per_second: count("calls-per-second")
                .and_then(|node| self.at_least_one("calls-per-second", node)),
            concurrency: count("concurrency")
                .and_then(|node| self.at_least_one("concurrency", node)),
            bytes_per_second: count("bytes-per-second")
                .and_then(|node| self.bytes("bytes-per-second", node)),
        };
        let config = fields.get("config").map(|node| self.text_map("config", node));
        Terms { quota, config: config.unwrap_or_default() }
    }
}
