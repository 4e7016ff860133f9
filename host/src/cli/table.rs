//! Columns that line up, and the shortest names that still say which object is meant.

use std::fmt;

use wicker_lattice::id::{DEFAULT_TEAM, ObjectId};

/// Rows of text under headings. Prints nothing where there are no rows.
#[derive(Debug, Clone)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    #[must_use]
    pub fn new<const N: usize>(headings: [&str; N]) -> Self {
        Self { rows: vec![headings.map(str::to_owned).to_vec()] }
    }

    /// Adds a row; an empty cell is shown as `-`.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        let shown = cells.map(|cell| if cell.is_empty() { "-".to_owned() } else { cell });
        self.rows.push(shown.to_vec());
    }

    /// Whether it has no rows besides the headings.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.len() < 2
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return Ok(());
        }
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            let line = cells.collect::<Vec<_>>().join("  ");
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// An id as people type it: `counter` for `default/counter/counter`, `shop/cart` for `default/shop/cart`.
#[must_use]
pub fn short(id: &ObjectId) -> String {
    if id.team() != DEFAULT_TEAM {
        return id.to_string();
    }
    if id.application() == id.name() {
        return id.name().to_owned();
    }
    format!("{}/{}", id.application(), id.name())
}

/// The first letters of a digest, enough to tell one from another.
#[must_use]
pub fn short_digest(digest: &str) -> String {
    digest.strip_prefix("sha256:").unwrap_or(digest).chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_have_no_tail() {
        let mut table = Table::new(["NAME", "STATE", "WHY"]);
        assert_eq!(table.to_string(), "");
        table.row(["counter".to_owned(), "ready".to_owned(), String::new()]);
        table.row(["x".to_owned(), "pending".to_owned(), "waits".to_owned()]);
        assert_eq!(
            table.to_string(),
            "NAME     STATE    WHY\n\
             counter  ready    -\n\
             x        pending  waits\n"
        );
    }

    #[test]
    fn short_names_mean_the_same_object() {
        for (id, expected) in [
            ("default/counter/counter", "counter"),
            ("default/shop/cart", "shop/cart"),
            ("acme/shop/shop", "acme/shop/shop"),
        ] {
            let id: ObjectId = id.parse().unwrap();
            assert_eq!(short(&id), expected);
            let found = wicker_reconciler::names::resolve(expected, [&id]);
            assert_eq!(found, wicker_reconciler::names::Resolved::One(id));
        }
    }
}
