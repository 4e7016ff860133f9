//! Problems in a manifest: each with file, line and column, what is wrong and what would fix it.
//!
//! Nobody stops at the first problem: readers push into [`Problems`] and go on, so that one run shows all of them.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

/// A file that a user wrote, kept for showing its lines. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Source(Arc<SourceText>);

#[derive(Debug)]
struct SourceText {
    file: String,
    text: String,
    /// More files of the same application.
    parts: Vec<Source>,
    overlays: Vec<Source>,
}

/// Where something stands in a [`Source`]. Lines and columns count from 1, columns and width in characters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The line.
    pub line: usize,
    /// The first character.
    pub column: usize,
    /// How many characters to underline; at least one is.
    pub width: usize,
    /// In which file: 0 is the manifest itself, then come its parts, then the files laid over them.
    pub layer: usize,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// What was read.
    pub value: T,
    /// Where.
    pub span: Span,
}

/// How much a [`Diagnostic`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Nothing is deployed.
    Error,
    /// Deployed, but it may not be what was meant.
    Warning,
}

/// One problem.
///
/// `Display` writes `file:line:column: message`, the source line and a caret with the help beside it.
#[derive(Debug, Clone, Serialize)]
pub struct Diagnostic {
    /// Whether it stops the deployment.
    pub severity: Severity,
    /// The file as the user named it.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong, lower case.
    pub message: String,
    /// What would fix it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    #[serde(skip)]
    width: usize,
    #[serde(skip)]
    source_line: String,
}

/// All problems found so far.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(transparent)]
pub struct Problems {
    diagnostics: Vec<Diagnostic>,
}

impl Source {
    /// A file's name, as the user gave it, and its text.
    pub fn new(file: impl Into<String>, text: impl Into<String>) -> Self {
        let (file, text) = (file.into(), text.into());
        Self(Arc::new(SourceText { file, text, parts: Vec::new(), overlays: Vec::new() }))
    }

    /// The same file with `parts` of the same application beside it, and `overlays` laid over them all, in this order.
    #[must_use]
    pub fn with_layers(&self, parts: Vec<Self>, overlays: Vec<Self>) -> Self {
        let (file, text) = (self.0.file.clone(), self.0.text.clone());
        Self(Arc::new(SourceText { file, text, parts, overlays }))
    }

    /// The layers that are parts of the application, as this file is.
    #[must_use]
    pub fn parts(&self) -> Range<usize> {
        1..1 + self.0.parts.len()
    }

    /// The layers that are laid over the others.
    #[must_use]
    pub fn overlays(&self) -> Range<usize> {
        let first = self.parts().end;
        first..first + self.0.overlays.len()
    }

    fn layers(&self) -> impl Iterator<Item = &Self> {
        self.0.parts.iter().chain(&self.0.overlays)
    }

    /// The file in which something stands.
    #[must_use]
    pub fn of(&self, span: Span) -> &Self {
        let layer = span.layer.checked_sub(1).and_then(|index| self.layers().nth(index));
        layer.unwrap_or(self)
    }

    /// The text of all its files: each further one as a document of its own, under its name.
    #[must_use]
    pub fn whole_text(&self) -> String {
        self.layers().fold(self.0.text.clone(), |whole, layer| {
            format!("{whole}\n---\n# {}\n{}", layer.file(), layer.text())
        })
    }

    /// The name that diagnostics show.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.0.file
    }

    /// Everything that was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }
}

impl<T> Spanned<T> {
    /// Puts a value at a place.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

impl Problems {
    /// Notes an error; `help` says what would fix it (empty: nothing is known to).
    pub fn error(&mut self, source: &Source, span: Span, message: String, help: impl Into<String>) {
        self.push(Severity::Error, (source, span), message, help.into());
    }

    /// Notes something that does not stop the deployment.
    pub fn warning(
        &mut self,
        source: &Source,
        span: Span,
        message: String,
        help: impl Into<String>,
    ) {
        self.push(Severity::Warning, (source, span), message, help.into());
    }

    fn push(
        &mut self,
        severity: Severity,
        (source, span): (&Source, Span),
        message: String,
        help: String,
    ) {
        let source = source.of(span);
        let line = source.text().lines().nth(span.line.saturating_sub(1)).unwrap_or_default();
        self.diagnostics.push(Diagnostic {
            severity,
            file: source.file().to_owned(),
            line: span.line.max(1),
            column: span.column.max(1),
            message,
            help: (!help.is_empty()).then_some(help),
            width: span.width.max(1),
            source_line: line.replace('\t', " "),
        });
    }

    /// Takes over what another reader found.
    pub fn extend(&mut self, other: Self) {
        self.diagnostics.extend(other.diagnostics);
    }

    /// Whether anything stops the deployment.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|each| each.severity == Severity::Error)
    }

    /// All of them, by file and place.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.diagnostics
            .sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        self
    }

    /// All of them, in the order they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.diagnostics.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.diagnostics.is_empty()
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.diagnostics.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            diagnostic.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, message, width, .. } = self;
        let warning = if self.severity == Severity::Warning { "warning: " } else { "" };
        write!(f, "{file}:{line}:{column}: {warning}{message}")?;
        if self.source_line.trim().is_empty() {
            return self.help.as_ref().map_or(Ok(()), |help| write!(f, "\n  = {help}"));
        }
        let margin = " ".repeat(line.to_string().len());
        let indent = " ".repeat(column - 1);
        let room = self.source_line.chars().count().saturating_sub(column - 1).max(1);
        let caret = "^".repeat((*width).min(room));
        write!(f, "\n  {line} | {}\n  {margin} | {indent}{caret}", self.source_line)?;
        match &self.help {
            Some(help) if help.len() <= 60 => write!(f, " {help}"),
            Some(help) => write!(f, "\n  {margin} = {help}"),
            None => Ok(()),
        }
    }
}
