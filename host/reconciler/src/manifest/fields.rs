//! Reads fields of known types from a YAML tree and notes what does not fit, with its place.

use std::collections::BTreeMap;

use wicker_lattice::id::is_name;

use super::known::Section;
use super::yaml::{Node, Value, is_null};
use crate::diagnostic::{Problems, Source, Span, Spanned};
use crate::{suggest, units};

/// One file being read: where problems go.
pub(super) struct Reader<'a> {
    pub(super) source: &'a Source,
    pub(super) problems: &'a mut Problems,
}

/// The fields of one map, each of a known name.
pub(super) struct Fields<'n> {
    /// Where the map stands: its key, for problems about what is missing.
    pub(super) span: Span,
    entries: &'n [(Spanned<String>, Node)],
}

impl<'n> Fields<'n> {
    /// A field's value, unless it is absent or `null`.
    pub(super) fn get(&self, name: &str) -> Option<&'n Node> {
        let (_, node) = self.entries.iter().find(|(key, _)| key.value == name)?;
        let is_absent =
            matches!(&node.value, Value::Scalar { text, is_plain: true } if is_null(text));
        (!is_absent).then_some(node)
    }

    /// The names that a section declares, whatever they stand for.
    pub(super) fn names_in(&self, section: &str) -> Vec<&'n str> {
        match self.get(section).map(|node| &node.value) {
            Some(Value::Map(entries)) => {
                entries.iter().map(|(key, _)| key.value.as_str()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Where a field's name stands.
    pub(super) fn key_span(&self, name: &str) -> Span {
        self.entries
            .iter()
            .find(|(key, _)| key.value == name)
            .map_or(self.span, |(key, _)| key.span)
    }

    /// Where the file says on how many hosts, and on which: at `placement`, else `replicas`, else the whole entry.
    pub(super) fn spread_span(&self) -> Span {
        let field = if self.get("placement").is_some() { "placement" } else { "replicas" };
        self.key_span(field)
    }
}

impl Reader<'_> {
    pub(super) fn error(&mut self, span: Span, message: String, help: impl Into<String>) {
        self.problems.error(self.source, span, message, help);
    }

    fn expected(&mut self, node: &Node, what: &str, expected: &str) {
        let message = format!("{what} is {}, expected {expected}", node.value.kind());
        self.error(node.span, message, "");
    }

    /// A map whose keys are all in `known`; others are noted.
    pub(super) fn fields<'n>(
        &mut self,
        what: &str,
        node: &'n Node,
        span: Span,
        known: &Section,
    ) -> Option<Fields<'n>> {
        let entries = self.entries(what, node)?;
        let known = || known.fields.iter().map(|field| field.name);
        for (key, _) in entries.iter().filter(|(key, _)| known().all(|name| name != key.value)) {
            let help = suggest::help(&key.value, known());
            self.error(key.span, format!("unknown field `{}` in {what}", key.value), help);
        }
        Some(Fields { span, entries })
    }

    /// A map with keys of any name.
    pub(super) fn entries<'n>(
        &mut self,
        what: &str,
        node: &'n Node,
    ) -> Option<&'n [(Spanned<String>, Node)]> {
        match &node.value {
            Value::Map(entries) => Some(entries),
            Value::Scalar { text, is_plain: true } if is_null(text) => Some(&[]),
            Value::Scalar { .. } | Value::List(_) => {
                self.expected(node, what, "a map");
                None
            }
        }
    }

    /// Text, quoted or not.
    pub(super) fn text(&mut self, what: &str, node: &Node) -> Option<Spanned<String>> {
        match &node.value {
            Value::Scalar { text, is_plain } if !(*is_plain && is_null(text)) => {
                Some(Spanned::new(text.clone(), node.span))
            }
            Value::Scalar { .. } | Value::List(_) | Value::Map(_) => {
                self.expected(node, what, "text");
                None
            }
        }
    }

    /// A name of a team, application, component or provider.
    pub(super) fn name(&mut self, what: &str, name: Spanned<String>) -> Option<Spanned<String>> {
        if is_name(&name.value) {
            return Some(name);
        }
        let message = format!("`{}` cannot name {what}", name.value);
        self.error(name.span, message, "names are 1 to 63 of a-z, 0-9 and inner hyphens");
        None
    }

    /// A whole number.
    pub(super) fn number(&mut self, what: &str, node: &Node) -> Option<u32> {
        let text = self.text(what, node)?;
        let number = text.value.parse().ok();
        if number.is_none() {
            self.error(
                text.span,
                format!("{what} is `{}`, expected a whole number", text.value),
                "",
            );
        }
        number
    }

    /// A whole number that is not zero.
    pub(super) fn at_least_one(&mut self, what: &str, node: &Node) -> Option<u32> {
        let number = self.number(what, node)?;
        if number == 0 {
            self.error(node.span, format!("{what} is zero"), "write 1 or more");
        }
        Some(number)
    }

    /// A size in bytes.
    pub(super) fn bytes(&mut self, what: &str, node: &Node) -> Option<u64> {
        self.unit(what, "a size", node, units::parse_bytes)
    }

    /// A duration in milliseconds.
    pub(super) fn millis(&mut self, what: &str, node: &Node) -> Option<u64> {
        self.unit(what, "a duration", node, units::parse_millis)
    }

    fn unit(
        &mut self,
        what: &str,
        expected: &str,
        node: &Node,
        parse: fn(&str) -> Result<u64, &'static str>,
    ) -> Option<u64> {
        let text = self.text(what, node)?;
        match parse(&text.value) {
            Ok(0) => {
                self.error(text.span, format!("{what} is zero"), "leave it out for the default");
                None
            }
            Ok(value) => Some(value),
            Err(help) => {
                self.error(
                    text.span,
                    format!("{what} is `{}`, expected {expected}", text.value),
                    help,
                );
                None
            }
        }
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, what: &str, node: &Node) -> Option<bool> {
        let text = self.text(what, node)?;
        match text.value.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            other => {
                self.error(text.span, format!("{what} is `{other}`, expected true or false"), "");
                None
            }
        }
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, what: &str, node: &Node) -> Vec<String> {
        let Value::List(items) = &node.value else {
            self.expected(node, what, "a list");
            return Vec::new();
        };
        items.iter().filter_map(|item| Some(self.text(what, item)?.value)).collect()
    }

    /// A map of texts. A list of texts is written with commas between them.
    pub(super) fn text_map(&mut self, what: &str, node: &Node) -> BTreeMap<String, String> {
        let mut map = BTreeMap::new();
        for (key, node) in self.entries(what, node).unwrap_or_default() {
            let what = format!("{what}.{}", key.value);
            let value = match &node.value {
                Value::List(_) => Some(self.texts(&what, node).join(",")),
                Value::Scalar { .. } | Value::Map(_) => {
                    self.text(&what, node).map(|text| text.value)
                }
            };
            if let Some(value) = value {
                map.insert(key.value.clone(), value);
            }
        }
        map
    }
}

/// The JSON that a YAML value stands for, by YAML's core schema: quoted scalars stay text.
pub(super) fn json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Scalar { text, is_plain: true } => plain_json(text),
        Value::Scalar { text, is_plain: false } => text.as_str().into(),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(entries) => {
            entries.iter().map(|(key, node)| (key.value.clone(), json(node))).collect()
        }
    }
}

fn plain_json(text: &str) -> serde_json::Value {
    match text {
        _ if is_null(text) => serde_json::Value::Null,
        "true" => true.into(),
        "false" => false.into(),
        _ => match serde_json::from_str::<serde_json::Number>(text) {
            Ok(number) => serde_json::Value::Number(number),
            Err(_) => text.into(),
        },
    }
}
