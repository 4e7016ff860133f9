//! The text of a file of secrets: `NAME=value` lines, as env files have them.
//!
//! Empty lines and lines that begin with `#` say nothing. A value is the rest of its line; in double quotes it may have
//! `\n`, `\r`, `\t`, `\"` and `\\`, in single quotes everything stands for itself. `TEAM/NAME=value` is another team's than
//! `default`'s. `export ` before a name is passed over.

use std::collections::BTreeMap;

use wicker_lattice::secret::{SECRET_BYTES_MAX, Secret, SecretId};
use zeroize::Zeroizing;

/// A line cannot be read. Says which, and never what it holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct TextError {
    /// The first is 1.
    pub line: usize,
    /// For people.
    pub why: &'static str,
}

/// Reads a whole file.
///
/// # Errors
/// The first line that is none.
pub fn read(text: &str) -> Result<BTreeMap<SecretId, Secret>, TextError> {
    let mut values = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (id, value) = read_line(line).map_err(|why| TextError { line: index + 1, why })?;
        if values.insert(id, value).is_some() {
            return Err(TextError { line: index + 1, why: "the name is there twice" });
        }
    }
    Ok(values)
}

fn read_line(line: &str) -> Result<(SecretId, Secret), &'static str> {
    let (name, value) = line.split_once('=').ok_or("expected NAME=value")?;
    let name = name.trim();
    let name = name.strip_prefix("export ").unwrap_or(name).trim();
    let id = name.parse().map_err(|_| "what is before `=` names no secret")?;
    let value = unquote(value.trim())?;
    if value.len() > SECRET_BYTES_MAX {
        return Err("the value is larger than 64 KiB");
    }
    Ok((id, Secret::new(value)))
}

fn unquote(value: &str) -> Result<Vec<u8>, &'static str> {
    if let Some(inner) = value.strip_prefix('\'') {
        let inner = inner.strip_suffix('\'').ok_or("the single quote does not end")?;
        return Ok(inner.as_bytes().to_vec());
    }
    let Some(inner) = value.strip_prefix('"') else { return Ok(value.as_bytes().to_vec()) };
    let mut bytes = Vec::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        let plain = match character {
            '"' if characters.as_str().is_empty() => return Ok(bytes),
            '"' => return Err("text after the double quote"),
            '\\' => match characters.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some(quoted @ ('"' | '\\')) => quoted,
                _ => return Err("an escape that is none of \\n \\r \\t \\\" \\\\"),
            },
            other => other,
        };
        bytes.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Err("the double quote does not end")
}

/// Writes values as [`read`] reads them. `None`: one is no text, which such a file cannot hold.
#[must_use]
pub fn write(values: &BTreeMap<SecretId, Secret>) -> Option<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    for (id, value) in values {
        let is_default = id.team() == wicker_lattice::id::DEFAULT_TEAM;
        text.push_str(&if is_default { id.name().to_owned() } else { id.to_string() });
        text.push_str("=\"");
        for character in value.reveal_text()?.chars() {
            match character {
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                '"' | '\\' => text.extend(['\\', character]),
                other => text.push(other),
            }
        }
        text.push_str("\"\n");
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back() {
        let secret = |text: &str| Secret::new(text.as_bytes().to_vec());
        let values = BTreeMap::from([
            ("plain".parse().unwrap(), secret("hunter2")),
            ("shop/key.pem".parse().unwrap(), secret("-----BEGIN-----\n\"a\\b\"\r\n\t= # ü\n")),
            ("EMPTY".parse().unwrap(), secret("")),
        ]);
        assert_eq!(read(&write(&values).unwrap()).unwrap(), values);
    }

    #[test]
    fn lines_are_read_as_env_files_have_them() {
        let text = "# a comment\n\nexport A=plain value\nB='it \\ is'\n  C = \"x\\ny\" \n";
        let read = read(text).unwrap();
        let value = |name: &str| read[&name.parse().unwrap()].reveal_text().unwrap().to_owned();
        assert_eq!((value("A").as_str(), value("B").as_str()), ("plain value", "it \\ is"));
        assert_eq!(value("C"), "x\ny");
    }

    #[test]
    fn a_line_that_is_none_is_named_by_its_number_and_not_shown() {
        for (text, line) in [
            ("A=1\nhunter2", 2),
            ("A=\"hunter2", 1),
            ("\n\nA='hunter2", 3),
            ("a b=hunter2", 1),
            ("A=1\nA=hunter2", 2),
            ("A=\"hun\\qter2\"", 1),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error.line, line, "{text}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }
}
