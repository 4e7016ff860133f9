//! The one way in which a name becomes a NATS token (and a key token), and back.
//!
//! NATS subjects and JetStream KV keys allow little more than letters, digits and `-`; WIT names hold `:`, `/`, `@`,
//! `.`, `[` and `]`. The escape is injective: [`parse`] undoes [`print()`], and refuses everything `print` cannot write.

/// The characters that occur often in WIT names have an escape of one letter, so that subjects stay readable.
const SHORT: [(char, char); 8] = [
    (':', 'c'),
    ('/', 's'),
    ('.', 'd'),
    ('@', 'v'),
    ('[', 'b'),
    (']', 'e'),
    ('_', '_'),
    ('*', 'a'),
];

/// Writes `name` as one token of letters, digits, `-` and `_`.
#[must_use]
pub fn print(name: &str) -> String {
    let mut token = String::with_capacity(name.len() + 8);
    for c in name.chars() {
        match SHORT.iter().find(|(plain, _)| *plain == c) {
            Some((_, letter)) => token.extend(['_', *letter]),
            None if c.is_ascii_alphanumeric() || c == '-' => token.push(c),
            None => token.push_str(&format!("_x{:x}_", c as u32)),
        }
    }
    token
}

/// Reads what [`print()`] wrote; `None` for every other text.
#[must_use]
pub fn parse(token: &str) -> Option<String> {
    let mut name = String::with_capacity(token.len());
    let mut rest = token.chars();
    while let Some(c) = rest.next() {
        if c != '_' {
            name.push(c);
            continue;
        }
        let letter = rest.next()?;
        if let Some((plain, _)) = SHORT.iter().find(|(_, short)| *short == letter) {
            name.push(*plain);
        } else if letter == 'x' {
            let hex: String = rest.by_ref().take_while(|c| *c != '_').collect();
            name.push(char::from_u32(u32::from_str_radix(&hex, 16).ok()?)?);
        } else {
            return None;
        }
    }
    (print(&name) == token).then_some(name)
}
