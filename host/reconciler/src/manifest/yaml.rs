//! YAML as a tree that remembers where everything stands.
//!
//! Scalars stay text until somebody who knows the field's type reads them, so `version: 1.10` is not a number and
//! `no` is not a boolean. What a manifest has no use for is refused: tags, several documents, keys that are not text.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Span as ParserSpan, Tag};

use crate::diagnostic::{Problems, Source, Span, Spanned};

/// Nodes of one file at most; aliases count as what they repeat.
const NODES_MAX: usize = 100_000;

/// One value of a file.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) span: Span,
    pub(super) value: Value,
}

/// What a [`Node`] holds.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Text; `is_plain` where it stands without quotes.
    Scalar { text: String, is_plain: bool },
    /// `[a, b]`.
    List(Vec<Node>),
    /// `{a: b}`, in the file's order.
    Map(Vec<(Spanned<String>, Node)>),
}

impl Value {
    /// What a diagnostic calls it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Scalar { text, is_plain: true } if is_null(text) => "nothing",
            Self::Scalar { .. } => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

/// Whether plain text means that there is no value.
pub(super) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null")
}

/// Reads a file; `None` where it is not YAML at all or holds nothing. What is wrong goes to `problems`.
///
/// `layer` says which file of the source: see [`Span::layer`].
pub(super) fn parse(source: &Source, layer: usize, problems: &mut Problems) -> Option<Node> {
    let file = source.of(Span { layer, ..Span::default() }).clone();
    let mut builder = Builder {
        source,
        layer,
        problems,
        open: Vec::new(),
        anchors: HashMap::new(),
        nodes: 0,
        root: None,
    };
    for event in Parser::new_from_str(file.text()) {
        match event {
            Ok((event, span)) => builder.event(event, span)?,
            Err(error) => {
                let span = Span {
                    line: error.marker().line(),
                    column: error.marker().col() + 1,
                    width: 1,
                    layer,
                };
                builder.problems.error(source, span, format!("not YAML: {}", error.info()), "");
                return None;
            }
        }
    }
    builder.root
}

/// A collection whose end has not been seen.
struct Open {
    span: Span,
    anchor: usize,
    /// What it holds so far.
    value: Value,
    /// Of a map: the key whose value is to come.
    key: Option<Spanned<String>>,
}

struct Builder<'a> {
    source: &'a Source,
    layer: usize,
    problems: &'a mut Problems,
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    root: Option<Node>,
}

impl Builder<'_> {
    /// Takes one event in; `None` ends the reading, with its problem noted.
    fn event(&mut self, event: Event<'_>, at: ParserSpan) -> Option<()> {
        let span = Span { layer: self.layer, ..span_of(&at) };
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), span);
                let is_plain = style == ScalarStyle::Plain;
                self.add(
                    Node { span, value: Value::Scalar { text: text.into_owned(), is_plain } },
                    anchor,
                )
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), span);
                self.start(span, anchor, Value::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), span);
                self.start(span, anchor, Value::Map(Vec::new()))
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::DocumentStart(..) if self.root.is_some() => {
                let help = "put each application in a file of its own";
                self.problems.error(
                    self.source,
                    span,
                    "a second document in one file".to_owned(),
                    help,
                );
                None
            }
            _ => Some(()),
        }
    }

    /// Tags have no meaning in a manifest.
    fn refuse_tag(&mut self, tag: Option<&Tag>, span: Span) {
        if tag.is_some() {
            let message = "tags have no meaning here".to_owned();
            self.problems.error(self.source, span, message, "remove the tag");
        }
    }

    fn start(&mut self, span: Span, anchor: usize, value: Value) -> Option<()> {
        self.open.push(Open { span, anchor, value, key: None });
        Some(())
    }

    fn end(&mut self) -> Option<()> {
        let Open { span, anchor, value, .. } = self.open.pop()?;
        self.add(Node { span, value }, anchor)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Option<()> {
        let Some((node, size)) = self.anchors.get(&anchor) else {
            let message = "an alias inside of what it repeats".to_owned();
            self.problems.error(self.source, span, message, "");
            return None;
        };
        self.nodes += size;
        let node = Node { span, value: node.value.clone() };
        self.add(node, 0)
    }

    /// Puts a finished node where it belongs: the root, a list, or a map's key or value.
    fn add(&mut self, node: Node, anchor: usize) -> Option<()> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            let message = format!("more than {NODES_MAX} values in one file");
            self.problems.error(self.source, node.span, message, "");
            return None;
        }
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), size_of_tree(&node)));
        }
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return Some(());
        };
        match &mut parent.value {
            Value::List(items) => items.push(node),
            Value::Map(entries) => match parent.key.take() {
                Some(key) => entries.push((key, node)),
                None => return self.key(node),
            },
            Value::Scalar { .. } => {}
        }
        Some(())
    }

    fn key(&mut self, node: Node) -> Option<()> {
        let Value::Scalar { text, .. } = node.value else {
            let message = "a key that is not text".to_owned();
            self.problems.error(self.source, node.span, message, "");
            return None;
        };
        let parent = self.open.last_mut()?;
        let Value::Map(entries) = &parent.value else { return Some(()) };
        if let Some((first, _)) = entries.iter().find(|(key, _)| key.value == text) {
            let message = format!("`{text}` is here twice");
            let help = format!("the first is on line {}", first.span.line);
            self.problems.error(self.source, node.span, message, help);
        }
        parent.key = Some(Spanned::new(text, node.span));
        Some(())
    }
}

fn size_of_tree(node: &Node) -> usize {
    1 + match &node.value {
        Value::Scalar { .. } => 0,
        Value::List(items) => items.iter().map(size_of_tree).sum(),
        Value::Map(entries) => entries.iter().map(|(_, node)| size_of_tree(node)).sum(),
    }
}

fn span_of(span: &ParserSpan) -> Span {
    let is_one_line = span.start.line() == span.end.line();
    let width = if is_one_line { span.end.col().saturating_sub(span.start.col()) } else { 1 };
    Span { line: span.start.line(), column: span.start.col() + 1, width: width.max(1), layer: 0 }
}
