//! How a host finds out whether a component is ready.

use super::fields::{Fields, Reader};
use super::known::READY;
use super::yaml::{Node, Value};
use super::{Probe, Ready};
use crate::diagnostic::Spanned;

/// From one question to the next, milliseconds.
const INTERVAL_MS: u64 = 1000;

/// How long an answer may take, milliseconds.
const TIMEOUT_MS: u64 = 1000;

/// Bad answers in a row that are too many.
const FAILURES: u32 = 3;

impl Reader<'_> {
    /// `ready: /path`, or a map.
    pub(super) fn ready(&mut self, node: &Node) -> Option<Ready> {
        let ready = |probe| Ready {
            probe,
            interval_ms: INTERVAL_MS,
            timeout_ms: TIMEOUT_MS,
            failures: FAILURES,
        };
        if let Value::Scalar { .. } = &node.value {
            return self.probe_path("ready", node).map(ready);
        }
        let fields = self.fields("ready", node, node.span, &READY)?;
        let mut ready = ready(self.probe(node, &fields)?);
        let mut millis = |name, value: &mut u64| {
            if let Some(millis) = fields.get(name).and_then(|node| self.millis(name, node)) {
                *value = millis;
            }
        };
        millis("interval", &mut ready.interval_ms);
        millis("timeout", &mut ready.timeout_ms);
        let failures = fields.get("failures");
        if let Some(failures) = failures.and_then(|node| self.at_least_one("failures", node)) {
            ready.failures = failures;
        }
        Some(ready)
    }

    fn probe(&mut self, node: &Node, fields: &Fields<'_>) -> Option<Spanned<Probe>> {
        match (fields.get("path"), fields.get("function")) {
            (Some(path), None) => self.probe_path("path", path),
            (None, Some(function)) => self.probe_function(function),
            (Some(_), Some(_)) => {
                let message = "ready asks for a path and for a function".to_owned();
                self.error(node.span, message, "keep one of the two");
                None
            }
            (None, None) => {
                let help = "add `path: /healthz`, or `function: INTERFACE.FUNCTION`";
                self.error(node.span, "ready does not say what to ask".to_owned(), help);
                None
            }
        }
    }

    fn probe_path(&mut self, what: &str, node: &Node) -> Option<Spanned<Probe>> {
        let text = self.text(what, node)?;
        let is_path = text.value.starts_with('/')
            && text.value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        if is_path {
            return Some(Spanned::new(Probe::Path(text.value), text.span));
        }
        let message = format!("{what} is `{}`, expected a path", text.value);
        self.error(text.span, message, "write it as a client would ask for it: /healthz");
        None
    }

    fn probe_function(&mut self, node: &Node) -> Option<Spanned<Probe>> {
        let text = self.text("function", node)?;
        let parts = text.value.rsplit_once('.');
        let parts = parts.and_then(|(interface, name)| Some((interface.parse().ok()?, name)));
        let Some((interface, name)) = parts else {
            let message = format!("function is `{}`, expected INTERFACE.FUNCTION", text.value);
            self.error(text.span, message, "write it as shop:cart/health.check");
            return None;
        };
        Some(Spanned::new(Probe::Function { interface, name: name.to_owned() }, text.span))
    }
}
