//! Notes in the database.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::wicker::sql::database::{self, Isolation, Options, Rows, Transaction};
use crate::wicker::sql::types::{Error, Timestamp, Value};

/// Every note, or those with a tag, one a line: its id, its text.
pub fn list(tag: Option<&str>) -> Result<String, Error> {
    let all = "SELECT id, text FROM notes ORDER BY created, id";
    let tagged =
        "SELECT id, text FROM notes JOIN tags ON note = id WHERE tag = $1 ORDER BY created, id";
    let Rows { first, rest, .. } = match tag {
        None => database::query(all, &[])?,
        Some(tag) => database::query(tagged, &[Value::Text(tag.to_owned())])?,
    };
    let mut lines = String::new();
    write(&mut lines, &first);
    if let Some(rest) = rest {
        loop {
            let page = rest.next()?;
            write(&mut lines, &page.rows);
            if page.is_last {
                break;
            }
        }
    }
    Ok(lines)
}

fn write(lines: &mut String, rows: &[Vec<Value>]) {
    for row in rows {
        if let [Value::Uuid(id), Value::Text(text)] = row.as_slice() {
            // Writing into a string cannot fail.
            let _ = writeln!(lines, "{id} {text}");
        }
    }
}

/// Keeps a note and the tags in it (`#like #these`), both or neither. Returns its id.
pub fn add(text: &str) -> Result<String, Error> {
    let id = id();
    let options = Options { isolation: Isolation::Unspecified, read_only: false };
    // Whatever returns before the end drops the transaction, which rolls it back.
    let transaction = Transaction::begin(options)?;
    let note = [Value::Uuid(id.clone()), Value::Text(text.to_owned()), Value::Timestamp(now())];
    transaction.execute("INSERT INTO notes (id, text, created) VALUES ($1, $2, $3)", &note)?;
    for tag in text.split_whitespace().filter_map(|word| word.strip_prefix('#')) {
        let tag = [Value::Uuid(id.clone()), Value::Text(tag.to_owned())];
        transaction.execute("INSERT INTO tags (note, tag) VALUES ($1, $2)", &tag)?;
    }
    Transaction::commit(transaction)?;
    Ok(format!("{id}\n"))
}

/// Forgets a note, and its tags with it.
pub fn remove(id: &str) -> Result<String, Error> {
    let count =
        database::execute("DELETE FROM notes WHERE id = $1", &[Value::Uuid(id.to_owned())])?;
    Ok(format!("{count}\n"))
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp { seconds: since.as_secs().cast_signed(), nanoseconds: since.subsec_micros() * 1_000 }
}

/// A random UUID (version 4).
fn id() -> String {
    let mut bytes = [0; 16];
    wstd::rand::get_random_bytes(&mut bytes);
    let bits = bytes.iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    let bits = bits & !(0xf << 76) & !(0b11 << 62) | 4 << 76 | 0b10 << 62;
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
