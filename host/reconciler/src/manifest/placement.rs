//! On how many hosts something runs, on which, and how a new version replaces the one that runs.

use wicker_lattice::store::record::{Rollout, Scaling, Spread};

use super::fields::{Fields, Reader};
use super::known::{NEIGHBOUR, PLACEMENT, ROLLOUT, SCALING};
use super::yaml::{Node, Value};
use super::{Neighbour, Placement};

/// How long something is less busy before it runs on fewer hosts, milliseconds.
const SCALE_AFTER_MS: u64 = 60_000;

impl Reader<'_> {
    /// `replicas` and `placement`.
    pub(super) fn placement(&mut self, entry: &Fields<'_>) -> Placement {
        let mut placement = Placement { span: entry.spread_span(), ..Placement::default() };
        match entry.get("replicas") {
            Some(node) if matches!(node.value, Value::Map(_)) => {
                self.scaling(node, &mut placement.spread);
            }
            Some(node) => placement.spread.replicas = self.replicas(node),
            None => {}
        }
        let Some(node) = entry.get("placement") else { return placement };
        let Some(fields) = self.fields("placement", node, node.span, &PLACEMENT) else {
            return placement;
        };
        let Spread { labels, preferred, over, .. } = &mut placement.spread;
        if let Some(node) = fields.get("labels") {
            *labels = self.text_map("labels", node);
        }
        if let Some(node) = fields.get("prefer") {
            *preferred = self.text_map("prefer", node);
        }
        *over = fields.get("spread").and_then(|node| self.label("spread", node));
        placement.near =
            fields.get("near").map(|node| self.neighbours("near", node)).unwrap_or_default();
        placement.apart =
            fields.get("apart").map(|node| self.neighbours("apart", node)).unwrap_or_default();
        placement
    }

    /// `min`, `max` and `concurrency`.
    fn scaling(&mut self, node: &Node, spread: &mut Spread) {
        let Some(fields) = self.fields("replicas", node, node.span, &SCALING) else { return };
        let mut count = |name| fields.get(name).and_then(|node| self.at_least_one(name, node));
        let (min, max, concurrency) =
            (count("min").unwrap_or(1), count("max"), count("concurrency"));
        let after = fields.get("after").and_then(|node| self.millis("after", node));
        for field in SCALING.required.iter().filter(|name| fields.get(name).is_none()) {
            let help = "write it as `{min: 1, max: 10, concurrency: 20}`";
            self.error(node.span, format!("replicas has no {field}"), help);
        }
        let (Some(max), Some(concurrency)) = (max, concurrency) else { return };
        if max < min {
            self.error(node.span, format!("replicas has min {min} and max {max}"), "swap them");
        }
        let after_ms = after.unwrap_or(SCALE_AFTER_MS);
        spread.replicas = Some(min);
        spread.scaling = Some(Scaling { max, concurrency, after_ms });
    }

    /// A number, or `every` (host that matches).
    fn replicas(&mut self, node: &Node) -> Option<u32> {
        let text = self.text("replicas", node)?;
        if text.value == "every" {
            return None;
        }
        match text.value.parse() {
            Ok(0) => self.error(
                text.span,
                "replicas is zero".to_owned(),
                "remove the entry, or write 1 or more",
            ),
            Ok(number) => return Some(number),
            Err(_) => {
                let message =
                    format!("replicas is `{}`, expected a whole number or `every`", text.value);
                self.error(text.span, message, "");
            }
        }
        Some(1)
    }

    /// A label's name, without a value.
    fn label(&mut self, what: &str, node: &Node) -> Option<String> {
        let help =
            "name one label: `spread: zone`; hosts that must carry a value belong under `labels`";
        if let Value::Map(_) | Value::List(_) = node.value {
            let message = format!("{what} is {}, expected a label's name", node.value.kind());
            self.error(node.span, message, help);
            return None;
        }
        let text = self.text(what, node)?;
        if text.value.is_empty() || text.value.contains('=') {
            self.error(
                text.span,
                format!("{what} is `{}`, expected a label's name", text.value),
                help,
            );
            return None;
        }
        Some(text.value)
    }

    /// A list of names, or of maps with `to`.
    fn neighbours(&mut self, what: &str, node: &Node) -> Vec<Neighbour> {
        let Value::List(items) = &node.value else {
            let message = format!("{what} is {}, expected a list", node.value.kind());
            self.error(node.span, message, format!("write `{what}: [NAME]`"));
            return Vec::new();
        };
        items.iter().filter_map(|item| self.neighbour(what, item)).collect()
    }

    fn neighbour(&mut self, what: &str, node: &Node) -> Option<Neighbour> {
        if let Value::Scalar { .. } = &node.value {
            return Some(Neighbour { to: self.text(what, node)?, is_required: true });
        }
        let fields = self.fields(&format!("an entry of {what}"), node, node.span, &NEIGHBOUR)?;
        let Some(to) = fields.get("to") else {
            self.error(node.span, format!("an entry of {what} names nobody"), "add `to: NAME`");
            return None;
        };
        let to = self.text("to", to);
        let required = fields.get("required").and_then(|node| self.boolean("required", node));
        Some(Neighbour { to: to?, is_required: required.unwrap_or(true) })
    }

    /// `rollout`.
    pub(super) fn rollout(&mut self, entry: &Fields<'_>) -> Rollout {
        let mut rollout = Rollout::default();
        let fields =
            entry.get("rollout").and_then(|node| self.fields("rollout", node, node.span, &ROLLOUT));
        let Some(fields) = fields else { return rollout };
        if let Some(number) =
            fields.get("at-once").and_then(|node| self.at_least_one("at-once", node))
        {
            rollout.at_once = number;
        }
        if let Some(rolls_back) =
            fields.get("rollback").and_then(|node| self.boolean("rollback", node))
        {
            rollout.rolls_back = rolls_back;
        }
        rollout
    }
}
